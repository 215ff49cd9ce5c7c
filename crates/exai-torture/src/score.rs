//! What happened, while it happens: faults by kind, what could not be done here and why, how
//! long the daemon needed to be back, and promises seen to be broken on the spot.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Broken promises kept with their words; the number goes on.
const KEPT: usize = 100;

#[derive(Debug, Default)]
struct Inner {
    faults: BTreeMap<&'static str, u64>,
    skipped: BTreeMap<&'static str, (u64, String)>,
    recoveries: Vec<Duration>,
    broken: Vec<String>,
    breaches: u64,
    noted: BTreeMap<&'static str, u64>,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Score {
    inner: Mutex<Inner>,
}

/// A copy, for the report.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) faults: BTreeMap<&'static str, u64>,
    /// How often something was skipped, and why.
    pub(crate) skipped: BTreeMap<&'static str, (u64, String)>,
    /// In order.
    pub(crate) recoveries: Vec<Duration>,
    pub(crate) broken: Vec<String>,
    /// All of them, also those without words here.
    pub(crate) breaches: u64,
    pub(crate) noted: BTreeMap<&'static str, u64>,
}

impl Score {
    /// A fault was done.
    pub(crate) fn fault(&self, name: &'static str) {
        *self.lock().faults.entry(name).or_default() += 1;
    }

    /// A fault could not be done.
    pub(crate) fn skip(&self, name: &'static str, why: &str) {
        let mut inner = self.lock();
        let entry = inner
            .skipped
            .entry(name)
            .or_insert_with(|| (0, why.to_owned()));
        entry.0 += 1;
    }

    /// Something worth a number.
    pub(crate) fn note(&self, name: &'static str) {
        *self.lock().noted.entry(name).or_default() += 1;
    }

    /// From a kill to the next answer.
    pub(crate) fn recovered(&self, took: Duration) {
        self.lock().recoveries.push(took);
    }

    /// A promise was broken.
    pub(crate) fn broken(&self, what: impl Into<String>) {
        let what = what.into();
        crate::tell(&format!("BROKEN: {what}"));
        let mut inner = self.lock();
        inner.breaches += 1;
        if inner.broken.len() < KEPT {
            inner.broken.push(what);
        }
    }

    /// Everything so far.
    pub(crate) fn tally(&self) -> Tally {
        let inner = self.lock();
        let mut recoveries = inner.recoveries.clone();
        recoveries.sort_unstable();
        Tally {
            faults: inner.faults.clone(),
            skipped: inner.skipped.clone(),
            recoveries,
            broken: inner.broken.clone(),
            breaches: inner.breaches,
            noted: inner.noted.clone(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tally {
    /// The recovery that so many percent were not slower than.
    pub(crate) fn recovery(&self, percent: usize) -> Option<Duration> {
        let at = (self.recoveries.len() * percent).div_ceil(100).max(1) - 1;
        self.recoveries.get(at).copied()
    }

    /// Deaths that were dealt.
    pub(crate) fn kills(&self) -> u64 {
        self.faults
            .iter()
            .filter(|(name, _)| name.starts_with("kill "))
            .map(|(_, n)| n)
            .sum()
    }
}
