//! Location of differences with an exact interval: the estimate and the interval that belong to the signed rank test.
//!
//! Estimate: the median of the Walsh averages, (x_i + x_j) / 2 for all i ≤ j (Hodges, Lehmann, "Estimates of location based on rank
//! tests", Annals of Mathematical Statistics 34, 1963).
//!
//! Interval: all shifts that the two-sided signed rank test does not reject. The sum of positive ranks after a shift is the number of
//! Walsh averages above it (Tukey), so its ends are the k-th smallest and the k-th largest of them, k from the null distribution
//! of the test without ties. It is closed: with ties it then holds the true shift at least as often as it says, because each way to
//! break them moves Walsh averages only away from the shift.

use super::signed_rank::{EXACT, distribution};
use statrs::distribution::{ContinuousCDF, Normal};

/// An estimate and the interval round it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Location {
    /// Median of the Walsh averages.
    pub estimate: f64,
    /// Lower end; −∞ when there are too few differences for the confidence.
    pub low: f64,
    /// Upper end; ∞ when there are too few differences for the confidence.
    pub high: f64,
}

/// Estimate and two-sided interval of `confidence` (above 0, below 1). `None` without a difference or when one is not finite.
///
/// Cost: n² / 2 averages for n differences.
pub fn location(differences: &[f64], confidence: f64) -> Option<Location> {
    if differences.is_empty() || differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    let averages = walsh_averages(differences);
    let middle = averages.len() / 2;
    let estimate = match averages.len() % 2 {
        1 => averages[middle],
        _ => 0.5 * (averages[middle - 1] + averages[middle]),
    };
    let (low, high) = match rank_of_end(differences.len(), 0.5 * (1.0 - confidence)) {
        0 => (f64::NEG_INFINITY, f64::INFINITY),
        rank => (averages[rank - 1], averages[averages.len() - rank]),
    };
    Some(Location { estimate, low, high })
}

/// All (x_i + x_j) / 2 with i ≤ j, ascending.
fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut averages = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (position, one) in values.iter().enumerate() {
        averages.extend(values[position..].iter().map(|other| 0.5 * (one + other)));
    }
    averages.sort_unstable_by(f64::total_cmp);
    averages
}

/// How many Walsh averages from outside the end lies: the largest k with P(T ≤ k − 1) ≤ `tail`. 0 when there is none.
fn rank_of_end(count: usize, tail: f64) -> usize {
    if count > EXACT {
        let (count, half) = (count as f64, 0.5);
        let mean = count * (count + 1.0) / 4.0;
        let deviation = (count * (count + 1.0) * (2.0 * count + 1.0) / 24.0).sqrt();
        return Normal::new(mean, deviation)
            .map_or(0, |normal| (normal.inverse_cdf(tail) + half).floor().max(0.0) as usize);
    }
    let ranks: Vec<usize> = (1..=count).collect();
    let mut below = 0.0;
    let reaches = |chance: &f64| {
        below += chance;
        below > tail
    };
    distribution(&ranks).iter().position(reaches).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;
    use crate::stats::signed_rank::p_two_sided;
    use crate::stats::signed_rank::tests::sample_with_ties;

    /// The ends by the definition: just outside every shift is rejected, just inside none is.
    fn is_inverted(values: &[f64], confidence: f64, step: f64) {
        let found = location(values, confidence).unwrap();
        let rejects = |shift: f64| p_two_sided(values, shift).unwrap() <= 1.0 - confidence;
        if found.high.is_finite() {
            assert!(rejects(found.high + step) && !rejects(found.high - step), "{values:?} {found:?}");
            assert!(rejects(found.low - step) && !rejects(found.low + step), "{values:?} {found:?}");
        } else {
            assert!(!rejects(1e9) && !rejects(-1e9), "{values:?}");
        }
    }

    #[test]
    fn the_interval_is_what_the_test_does_not_reject() {
        let mut random = SplitMix64::new(9);
        for round in 0..2_000 {
            let count = 1 + random.below(20);
            let values: Vec<f64> = (0..count).map(|_| random.normal()).collect();
            is_inverted(&values, [0.9, 0.95, 0.99][round % 3], 1e-9);
        }
    }

    #[test]
    fn with_ties_the_interval_is_never_narrower_than_what_the_test_keeps_round_the_estimate() {
        let mut random = SplitMix64::new(10);
        for _ in 0..10_000 {
            let values = sample_with_ties(&mut random, 12);
            let found = location(&values, 0.95).unwrap();
            assert!(found.low <= found.estimate && found.estimate <= found.high, "{values:?} {found:?}");
            let (mut least, mut most) = (f64::INFINITY, f64::NEG_INFINITY);
            for one in &values {
                for other in &values {
                    least = least.min(0.5 * (one + other));
                    most = most.max(0.5 * (one + other));
                }
            }
            assert!(found.high.is_infinite() || (found.low >= least && found.high <= most), "{values:?}");
        }
    }

    #[test]
    fn the_closed_interval_holds_the_centre_of_tied_data_at_least_as_often_as_it_says() {
        // Symmetric round zero, three values only: as tied as can be.
        let mut random = SplitMix64::new(11);
        let held = (0..4_000).filter(|_| {
            let values: Vec<f64> = (0..10).map(|_| random.below(3) as f64 - 1.0).collect();
            let found = location(&values, 0.9).unwrap();
            found.low <= 0.0 && 0.0 <= found.high
        });
        assert!(held.count() >= 3_600);
    }

    #[test]
    fn a_confidence_that_the_blocks_cannot_give_has_no_ends() {
        // Seven differences: the smallest two-sided p value is 1 / 64.
        let values = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(location(&values, 0.99).unwrap().high, f64::INFINITY);
        assert_eq!(location(&values, 0.98).unwrap(), Location { estimate: 4.0, low: 1.0, high: 7.0 });
    }

    #[test]
    fn the_normal_rank_continues_the_exact_one() {
        for tail in [0.005, 0.025] {
            let (exact, next) = (rank_of_end(EXACT, tail), rank_of_end(EXACT + 1, tail));
            assert!(next > exact && next < exact + 400, "{exact} {next}");
        }
    }

    #[test]
    fn nothing_and_no_number_have_no_location() {
        assert_eq!(location(&[], 0.99), None);
        assert_eq!(location(&[1.0, f64::NAN], 0.99), None);
        assert_eq!(
            location(&[2.0], 0.5).unwrap(),
            Location { estimate: 2.0, low: f64::NEG_INFINITY, high: f64::INFINITY }
        );
    }
}
