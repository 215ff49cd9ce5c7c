//! Where a value stood early and late, and how fast it went there. Pure.

use super::Sample;

/// Where a value stood in the first third of the run and in the last, and its slope.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trend {
    pub(crate) early: f64,
    pub(crate) late: f64,
    pub(crate) per_minute: f64,
}

/// The first tenth warms up. Lower quartiles, because a large answer passes and is no growth.
pub(super) fn trend(samples: &[Sample], value: impl Fn(&Sample) -> f64) -> Option<Trend> {
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
                    tasks: None,
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
