//! Times in logs: `YYYY-MM-DD HH:MM:SS`, always UTC, so that lines of several machines and of
//! both sides of a clock change can be laid side by side. The text is kept for its second.

use exai_protocol::UnixMillis;

const DAY: u64 = 86_400;
/// The end of the year 9999; a clock beyond it is wrong anyway.
const LAST: u64 = 253_402_300_799;
/// Length of the text.
pub const STAMP_LEN: usize = 19;

/// Writes times; remembers the last second's text.
#[derive(Debug, Clone)]
pub struct Stamps {
    second: Option<u64>,
    text: [u8; STAMP_LEN],
}

impl Default for Stamps {
    fn default() -> Self {
        Self {
            second: None,
            text: *b"0000-00-00 00:00:00",
        }
    }
}

impl Stamps {
    /// The text of a moment.
    pub fn at(&mut self, moment: UnixMillis) -> &[u8; STAMP_LEN] {
        let second = (moment.0 / 1000).min(LAST);
        if self.second != Some(second) {
            self.second = Some(second);
            self.write(second);
        }
        &self.text
    }

    fn write(&mut self, second: u64) {
        let (year, month, day) = date(second / DAY);
        let time = second % DAY;
        digits(&mut self.text[0..4], year);
        digits(&mut self.text[5..7], month);
        digits(&mut self.text[8..10], day);
        digits(&mut self.text[11..13], time / 3600);
        digits(&mut self.text[14..16], time / 60 % 60);
        digits(&mut self.text[17..19], time % 60);
    }
}

fn digits(place: &mut [u8], mut number: u64) {
    for digit in place.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01.
fn date(days: u64) -> (u64, u64, u64) {
    // Never too late, and off by a few years at most within our range.
    let mut year = 1970 + days / 366;
    while days_before(year + 1) <= days {
        year += 1;
    }
    let mut left = days - days_before(year);
    let mut month = 1;
    while left >= month_length(year, month) {
        left -= month_length(year, month);
        month += 1;
    }
    (year, month, left + 1)
}

fn days_before(year: u64) -> u64 {
    let leap_days = |through: u64| through / 4 - through / 100 + through / 400;
    365 * (year - 1970) + leap_days(year - 1) - leap_days(1969)
}

fn month_length(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    match month {
        2 if leap => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(second: u64) -> String {
        String::from_utf8(
            Stamps::default()
                .at(UnixMillis(second * 1000 + 999))
                .to_vec(),
        )
        .unwrap()
    }

    #[test]
    fn known_moments() {
        for (second, expected) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_399, "2000-02-28 23:59:59"),
            (951_782_400, "2000-02-29 00:00:00"),
            (951_868_800, "2000-03-01 00:00:00"),
            (1_709_164_800, "2024-02-29 00:00:00"),
            (1_763_693_280, "2025-11-21 02:48:00"),
            (4_107_542_399, "2100-02-28 23:59:59"),
            (4_107_542_400, "2100-03-01 00:00:00"),
            (LAST, "9999-12-31 23:59:59"),
            (u64::MAX / 1000 - 1, "9999-12-31 23:59:59"),
        ] {
            assert_eq!(text(second), expected);
        }
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = date(0);
        for day in 1..60_000 {
            let (year, month, of_month) = date(day);
            let next = of_month == before.2 + 1 && (year, month) == (before.0, before.1)
                || of_month == 1 && (month == before.1 + 1 || month == 1 && year == before.0 + 1);
            assert!(next, "{before:?} then {:?}", date(day));
            before = (year, month, of_month);
        }
    }

    #[test]
    fn the_kept_text_is_renewed_each_second() {
        let mut stamps = Stamps::default();
        assert_eq!(stamps.at(UnixMillis(1_000)), b"1970-01-01 00:00:01");
        assert_eq!(stamps.at(UnixMillis(1_999)), b"1970-01-01 00:00:01");
        assert_eq!(stamps.at(UnixMillis(2_000)), b"1970-01-01 00:00:02");
        assert_eq!(stamps.at(UnixMillis(0)), b"1970-01-01 00:00:00");
    }
}
