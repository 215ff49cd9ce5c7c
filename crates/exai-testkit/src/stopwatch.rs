//! How long something took, less the time in which the machine itself stood still: a build
//! server that is stalled for seconds makes nothing slow that a test could tell of.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often time is told.
const STEP: Duration = Duration::from_millis(5);
/// A thread that only sleeps is this late on a busy machine; what goes beyond is nobody's doing.
const LATE: Duration = Duration::from_millis(50);

/// Time that passed while a thread with nothing to do could run, in microseconds.
static TOLD: AtomicU64 = AtomicU64::new(0);

static TELLER: LazyLock<thread::JoinHandle<()>> = LazyLock::new(|| {
    thread::spawn(|| {
        let mut last = Instant::now();
        loop {
            thread::sleep(STEP);
            let now = Instant::now();
            TOLD.fetch_add(counted(now - last), Ordering::Relaxed);
            last = now;
        }
    })
});

/// Of a step that took so long, what counts.
fn counted(took: Duration) -> u64 {
    u64::try_from(took.min(LATE).as_micros()).unwrap_or_default()
}

/// Runs from its making. For what must not take longer than; what must take at least so long is
/// measured with the clock on the wall.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch {
    began: u64,
    on_the_wall: Instant,
}

impl Stopwatch {
    /// Begins to count.
    #[must_use]
    pub fn start() -> Self {
        LazyLock::force(&TELLER);
        Self {
            began: TOLD.load(Ordering::Relaxed),
            on_the_wall: Instant::now(),
        }
    }

    /// What has passed, to a hundredth of a second.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        Duration::from_micros(TOLD.load(Ordering::Relaxed) - self.began)
    }

    /// What has passed on the wall and was left out here.
    #[must_use]
    pub fn stood_still(&self) -> Duration {
        self.on_the_wall.elapsed().saturating_sub(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_what_passes_and_leaves_out_what_the_machine_slept() {
        let wall = Instant::now();
        let watch = Stopwatch::start();
        while watch.elapsed() < Duration::from_millis(60) {
            thread::sleep(STEP);
            assert!(wall.elapsed() < crate::PATIENCE, "it stands still");
        }
        assert!(watch.elapsed() <= wall.elapsed() + LATE);
        assert!(watch.stood_still() <= wall.elapsed());
        assert_eq!(counted(Duration::from_millis(7)), 7_000);
        assert_eq!(counted(Duration::from_secs(6)), 50_000);
    }
}
