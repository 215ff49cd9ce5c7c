//! How long a provider asks us to wait. Three spellings in headers, and dates; the clock is
//! the caller's.

/// A header by name, whatever its case.
#[must_use]
pub fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

/// `retry-after-ms`, `Retry-After` in seconds or as a date.
#[must_use]
pub fn retry_after_ms(headers: &[(String, String)], now_ms: u64) -> Option<u64> {
    if let Some(ms) = header(headers, "retry-after-ms").and_then(number) {
        return Some(ms.ceil() as u64);
    }
    let value = header(headers, "retry-after")?;
    match number(value) {
        Some(seconds) => Some((seconds * 1000.0).ceil() as u64),
        None => http_date_ms(value).map(|at| at.saturating_sub(now_ms)),
    }
}

/// `17s`, `1.5s`, `350ms`, `6m0s`, `1h2m`: how providers write durations in bodies.
pub(crate) fn duration_ms(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0.0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let amount = number(&rest[..digits])?;
        rest = &rest[digits..];
        let letters = rest
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(rest.len());
        sum += amount
            * match &rest[..letters] {
                "ms" => 1.0,
                "s" => 1000.0,
                "m" => 60_000.0,
                "h" => 3_600_000.0,
                _ => return None,
            };
        rest = &rest[letters..];
    }
    Some(f64::ceil(sum) as u64)
}

fn number(text: &str) -> Option<f64> {
    text.parse::<f64>()
        .ok()
        .filter(|value| value.is_finite() && *value >= 0.0)
}

/// `2026-01-01T00:00:10Z`, with or without parts of a second, or a date as HTTP writes it.
pub(crate) fn utc_date_ms(text: &str) -> Option<u64> {
    let text = text.trim();
    if text.contains(", ") {
        return http_date_ms(text);
    }
    let (date, time) = text.split_once('T')?;
    let mut days = date.splitn(3, '-').map(str::parse::<i64>);
    let mut next = || days.next()?.ok();
    let (year, month, day) = (next()?, next()?, next()?);
    // An offset is rare enough to be left to the default.
    let time = time
        .strip_suffix('Z')
        .or_else(|| time.strip_suffix("+00:00"))?;
    since_1970_ms(year, month, day, time.split('.').next()?)
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` in milliseconds since 1970.
fn http_date_ms(text: &str) -> Option<u64> {
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, date) = text.split_once(", ")?;
    let mut words = date.split(' ');
    let day: i64 = words.next()?.parse().ok()?;
    let month = words.next()?;
    let year: i64 = words.next()?.parse().ok()?;
    let month = i64::try_from(MONTHS.find(month)? / 3).ok()? + 1;
    since_1970_ms(year, month, day, words.next()?)
}

/// `time` is `08:49:37`.
fn since_1970_ms(year: i64, month: i64, day: i64, time: &str) -> Option<u64> {
    let mut clock = time.splitn(3, ':').map(str::parse::<i64>);
    let mut next = || clock.next()?.ok();
    let (hour, minute, second) = (next()?, next()?, next()?);
    let is_date = (1970..=9999).contains(&year) && (1..=12).contains(&month);
    let is_time =
        (0..24).contains(&hour) && (0..60).contains(&minute) && (0..=60).contains(&second);
    if !is_date || !is_time || !(1..=31).contains(&day) {
        return None;
    }
    // Days from civil: years begin in March, so that the leap day is last.
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let days =
        365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second;
    u64::try_from(seconds).ok()?.checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_and_nonsense_is_not() {
        let ms = 784_111_777_000;
        assert_eq!(utc_date_ms("Sun, 06 Nov 1994 08:49:37 GMT"), Some(ms));
        assert_eq!(utc_date_ms("1994-11-06T08:49:37Z"), Some(ms));
        assert_eq!(utc_date_ms("1994-11-06T08:49:37.250Z"), Some(ms));
        for odd in [
            "Sun, 06 Nov 1994 9223372036854775807:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:-1 GMT",
            "Sun, 06 Nov 9223372036854775807 08:49:37 GMT",
            "1994-13-06T08:49:37Z",
            "1994-11-06T08:49",
            "T",
            "",
        ] {
            assert_eq!(utc_date_ms(odd), None, "{odd}");
            assert_eq!(
                retry_after_ms(&[("retry-after".into(), odd.into())], 0),
                None,
                "{odd}"
            );
        }
    }
}
