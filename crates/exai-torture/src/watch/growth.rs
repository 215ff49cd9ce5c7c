//! What may grow, and by how much: a slope beyond its bound is a broken promise.

use super::{
    Sample, Watch,
    trend::{Trend, trend},
};
use crate::{arena::lock, score::Score};
use serde_json::{Value, json};
use std::fmt;

/// A quarter as much again is none, and so much more.
const FACTOR: f64 = 1.25;
/// A life of so many minutes has filled what it keeps in memory when its first third is over.
const SETTLED: f64 = 10.0;
const MIB: f64 = 1024.0;

type Measure = fn(&Sample) -> Option<f64>;

/// Name, value, what is no growth, and what is none in a short life, in which memory still fills
/// up: a daemon keeps 64 MiB of results, and holds what slow and broken links have not read of
/// several of 30 MB; that takes some minutes to find its level.
const MEASURED: [(&str, Measure, f64, f64); 6] = [
    (
        "daemon, kB",
        |at| Some(at.kilobytes),
        64.0 * MIB,
        256.0 * MIB,
    ),
    ("daemon, descriptors", |at| Some(at.descriptors), 16.0, 16.0),
    ("daemon, threads", |at| Some(at.threads), 12.0, 12.0),
    ("daemon, tasks", |at| at.tasks, 32.0, 32.0),
    ("shim, kB", |at| Some(at.kilobytes), 2.0 * MIB, 2.0 * MIB),
    ("shim, descriptors", |at| Some(at.descriptors), 4.0, 4.0),
];

/// One measured value over the longest life it was measured in.
#[derive(Debug)]
pub(crate) struct Grown {
    pub(crate) what: &'static str,
    minutes: f64,
    trend: Option<Trend>,
}

/// Measures all of them, and calls what grew too much a broken promise.
pub(crate) fn growth(score: &Score, watch: &Watch) -> Vec<Grown> {
    let daemon = lock(&watch.daemon).longest().to_vec();
    let shim = lock(&watch.shim).clone();
    let measured = MEASURED
        .iter()
        .map(|(what, value, slack, of_a_short_life)| {
            let samples = if what.starts_with("daemon") {
                &daemon
            } else {
                &shim
            };
            let grown = Grown::of(what, samples, *value);
            let slack = if grown.minutes < SETTLED {
                of_a_short_life
            } else {
                slack
            };
            if grown.is_beyond(*slack) {
                score.broken(format!("growth of {grown}"));
            }
            grown
        });
    measured.collect()
}

impl Grown {
    fn of(what: &'static str, samples: &[Sample], value: Measure) -> Self {
        let known: Vec<Sample> = samples
            .iter()
            .filter(|sample| value(sample).is_some())
            .copied()
            .collect();
        let ends = known.first().zip(known.last());
        Self {
            what,
            minutes: ends.map_or(0.0, |(first, last)| last.at - first.at),
            trend: trend(&known, |sample| value(sample).unwrap_or_default()),
        }
    }

    fn is_beyond(&self, slack: f64) -> bool {
        self.trend
            .is_some_and(|trend| trend.late > trend.early.mul_add(FACTOR, slack))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        self.trend.map_or(Value::Null, |trend| {
            json!({ "minutes": self.minutes, "early": trend.early, "late": trend.late, "per_minute": trend.per_minute })
        })
    }
}

impl fmt::Display for Grown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(trend) = self.trend else {
            return write!(f, "{}: not measured", self.what);
        };
        let Trend {
            early,
            late,
            per_minute,
        } = trend;
        let (what, minutes) = (self.what, self.minutes);
        write!(
            f,
            "{what}: {early:.0} early, {late:.0} late, {per_minute:+.2} a minute (one life of {minutes:.1} min)"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(tasks: impl Fn(f64) -> f64) -> Watch {
        let watch = Watch::default();
        let sample = |n: u32| {
            let at = f64::from(n) / 60.0;
            Sample {
                at,
                kilobytes: 50_000.0,
                descriptors: 30.0,
                threads: 20.0,
                tasks: Some(tasks(at)),
            }
        };
        for n in 0..5 {
            lock(&watch.daemon).now.push(sample(n));
        }
        lock(&watch.daemon).begin();
        for n in 0..900 {
            lock(&watch.daemon).now.push(sample(n));
        }
        watch
    }

    #[test]
    fn tasks_that_leak_are_a_broken_promise_and_a_level_is_none() {
        let score = Score::default();
        let grown = growth(&score, &life(|_| 80.0));
        assert_eq!(score.tally().breaches, 0);
        assert!(
            grown[3].to_string().contains("80 early, 80 late"),
            "{}",
            grown[3]
        );
        growth(&score, &life(|at| 80.0 + 12.0 * at));
        let broken = score.tally().broken;
        assert!(
            broken.len() == 1 && broken[0].contains("daemon, tasks"),
            "{broken:?}"
        );
    }
}
