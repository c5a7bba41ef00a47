//! Exact confidence bounds of a share, from the number of hits and trials.
//!
//! Source: Clopper, Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial", Biometrika 26
//! (1934), in the form with beta quantiles (Brown, Cai, DasGupta, Statistical Science 16, 2001, section 4.2.1):
//! lower = B(α; k, n − k + 1), upper = B(1 − α; k + 1, n − k). Both bounds here are one-sided: a two-sided interval of
//! 95 % is made of the two bounds at 97.5 %.

use statrs::distribution::{Beta, ContinuousCDF};

/// Largest share that is excluded from below: with `confidence` the true share is at least this. 0 when there was no hit.
///
/// `hits` above `trials` count as `trials`; with no trials nothing is excluded and the bound is 0.
pub fn lower_bound(hits: u64, trials: u64, confidence: f64) -> f64 {
    let hits = hits.min(trials);
    if hits == 0 {
        return 0.0;
    }
    if hits == trials {
        return (1.0 - confidence).powf(1.0 / trials as f64);
    }
    quantile(hits as f64, (trials - hits + 1) as f64, 1.0 - confidence)
}

/// Smallest share that is excluded from above: with `confidence` the true share is at most this. 1 when every trial hit.
///
/// `hits` above `trials` count as `trials`; with no trials nothing is excluded and the bound is 1.
pub fn upper_bound(hits: u64, trials: u64, confidence: f64) -> f64 {
    let hits = hits.min(trials);
    if hits == trials {
        return 1.0;
    }
    if hits == 0 {
        return 1.0 - (1.0 - confidence).powf(1.0 / trials as f64);
    }
    quantile((hits + 1) as f64, (trials - hits) as f64, confidence)
}

/// Quantile of the beta distribution by bisection of the library's distribution function: 60 halvings of [0, 1] are exact to
/// the last digits, where the library's own inverse promises less.
fn quantile(shape_a: f64, shape_b: f64, probability: f64) -> f64 {
    let Ok(beta) = Beta::new(shape_a, shape_b) else {
        return f64::NAN;
    };
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if beta.cdf(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn bounds_agree_with_scipy() {
        // scipy.stats.beta.ppf(0.05, k, n - k + 1) and beta.ppf(0.95, k + 1, n - k).
        for (hits, trials, low, high) in KNOWN {
            assert!((lower_bound(hits, trials, 0.95) - low).abs() < 1e-9, "{hits}/{trials}");
            assert!((upper_bound(hits, trials, 0.95) - high).abs() < 1e-9, "{hits}/{trials}");
        }
    }

    const KNOWN: [(u64, u64, f64, f64); 6] = [
        (1, 100, 0.000_512_801_416_262, 0.046_559_811_453_539),
        (3, 100, 0.008_225_829_107_653, 0.075_710_793_749_830),
        (4, 100, 0.013_776_612_464_856, 0.089_196_250_158_880),
        (50, 100, 0.413_621_714_630_912, 0.586_378_285_369_088),
        (7, 10_000, 0.000_328_576_174_535, 0.001_314_407_219_503),
        (19, 20, 0.783_893_835_793_153, 0.997_438_621_223_470),
    ];

    #[test]
    fn nothing_measured_excludes_nothing() {
        assert_eq!(lower_bound(0, 0, 0.95), 0.0);
        assert_eq!(upper_bound(0, 0, 0.95), 1.0);
    }

    #[test]
    fn none_and_all_are_closed_forms() {
        assert_eq!(lower_bound(0, 100, 0.95), 0.0);
        assert_eq!(upper_bound(100, 100, 0.95), 1.0);
        // The rule of three: 0 of 100 excludes about 3 %.
        assert!((upper_bound(0, 100, 0.95) - 0.029_513).abs() < 1e-6);
        assert!((lower_bound(100, 100, 0.95) - 0.970_487).abs() < 1e-6);
    }

    proptest! {
        #[test]
        fn bounds_enclose_the_share_and_mirror(trials in 1_u64..3000, part in 0.0_f64..=1.0) {
            let hits = (part * trials as f64) as u64;
            let share = hits as f64 / trials as f64;
            let (low, high) = (lower_bound(hits, trials, 0.95), upper_bound(hits, trials, 0.95));
            prop_assert!(low <= share && share <= high);
            prop_assert!((low - (1.0 - upper_bound(trials - hits, trials, 0.95))).abs() < 1e-9);
        }

        #[test]
        fn more_hits_raise_both_bounds(trials in 2_u64..500, hits in 0_u64..499) {
            prop_assume!(hits < trials);
            prop_assert!(lower_bound(hits, trials, 0.95) <= lower_bound(hits + 1, trials, 0.95));
            prop_assert!(upper_bound(hits, trials, 0.95) <= upper_bound(hits + 1, trials, 0.95));
        }
    }
}
