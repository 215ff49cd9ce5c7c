//! How a running tool says how far it is. The handle belongs to one call; there is no
//! global to mix calls up. What it says waits here until the call's task takes it: the newest
//! message for those who watch, what it overtook for the record. Both are bounded, so a flood
//! costs little and a slow reader holds nobody up.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tokio::{sync::Notify, time::Instant};

/// Most text kept for a slow reader before the oldest is cut; a person watching sees the tail.
const MAX_PARTIAL_BYTES: usize = 256 * 1024;
/// Longest message; what is longer is a result, not a sign of progress.
const MAX_WORDS_BYTES: usize = 4 * 1024;
/// Messages of one call that are recorded although a newer one overtook them on their way to
/// its watchers. What a watcher sees is always recorded, and so is the last word.
const MAX_OVERTAKEN: u64 = 1000;
/// Most words that wait for the record.
const MAX_WAITING_BYTES: usize = 64 * 1024;

/// A tool's pen.
#[derive(Clone, Debug, Default)]
pub struct ProgressHandle {
    slot: Arc<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Most calls never say anything, and pay for nothing but this look.
    used: AtomicBool,
    pending: Mutex<Pending>,
    /// Something was said.
    changed: Notify,
    /// Text was streamed. Apart from `changed`, because each has a pace of its own.
    written: Notify,
}

#[derive(Debug, Default)]
struct Pending {
    /// In order; the last is the newest.
    said: VecDeque<Said>,
    /// Of the words in `said`.
    bytes: usize,
    text: String,
    /// Overtaken messages that were kept, in all.
    kept: u64,
    /// Overtaken messages that were not.
    left_out: u64,
}

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) at: Instant,
    pub(crate) stage: Arc<str>,
    pub(crate) message: Arc<str>,
}

impl ProgressHandle {
    /// Says where the tool is. Watchers see the newest message a few times a second; the
    /// record gets all of them, up to a bound, and the number of those beyond it.
    pub fn say(&self, stage: impl Into<Arc<str>>, message: impl Into<Arc<str>>) {
        let said = Said {
            at: Instant::now(),
            stage: bounded(stage.into()),
            message: bounded(message.into()),
        };
        self.slot.used.store(true, Relaxed);
        self.lock().add(said);
        self.slot.changed.notify_one();
    }

    /// Keeps messages that could not be recorded yet, before any newer ones.
    pub(crate) fn put_back(&self, said: VecDeque<Said>) {
        if said.is_empty() {
            return;
        }
        let mut pending = self.lock();
        for said in said.into_iter().rev() {
            pending.bytes += said.bytes();
            pending.said.push_front(said);
        }
        drop(pending);
        self.slot.changed.notify_one();
    }

    /// Adds streamed text, for those who watch it grow.
    pub fn stream(&self, piece: &str) {
        self.slot.used.store(true, Relaxed);
        {
            let mut pending = self.lock();
            pending.text.push_str(piece);
            let excess = pending.text.len().saturating_sub(MAX_PARTIAL_BYTES);
            if excess > 0 {
                let cut = pending.text.ceil_char_boundary(excess);
                pending.text.drain(..cut);
            }
        }
        self.slot.written.notify_one();
    }

    /// Waits until the tool has said something new.
    pub(crate) async fn changed(&self) {
        self.slot.changed.notified().await;
    }

    /// Waits until the tool has streamed more text.
    pub(crate) async fn written(&self) {
        self.slot.written.notified().await;
    }

    /// Takes the text streamed since the last look.
    pub(crate) fn take_text(&self) -> String {
        if !self.slot.used.load(Relaxed) {
            return String::new();
        }
        std::mem::take(&mut self.lock().text)
    }

    /// Takes what was said.
    pub(crate) fn take(&self) -> VecDeque<Said> {
        if !self.slot.used.load(Relaxed) {
            return VecDeque::new();
        }
        let mut pending = self.lock();
        pending.bytes = 0;
        std::mem::take(&mut pending.said)
    }

    /// Takes what the record has not got yet, and how many messages it will never get.
    pub(crate) fn last_take(&self) -> (VecDeque<Said>, u64) {
        if !self.slot.used.load(Relaxed) {
            return Default::default();
        }
        let said = self.take();
        (said, std::mem::take(&mut self.lock().left_out))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.slot
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pending {
    fn add(&mut self, said: Said) {
        if let Some(overtaken) = self.said.back() {
            if overtaken.stage == said.stage && overtaken.message == said.message {
                return;
            }
            if self.kept < MAX_OVERTAKEN && self.bytes < MAX_WAITING_BYTES {
                self.kept += 1;
            } else {
                self.bytes -= overtaken.bytes();
                self.said.pop_back();
                self.left_out += 1;
            }
        }
        self.bytes += said.bytes();
        self.said.push_back(said);
    }
}

impl Said {
    fn bytes(&self) -> usize {
        self.stage.len() + self.message.len()
    }
}

fn bounded(words: Arc<str>) -> Arc<str> {
    if words.len() <= MAX_WORDS_BYTES {
        return words;
    }
    Arc::from(&words[..words.floor_char_boundary(MAX_WORDS_BYTES)])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(said: &VecDeque<Said>) -> Vec<String> {
        said.iter().map(|said| said.message.to_string()).collect()
    }

    #[test]
    fn overtaken_messages_are_kept_up_to_the_bound_and_then_counted() {
        let handle = ProgressHandle::default();
        for n in 0..1500 {
            handle.say("stage", format!("{n}"));
        }
        let said = messages(&handle.take());
        assert_eq!(said.len(), 1001, "the bound, and the newest");
        assert_eq!((&*said[999], &*said[1000]), ("999", "1499"));
        // The bound is the call's, not a moment's.
        handle.say("stage", "one");
        handle.say("stage", "two");
        let (said, left_out) = handle.last_take();
        assert_eq!((messages(&said), left_out), (vec!["two".to_owned()], 500));
        assert_eq!(handle.last_take().1, 0);
    }

    #[test]
    fn waiting_words_are_bounded_in_bytes() {
        let handle = ProgressHandle::default();
        for n in 0..100 {
            handle.say("stage", format!("{n:04000}"));
        }
        let (said, left_out) = handle.last_take();
        assert_eq!(said.len() as u64 + left_out, 100);
        assert!(said.iter().map(Said::bytes).sum::<usize>() < MAX_WAITING_BYTES + 10_000);
        assert!(said.back().unwrap().message.ends_with("99"));
    }

    #[test]
    fn the_same_words_twice_in_a_row_are_one_message() {
        let handle = ProgressHandle::default();
        for words in ["a", "a", "b", "a"] {
            handle.say("stage", words);
        }
        let said = handle.take();
        assert_eq!(messages(&said), ["a", "b", "a"]);
        handle.put_back(said);
        handle.say("stage", "c");
        assert_eq!(messages(&handle.take()), ["a", "b", "a", "c"]);
    }
}
