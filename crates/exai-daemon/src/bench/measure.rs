//! One measured thing: ours, the bare twin's where there is one, what was to be reached. A
//! number that is not known is not a number.

use serde::Serialize;
use std::time::Duration;

/// What was to be reached.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Goal {
    AtMost(f64),
    RatioAtMost(f64),
    RatioAtLeast(f64),
}

/// One measured thing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Measure {
    pub(super) name: String,
    pub(super) unit: &'static str,
    /// The bare twin's, under the same load in the same run.
    pub(super) bare: Option<f64>,
    pub(super) ours: Option<f64>,
    pub(super) ratio: Option<f64>,
    /// The lowest and the highest, where each of many rounds has its own ratio.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) spread: Option<(f64, f64)>,
    pub(super) goal: Option<Goal>,
    pub(super) met: Option<bool>,
    /// Why `ours` is null.
    pub(super) unknown: Option<String>,
}

impl Measure {
    /// Without a twin; `why` is told when there is no value.
    pub(super) fn alone(name: &str, unit: &'static str, ours: Option<f64>, why: &str) -> Self {
        let unknown = Some(why.to_owned()).filter(|_| ours.is_none());
        Self {
            name: name.to_owned(),
            unit,
            bare: None,
            ours,
            ratio: None,
            spread: None,
            goal: None,
            met: None,
            unknown,
        }
    }

    /// With its twin: (bare, ours).
    pub(super) fn pair(name: &str, unit: &'static str, values: (Option<f64>, Option<f64>)) -> Self {
        let (bare, ours) = values;
        let ratio = bare
            .zip(ours)
            .filter(|(bare, _)| *bare > 0.0)
            .map(|(bare, ours)| ours / bare);
        Self {
            bare,
            ratio,
            ..Self::alone(name, unit, ours, "no call ended")
        }
    }

    /// The same measured in rounds: the middle of each, and of the rounds' ratios.
    pub(super) fn of_pairs(
        name: &str,
        unit: &'static str,
        pairs: impl Iterator<Item = [Option<f64>; 2]>,
    ) -> Self {
        let whole =
            |[bare, ours]: [Option<f64>; 2]| Some([bare.filter(|bare| *bare > 0.0)?, ours?]);
        let pairs: Vec<[f64; 2]> = pairs.filter_map(whole).collect();
        let of = |value: fn(&[f64; 2]) -> f64| {
            let mut values: Vec<f64> = pairs.iter().map(value).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let middle = |values: &[f64]| values.get(values.len() / 2).copied();
        let ratios = of(|[bare, ours]| ours / bare);
        Self {
            ratio: middle(&ratios),
            spread: ratios.first().copied().zip(ratios.last().copied()),
            ..Self::pair(
                name,
                unit,
                (middle(&of(|pair| pair[0])), middle(&of(|pair| pair[1]))),
            )
        }
    }

    /// Judged by what was to be reached.
    pub(super) fn aiming(mut self, goal: Goal) -> Self {
        self.goal = Some(goal);
        self.met = match goal {
            Goal::AtMost(most) => self.ours.map(|ours| ours <= most),
            Goal::RatioAtMost(most) => self.ratio.map(|ratio| ratio <= most),
            Goal::RatioAtLeast(least) => self.ratio.map(|ratio| ratio >= least),
        };
        self
    }
}

/// A percentile of durations, in microseconds, by sorting; `None` of nothing.
pub(super) fn percentile(samples: &[Duration], percent: f64) -> Option<f64> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().checked_sub(1)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index below the number of samples"
    )]
    let at = (last as f64 * percent / 100.0).round() as usize;
    sorted.get(at).map(|sample| sample.as_secs_f64() * 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let samples: Vec<Duration> = (1..=101).rev().map(Duration::from_micros).collect();
        let rounded = |percent| percentile(&samples, percent).map(f64::round);
        assert_eq!(
            (rounded(0.0), rounded(50.0), rounded(99.0), rounded(100.0)),
            (Some(1.0), Some(51.0), Some(100.0), Some(101.0))
        );
        assert_eq!(percentile(&[], 50.0), None);
    }

    #[test]
    fn of_rounds_the_middle_ratio_counts_and_the_spread_is_told() {
        let rounds = [
            [Some(10.0), Some(9.0)],
            [Some(20.0), Some(4.0)],
            [Some(10.0), Some(8.0)],
        ];
        let measure = Measure::of_pairs("x", "/s", rounds.into_iter());
        assert_eq!((measure.bare, measure.ours), (Some(10.0), Some(8.0)));
        assert_eq!(
            (measure.ratio, measure.spread),
            (Some(0.8), Some((0.2, 0.9)))
        );
        assert_eq!(measure.aiming(Goal::RatioAtLeast(0.75)).met, Some(true));
        let half = Measure::of_pairs(
            "x",
            "/s",
            [[Some(1.0), None], [Some(0.0), Some(1.0)]].into_iter(),
        );
        assert_eq!((half.ratio, half.spread, half.ours), (None, None, None));
    }

    #[test]
    fn a_ratio_needs_both_and_a_verdict_needs_a_value() {
        let met = |values, goal| Measure::pair("x", "µs", values).aiming(goal).met;
        assert_eq!(
            met((Some(10.0), Some(25.0)), Goal::RatioAtMost(2.5)),
            Some(true)
        );
        assert_eq!(
            met((Some(10.0), Some(26.0)), Goal::RatioAtMost(2.5)),
            Some(false)
        );
        assert_eq!(
            met((Some(10.0), Some(5.0)), Goal::RatioAtLeast(0.5)),
            Some(true)
        );
        assert_eq!(met((Some(0.0), Some(5.0)), Goal::RatioAtLeast(0.5)), None);
        assert_eq!(met((None, Some(5.0)), Goal::RatioAtMost(0.5)), None);
        let unknown =
            Measure::alone("x", "MB", None, "not on this system").aiming(Goal::AtMost(1.0));
        assert_eq!(
            (unknown.met, unknown.unknown.as_deref()),
            (None, Some("not on this system"))
        );
    }
}
