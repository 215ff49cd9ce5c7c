//! What the watchdog sees now and saw lately, for health; and what of it is news.

use exai_protocol::{
    UnixMillis,
    event::{WatchdogFault, WatchdogStatus},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// What is over is told for so long.
const REMEMBERED_MS: u64 = 10 * 60 * 1000;

/// One entry a fault: the newest of its kind.
#[derive(Default)]
pub(crate) struct Book {
    entries: Mutex<BTreeMap<WatchdogFault, WatchdogStatus>>,
}

impl Book {
    /// Compares what is found with what was; returns what began and what ended.
    pub(crate) fn update(
        &self,
        found: Vec<(WatchdogFault, String)>,
        now: UnixMillis,
    ) -> Vec<WatchdogStatus> {
        let mut entries = self.lock();
        let mut news = Vec::new();
        for (fault, entry) in entries.iter_mut() {
            let lasts = found.iter().any(|(found, _)| found == fault);
            if entry.until.is_none() && !lasts {
                entry.until = Some(now.as_secs_f64());
                entry.state = "cleared".to_owned();
                news.push(entry.clone());
            }
        }
        for (fault, what) in found {
            if let Some(entry) = entries.get_mut(&fault)
                && entry.until.is_none()
            {
                // The same, only longer.
                entry.what = what;
                continue;
            }
            let entry = WatchdogStatus {
                fault,
                state: "raised".to_owned(),
                what,
                since: now.as_secs_f64(),
                until: None,
            };
            news.push(entry.clone());
            entries.insert(fault, entry);
        }
        let oldest = UnixMillis(now.0.saturating_sub(REMEMBERED_MS)).as_secs_f64();
        entries.retain(|_, entry| entry.until.is_none_or(|until| until >= oldest));
        news
    }

    /// All of it.
    pub(crate) fn entries(&self) -> Vec<WatchdogStatus> {
        self.lock().values().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<WatchdogFault, WatchdogStatus>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A fault that lasts, for an owner.
pub(crate) fn trouble(at: &WatchdogStatus) -> Option<String> {
    at.until.is_none().then(|| {
        format!(
            "{}; the calls that ran are in logs/{}",
            at.what,
            super::dump::NAME
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_news_when_it_begins_and_when_it_is_over() {
        let book = Book::default();
        let stall = |what: &str| vec![(WatchdogFault::EventLoop, what.to_owned())];
        let begun = book.update(stall("1 s"), UnixMillis(1000));
        assert_eq!((begun.len(), begun[0].state.as_str()), (1, "raised"));
        assert!(book.update(stall("2 s"), UnixMillis(2000)).is_empty());
        assert_eq!(book.entries()[0].what, "2 s");
        let over = book.update(Vec::new(), UnixMillis(3000));
        assert_eq!((over[0].since, over[0].until), (1.0, Some(3.0)));
        assert!(trouble(&over[0]).is_none() && trouble(&begun[0]).is_some());
        assert_eq!(book.update(stall("again"), UnixMillis(4000)).len(), 1);
        book.update(Vec::new(), UnixMillis(5000));
        book.update(Vec::new(), UnixMillis(5001 + REMEMBERED_MS));
        assert!(book.entries().is_empty(), "forgotten in time");
    }
}
