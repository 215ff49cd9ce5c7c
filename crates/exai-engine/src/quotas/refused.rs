//! The book of refusals: how many of each limit, and the spells in which a limit keeps refusing.
//! A spell is told when it begins and when it is over, not at each of a thousand refusals.

use exai_protocol::{
    UnixMillis,
    event::{LimitKind, LimitStatus},
};
use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// A limit that refused nobody for so long is no longer in the way.
const QUIET: Duration = Duration::from_secs(5);
/// Subjects told apart at once; what comes beyond is counted and not told by name.
const MOST: usize = 256;

#[derive(Default)]
pub(crate) struct Refused {
    totals: [AtomicU64; LimitKind::ALL.len()],
    spells: Mutex<BTreeMap<(LimitKind, Arc<str>), Spell>>,
}

struct Spell {
    bound: String,
    since: UnixMillis,
    last: Instant,
    refused: u64,
    retry_after: u64,
}

impl Refused {
    /// Notes a refusal; what is to be told, where a spell begins with it.
    pub(crate) fn note(
        &self,
        limit: LimitKind,
        subject: &Arc<str>,
        bound: impl FnOnce() -> String,
        retry_after: u64,
        now: UnixMillis,
    ) -> Option<LimitStatus> {
        self.totals[limit as usize].fetch_add(1, Relaxed);
        let mut spells = self.lock();
        let key = (limit, Arc::clone(subject));
        if let Some(spell) = spells.get_mut(&key) {
            spell.refused += 1;
            spell.retry_after = retry_after;
            spell.last = Instant::now();
            return None;
        }
        if spells.len() >= MOST {
            return None;
        }
        let spell = Spell {
            bound: bound(),
            since: now,
            last: Instant::now(),
            refused: 1,
            retry_after,
        };
        let told = spell.told(&key, "shedding");
        spells.insert(key, spell);
        Some(told)
    }

    /// Ends the spells that are over, to be told.
    pub(crate) fn relieved(&self) -> Vec<LimitStatus> {
        let mut over = Vec::new();
        self.lock().retain(|key, spell| {
            let goes_on = spell.last.elapsed() < QUIET;
            if !goes_on {
                over.push(spell.told(key, "relieved"));
            }
            goes_on
        });
        over
    }

    /// The limits that are in the way now.
    pub(crate) fn now(&self) -> Vec<LimitStatus> {
        let spells = self.lock();
        spells
            .iter()
            .map(|(key, spell)| spell.told(key, "shedding"))
            .collect()
    }

    /// Refusals since the start; limits that refused nobody are left out.
    pub(crate) fn totals(&self) -> BTreeMap<String, u64> {
        LimitKind::ALL
            .into_iter()
            .zip(&self.totals)
            .map(|(limit, count)| (limit.as_str().to_owned(), count.load(Relaxed)))
            .filter(|(_, count)| *count > 0)
            .collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(LimitKind, Arc<str>), Spell>> {
        self.spells.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Spell {
    fn told(&self, (limit, subject): &(LimitKind, Arc<str>), state: &str) -> LimitStatus {
        LimitStatus {
            limit: *limit,
            subject: subject.to_string(),
            state: state.to_owned(),
            bound: self.bound.clone(),
            since: self.since.as_secs_f64(),
            refused: self.refused,
            retry_after: self.retry_after,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_spell_is_told_at_its_begin_and_at_its_end() {
        let refused = Refused::default();
        let note = |subject: &str| {
            let (limit, subject) = (LimitKind::ToolRate, Arc::from(subject));
            refused.note(limit, &subject, || "1/s".into(), 2, UnixMillis(1000))
        };
        assert_eq!(note("a").map(|told| told.state), Some("shedding".into()));
        assert!(note("a").is_none() && note("b").is_some());
        assert!(refused.relieved().is_empty());
        assert_eq!(refused.now().len(), 2);
        tokio::time::advance(QUIET / 2).await;
        note("b");
        tokio::time::advance(QUIET / 2).await;
        let over = refused.relieved();
        assert_eq!((over.len(), over[0].refused, over[0].since), (1, 2, 1.0));
        assert_eq!(over[0].state, "relieved");
        assert_eq!(refused.totals(), [("tool_rate".to_owned(), 4)].into());
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_of_subjects_is_counted_and_not_kept() {
        let refused = Refused::default();
        for n in 0..2 * MOST {
            let subject = Arc::from(n.to_string());
            refused.note(
                LimitKind::ClientQueue,
                &subject,
                String::new,
                1,
                UnixMillis(0),
            );
        }
        assert_eq!(refused.now().len(), MOST);
        assert_eq!(refused.totals()["client_queue"], 2 * MOST as u64);
    }
}
