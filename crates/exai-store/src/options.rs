//! What opening the store takes.

use exai_protocol::{BootId, WallClock};
use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

/// Whether another life of the daemon, by its boot, is not over: it has given its home away and
/// finishes what it began.
pub type Lives = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// How to open the store.
#[derive(Clone)]
pub struct Options {
    /// The file. Its directory exists and belongs to this daemon alone.
    pub path: PathBuf,
    /// This life of the daemon: reservations of any other are of the dead, unless it lives.
    pub boot: BootId,
    /// Which others do.
    pub lives: Lives,
    /// Whether the home is another's now, or not ours yet: then what happens to the file behind
    /// our back is that one's to mend.
    pub guest: Arc<AtomicBool>,
    /// The time that goes into rows and decides the day of a budget.
    pub clock: WallClock,
    /// How long after a failure the file is tried again.
    pub retry: Duration,
    /// How long to wait for another process that holds the file.
    pub busy: Duration,
    /// The most the file may grow to; beyond it the store is full.
    pub most_bytes: Option<u64>,
    /// How often what was written is brought to the disk itself, safe from power loss;
    /// `None`: each time, before anybody is told that it is written.
    pub sync: Option<Duration>,
    /// Nothing goes for its age until the clock has been steady for so long.
    pub steady_for: Duration,
    /// Calls that may be under way at once, each with the room its end will take.
    pub calls: usize,
}

impl Options {
    /// The usual ones.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, boot: BootId, clock: WallClock) -> Self {
        Self {
            path: path.into(),
            boot,
            lives: Arc::new(|_| false),
            guest: Arc::default(),
            clock,
            retry: Duration::from_secs(1),
            busy: Duration::from_secs(3),
            most_bytes: None,
            sync: Some(Duration::from_secs(1)),
            steady_for: Duration::from_secs(600),
            calls: 4096 + 512,
        }
    }
}
