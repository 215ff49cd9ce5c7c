//! How long conversations are kept and how large they may grow. What a limit ends is told with
//! its number and its setting.

use super::rows::Loaded;
use exai_engine::ports::threads::ThreadError;
use exai_protocol::UnixMillis;
use std::time::Duration;

/// A single conversation takes at most this share of all room.
const SHARE: u64 = 4;

/// The limits an owner set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ThreadLimits {
    /// One that is not used for so long is removed.
    pub unused: Duration,
    /// Turns of one.
    pub turns: u32,
    /// Bytes of all; the one that was unused longest makes room.
    pub bytes: u64,
}

impl ThreadLimits {
    /// Those last used before this are no more.
    #[must_use]
    pub fn oldest(&self, now: UnixMillis) -> UnixMillis {
        let millis = u64::try_from(self.unused.as_millis()).unwrap_or(u64::MAX);
        UnixMillis(now.0.saturating_sub(millis))
    }

    /// Whether it takes another turn.
    pub(super) fn admits(&self, loaded: &Loaded) -> Result<(), ThreadError> {
        let most = self.bytes / SHARE;
        let why = if loaded.count >= self.turns {
            format!(
                "it has {} turns, EXAI_THREADS_MAX_TURNS allows {}",
                loaded.count, self.turns
            )
        } else if loaded.bytes >= most {
            format!(
                "it has {} bytes, and one may take a quarter of EXAI_THREADS_MAX_BYTES, {most}",
                loaded.bytes
            )
        } else {
            return Ok(());
        };
        let id = loaded.thread.id.clone();
        Err(ThreadError::Full { id, why })
    }

    pub(super) fn unused(&self, id: &str) -> ThreadError {
        ThreadError::Expired {
            id: id.to_owned(),
            why: format!(
                "not used for more than {}, EXAI_THREADS_KEEP_SECS",
                words(self.unused)
            ),
        }
    }
}

fn words(time: Duration) -> String {
    let secs = time.as_secs();
    match secs {
        0..172_800 => format!("{} s", time.as_secs_f64()),
        _ => format!("{} days", secs / 86_400),
    }
}
