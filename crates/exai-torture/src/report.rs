//! The scoreboard: what was done, what came of it, which promises were broken. For people, and
//! as JSON.

use crate::{
    oracle::{Broken, Fair, Kind, Made, Verdict},
    score::Tally,
    watch::Grown,
};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

/// Broken promises told one by one.
const TOLD: usize = 40;

/// What the run was.
pub(crate) struct Run {
    pub(crate) seed: u64,
    pub(crate) took: Duration,
    pub(crate) clients: String,
    pub(crate) interrupted: bool,
    pub(crate) slowest: Duration,
    pub(crate) trends: Vec<Grown>,
}

/// Everything, counted.
pub(crate) struct Board {
    run: Run,
    tally: Tally,
    calls: BTreeMap<Kind, u64>,
    fair: BTreeMap<Fair, u64>,
    lost: u64,
    doubled: u64,
    unjustified: u64,
    wrong: u64,
    stories: Vec<String>,
}

impl Board {
    pub(crate) fn new(run: Run, tally: Tally, verdicts: &[(Made, Verdict)]) -> Self {
        let (stories, calls, fair) = (Vec::new(), BTreeMap::new(), BTreeMap::new());
        let mut board = Self {
            run,
            tally,
            calls,
            fair,
            lost: 0,
            doubled: 0,
            unjustified: 0,
            wrong: 0,
            stories,
        };
        for (made, verdict) in verdicts {
            *board.calls.entry(made.kind).or_default() += 1;
            match verdict {
                Ok(fair) => *board.fair.entry(*fair).or_default() += 1,
                Err(broken) => board.breach(made, broken),
            }
        }
        board.stories.append(&mut board.tally.broken.clone());
        board
    }

    fn breach(&mut self, made: &Made, broken: &Broken) {
        let words = match broken {
            Broken::Lost => {
                self.lost += 1;
                "never answered".to_owned()
            }
            Broken::Doubled(runs) => {
                self.doubled += 1;
                format!("ran {runs} times")
            }
            Broken::Unjustified(why) => {
                self.unjustified += 1;
                format!("unknown without need: {why}")
            }
            Broken::Wrong(why) => {
                self.wrong += 1;
                why.clone()
            }
        };
        let took = made
            .ended
            .map(|ended| ended.saturating_duration_since(made.asked));
        self.stories.push(format!(
            "call {} ({}, {:?}, after {:?}): {words}",
            made.job.token,
            made.job.tool,
            made.kind,
            took.unwrap_or_default()
        ));
    }

    fn answered(&self) -> u64 {
        let fair = self
            .fair
            .iter()
            .filter(|(fair, _)| **fair != Fair::Released)
            .map(|(_, n)| n);
        fair.sum::<u64>() + self.unjustified + self.wrong
    }

