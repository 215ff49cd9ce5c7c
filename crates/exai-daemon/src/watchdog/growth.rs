//! Growth without end, told from a load that rises and stays: a window in parts, of which
//! nearly each is above the one before.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// Samples in a window.
pub(super) const SAMPLES: u32 = 30;

/// Parts of a window that are compared.
const PARTS: usize = 6;

/// One quantity over the window.
#[derive(Default)]
pub(super) struct Growth {
    samples: VecDeque<(Instant, u64)>,
}

impl Growth {
    pub(super) fn add(&mut self, at: Instant, value: u64) {
        self.samples.push_back((at, value));
        while self.samples.len() > SAMPLES as usize {
            self.samples.pop_front();
        }
    }

    pub(super) fn begin_anew(&mut self) {
        self.samples.clear();
    }

    /// By how much it grew over the whole window, if it grew all the way and by more than the
    /// bound; a step that was made once does not count.
    pub(super) fn beyond(&self, bound: u64) -> Option<(u64, Duration)> {
        if self.samples.len() < SAMPLES as usize {
            return None;
        }
        let size = self.samples.len() / PARTS;
        let part = |n: usize| self.samples.iter().skip(n * size).take(size);
        let mean = |n: usize| part(n).map(|(_, value)| *value).sum::<u64>() / size as u64;
        let means: Vec<u64> = (0..PARTS).map(mean).collect();
        let grown = means.last()?.checked_sub(*means.first()?)?;
        // A step that was made once lifts two parts at the most.
        let noticeable = (grown / 20).max(1);
        let rises = means
            .windows(2)
            .filter(|pair| pair[1] >= pair[0] + noticeable);
        let all_the_way = rises.count() >= PARTS - 2;
        // From the middle of the first part to that of the last is one part less than all.
        let over_window = grown + grown / (PARTS as u64 - 1);
        let span = self
            .samples
            .back()?
            .0
            .duration_since(self.samples.front()?.0);
        (all_the_way && over_window > bound).then_some((over_window, span))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: impl Fn(u64) -> u64) -> Growth {
        let mut growth = Growth::default();
        for n in 0..u64::from(SAMPLES) {
            growth.add(Instant::now(), value(n));
        }
        growth
    }

    #[test]
    fn a_slope_is_growth_and_a_step_a_peak_or_a_wave_is_none() {
        let grown = |growth: Growth| growth.beyond(250).map(|(grown, _)| grown);
        assert_eq!(grown(of(|n| 1000 + 10 * n)), Some(300));
        assert_eq!(grown(of(|n| 1000 + 8 * n)), None, "below the bound");
        assert_eq!(grown(of(|n| if n < 12 { 0 } else { 9000 })), None, "a step");
        assert_eq!(grown(of(|n| 9000 * u64::from(n == 14))), None, "a peak");
        assert_eq!(grown(of(|n| 9000 * (n % 2))), None, "a wave");
        assert_eq!(grown(of(|n| 9000 - 100 * n)), None, "it falls");
        let mut short = Growth::default();
        short.add(Instant::now(), 0);
        short.add(Instant::now(), 9000);
        assert_eq!(short.beyond(0), None, "too early to say");
    }
}
