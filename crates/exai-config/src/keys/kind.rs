//! What a setting may hold. Each kind parses text, knows how to say what it allows, and
//! carries the function that puts the value in its typed place.

use super::rate;
use crate::{
    Settings,
    settings::{Level, Rate},
};
use exai_protocol::Secret;
use std::{collections::BTreeMap, time::Duration};

/// A value that is not allowed; holds what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

/// A kind of value with its place.
pub(crate) enum Kind {
    /// A host name or address.
    Host { set: fn(&mut Settings, String) },
    /// Any text.
    Text { set: fn(&mut Settings, String) },
    /// Any text, or nothing.
    MaybeText {
        set: fn(&mut Settings, Option<String>),
    },
    /// A comma-separated list.
    Names { set: fn(&mut Settings, Vec<String>) },
    /// A whole number.
    Whole {
        min: u64,
        max: u64,
        set: fn(&mut Settings, u64),
    },
    /// A number of bytes, with KiB, MiB or GiB allowed.
    Bytes {
        min: u64,
        max: u64,
        set: fn(&mut Settings, u64),
    },
    /// Seconds, fractions allowed.
    Seconds {
        min: f64,
        max: f64,
        set: fn(&mut Settings, Duration),
    },
    /// Seconds, or nothing.
    MaybeSeconds {
        min: f64,
        max: f64,
        set: fn(&mut Settings, Option<Duration>),
    },
    /// Seconds, or each single time.
    SecondsOrEach {
        max: f64,
        set: fn(&mut Settings, Option<Duration>),
    },
    /// Seconds, never, or decided by a table.
    SecondsNeverOrAuto {
        min: f64,
        max: f64,
        set: fn(&mut Settings, Option<Option<Duration>>),
    },
    /// US dollars as their millionths, or nothing.
    MaybeDollars { set: fn(&mut Settings, Option<u64>) },
    /// Calls in a time, or no limit.
    MaybeRate {
        set: fn(&mut Settings, Option<Rate>),
    },
    /// Names with calls in a time.
    Rates {
        set: fn(&mut Settings, BTreeMap<String, Rate>),
    },
    /// On or off.
    Switch { set: fn(&mut Settings, bool) },
    /// On, off, or decided by the rest.
    MaybeSwitch {
        set: fn(&mut Settings, Option<bool>),
    },
    /// A log level.
    Level { set: fn(&mut Settings, Level) },
    /// A secret.
    Secret {
        set: fn(&mut Settings, Option<Secret>),
    },
}

/// Longest value of any setting, in bytes.
const MAX_VALUE: usize = 4096;
/// Nobody means more.
const MOST_DOLLARS: u64 = 1_000_000;
/// No limit, said aloud: an empty value does not take a lower layer's back.
const NEVER: &str = "never";
/// Decided elsewhere.
const AUTO: &str = "auto";
/// Not now and then: each time.
const EACH: &str = "full";
/// Longest name of a client or token; both travel in the hello, which is bounded.
const MAX_TEXT: usize = 512;

