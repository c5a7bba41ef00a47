//! Wilcoxon's signed rank test with its exact null distribution, ties and zeros included.
//!
//! Source: Wilcoxon, "Individual comparisons by ranking methods", Biometrics Bulletin 1 (1945). Under the hypothesis the differences
//! are symmetric round the shift, so that each rank is equally likely to belong to a positive difference; the distribution of the
//! sum of positive ranks follows by convolution, one rank after the other.
//!
//! Ties share the mean of their ranks. Ranks are doubled, so that these means are whole numbers and the table stays exact.
//! Zeros are ranked with the others and then belong to neither side (Pratt, "Remarks on zeros and ties in the Wilcoxon signed rank
//! procedures", JASA 54, 1959): when they are dropped before ranking, as Wilcoxon did, a larger difference can make the evidence weaker.
//! Above [`EXACT`] differences the normal distribution with the variance of the very ranks takes over.

use statrs::distribution::{ContinuousCDF, Normal};

/// Up to this many differences the distribution is exact.
pub const EXACT: usize = 400;

/// One-sided p value against the hypothesis that the differences lie round `shift` or below. `None` without a difference or when one is
/// not finite.
pub fn p_greater(differences: &[f64], shift: f64) -> Option<f64> {
    Some(Tails::of(differences, shift)?.above)
}

/// One-sided p value against the hypothesis that they lie round `shift` or above. `None` like [`p_greater`].
pub fn p_less(differences: &[f64], shift: f64) -> Option<f64> {
    Some(Tails::of(differences, shift)?.below)
}

/// Two-sided p value: twice the smaller tail. `None` like [`p_greater`].
pub fn p_two_sided(differences: &[f64], shift: f64) -> Option<f64> {
    let tails = Tails::of(differences, shift)?;
    Some((2.0 * tails.above.min(tails.below)).min(1.0))
}

/// How likely a sum of positive ranks is that is at least, or at most, the observed one.
struct Tails {
    above: f64,
    below: f64,
}

impl Tails {
    fn of(differences: &[f64], shift: f64) -> Option<Tails> {
        let moved: Vec<f64> = differences.iter().map(|difference| difference - shift).collect();
        if moved.is_empty() || moved.iter().any(|difference| !difference.is_finite()) {
            return None;
        }
        let ranks = doubled_midranks(&moved);
        let positive: usize = ranks.iter().zip(&moved).filter(|(_, value)| **value > 0.0).map(|(rank, _)| rank).sum();
        let signed: Vec<usize> =
            ranks.iter().zip(&moved).filter(|(_, value)| **value != 0.0).map(|(r, _)| *r).collect();
        match signed.len() {
            0 => Some(Tails { above: 1.0, below: 1.0 }),
            1..=EXACT => Some(Tails::exact(&signed, positive)),
            _ => Tails::normal(&signed, positive),
        }
    }

    fn exact(ranks: &[usize], positive: usize) -> Tails {
        let chances = distribution(ranks);
        Tails {
            above: chances[positive..].iter().sum::<f64>().min(1.0),
            below: chances[..=positive].iter().sum::<f64>().min(1.0),
        }
    }

    fn normal(ranks: &[usize], positive: usize) -> Option<Tails> {
        let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
        let variance = ranks.iter().map(|rank| (*rank as f64).powi(2)).sum::<f64>() / 4.0;
        let normal = Normal::new(mean, variance.sqrt()).ok()?;
        // Sums are whole numbers, and two apart where no rank is shared: half of that is the correction for continuity.
        let sum = positive as f64;
        Some(Tails { above: normal.sf(sum - 1.0), below: normal.cdf(sum + 1.0) })
    }
}

/// The chance of each sum of positive ranks, when each rank is positive with the chance one half.
pub(super) fn distribution(ranks: &[usize]) -> Vec<f64> {
    let mut chances = vec![0.0; ranks.iter().sum::<usize>() + 1];
    chances[0] = 1.0;
    let mut reached = 0;
    for rank in ranks {
        reached += rank;
        for sum in (0..=reached).rev() {
            let with = if sum >= *rank { chances[sum - rank] } else { 0.0 };
            chances[sum] = 0.5 * (chances[sum] + with);
        }
    }
    chances
}

