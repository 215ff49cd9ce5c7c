//! Memory, descriptors, threads and tasks of the daemon and of a shim that lives as long as the
//! run: looked at all the time, so that what grows is seen to grow.

mod growth;
mod trend;

pub(crate) use growth::{Grown, growth};

use crate::arena::{Arena, lock};
use exai_testkit::is_alive;
use std::{
    fs,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::time::sleep;

const EVERY: Duration = Duration::from_secs(1);
/// A daemon this young is still growing up.
const GROWN_UP: Duration = Duration::from_millis(1500);

/// One look at one process.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sample {
    /// Since the run began, in minutes.
    pub(crate) at: f64,
    pub(crate) kilobytes: f64,
    pub(crate) descriptors: f64,
    pub(crate) threads: f64,
    /// What a daemon says of itself.
    pub(crate) tasks: Option<f64>,
}

/// A daemon's lives: each begins small, so that only within one is growth to be seen.
#[derive(Debug, Default)]
pub(crate) struct Lives {
    now: Vec<Sample>,
    longest: Vec<Sample>,
}

impl Lives {
    fn begin(&mut self) {
        let before = std::mem::take(&mut self.now);
        if before.len() > self.longest.len() {
            self.longest = before;
        }
    }

    /// The one that was looked at most often.
    pub(crate) fn longest(&self) -> &[Sample] {
        if self.now.len() > self.longest.len() {
            &self.now
        } else {
            &self.longest
        }
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) daemon: Mutex<Lives>,
    pub(crate) shim: Mutex<Vec<Sample>>,
}

impl Watch {
    /// Looks until the run is over. A daemon that ends while nobody ended it has broken a promise.
    pub(crate) async fn look(self: Arc<Self>, arena: Arc<Arena>, shim: u32) {
        let begun = Instant::now();
        let mut known: Option<(u32, Instant)> = None;
        while !arena.over.is_cancelled() {
            let at = begun.elapsed().as_secs_f64() / 60.0;
            if let Some(sample) = sample(shim, at) {
                lock(&self.shim).push(sample);
            }
            let now = arena.sandbox.daemon_pid().filter(|pid| is_alive(*pid));
            match (known, now) {
                (Some((before, since)), Some(pid)) if before == pid => {
                    if since.elapsed() > GROWN_UP
                        && let Some(sample) = sample(pid, at)
                    {
                        let tasks = tasks(&arena, pid);
                        lock(&self.daemon).now.push(Sample { tasks, ..sample });
                    }
                }
                (Some((before, _)), _) if !is_alive(before) && !arena.was_ended(before) => {
                    arena
                        .score
                        .broken(format!("daemon {before} ended by itself"));
                    known = self.another(now);
                }
                _ => known = self.another(now),
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = arena.over.cancelled() => {}
            }
        }
    }
}

impl Watch {
    /// From now on it is this one, if there is one.
    fn another(&self, pid: Option<u32>) -> Option<(u32, Instant)> {
        lock(&self.daemon).begin();
        pid.map(|pid| (pid, Instant::now()))
    }
}

/// What this daemon wrote last of how many tasks it has.
fn tasks(arena: &Arena, pid: u32) -> Option<f64> {
    let health = arena.sandbox.health()?;
    (health["pid"] == pid)
        .then(|| health["tasks"].as_f64())
        .flatten()
}

/// Linux only; elsewhere nothing is measured, and the report says so.
fn sample(pid: u32, at: f64) -> Option<Sample> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| -> Option<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse().ok()
    };
    let descriptors = u32::try_from(fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count()).ok()?;
    Some(Sample {
        at,
        kilobytes: field("VmRSS:")?,
        descriptors: f64::from(descriptors),
        threads: field("Threads:")?,
        tasks: None,
    })
}
