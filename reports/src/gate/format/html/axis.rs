//! An axis of changes: shares with a sign, 0 always on it, on the scale of their logarithms, on which twice as slow and twice as fast are as
//! far from 0.

use crate::format::svg::{Scale, ticks};
use crate::gate::metric::{log_of, share_of};

/// Changes beyond are drawn at the edge: half a million times slower.
const FARTHEST: f64 = 13.0;

/// The changes that a plot shows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    low: f64,
    scale: Scale,
    high: f64,
}

impl Axis {
    /// From the least to the greatest of these shares and 0, with some room, drawn between two coordinates.
    pub(super) fn of(shares: impl Iterator<Item = f64>, from: f64, to: f64) -> Self {
        let (mut low, mut high) = (0.0_f64, 0.0_f64);
        for log in shares.map(log_of).filter(|log| !log.is_nan()) {
            (low, high) = (low.min(log.max(-FARTHEST)), high.max(log.min(FARTHEST)));
        }
        let room = 0.06 * (high - low).max(0.001);
        let (low, high) = (low - room, high + room);
        Axis { low, scale: Scale::new(high - low, from, to), high }
    }

    /// Where a share is drawn; at the edge when it lies beyond.
    pub(super) fn at(&self, share: f64) -> f64 {
        self.scale.at(log_of(share) - self.low)
    }

    /// Round shares on the axis, 0 among them.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        let (least, most) = (share_of(self.low), share_of(self.high));
        let step = ticks(most - least, wanted).get(1).copied().unwrap_or(0.01);
        let (first, last) = ((least / step).ceil() as i64, (most / step).floor() as i64);
        (first..=last).map(|number| number as f64 * step).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_is_always_on_the_axis_and_what_lies_beyond_at_its_edge() {
        let axis = Axis::of([0.02, 0.03].into_iter(), 0.0, 100.0);
        assert!(axis.at(0.0) > 0.0 && axis.at(0.0) < axis.at(0.02) && axis.at(0.03) < 100.0);
        assert_eq!((axis.at(-0.5), axis.at(9.0)), (0.0, 100.0));
        assert_eq!(axis.at(f64::INFINITY), 100.0);
        assert!(axis.ticks(6).contains(&0.0) && axis.ticks(6).len() >= 3, "{:?}", axis.ticks(6));
    }

    #[test]
    fn twice_as_slow_is_as_far_as_twice_as_fast() {
        let axis = Axis::of([1.0, -0.5].into_iter(), 0.0, 100.0);
        assert!((axis.at(1.0) - axis.at(0.0) - (axis.at(0.0) - axis.at(-0.5))).abs() < 1e-9);
    }

    #[test]
    fn absurd_shares_leave_a_finite_axis() {
        for shares in [vec![], vec![f64::NAN], vec![f64::INFINITY, -1.0], vec![1e300, -0.999_999]] {
            let axis = Axis::of(shares.into_iter(), 10.0, 20.0);
            assert!((10.0..=20.0).contains(&axis.at(0.0)) && axis.ticks(6).len() < 50, "{axis:?}");
        }
    }
}
