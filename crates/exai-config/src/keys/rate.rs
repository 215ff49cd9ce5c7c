//! Calls in a time, as people write them: `30/min`, `5/s burst 20`, `chat=30/min, *=100/min`.

use crate::settings::Rate;
use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

/// For messages.
pub(super) const EXAMPLE: &str = "30/min or 5/s burst 20";
/// Nobody means more calls.
const MOST: u32 = 1_000_000;
/// The times calls are counted in.
const UNITS: [(&str, u64); 6] = [
    ("s", 1),
    ("sec", 1),
    ("min", 60),
    ("m", 60),
    ("h", 3600),
    ("hour", 3600),
];

pub(super) fn one(text: &str) -> Option<Rate> {
    let (rate, burst) = match text.split_once("burst") {
        Some((rate, burst)) => (rate, Some(calls(burst)?)),
        None => (text, None),
    };
    let (number, unit) = rate.split_once('/')?;
    let number = calls(number)?;
    let (_, secs) = UNITS.into_iter().find(|(name, _)| *name == unit.trim())?;
    Some(Rate {
        calls: number,
        per: Duration::from_secs(secs),
        burst: burst.unwrap_or(number),
    })
}

pub(super) fn table(text: &str) -> Option<BTreeMap<String, Rate>> {
    let rows = text.split(',').map(str::trim).filter(|row| !row.is_empty());
    rows.map(|row| {
        let (name, rate) = row.split_once('=')?;
        let name = Some(name.trim()).filter(|name| !name.is_empty())?;
        Some((name.to_owned(), one(rate.trim())?))
    })
    .collect()
}

fn calls(text: &str) -> Option<NonZeroU32> {
    let number: u32 = text.trim().replace('_', "").parse().ok()?;
    NonZeroU32::new(number).filter(|number| number.get() <= MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates() {
        let rate = |text: &str| {
            one(text).map(|rate| (rate.calls.get(), rate.per.as_secs(), rate.burst.get()))
        };
        assert_eq!(rate("30/min"), Some((30, 60, 30)));
        assert_eq!(rate("5/s burst 20"), Some((5, 1, 20)));
        assert_eq!(rate("1_000 / h burst 1"), Some((1000, 3600, 1)));
        for wrong in [
            "",
            "30",
            "0/s",
            "-1/s",
            "1.5/s",
            "5/day",
            "5/s burst",
            "5/s burst 0",
            "9999999/s",
        ] {
            assert_eq!(rate(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn tables() {
        let found = table("chat=30/min, *=5/s burst 9,").unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["*", "chat"]);
        assert_eq!(found["*"].burst.get(), 9);
        assert!(table("").unwrap().is_empty());
        for wrong in ["chat", "=3/s", "chat=3", "a=1/s b=2/s"] {
            assert!(table(wrong).is_none(), "{wrong}");
        }
    }
}
