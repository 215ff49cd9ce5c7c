//! What came out, for people and for programs.

use super::{
    drive::Run,
    measure::{Goal, Measure},
};
use crate::{
    compose,
    output::{self, Tone, paint},
};
use serde::Serialize;

/// Everything measured in one run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    version: &'static str,
    /// Numbers of an unoptimised build say nothing.
    optimised: bool,
    os: &'static str,
    arch: &'static str,
    cores: Option<usize>,
    /// Unix seconds.
    measured_at: f64,
    pub(super) errors: u64,
    notes: Vec<String>,
    measures: Vec<Measure>,
}

impl Report {
    pub(super) fn new() -> Self {
        Self {
            version: compose::VERSION,
            optimised: !cfg!(debug_assertions),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().ok().map(usize::from),
            measured_at: (compose::system_clock())().as_secs_f64(),
            errors: 0,
            notes: Vec::new(),
            measures: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, measure: Measure) {
        self.measures.push(measure);
    }

    /// Our value of something measured before.
    pub(super) fn ours(&self, name: &str) -> Option<f64> {
        self.measures
            .iter()
            .find(|measure| measure.name == name)?
            .ours
    }

    pub(super) fn fail(&mut self, whose: &str, error: &anyhow::Error) {
        self.errors += 1;
        self.notes.push(format!("{whose}: {error:#}"));
    }

    pub(super) fn note_errors(&mut self, whose: &str, run: &Run) {
        self.errors += run.errors;
        if let Some(first) = &run.first_error {
            self.notes.push(format!(
                "{whose}: {} errors, the first: {first}",
                run.errors
            ));
        }
    }

    /// As a table.
    pub(super) fn lines(&self) -> Vec<String> {
        let cores = self
            .cores
            .map_or_else(|| "?".to_owned(), |cores| cores.to_string());
        let mut lines = vec![format!(
            "exai-daemon {} on {} {}, {cores} cores",
            self.version, self.os, self.arch
        )];
        if !self.optimised {
            lines.push(paint(
                Tone::Warning,
                "an unoptimised build: these numbers say nothing; use --release",
            ));
        }
        let heading = ["measured", "bare", "ours", "ratio", "to reach", ""]
            .map(str::to_owned)
            .to_vec();
        let rows: Vec<Vec<String>> = std::iter::once(heading)
            .chain(self.measures.iter().map(row))
            .collect();
        lines.extend(output::columns(&rows));
        lines.extend(self.notes.iter().map(|note| paint(Tone::Bad, note)));
        lines
    }
}

fn row(measure: &Measure) -> Vec<String> {
    let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    let ours = match measure.ours {
        Some(ours) => format!("{} {}", number(ours), measure.unit),
        None => format!(
            "unknown: {}",
            measure.unknown.as_deref().unwrap_or_default()
        ),
    };
    let goal = match measure.goal {
        None => String::new(),
        Some(Goal::AtMost(most)) => format!("≤ {} {}", number(most), measure.unit),
        Some(Goal::RatioAtMost(most)) => format!("≤ {} ×", number(most)),
        Some(Goal::RatioAtLeast(least)) => format!("≥ {} ×", number(least)),
    };
    let met = match measure.met {
        None => String::new(),
        Some(true) => "reached".to_owned(),
        Some(false) => "MISSED".to_owned(),
    };
    let ratio = measure
        .ratio
        .map_or_else(String::new, |ratio| format!("{ratio:.2} ×"));
    let ratio = match measure.spread {
        Some((lowest, highest)) => format!("{ratio} ({lowest:.2} to {highest:.2})"),
        None => ratio,
    };
    vec![
        measure.name.clone(),
        shown(measure.bare),
        ours,
        ratio,
        goal,
        met,
    ]
}

fn number(value: f64) -> String {
    if value == 0.0 || value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_measure_is_a_row_that_says_what_was_missed() {
        let pair =
            Measure::pair("p50", "µs", (Some(20.0), Some(60.0))).aiming(Goal::RatioAtMost(2.5));
        assert_eq!(
            row(&pair),
            ["p50", "20.0", "60.0 µs", "3.00 ×", "≤ 2.50 ×", "MISSED"]
        );
        let unknown = Measure::alone("m", "MB", None, "not told").aiming(Goal::AtMost(6.0));
        assert_eq!(
            row(&unknown),
            ["m", "-", "unknown: not told", "", "≤ 6.00 MB", ""]
        );
    }

    #[test]
    fn unknown_is_null_for_programs() {
        let mut report = Report::new();
        report.push(Measure::alone("m", "MB", None, "not told"));
        let json = serde_json::to_value(&report).unwrap();
        assert!(json["measures"][0]["ours"].is_null());
        assert_eq!(json["measures"][0]["unknown"], "not told");
    }
}
