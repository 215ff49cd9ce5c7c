//! Finished results, kept for those who come back: for a time, up to a number and a size.
//! What is evicted leaves a tombstone, so that a late retry is told `expired` and never runs
//! again. Tombstones are hashes, and bounded too: the oldest of them go last of all.

use super::{CallKey, Finished, RetentionLimits};
use crate::sessions::Scope;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    hash::{BuildHasher, Hasher, RandomState},
    sync::Arc,
};
use tokio::time::Instant;

/// Tombstones kept: at a call a second, more than a day of them, in about 5 MB.
const TOMBSTONES: usize = 100_000;

pub(super) struct Retention {
    limits: RetentionLimits,
    results: HashMap<CallKey, Stored>,
    order: VecDeque<(CallKey, u64)>,
    bytes: usize,
    stored: u64,
    tombs: HashSet<u128>,
    tomb_order: VecDeque<u128>,
    hashers: (RandomState, RandomState),
}

struct Stored {
    finished: Arc<Finished>,
    at: Instant,
    number: u64,
}

pub(super) enum Kept {
    Result(Arc<Finished>),
    Tombstone,
    Nothing,
}

impl Retention {
    pub(super) fn new(limits: RetentionLimits) -> Self {
        Self {
            limits,
            results: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            stored: 0,
            tombs: HashSet::new(),
            tomb_order: VecDeque::new(),
            hashers: (RandomState::new(), RandomState::new()),
        }
    }

    pub(super) fn keep(&mut self, key: CallKey, finished: Arc<Finished>, now: Instant) {
        self.stored += 1;
        self.bytes += finished.kept_bytes();
        self.order.push_back((key.clone(), self.stored));
        self.results.insert(
            key,
            Stored {
                finished,
                at: now,
                number: self.stored,
            },
        );
        // The newest stays even if it alone is over the bytes: its client was just told that it
        // can be collected.
        while self.results.len() > 1
            && (self.results.len() > self.limits.results || self.bytes > self.limits.bytes)
        {
            if !self.evict_oldest() {
                break;
            }
        }
    }

    pub(super) fn get(&mut self, key: &CallKey, now: Instant) -> Kept {
        self.sweep(now);
        if let Some(stored) = self.results.get(key) {
            return Kept::Result(Arc::clone(&stored.finished));
        }
        if !self.tombs.is_empty() && self.tombs.contains(&self.tomb_of(key)) {
            return Kept::Tombstone;
        }
        Kept::Nothing
    }

    /// Whose results are kept.
    pub(super) fn scopes(&self) -> HashSet<Scope> {
        let keys = self.results.keys();
        keys.map(|key| (key.principal.clone(), Arc::clone(&key.scope)))
            .collect()
    }

    pub(super) fn sweep(&mut self, now: Instant) {
        while let Some((key, number)) = self.order.front() {
            let stored = self
                .results
                .get(key)
                .filter(|stored| stored.number == *number);
            if stored.is_some_and(|stored| now.duration_since(stored.at) < self.limits.ttl) {
                return;
            }
            self.evict_oldest();
        }
    }

    fn evict_oldest(&mut self) -> bool {
        let Some((key, number)) = self.order.pop_front() else {
            return false;
        };
        if self
            .results
            .get(&key)
            .is_some_and(|stored| stored.number == number)
            && let Some(stored) = self.results.remove(&key)
        {
            self.bytes -= stored.finished.kept_bytes();
            self.bury(&key);
        }
        true
    }

    fn bury(&mut self, key: &CallKey) {
        let tomb = self.tomb_of(key);
        if self.tombs.insert(tomb) {
            self.tomb_order.push_back(tomb);
        }
        if self.tomb_order.len() > TOMBSTONES
            && let Some(oldest) = self.tomb_order.pop_front()
        {
            self.tombs.remove(&oldest);
        }
    }

    /// 128 bits of two keyed hashes: an accidental match would deny a call that never ran.
    fn tomb_of(&self, key: &CallKey) -> u128 {
        let half = |state: &RandomState| {
            let mut hasher = state.build_hasher();
            std::hash::Hash::hash(key, &mut hasher);
            u128::from(hasher.finish())
        };
        half(&self.hashers.0) << 64 | half(&self.hashers.1)
    }
}
