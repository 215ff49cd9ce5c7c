//! What one client has under way, in bytes: arguments of calls that wait or run, and results it
//! was sent and has not read. Above the limit its next calls are refused and its waiting ones
//! wait longer; what was promised is kept, however long its reader takes.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::time::Instant;

/// Less of reading than this says nothing about its pace.
const WATCHED: Duration = Duration::from_millis(100);

/// The bytes of one client.
#[derive(Default)]
pub struct Account {
    arguments: AtomicUsize,
    unread: AtomicUsize,
    /// Ever read, to know the pace.
    read: AtomicU64,
    /// When the reader was first found behind, and what it had read by then.
    watch: Mutex<Option<(Instant, u64)>>,
}

impl Account {
    /// Bytes of arguments of calls that wait or run.
    #[must_use]
    pub fn arguments(&self) -> usize {
        self.arguments.load(Relaxed)
    }

    /// Bytes of results that were sent and not read yet.
    #[must_use]
    pub fn unread(&self) -> usize {
        self.unread.load(Relaxed)
    }

    /// A result is on its way to the client.
    pub fn sent(&self, bytes: usize) {
        self.unread.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn opened(&self, arguments: u64) {
        let bytes = usize::try_from(arguments).unwrap_or(usize::MAX / 2);
        self.arguments.fetch_add(bytes, Relaxed);
    }

    pub(crate) fn closed(&self, arguments: u64) {
        let bytes = usize::try_from(arguments).unwrap_or(usize::MAX / 2);
        self.arguments.fetch_sub(bytes, Relaxed);
    }

    /// Whether the client has more unread than this. A single result may be larger.
    pub(crate) fn reads_behind(&self, limit: usize) -> bool {
        self.unread() > limit
    }

    /// The client has read so much, or it never will; whether that brought it under the limit.
    pub(crate) fn taken(&self, bytes: usize, limit: usize) -> bool {
        let before = self.unread.fetch_sub(bytes, Relaxed);
        self.read.fetch_add(bytes as u64, Relaxed);
        let relieved = before > limit && before - bytes <= limit;
        if relieved {
            *self.watch.lock().unwrap_or_else(PoisonError::into_inner) = None;
        }
        relieved
    }

    /// How long the client will need to get under the limit, as it read lately; `None` where
    /// nothing is known of its pace.
    pub(crate) fn relief(&self, limit: usize) -> Option<Duration> {
        let (now, read) = (Instant::now(), self.read.load(Relaxed));
        let mut watch = self.watch.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, by_then) = *watch.get_or_insert((now, read));
        let watched = now.duration_since(since);
        let got = read.saturating_sub(by_then);
        if watched < WATCHED || got == 0 {
            return None;
        }
        let excess = self.unread().saturating_sub(limit);
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let secs = watched.as_secs_f64() * excess as f64 / got as f64;
        Duration::try_from_secs_f64(secs).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_way_back_is_told_from_the_readers_own_pace() {
        let account = Account::default();
        account.sent(1100);
        assert!(account.reads_behind(100));
        assert_eq!(account.relief(100), None, "nothing is known yet");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(!account.taken(200, 100));
        // 800 are too much, and 200 took two seconds.
        assert_eq!(account.relief(100), Some(Duration::from_secs(8)));
        assert!(account.taken(800, 100), "under the limit again");
        assert!(!account.taken(100, 100), "and told once");
        assert_eq!(account.unread(), 0);
    }
}
