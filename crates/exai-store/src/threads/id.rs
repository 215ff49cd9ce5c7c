//! Ids of conversations: made so that nobody guesses one, in the form every client of the
//! predecessor knows, and read as people and models write them.

use exai_engine::ports::threads::{ThreadError, Turn};
use std::sync::Arc;

/// Longer ones are no ids.
const LONGEST: usize = 200;

/// A new id: a random UUID.
pub(super) fn fresh() -> Result<Arc<str>, String> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| format!("no randomness ({error})"))?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let number = u128::from_be_bytes(bytes);
    let hex = format!("{number:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-").into())
}

/// An id and, after a `#`, the turn to go on from.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) id: String,
    turn: Option<String>,
}

impl Named {
    pub(super) fn of(written: &str) -> Result<Self, ThreadError> {
        let written = written.trim();
        let (id, turn) = match written.split_once('#') {
            Some((id, turn)) => (id, Some(turn.to_owned())),
            None => (written, None),
        };
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if id.is_empty() || id.len() > LONGEST || !id.bytes().all(fits) {
            let shown: String = written.chars().take(80).collect();
            return Err(ThreadError::Unknown(shown));
        }
        let id = id.to_owned();
        Ok(Self { id, turn })
    }

    /// The turns that lead to the named one, or to the last one kept.
    pub(super) fn path(&self, turns: Vec<Turn>, key: &str) -> Result<Vec<Turn>, ThreadError> {
        let count = u32::try_from(turns.len()).unwrap_or(u32::MAX);
        let head = match &self.turn {
            None => turns.last().map(|turn| turn.number),
            Some(turn) => {
                let wanted = turn.parse().ok();
                let there = wanted.filter(|wanted| turns.iter().any(|turn| turn.number == *wanted));
                Some(there.ok_or_else(|| ThreadError::NoTurn {
                    id: key.to_owned(),
                    turn: turn.chars().take(20).collect(),
                    count,
                })?)
            }
        };
        Ok(path_to(turns, head))
    }
}

/// The turns from a first one to this one.
fn path_to(turns: Vec<Turn>, head: Option<u32>) -> Vec<Turn> {
    let mut path = Vec::new();
    let mut next = head;
    // A turn's parent is always an older one, so one way back through them finds all.
    for turn in turns.into_iter().rev() {
        if Some(turn.number) == next {
            next = turn.parent.filter(|parent| *parent < turn.number);
            path.push(turn);
        }
    }
    path.reverse();
    path
}