impl Kind {
    pub(super) fn apply(&self, settings: &mut Settings, text: &str) -> Result<(), Refused> {
        let text = text.trim();
        let refused = || Refused(self.allowed());
        let named = matches!(
            self,
            Self::Text { .. } | Self::MaybeText { .. } | Self::Secret { .. }
        );
        let longest = if named { MAX_TEXT } else { MAX_VALUE };
        if text.len() > longest || text.chars().any(char::is_control) {
            return Err(refused());
        }
        match self {
            Self::Host { set } => set(settings, host(text).ok_or_else(refused)?),
            Self::Text { set } => set(settings, some(text).ok_or_else(refused)?.to_owned()),
            Self::MaybeText { set } => set(settings, some(text).map(str::to_owned)),
            Self::Names { set } => set(settings, names(text)),
            Self::Whole { min, max, set } => {
                set(settings, whole(text, *min, *max).ok_or_else(refused)?);
            }
            Self::Bytes { min, max, set } => {
                set(settings, bytes(text, *min, *max).ok_or_else(refused)?);
            }
            Self::Seconds { min, max, set } => {
                set(settings, seconds(text, *min, *max).ok_or_else(refused)?);
            }
            Self::MaybeSeconds { min, max, set } => {
                let value = some(text).map(|text| seconds(text, *min, *max).ok_or_else(refused));
                set(settings, value.transpose()?);
            }
            Self::SecondsOrEach { max, set } => {
                let value = some(text).filter(|text| *text != EACH);
                let value = value.map(|text| seconds(text, 0.01, *max).ok_or_else(refused));
                set(settings, value.transpose()?);
            }
            Self::SecondsNeverOrAuto { min, max, set } => {
                let value = some(text).filter(|text| *text != AUTO);
                let value = value.map(|text| {
                    let number = some(text).filter(|text| *text != NEVER);
                    let number = number.map(|text| seconds(text, *min, *max).ok_or_else(refused));
                    number.transpose()
                });
                set(settings, value.transpose()?);
            }
            Self::MaybeDollars { set } => {
                let value = some(text).filter(|text| *text != NEVER);
                let value = value.map(|text| dollars(text).ok_or_else(refused));
                set(settings, value.transpose()?);
            }
            Self::MaybeRate { set } => {
                let value = some(text).filter(|text| *text != NEVER);
                let value = value.map(|text| rate::one(text).ok_or_else(refused));
                set(settings, value.transpose()?);
            }
            Self::Rates { set } => set(settings, rate::table(text).ok_or_else(refused)?),
            Self::Switch { set } => set(settings, switch(text).ok_or_else(refused)?),
            Self::MaybeSwitch { set } => {
                let value = Some(text).filter(|text| !text.is_empty() && *text != AUTO);
                let value = value.map(|text| switch(text).ok_or_else(refused));
                set(settings, value.transpose()?);
            }
            Self::Level { set } => set(settings, Level::parse(text).ok_or_else(refused)?),
            Self::Secret { set } => {
                if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                    return Err(refused());
                }
                set(settings, some(text).map(Secret::new));
            }
        }
        Ok(())
    }

    /// What may stand here, to finish "expected …".
    pub(crate) fn allowed(&self) -> String {
        match self {
            Self::Host { .. } => "a host name or an IP address, without scheme and port".to_owned(),
            Self::Text { .. } => format!("a text of 1 to {MAX_TEXT} bytes on one line"),
            Self::MaybeText { .. } => format!("a text of at most {MAX_TEXT} bytes on one line"),
            Self::Names { .. } => "names separated by commas".to_owned(),
            Self::Whole { min, max, .. } => format!("a whole number from {min} to {max}"),
            Self::Bytes { min, max, .. } => {
                format!("a number of bytes from {} to {}", size(*min), size(*max))
            }
            Self::Seconds { min, max, .. } => format!("seconds from {min} to {max}"),
            Self::MaybeSeconds { min, max, .. } => {
                format!("seconds from {min} to {max}, or nothing")
            }
            Self::SecondsNeverOrAuto { min, max, .. } => {
                format!("seconds from {min} to {max}, {NEVER} or {AUTO}")
            }
            Self::SecondsOrEach { max, .. } => format!("seconds from 0.01 to {max}, or {EACH}"),
            Self::MaybeDollars { .. } => {
                format!("US dollars from 0 to {MOST_DOLLARS}, such as 0.50, or {NEVER}")
            }
            Self::MaybeRate { .. } => {
                format!("calls in a time, such as {}, or {NEVER}", rate::EXAMPLE)
            }
            Self::Rates { .. } => {
                format!("names with calls in a time, such as chat={}", rate::EXAMPLE)
            }
            Self::Switch { .. } => "true or false".to_owned(),
            Self::MaybeSwitch { .. } => "true, false or auto".to_owned(),
            Self::Level { .. } => "error, warn, info, debug or trace".to_owned(),
            Self::Secret { .. } => {
                format!("at most {MAX_TEXT} printable ASCII characters, no spaces")
            }
        }
    }

    /// Whether a TOML file writes the value as a string (lists: an array of strings).
    pub(crate) fn is_text(&self) -> bool {
        matches!(
            self,
            Self::Host { .. }
                | Self::Text { .. }
                | Self::MaybeText { .. }
                | Self::Names { .. }
                | Self::MaybeRate { .. }
                | Self::Rates { .. }
                | Self::Level { .. }
                | Self::Secret { .. }
        )
    }

    /// Some allowed value that is not the one given.
    #[cfg(test)]
    pub(crate) fn another(&self, than: &str) -> &'static str {
        let candidates = match self {
            Self::Host { .. } => ["10.1.2.3", "10.1.2.4"],
            Self::Text { .. } | Self::MaybeText { .. } | Self::Secret { .. } => ["one", "two"],
            Self::Names { .. } => ["a,b", "c"],
            Self::Whole { .. } => ["7", "9"],
            Self::Bytes { .. } => ["1 MiB", "2 MiB"],
            Self::Seconds { .. }
            | Self::MaybeSeconds { .. }
            | Self::SecondsOrEach { .. }
            | Self::SecondsNeverOrAuto { .. }
            | Self::MaybeDollars { .. } => ["12.5", "13.5"],
            Self::MaybeRate { .. } => ["7/s", "9/min"],
            Self::Rates { .. } => ["a=7/s", "b=9/min"],
            Self::Switch { .. } | Self::MaybeSwitch { .. } => ["false", "true"],
            Self::Level { .. } => ["debug", "trace"],
        };
        if candidates[0] == than {
            candidates[1]
        } else {
            candidates[0]
        }
    }
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

fn host(text: &str) -> Option<String> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    if bare.parse::<std::net::IpAddr>().is_ok() {
        return Some(bare.to_owned());
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
    (!text.is_empty() && text.len() <= 253 && text.bytes().all(fits)).then(|| text.to_owned())
}

