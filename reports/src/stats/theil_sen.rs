//! Robust slope of a series with a confidence interval: is the delay growing from batch to batch?
//!
//! Estimate: the median of the slopes of all pairs of points (Theil, "A rank-invariant method of linear and polynomial
//! regression analysis", 1950; Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63, 1968). It
//! withstands up to 29 % of wild values, so that single late batches do not look like growth.
//!
//! Interval: circular block bootstrap of the residuals (Politis, Romano, "A circular block-resampling procedure for stationary
//! data", 1992), percentiles 2.5 and 97.5 of [`REPLICATES`] replicates. Delays of neighbouring batches depend on one another, so
//! whole blocks of [`block_length`] neighbours are drawn; residuals are widened by √(n / (n − 2)) for the two fitted parameters.
//!
//! Cost: series above [`MAX_POINTS`] are first thinned to that many groups of neighbours, each replaced by the medians of its
//! positions and values; memory is bounded by [`MAX_POINTS`]² / 2 slopes whatever the length of the series.

use super::percentiles::median;
use super::random::SplitMix64;

/// Longer series are thinned to this many groups of neighbours.
pub const MAX_POINTS: usize = 200;

/// Resampled series behind each interval.
pub const REPLICATES: usize = 999;

/// Below this many points no interval is given: blocks of so short a series cannot show how it varies.
pub const MIN_POINTS: usize = 20;

/// A slope and its 95 % interval, in units of the values per unit of the positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slope {
    /// Median of the pairwise slopes.
    pub estimate: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// Neighbours drawn together: twice the cube root of the number of points, rounded up (10 for 100 points). The order n^⅓ is that of
/// Hall, Horowitz, Jing, "On blocking rules for the bootstrap with dependent data", Biometrika 82 (1995).
pub fn block_length(points: usize) -> usize {
    (2.0 * (points as f64).cbrt()).ceil() as usize
}

/// Median of the slopes of all pairs with different positions. `None` when there is no such pair.
///
/// `points` are (position, value); at most [`MAX_POINTS`] are used, as the module says.
pub fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let points = thinned(points);
    let (positions, values) = points.into_iter().unzip::<f64, f64, Vec<_>, Vec<_>>();
    median_slope(&positions, &values, &mut Vec::new())
}

/// The slope with its 95 % interval; the same input gives the same interval. `None` below [`MIN_POINTS`] points.
pub fn slope_with_interval(points: &[(f64, f64)], seed: u64) -> Option<Slope> {
    if points.len() < MIN_POINTS {
        return None;
    }
    let points = thinned(points);
    let (positions, values) = points.into_iter().unzip::<f64, f64, Vec<_>, Vec<_>>();
    let mut scratch = Vec::new();
    let estimate = median_slope(&positions, &values, &mut scratch)?;
    let residuals = residuals(&positions, &values, estimate)?;

    let mut random = SplitMix64::new(seed);
    let mut resampled = Vec::with_capacity(residuals.len());
    let mut replicates = Vec::with_capacity(REPLICATES);
    for _ in 0..REPLICATES {
        draw_blocks(&residuals, &mut random, &mut resampled);
        replicates.push(estimate + median_slope(&positions, &resampled, &mut scratch)?);
    }
    replicates.sort_unstable_by(f64::total_cmp);
    // With 999 replicates the ends are the 25th smallest and the 25th largest.
    let cut = (REPLICATES + 1) / 40;
    Some(Slope { estimate, low: replicates[cut - 1], high: replicates[REPLICATES - cut] })
}

fn median_slope(positions: &[f64], values: &[f64], slopes: &mut Vec<f64>) -> Option<f64> {
    slopes.clear();
    for later in 1..positions.len() {
        for earlier in 0..later {
            let run = positions[later] - positions[earlier];
            if run != 0.0 {
                slopes.push((values[later] - values[earlier]) / run);
            }
        }
    }
    let middle = slopes.len() / 2;
    if slopes.is_empty() {
        return None;
    }
    let (below, upper, _) = slopes.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    if !below.is_empty() && (below.len() * 2) == slopes.len() {
        let lower = slopes[..middle].iter().copied().max_by(f64::total_cmp).unwrap_or(upper);
        return Some(0.5 * (lower + upper));
    }
    Some(upper)
}

fn residuals(positions: &[f64], values: &[f64], slope: f64) -> Option<Vec<f64>> {
    let mut residuals: Vec<f64> =
        positions.iter().zip(values).map(|(position, value)| value - slope * position).collect();
    let centre = median(&residuals)?;
    let count = residuals.len() as f64;
    let widening = (count / (count - 2.0)).sqrt();
    for residual in &mut residuals {
        *residual = (*residual - centre) * widening;
    }
    Some(residuals)
}

