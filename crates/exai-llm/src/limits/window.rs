//! What was begun in the last minute, against the limits a person wrote down. Exact for every
//! minute, not only for those that begin at a full one.

use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);
/// No minute has more requests than this.
const MOST: usize = 20_000;

/// The last minute.
#[derive(Debug, Default)]
pub(super) struct Window {
    requests_per_minute: Option<u32>,
    tokens_per_minute: Option<u64>,
    /// When, which, and how many tokens.
    begun: VecDeque<(Instant, u64, u64)>,
    tokens: u64,
}

impl Window {
    pub(super) fn new(requests_per_minute: Option<u32>, tokens_per_minute: Option<u64>) -> Self {
        Self {
            requests_per_minute,
            tokens_per_minute,
            ..Self::default()
        }
    }

    fn forget(&mut self, now: Instant) {
        while let Some((at, _, tokens)) = self.begun.front()
            && now.duration_since(*at) >= MINUTE
        {
            self.tokens -= tokens;
            self.begun.pop_front();
        }
    }

    /// When a request of so many tokens may begin, if not now. One that is larger than a
    /// whole minute may begin when the minute is empty: the provider decides about it.
    pub(super) fn free_at(&mut self, now: Instant, tokens: u64) -> Option<Instant> {
        self.forget(now);
        let requests = self.requests_per_minute.map_or(MOST, |most| most as usize);
        let excess = (self.begun.len() + 1).saturating_sub(requests.clamp(1, MOST));
        let mut wait = excess
            .checked_sub(1)
            .and_then(|last| self.begun.get(last))
            .map(|(at, ..)| *at + MINUTE);
        if let Some(most) = self.tokens_per_minute {
            let mut sum = self.tokens;
            for (at, _, gone) in &self.begun {
                if sum.saturating_add(tokens) <= most {
                    break;
                }
                sum -= gone;
                wait = wait.max(Some(*at + MINUTE));
            }
        }
        wait
    }

    pub(super) fn begin(&mut self, now: Instant, id: u64, tokens: u64) {
        if self.requests_per_minute.is_some() || self.tokens_per_minute.is_some() {
            self.tokens += tokens;
            self.begun.push_back((now, id, tokens));
        }
    }

    /// What a request really took.
    pub(super) fn settle(&mut self, id: u64, tokens: u64) {
        let known = self.begun.iter_mut().find(|(_, known, _)| *known == id);
        if let Some((_, _, estimate)) = known {
            self.tokens = self.tokens - *estimate + tokens;
            *estimate = tokens;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_minute_ever_has_more(steps in proptest::collection::vec((0_u64..20_000, 1_u64..400), 1..120)) {
            let (requests, most) = (7, 1000);
            let mut window = Window::new(Some(requests), Some(most));
            let mut now = Instant::now();
            let mut begun: Vec<(Instant, u64)> = Vec::new();
            for (id, (pause, tokens)) in steps.into_iter().enumerate() {
                now += Duration::from_millis(pause);
                if let Some(at) = window.free_at(now, tokens) {
                    prop_assert!(at > now && at <= now + MINUTE);
                    now = at;
                    prop_assert_eq!(window.free_at(now, tokens), None);
                }
                window.begin(now, id as u64, tokens);
                begun.push((now, tokens));
                let minute = begun.iter().filter(|(at, _)| now.duration_since(*at) < MINUTE);
                let (count, sum) = minute.fold((0, 0), |(n, sum), (_, tokens)| (n + 1, sum + tokens));
                prop_assert!(count <= requests && sum <= most, "{} requests, {} tokens", count, sum);
            }
        }
    }

    #[test]
    fn what_was_reserved_and_not_used_is_free_again() {
        let now = Instant::now();
        let mut window = Window::new(None, Some(1000));
        window.begin(now, 1, 900);
        assert_eq!(window.free_at(now, 200), Some(now + MINUTE));
        window.settle(1, 100);
        assert_eq!(window.free_at(now, 200), None);
    }

    #[test]
    fn a_request_larger_than_a_minute_goes_alone() {
        let now = Instant::now();
        let mut window = Window::new(None, Some(1000));
        assert_eq!(window.free_at(now, 5000), None);
        window.begin(now, 1, 1);
        assert_eq!(window.free_at(now, 5000), Some(now + MINUTE));
    }
}