fn names(text: &str) -> Vec<String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect()
}

fn whole(text: &str, min: u64, max: u64) -> Option<u64> {
    let digits = text.replace('_', "");
    digits
        .parse()
        .ok()
        .filter(|number| (min..=max).contains(number))
}

fn bytes(text: &str, min: u64, max: u64) -> Option<u64> {
    let units = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("B", 0)];
    let (number, shift) = units
        .into_iter()
        .find_map(|(unit, shift)| Some((text.strip_suffix(unit)?.trim_end(), shift)))
        .unwrap_or((text, 0));
    let number = whole(number, 0, u64::MAX >> shift)? << shift;
    (min..=max).contains(&number).then_some(number)
}

fn seconds(text: &str, min: f64, max: f64) -> Option<Duration> {
    let number: f64 = text
        .strip_suffix('s')
        .unwrap_or(text)
        .trim_end()
        .parse()
        .ok()?;
    ((min..=max).contains(&number)).then(|| Duration::try_from_secs_f64(number).ok())?
}

/// `2.50` or `$2.50` as millionths, read digit by digit so that cents stay cents.
fn dollars(text: &str) -> Option<u64> {
    let text = text.strip_prefix('$').unwrap_or(text);
    let (whole_part, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole_part.is_empty() || fraction.len() > 6 || !digits(fraction) {
        return None;
    }
    let micros: u64 = format!("{fraction:0<6}").parse().ok()?;
    let dollars = whole(whole_part, 0, MOST_DOLLARS)?;
    let sum = dollars * 1_000_000 + micros;
    (sum <= MOST_DOLLARS * 1_000_000).then_some(sum)
}

fn switch(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// On or off, as a variable outside the table spells it.
pub(crate) fn parse_switch(text: &str) -> Option<bool> {
    switch(text.trim())
}

/// `33554432` → `32 MiB`, where it comes out even.
fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let even = units
        .into_iter()
        .find(|(shift, _)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    even.map_or_else(
        || bytes.to_string(),
        |(shift, unit)| format!("{} {unit}", bytes >> shift),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        assert_eq!(host("[::1]").as_deref(), Some("::1"));
        assert_eq!(host("my-box.local").as_deref(), Some("my-box.local"));
        for wrong in [
            "",
            "ws://127.0.0.1",
            "a b",
            "127.0.0.1:8765",
            "[x]",
            "a/b",
            "ü",
        ] {
            assert_eq!(host(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(bytes("64 MiB", 0, u64::MAX), Some(64 << 20));
        assert_eq!(bytes("1_024", 0, u64::MAX), Some(1024));
        assert_eq!(bytes("10KiB", 0, u64::MAX), Some(10 << 10));
        for wrong in [
            "",
            "-1",
            "1.5 MiB",
            "MiB",
            "99999999999999999999",
            "9999999999999 GiB",
            "1MB",
        ] {
            assert_eq!(bytes(wrong, 0, u64::MAX), None, "{wrong}");
        }
        assert_eq!(bytes("1", 2, 9), None);
        assert_eq!(
            (size(32 << 20), size(1000)),
            ("32 MiB".to_owned(), "1000".to_owned())
        );
    }

    #[test]
    fn amounts() {
        for (text, micros) in [
            ("0", 0),
            ("5", 5_000_000),
            ("2.50", 2_500_000),
            ("$0.000001", 1),
            ("1_000.10", 1_000_100_000),
            ("1000000", 1_000_000_000_000),
        ] {
            assert_eq!(dollars(text), Some(micros), "{text}");
        }
        for wrong in [
            "",
            ".5",
            "-1",
            "1e3",
            "inf",
            "0.0000001",
            "1000000.01",
            "2,50",
            "5 €",
        ] {
            assert_eq!(dollars(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(seconds("2.5", 0.0, 9.0), Some(Duration::from_millis(2500)));
        assert_eq!(seconds("8s", 0.0, 9.0), Some(Duration::from_secs(8)));
        for wrong in ["", "-1", "NaN", "inf", "10", "1e99", "1m"] {
            assert_eq!(seconds(wrong, 0.0, 9.0), None, "{wrong}");
        }
    }

    #[test]
    fn lists_and_switches() {
        assert_eq!(names(" a, b ,,c"), ["a", "b", "c"]);
        assert!(names("").is_empty());
        assert_eq!(
            (switch("YES"), switch("0"), switch("maybe")),
            (Some(true), Some(false), None)
        );
    }

    #[test]
    fn text_that_would_break_a_log_line_is_refused() {
        let kind = Kind::MaybeText {
            set: |settings, value| settings.shim.session_id = value,
        };
        let mut settings = Settings::default();
        assert!(kind.apply(&mut settings, "a\nb").is_err());
        assert!(kind.apply(&mut settings, &"x".repeat(5000)).is_err());
        assert!(settings == Settings::default());
    }
}
