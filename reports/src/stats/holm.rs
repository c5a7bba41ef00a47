//! Holm's step-down adjustment: several tests at once, and the chance of any false alarm stays what one test would have.
//!
//! Source: Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6 (1979). The smallest
//! of m p values is multiplied by m, the next by m − 1 and so on; none may become smaller than one before it.

/// Adjusted p values in the order of `p_values`. What is no number counts as 1: it takes part in the family and is never small.
pub fn adjusted(p_values: &[f64]) -> Vec<f64> {
    let known = |position: usize| match p_values[position] {
        p if p.is_nan() => 1.0,
        p => p,
    };
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|one, other| known(*one).total_cmp(&known(*other)));
    let mut adjusted = vec![1.0; p_values.len()];
    let mut largest = 0.0_f64;
    for (step, position) in order.into_iter().enumerate() {
        largest = largest.max((p_values.len() - step) as f64 * known(position)).min(1.0);
        adjusted[position] = largest;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;

    /// Holm's own words: go up the ordered values and stop at the first that is above level / (number left).
    fn rejected(p_values: &[f64], level: f64) -> Vec<bool> {
        let mut order: Vec<usize> = (0..p_values.len()).collect();
        order.sort_by(|one, other| p_values[*one].total_cmp(&p_values[*other]));
        let mut rejected = vec![false; p_values.len()];
        for (step, position) in order.into_iter().enumerate() {
            if p_values[position] * (p_values.len() - step) as f64 > level {
                break;
            }
            rejected[position] = true;
        }
        rejected
    }

    #[test]
    fn adjusted_values_reject_what_the_procedure_rejects() {
        let mut random = SplitMix64::new(12);
        for _ in 0..2_000 {
            let count = random.below(12);
            let p_values: Vec<f64> = (0..count).map(|_| random.below(64) as f64 / 640.0).collect();
            let adjusted = adjusted(&p_values);
            for level in [0.002, 0.0101, 0.0503, 0.2] {
                let by_value: Vec<bool> = adjusted.iter().map(|p| *p <= level).collect();
                assert_eq!(by_value, rejected(&p_values, level), "{p_values:?} at {level}");
            }
        }
    }

    #[test]
    fn a_later_step_is_never_below_an_earlier_one() {
        // 0.02 · 3 is less than 0.019 · 4: the running maximum decides.
        let adjusted = adjusted(&[0.5, 0.019, 0.02, 0.6]);
        assert_eq!(adjusted, [1.0, 0.076, 0.076, 1.0]);
    }

    #[test]
    fn what_is_missing_counts_in_the_family() {
        assert_eq!(adjusted(&[0.01, f64::NAN]), [0.02, 1.0]);
        assert_eq!(adjusted(&[]), Vec::<f64>::new());
        assert_eq!(adjusted(&[0.9, 0.8]), [1.0, 1.0]);
    }
}
