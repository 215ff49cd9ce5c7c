//! Points in time as people and logs write them, all read as Unix seconds. Log lines without
//! a zone are UTC, as our own logs are.

const DAY: f64 = 86_400.0;

/// Reads `2026-03-01T10:00:00Z`, `2026-03-01 10:00`, `2026-03-01`, Unix seconds, or an age
/// such as `90s`, `15m`, `2h`, `1d`, `4w` before `now`.
#[must_use]
pub fn parse(text: &str, now: f64) -> Option<f64> {
    let text = text.trim();
    if let Some(age) = age(text) {
        return Some(now - age);
    }
    if text.len() > 8 && text.as_bytes().get(4) == Some(&b'-') {
        return date_time(text).map(|(seconds, _)| seconds);
    }
    text.parse()
        .ok()
        .filter(|seconds: &f64| seconds.is_finite())
}

/// When a log line says it was written: a JSON line's `t`, or a leading date or number.
pub(crate) fn of_line(line: &str) -> Option<f64> {
    if line.starts_with('{') {
        let fields: serde_json::Value = serde_json::from_str(line).ok()?;
        return fields
            .get("t")
            .or_else(|| fields.get("timestamp"))?
            .as_f64();
    }
    date_time(line).map(|(seconds, _)| seconds).or_else(|| {
        let (number, _) = line.split_once(':')?;
        number
            .parse()
            .ok()
            .filter(|seconds: &f64| seconds.is_finite())
    })
}

/// `1772359200.5` → `2026-03-01 10:00:00`.
#[must_use]
pub fn show(seconds: f64) -> String {
    #[expect(clippy::cast_possible_truncation, reason = "clamped to what fits")]
    let whole = seconds.clamp(0.0, 253_402_300_799.0) as i64;
    let (days, rest) = (whole.div_euclid(86_400), whole.rem_euclid(86_400));
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
}

fn age(text: &str) -> Option<f64> {
    let unit = match text.bytes().last()? {
        b's' => 1.0,
        b'm' => 60.0,
        b'h' => 3600.0,
        b'd' => DAY,
        b'w' => 7.0 * DAY,
        _ => return None,
    };
    let count: f64 = text[..text.len() - 1].trim().parse().ok()?;
    (count.is_finite() && count >= 0.0).then_some(count * unit)
}

/// A date, perhaps with a time and a zone, at the start of a text; and what follows it.
fn date_time(text: &str) -> Option<(f64, &str)> {
    let mut rest = text;
    let year = digits(&mut rest, 4)?;
    mark(&mut rest, "-")?;
    let month = digits(&mut rest, 2).filter(|month| (1..=12).contains(month))?;
    mark(&mut rest, "-")?;
    let day = digits(&mut rest, 2).filter(|day| (1..=31).contains(day))?;
    #[expect(clippy::cast_precision_loss, reason = "day numbers are small")]
    let midnight = days_from_civil(year, month, day) as f64 * DAY;
    if mark(&mut rest, "T ").is_none() {
        return Some((midnight, rest));
    }
    let hour = digits(&mut rest, 2).filter(|hour| *hour < 24)?;
    mark(&mut rest, ":")?;
    let minute = digits(&mut rest, 2).filter(|minute| *minute < 60)?;
    let second = match mark(&mut rest, ":") {
        Some(_) => digits(&mut rest, 2).filter(|second| *second <= 60)?,
        None => 0,
    };
    let fraction = fraction(&mut rest);
    let offset = zone(&mut rest)?;
    #[expect(clippy::cast_precision_loss, reason = "seconds of a day are small")]
    let clock = (hour * 3600 + minute * 60 + second - offset) as f64;
    Some((midnight + clock + fraction, rest))
}

fn digits(rest: &mut &str, count: usize) -> Option<i64> {
    let (taken, after) = rest.split_at_checked(count)?;
    if !taken.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    *rest = after;
    taken.parse().ok()
}