fn draw_blocks(residuals: &[f64], random: &mut SplitMix64, drawn: &mut Vec<f64>) {
    drawn.clear();
    let length = block_length(residuals.len());
    while drawn.len() < residuals.len() {
        let start = random.below(residuals.len());
        let wanted = length.min(residuals.len() - drawn.len());
        drawn.extend(residuals.iter().cycle().skip(start).take(wanted));
    }
}

fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MAX_POINTS {
        return points.to_vec();
    }
    let group = |number: usize| {
        let start = number * points.len() / MAX_POINTS;
        let end = (number + 1) * points.len() / MAX_POINTS;
        let (positions, values) = points[start..end].iter().copied().unzip::<f64, f64, Vec<_>, Vec<_>>();
        Some((median(&positions)?, median(&values)?))
    };
    (0..MAX_POINTS).filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn series(values: &[f64]) -> Vec<(f64, f64)> {
        values.iter().enumerate().map(|(position, value)| (position as f64, *value)).collect()
    }

    /// Seeded noise round a line: `correlation` of each disturbance is kept into the next.
    fn noisy_line(count: usize, slope: f64, correlation: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut random = SplitMix64::new(seed);
        let mut noise = 0.0;
        let value = |position: usize| {
            let uniform: f64 = (0..6).map(|_| random.next_u64() as f64 / u64::MAX as f64).sum();
            noise = correlation * noise + (uniform - 3.0);
            (position as f64, 5.0 + slope * position as f64 + noise)
        };
        (0..count).map(value).collect()
    }

    #[test]
    fn estimate_agrees_with_scipy() {
        // scipy.stats.theilslopes(y, x).slope
        let even = series(&[1.0, 2.5, 2.0, 4.5, 4.0, 7.0]);
        assert!((slope(&even).unwrap() - EVEN).abs() < 1e-12);
        let uneven = [(0.0, 3.0), (1.0, 1.0), (4.0, 9.0), (5.0, 8.0), (9.0, 100.0)];
        assert!((slope(&uneven).unwrap() - UNEVEN).abs() < 1e-12);
    }

    const EVEN: f64 = 1.125;
    const UNEVEN: f64 = 2.208333333333333;

    #[test]
    fn wild_values_do_not_bend_it() {
        let mut points = noisy_line(100, 0.25, 0.0, 3);
        for point in points.iter_mut().skip(70).take(20) {
            point.1 = 1e6;
        }
        assert!((slope(&points).unwrap() - 0.25).abs() < 0.05);
    }

    #[test]
    fn interval_holds_the_true_slope_about_as_often_as_it_says() {
        let held = (0..200)
            .filter(|seed| {
                let points = noisy_line(60, 0.1, 0.4, 1000 + seed);
                let slope = slope_with_interval(&points, 7).unwrap();
                slope.low <= 0.1 && 0.1 <= slope.high
            })
            .count();
        assert!((174..=198).contains(&held), "{held} of 200");
    }

    #[test]
    fn same_seed_same_interval_and_other_seed_other_interval() {
        let points = noisy_line(50, 0.0, 0.2, 9);
        assert_eq!(slope_with_interval(&points, 1), slope_with_interval(&points, 1));
        assert_ne!(slope_with_interval(&points, 1), slope_with_interval(&points, 2));
    }

    #[test]
    fn ten_thousand_points_are_thinned_and_still_right() {
        let points = noisy_line(10_000, 0.002, 0.3, 5);
        let slope = slope_with_interval(&points, 1).unwrap();
        assert!(slope.low > 0.0018 && slope.low <= 0.002 && slope.high >= 0.002 && slope.high < 0.0022, "{slope:?}");
    }

    #[test]
    fn flat_and_short_series() {
        let flat = slope_with_interval(&series(&[4.0; 30]), 1).unwrap();
        assert_eq!((flat.estimate, flat.low, flat.high), (0.0, 0.0, 0.0));
        assert_eq!(slope_with_interval(&series(&[4.0; MIN_POINTS - 1]), 1), None);
        assert_eq!(slope(&[(1.0, 2.0), (1.0, 3.0)]), None);
        assert_eq!(slope(&[]), None);
    }

    #[test]
    fn block_length_is_the_documented_one() {
        assert_eq!([20, 100, 200].map(block_length), [6, 10, 12],);
    }

    proptest! {
        #[test]
        fn adding_a_line_adds_its_slope(values in prop::collection::vec(-100.0_f64..100.0, 20..60), added in -5.0_f64..5.0) {
            let before = slope(&series(&values)).unwrap();
            let tilted: Vec<f64> = values.iter().enumerate().map(|(x, y)| y + added * x as f64).collect();
            prop_assert!((slope(&series(&tilted)).unwrap() - before - added).abs() < 1e-9);
        }
    }
}