    fn unknown(&self) -> [(&'static str, u64); 4] {
        let of = |fair: Fair| self.fair.get(&fair).copied().unwrap_or_default();
        [
            ("it ran when the daemon died", of(Fair::UnknownRan)),
            (
                "it was started when the daemon died",
                of(Fair::UnknownStarted),
            ),
            ("the database was damaged", of(Fair::UnknownForgotten)),
            (
                "repeatable, after too many deaths",
                of(Fair::UnknownRepeated),
            ),
        ]
    }

    fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Promises that were broken.
    pub(crate) fn broken(&self) -> u64 {
        self.lost + self.doubled + self.unjustified + self.wrong + self.tally.breaches
    }

    fn milliseconds(&self, percent: usize) -> Option<u128> {
        self.tally.recovery(percent).map(|took| took.as_millis())
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let of = |fair: Fair| self.fair.get(&fair).copied().unwrap_or_default();
        let trends: BTreeMap<_, _> = self
            .run
            .trends
            .iter()
            .map(|grown| (grown.what, grown.json()))
            .collect();
        let skipped: BTreeMap<_, _> = self
            .tally
            .skipped
            .iter()
            .map(|(name, (times, why))| (*name, json!({ "times": times, "why": why })))
            .collect();
        json!({
            "seed": self.run.seed,
            "seconds": self.run.took.as_secs_f64(),
            "interrupted": self.run.interrupted,
            "clients": self.run.clients,
            "calls": self.total(),
            "answered": self.answered(),
            "released": of(Fair::Released),
            "refused": of(Fair::Refused),
            "kills": self.tally.kills(),
            "faults": self.tally.faults,
            "skipped": skipped,
            "noted": self.tally.noted,
            "lost": self.lost,
            "doubled": self.doubled,
            "wrong": self.wrong,
            "unknown": { "justified": self.unknown().iter().map(|(_, n)| n).sum::<u64>(), "unjustified": self.unjustified,
                         "by_reason": self.unknown().into_iter().collect::<BTreeMap<_, _>>() },
            "recovery_ms": { "count": self.tally.recoveries.len(), "p50": self.milliseconds(50), "p99": self.milliseconds(99), "max": self.milliseconds(100) },
            "slowest_answer_ms": self.run.slowest.as_millis(),
            "trends": trends,
            "other_breaches": self.tally.breaches,
            "broken": self.stories,
            "ok": self.broken() == 0,
        })
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        let of = |fair: Fair| self.fair.get(&fair).copied().unwrap_or_default();
        line(&mut out, "seed", &self.run.seed);
        let early = if self.run.interrupted {
            ", interrupted"
        } else {
            ""
        };
        line(
            &mut out,
            "took",
            &format!("{:.0} s{early}", self.run.took.as_secs_f64()),
        );
        line(&mut out, "clients", &self.run.clients);
        let kinds: Vec<String> = self
            .calls
            .iter()
            .map(|(kind, n)| format!("{n} {kind:?}"))
            .collect();
        line(
            &mut out,
            "calls",
            &format!("{} ({})", self.total(), kinds.join(", ")),
        );
        line(
            &mut out,
            "answered",
            &format!(
                "{} ({} right, {} errors that were asked for, {} refused)",
                self.answered(),
                of(Fair::Right),
                of(Fair::AsAsked),
                of(Fair::Refused)
            ),
        );
        line(
            &mut out,
            "released",
            &format!(
                "{} (their client was killed, or let go)",
                of(Fair::Released)
            ),
        );
        line(&mut out, "kills", &self.tally.kills());
        for (name, times) in &self.tally.faults {
            line(&mut out, "", &format!("{times:>5}  {name}"));
        }
        for (name, (times, why)) in &self.tally.skipped {
            line(&mut out, "skipped", &format!("{times:>5}  {name}: {why}"));
        }
        for (name, times) in &self.tally.noted {
            line(&mut out, "", &format!("{times:>5}  {name}"));
        }
        line(&mut out, "lost", &self.lost);
        line(&mut out, "run twice", &self.doubled);
        line(&mut out, "wrong", &self.wrong);
        line(
            &mut out,
            "unknown",
            &format!("{} without need", self.unjustified),
        );
        for (why, times) in self.unknown() {
            line(&mut out, "", &format!("{times:>5}  {why}"));
        }
        self.numbers(&mut out);
        for story in self.stories.iter().take(TOLD) {
            line(&mut out, "BROKEN", story);
        }
        line(
            &mut out,
            "promises",
            &match self.broken() {
                0 => "all kept".to_owned(),
                n => format!("{n} BROKEN"),
            },
        );
        out
    }

    fn numbers(&self, out: &mut String) {
        let ms = |percent| {
            self.milliseconds(percent)
                .map_or("-".to_owned(), |ms| format!("{ms} ms"))
        };
        line(
            out,
            "recovery",
            &format!(
                "p50 {}, p99 {}, max {} ({} kills of the daemon)",
                ms(50),
                ms(99),
                ms(100),
                self.tally.recoveries.len()
            ),
        );
        line(
            out,
            "slowest",
            &format!("{:.1} s to an answer", self.run.slowest.as_secs_f64()),
        );
        for grown in &self.run.trends {
            line(out, "growth", grown);
        }
    }
}

fn line(out: &mut String, name: &str, value: &dyn std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = writeln!(out, "{name:<10} {value}");
}
