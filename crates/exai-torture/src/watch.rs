//! Memory, descriptors and threads of the daemon and of a shim that lives as long as the run:
//! looked at all the time, so that what grows is seen to grow.

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
}

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    pub(crate) daemon: Mutex<Vec<Sample>>,
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
                        lock(&self.daemon).push(sample);
                    }
                }
                (Some((before, _)), _) if !is_alive(before) && !arena.was_ended(before) => {
                    arena
                        .score
                        .broken(format!("daemon {before} ended by itself"));
                    known = now.map(|pid| (pid, Instant::now()));
                }
                _ => known = now.map(|pid| (pid, Instant::now())),
            }
            tokio::select! {
                () = sleep(EVERY) => {}
                () = arena.over.cancelled() => {}
            }
        }
    }
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
    })
}

/// Where a value stood in the first third of the run and in the last, and its slope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trend {
    pub(crate) early: f64,
    pub(crate) late: f64,
    pub(crate) per_minute: f64,
}

/// The first tenth warms up. Lower quartiles, because a large answer passes and is no growth.
pub(crate) fn trend(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Option<Trend> {
    let warm = &samples[samples.len() / 10..];
    let third = warm.len() / 3;
    if third < 3 {
        return None;
    }
    let quartile = |part: &[Sample]| {
        let mut values: Vec<f64> = part.iter().map(&value).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 4]
    };
    let (early, late) = (
        quartile(&warm[..third]),
        quartile(&warm[warm.len() - third..]),
    );
    Some(Trend {
        early,
        late,
        per_minute: slope(warm, value),
    })
}

/// Least squares.
fn slope(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> f64 {
    let number = f64::from(u32::try_from(samples.len()).unwrap_or(u32::MAX));
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / number;
    let (at, height) = (mean(&|sample| sample.at), mean(&|sample| value(sample)));
    let (mut above, mut below) = (0.0, 0.0);
    for sample in samples {
        above += (sample.at - at) * (value(sample) - height);
        below += (sample.at - at).powi(2);
    }
    if below > 0.0 { above / below } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: impl Fn(f64) -> f64) -> Vec<Sample> {
        (0..60)
            .map(|n| {
                let at = f64::from(n) / 60.0;
                Sample {
                    at,
                    kilobytes: of(at),
                    descriptors: 7.0,
                    threads: 3.0,
                }
            })
            .collect()
    }

    #[test]
    fn what_grows_is_seen_and_what_is_flat_is_flat() {
        let grows = trend(&samples(|at| 100.0 + 60.0 * at), |sample| sample.kilobytes).unwrap();
        assert!((grows.per_minute - 60.0).abs() < 1e-6 && grows.late > grows.early + 30.0);
        let flat = trend(&samples(|_| 5.0), |sample| sample.descriptors).unwrap();
        assert!(flat.per_minute.abs() < 1e-9 && (flat.late - flat.early).abs() < 1e-9);
        assert!(trend(&samples(|_| 1.0)[..5], |sample| sample.kilobytes).is_none());
    }
}