fn mark(rest: &mut &str, any_of: &str) -> Option<char> {
    let first = rest
        .chars()
        .next()
        .filter(|first| any_of.contains(*first))?;
    *rest = &rest[first.len_utf8()..];
    Some(first)
}

fn fraction(rest: &mut &str) -> f64 {
    let Some(after) = rest.strip_prefix(['.', ',']) else {
        return 0.0;
    };
    let length = after.bytes().take_while(u8::is_ascii_digit).count();
    let part = format!("0.{}", &after[..length]).parse().unwrap_or(0.0);
    *rest = &after[length..];
    part
}

/// Seconds east of Greenwich; nothing written means none.
fn zone(rest: &mut &str) -> Option<i64> {
    match mark(rest, "Zz+-") {
        None | Some('Z' | 'z') => Some(0),
        Some(sign) => {
            let hours = digits(rest, 2)?;
            mark(rest, ":");
            let minutes = digits(rest, 2)?;
            let east = hours * 3600 + minutes * 60;
            Some(if sign == '-' { -east } else { east })
        }
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, counted from a 1st of March
/// so that the leap day falls at a year's end.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = (month + 9) % 12;
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year
        - 719_468
}

/// The reverse, by walking from an estimate that is never too late.
fn civil(days: i64) -> (i64, i64, i64) {
    let mut year = 1970 + days.div_euclid(366);
    while days_from_civil(year + 1, 1, 1) <= days {
        year += 1;
    }
    let month = (1..=12)
        .rev()
        .find(|month| days_from_civil(year, *month, 1) <= days)
        .unwrap_or(1);
    (year, month, days - days_from_civil(year, month, 1) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: f64 = 1_772_359_200.0; // 2026-03-01 10:00:00 UTC

    #[test]
    fn people_write_times_in_many_ways() {
        for text in [
            "2026-03-01T10:00:00Z",
            "2026-03-01 10:00:00",
            "2026-03-01 10:00",
            "2026-03-01T11:30:00+01:30",
            "2026-03-01T09:00:00.000-0100",
            "1772359200",
            " 1772359200.0 ",
            "0s",
        ] {
            assert_eq!(parse(text, NOW), Some(NOW), "{text}");
        }
        assert_eq!(parse("15m", NOW), Some(NOW - 900.0));
        assert_eq!(parse("2w", NOW), Some(NOW - 1_209_600.0));
        assert_eq!(parse("1.5h", NOW), Some(NOW - 5400.0));
        assert_eq!(parse("2026-03-01", NOW), Some(NOW - 36_000.0));
    }

    #[test]
    fn other_texts_are_no_times() {
        for text in [
            "",
            "yesterday",
            "2026-13-01",
            "2026-03-01T25:00",
            "-5m",
            "h",
            "é",
            "nan",
            "inf",
        ] {
            assert_eq!(parse(text, NOW), None, "{text}");
        }
    }

    #[test]
    fn log_lines_carry_their_time() {
        assert_eq!(of_line(r#"{"t":1772359200.0,"timestamp":1}"#), Some(NOW));
        assert_eq!(of_line(r#"{"timestamp":1772359200}"#), Some(NOW));
        assert_eq!(of_line("2026-03-01 10:00:00 INFO ws_daemon: up"), Some(NOW));
        assert_eq!(of_line("2026-03-01T10:00:00.000000Z  INFO up"), Some(NOW));
        assert_eq!(of_line("1772359200.0: halfway"), Some(NOW));
        assert_eq!(of_line("    at some/file.rs:10"), None);
    }

    #[test]
    fn showing_undoes_reading() {
        for day in (0..60_000).step_by(17) {
            let seconds = day as f64 * DAY + 3_723.0;
            assert_eq!(
                parse(&show(seconds), NOW),
                Some(seconds),
                "{}",
                show(seconds)
            );
        }
        assert_eq!(show(0.0), "1970-01-01 00:00:00");
        assert_eq!(show(951_782_400.0), "2000-02-29 00:00:00");
    }
}