/// Twice the rank of each absolute value, equal ones sharing the mean of theirs, in the order of the values.
fn doubled_midranks(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].abs().total_cmp(&values[*other].abs()));
    let mut ranks = vec![0; values.len()];
    let mut start = 0;
    for group in order.chunk_by(|one, other| values[*one].abs() == values[*other].abs()) {
        // First and last rank of the group, counted from 1.
        let doubled = (start + 1) + (start + group.len());
        group.iter().for_each(|position| ranks[*position] = doubled);
        start += group.len();
    }
    ranks
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    /// A small sample of whole numbers and halves: ties are frequent, zeros too.
    pub(crate) fn sample_with_ties(random: &mut SplitMix64, most: usize) -> Vec<f64> {
        let count = 1 + random.below(most);
        let span = 1 + random.below(12);
        (0..count).map(|_| (random.below(2 * span + 1) as f64 - span as f64) / 2.0).collect()
    }

    /// Every pattern of signs, each sum compared with the observed one.
    fn enumerated(values: &[f64]) -> (f64, f64) {
        let rank = |value: f64| {
            let below = values.iter().filter(|other| other.abs() < value.abs()).count();
            let equal = values.iter().filter(|other| other.abs() == value.abs()).count();
            below as f64 + 0.5 * (equal as f64 + 1.0)
        };
        let ranks: Vec<f64> = values.iter().filter(|value| **value != 0.0).map(|value| rank(*value)).collect();
        let observed: f64 = values.iter().filter(|value| **value > 0.0).map(|value| rank(*value)).sum();
        let patterns = 1_u32 << ranks.len();
        let (mut above, mut below) = (0_u32, 0_u32);
        for pattern in 0..patterns {
            let sum: f64 =
                ranks.iter().enumerate().filter(|(bit, _)| pattern >> bit & 1 == 1).map(|(_, rank)| rank).sum();
            above += u32::from(sum >= observed);
            below += u32::from(sum <= observed);
        }
        (f64::from(above) / f64::from(patterns), f64::from(below) / f64::from(patterns))
    }

    #[test]
    fn ten_thousand_samples_with_ties_and_zeros_agree_with_every_pattern_of_signs() {
        let mut random = SplitMix64::new(45);
        let (mut tied, mut with_zero) = (0, 0);
        for _ in 0..10_000 {
            let values = sample_with_ties(&mut random, 9);
            let shift = [0.0, 0.5, -1.0][random.below(3)];
            let moved: Vec<f64> = values.iter().map(|value| value - shift).collect();
            tied +=
                usize::from((1..moved.len()).any(|at| moved[..at].iter().any(|other| other.abs() == moved[at].abs())));
            with_zero += usize::from(moved.contains(&0.0));
            let (above, below) = enumerated(&moved);
            assert!((p_greater(&values, shift).unwrap() - above).abs() < 1e-14, "{values:?} {shift}");
            assert!((p_less(&values, shift).unwrap() - below).abs() < 1e-14, "{values:?} {shift}");
            let both = (2.0 * above.min(below)).min(1.0);
            assert!((p_two_sided(&values, shift).unwrap() - both).abs() < 1e-14, "{values:?} {shift}");
        }
        assert!(tied > 5_000 && with_zero > 3_000, "{tied} {with_zero}");
    }

    #[test]
    fn the_smallest_p_value_is_one_pattern_of_signs() {
        for count in [7, 14, 20, 32] {
            let values: Vec<f64> = (1..=count).map(f64::from).collect();
            assert_eq!(p_greater(&values, 0.0), Some(0.5_f64.powi(count)));
            assert_eq!(p_less(&values, 0.0), Some(1.0));
        }
    }

    #[test]
    fn the_shift_moves_the_hypothesis() {
        let values: Vec<f64> = (0..14).map(|block| 0.02 + 0.0001 * f64::from(block)).collect();
        assert!(p_greater(&values, 0.01).unwrap() < 1e-4);
        assert!(p_greater(&values, 0.03).unwrap() > 0.999);
    }

    #[test]
    fn the_normal_approximation_continues_the_exact_distribution() {
        let mut random = SplitMix64::new(8);
        for _ in 0..5 {
            let values: Vec<f64> = (0..=EXACT).map(|_| random.normal() + 0.05).collect();
            let ranks = doubled_midranks(&values);
            let positive = ranks.iter().zip(&values).filter(|(_, value)| **value > 0.0).map(|(rank, _)| rank).sum();
            let exact = Tails::exact(&ranks, positive);
            assert!((p_greater(&values, 0.0).unwrap() - exact.above).abs() < 1e-3);
            assert!((p_less(&values, 0.0).unwrap() - exact.below).abs() < 1e-3);
        }
    }

    #[test]
    fn nothing_and_no_number_have_no_p_value() {
        for values in [&[][..], &[f64::NAN], &[1.0, f64::INFINITY]] {
            assert_eq!(p_greater(values, 0.0), None);
            assert_eq!(p_two_sided(values, 0.0), None);
        }
        assert_eq!(p_greater(&[1.0], f64::NAN), None);
        assert_eq!(p_two_sided(&[0.0, 0.0], 0.0), Some(1.0));
    }
}
