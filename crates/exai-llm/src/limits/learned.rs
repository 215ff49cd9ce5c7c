//! What a provider says about its limits in the headers of its answers. Only what is left and
//! when it is whole again is used, because what a limit is counted over differs: a minute, a
//! day, a moving bucket.

use crate::fault::header;
use std::time::Duration;
use tokio::time::Instant;

/// How a limit and its rest are spelt: limit, remaining, reset.
const REQUESTS: [[&str; 3]; 5] = [
    [
        "x-ratelimit-limit-requests",
        "x-ratelimit-remaining-requests",
        "x-ratelimit-reset-requests",
    ],
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "x-ratelimit-limit-req-minute",
        "x-ratelimit-remaining-req-minute",
        "x-ratelimit-reset-req-minute",
    ],
    [
        "x-ratelimit-limit",
        "x-ratelimit-remaining",
        "x-ratelimit-reset",
    ],
    ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"],
];
const TOKENS: [[&str; 3]; 4] = [
    [
        "x-ratelimit-limit-tokens",
        "x-ratelimit-remaining-tokens",
        "x-ratelimit-reset-tokens",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
    [
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
    ],
    [
        "x-ratelimit-limit-tokens-minute",
        "x-ratelimit-remaining-tokens-minute",
        "x-ratelimit-reset-tokens-minute",
    ],
];
/// Where a provider does not say when: most count by the minute.
const UNSAID: Duration = Duration::from_secs(60);
/// No provider means more.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// One limit as last told, minus what was begun since.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bucket {
    /// How much it holds when whole.
    pub limit: Option<u64>,
    /// How much was left.
    pub left: u64,
    /// When that was.
    at: Instant,
    /// How long until it is whole again.
    whole_in: Duration,
}

/// The limits of an endpoint, as learned.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Learned {
    /// Requests.
    pub requests: Option<Bucket>,
    /// Tokens.
    pub tokens: Option<Bucket>,
}

/// What was begun, in all, up to a moment; differences tell what was begun since.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Begun {
    /// Requests.
    pub requests: u64,
    /// Tokens.
    pub tokens: u64,
}

impl Learned {
    /// Takes an answer's headers. `since` is what was begun after its own request: the
    /// provider had not seen that when it wrote them.
    pub fn learn(&mut self, headers: &[(String, String)], now: Instant, now_ms: u64, since: Begun) {
        if let Some(bucket) = read(&REQUESTS, headers, now, now_ms, since.requests) {
            self.requests = Some(bucket);
        }
        if let Some(bucket) = read(&TOKENS, headers, now, now_ms, since.tokens) {
            self.tokens = Some(bucket);
        }
    }

    /// When a request of so many tokens fits, if not now.
    #[must_use]
    pub fn free_at(&self, now: Instant, tokens: u64) -> Option<Instant> {
        let requests = self.requests.and_then(|bucket| bucket.free_at(now, 1));
        let tokens = self.tokens.and_then(|bucket| bucket.free_at(now, tokens));
        requests.max(tokens)
    }

    /// A request begins.
    pub fn begin(&mut self, now: Instant, tokens: u64) {
        for (bucket, amount) in [(&mut self.requests, 1), (&mut self.tokens, tokens)] {
            match bucket {
                // Whole again, and nobody said what it holds: nothing is known any more.
                Some(known) if known.is_stale(now) => *bucket = None,
                Some(known) => known.take(now, amount),
                None => {}
            }
        }
    }
}

impl Bucket {
    fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.at) >= self.whole_in
    }

    /// How much there is now: buckets fill evenly until they are whole.
    fn level(&self, now: Instant) -> u64 {
        let Some(limit) = self.limit else {
            return self.left;
        };
        let missing = limit.saturating_sub(self.left) as f64;
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        let share = (passed / self.whole_in.as_secs_f64().max(1e-9)).min(1.0);
        self.left.saturating_add((missing * share) as u64)
    }

    fn free_at(&self, now: Instant, amount: u64) -> Option<Instant> {
        if self.is_stale(now) {
            return None;
        }
        // More than it ever holds: when it is whole, the provider decides.
        let amount = self.limit.map_or(amount, |limit| amount.min(limit));
        if self.level(now) >= amount {
            return None;
        }
        let whole = self.at + self.whole_in;
        let Some(limit) = self.limit else {
            return Some(whole);
        };
        let missing = limit.saturating_sub(self.left).max(1) as f64;
        let share = (amount - self.left) as f64 / missing;
        // A little later, so that rounding down does not find it one short.
        let at = self.at + self.whole_in.mul_f64(share) + Duration::from_millis(2);
        Some(at.max(now + Duration::from_millis(1)).min(whole))
    }

    /// What is taken fills again at the pace it was told to.
    fn take(&mut self, now: Instant, amount: u64) {
        let level = self.level(now);
        if let Some(limit) = self.limit {
            let passed = now.saturating_duration_since(self.at);
            let rest = self.whole_in.saturating_sub(passed);
            let missing = limit.saturating_sub(level) as f64;
            let after = missing + amount as f64;
            let pace = match missing > 0.0 && !rest.is_zero() {
                true => rest.as_secs_f64() / missing,
                false => UNSAID.as_secs_f64() / limit.max(1) as f64,
            };
            self.whole_in = Duration::from_secs_f64((pace * after).min(LONGEST.as_secs_f64()));
            self.at = now;
        }
        self.left = level.saturating_sub(amount);
    }
}

