//! How a running tool says how far it is. The handle belongs to one call; there is no
//! global to mix calls up. The newest message waits in a slot until the call's task takes it,
//! so a flood costs nothing and a slow reader holds nobody up.

use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// Most text kept for a slow reader before the oldest is cut; a person watching sees the tail.
const MAX_PARTIAL_BYTES: usize = 256 * 1024;
/// Longest message; what is longer is a result, not a sign of progress.
const MAX_WORDS_BYTES: usize = 4 * 1024;

/// A tool's pen.
#[derive(Clone, Debug, Default)]
pub struct ProgressHandle {
    slot: Arc<Slot>,
}

#[derive(Debug, Default)]
struct Slot {
    pending: Mutex<Pending>,
    changed: Notify,
}

/// What the tool said since the last look.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    pub(crate) said: Option<Said>,
    pub(crate) text: String,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) stage: Arc<str>,
    pub(crate) message: Arc<str>,
}

impl ProgressHandle {
    /// Says where the tool is; a newer message replaces one not yet delivered.
    pub fn say(&self, stage: impl Into<Arc<str>>, message: impl Into<Arc<str>>) {
        let said = Said {
            stage: bounded(stage.into()),
            message: bounded(message.into()),
        };
        self.lock().said = Some(said);
        self.slot.changed.notify_one();
    }

    /// Keeps a message that could not be delivered yet, unless there is a newer one.
    pub(crate) fn put_back(&self, said: Said) {
        self.lock().said.get_or_insert(said);
        self.slot.changed.notify_one();
    }

    /// Adds streamed text, for those who watch it grow.
    pub fn stream(&self, piece: &str) {
        {
            let mut pending = self.lock();
            pending.text.push_str(piece);
            let excess = pending.text.len().saturating_sub(MAX_PARTIAL_BYTES);
            if excess > 0 {
                let cut = pending.text.ceil_char_boundary(excess);
                pending.text.drain(..cut);
            }
        }
        self.slot.changed.notify_one();
    }

    /// Waits until the tool has said something new.
    pub(crate) async fn changed(&self) {
        self.slot.changed.notified().await;
    }

    /// Takes what was said.
    pub(crate) fn take(&self) -> Pending {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Pending> {
        self.slot
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn bounded(words: Arc<str>) -> Arc<str> {
    if words.len() <= MAX_WORDS_BYTES {
        return words;
    }
    Arc::from(&words[..words.floor_char_boundary(MAX_WORDS_BYTES)])
}