fn read(
    spellings: &[[&str; 3]],
    headers: &[(String, String)],
    now: Instant,
    now_ms: u64,
    since: u64,
) -> Option<Bucket> {
    // Where two are told, the tighter one counts.
    let told = spellings.iter().filter_map(|[limit, left, reset]| {
        let left = count(header(headers, left)?)?;
        let limit = header(headers, limit).and_then(count);
        let reset = header(headers, reset).and_then(|text| until(text, now_ms));
        Some(Bucket {
            limit: limit.filter(|limit| *limit > 0 && *limit >= left),
            left: left.saturating_sub(since),
            at: now,
            whole_in: reset.unwrap_or(UNSAID).min(LONGEST),
        })
    });
    told.min_by_key(|bucket| bucket.left)
}

/// `100`, or `100, 100;w=60` as the draft of a standard has it.
fn count(text: &str) -> Option<u64> {
    let number = text.split([',', ';']).next()?.trim();
    let value = number.parse::<f64>().ok()?;
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}

/// `6m0s`, `59` (seconds), `1767225600` or `1767225600000` (since 1970), or a date.
fn until(text: &str, now_ms: u64) -> Option<Duration> {
    if let Ok(number) = text.trim().parse::<f64>() {
        if !number.is_finite() || number < 0.0 {
            return None;
        }
        let ms = match number {
            seconds if seconds < 1e8 => seconds * 1000.0,
            since_1970 if since_1970 < 1e11 => since_1970 * 1000.0 - now_ms as f64,
            since_1970 => since_1970 - now_ms as f64,
        };
        return Some(Duration::from_millis(ms.max(0.0) as u64));
    }
    let ms = crate::fault::duration_ms(text)
        .or_else(|| crate::fault::utc_date_ms(text).map(|at| at.saturating_sub(now_ms)));
    ms.map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&str, &str)]) -> Vec<(String, String)> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        lines.iter().map(owned).collect()
    }

    fn learned(lines: &[(&str, &str)], now: Instant, now_ms: u64) -> Learned {
        let mut learned = Learned::default();
        learned.learn(&headers(lines), now, now_ms, Begun::default());
        learned
    }

    #[test]
    fn what_is_left_may_go_and_the_rest_waits_for_its_share() {
        let now = Instant::now();
        let mut learned = learned(
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "2"),
                ("x-ratelimit-reset-requests", "58s"),
            ],
            now,
            0,
        );
        for _ in 0..2 {
            assert_eq!(learned.free_at(now, 1), None);
            learned.begin(now, 1);
        }
        let wait = learned.free_at(now, 1).unwrap() - now;
        assert_eq!(wait.as_millis(), 1002);
        assert_eq!(learned.free_at(now + wait, 1), None);
        // Nothing is remembered of a bucket that is whole.
        assert_eq!(learned.free_at(now + Duration::from_secs(60), 1), None);
    }

    #[test]
    fn without_a_limit_nothing_goes_before_the_reset() {
        let now = Instant::now();
        let at = "1767225630000";
        let lines = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", at)];
        let learned = learned(&lines, now, 1_767_225_600_000);
        assert_eq!(learned.free_at(now, 1), Some(now + Duration::from_secs(30)));
    }

    #[test]
    fn dates_and_tokens_are_read_and_the_tighter_of_two_counts() {
        let now = Instant::now();
        let lines = [
            ("anthropic-ratelimit-tokens-limit", "80000"),
            ("anthropic-ratelimit-tokens-remaining", "70000"),
            ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:10Z"),
            ("anthropic-ratelimit-input-tokens-limit", "1000"),
            ("anthropic-ratelimit-input-tokens-remaining", "0"),
            (
                "anthropic-ratelimit-input-tokens-reset",
                "2026-01-01T00:00:10Z",
            ),
        ];
        let learned = learned(&lines, now, 1_767_225_600_000);
        let half = learned.free_at(now, 500).unwrap() - now;
        assert_eq!(half.as_millis(), 5002);
        let more_than_it_holds = learned.free_at(now, 5000).unwrap() - now;
        assert_eq!(more_than_it_holds.as_secs(), 10);
    }

    #[test]
    fn what_was_begun_since_is_not_left() {
        let now = Instant::now();
        let lines = headers(&[
            ("x-ratelimit-limit-requests", "10"),
            ("x-ratelimit-remaining-requests", "3"),
            ("x-ratelimit-reset-requests", "7s"),
        ]);
        let mut learned = Learned::default();
        let since = Begun {
            requests: 3,
            tokens: 0,
        };
        learned.learn(&lines, now, 0, since);
        assert!(learned.free_at(now, 1).is_some());
    }

    #[test]
    fn nonsense_teaches_nothing() {
        let now = Instant::now();
        for value in ["", "-1", "NaN", "many", "inf"] {
            let lines = [("x-ratelimit-remaining-requests", value)];
            assert_eq!(learned(&lines, now, 0), Learned::default(), "{value}");
        }
        let odd = [
            ("x-ratelimit-limit-requests", "0"),
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "1e300"),
        ];
        let wait = learned(&odd, now, 0).free_at(now, 1).unwrap() - now;
        assert!(wait <= LONGEST, "{wait:?}");
    }
}
