//! What is known about a grid of settings from trials of a few of them: a Gaussian process over the knobs.
//!
//! Two settings resemble each other by the knobs that they share: each knob has an effect of its own, each pair of knobs one beyond
//! that, each setting a little of its own. Values of a knob that has an order resemble their neighbours more. That is an additive
//! kernel (Duvenaud, Nickisch, Rasmussen, "Additive Gaussian processes", 2011) over categories; its two scales are those that make
//! the trials most likely (Rasmussen, Williams, "Gaussian processes for machine learning", 2006, algorithm 2.1 and §5.4.1). The next
//! trial is the one that promises the largest expected improvement (Jones, Schonlau, Welch, "Efficient global optimization", 1998).

use downbeat_reports::stats::percentiles::median;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};

/// How the values of a knob resemble each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Equal or not.
    Category,
    /// The nearer in the list, the more.
    Order,
}

/// A measured response of a setting: the logarithm of something of which more is better.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Level of each knob.
    pub levels: Vec<usize>,
    /// The response.
    pub log: f64,
    /// Its standard error.
    pub error: f64,
}

/// What is thought of one setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// Expected response.
    pub mean: f64,
    /// Its standard deviation.
    pub deviation: f64,
}

/// Neighbours on an ordered knob resemble each other by exp(−1 / this).
const REACH: f64 = 1.5;

/// Scales that are tried: standard deviation of a knob's effect, and of a pair's as a share of that.
const SCALES: [f64; 6] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8];
const PAIR_SHARES: [f64; 3] = [0.1, 0.3, 0.6];

/// Standard deviation of what a setting has for itself.
const OWN: f64 = 0.01;

/// Processes differ by at least this from one to the next.
const NUGGET: f64 = 0.008;

/// The process, after some trials.
pub struct Surrogate {
    likeness: Vec<Likeness>,
    observations: Vec<Observation>,
    centre: f64,
    scale: f64,
    pair: f64,
    factor: Vec<Vec<f64>>,
    weights: Vec<f64>,
}

impl Surrogate {
    /// Learns from trials; several of one setting may be among them. `None` without any.
    pub fn learn(likeness: &[Likeness], observations: &[Observation]) -> Option<Self> {
        let logs: Vec<f64> = observations.iter().map(|observation| observation.log).collect();
        let centre = median(&logs)?;
        let fits = SCALES.iter().flat_map(|scale| PAIR_SHARES.map(|share| (*scale, share)));
        let fitted = fits.filter_map(|(scale, share)| {
            let surrogate = Surrogate {
                likeness: likeness.to_vec(),
                observations: observations.to_vec(),
                centre,
                scale,
                pair: scale * share,
                factor: Vec::new(),
                weights: Vec::new(),
            };
            surrogate.fit()
        });
        fitted.max_by(|one, other| one.0.total_cmp(&other.0)).map(|(_, surrogate)| surrogate)
    }

    /// How likely the trials are under these scales, and the process that follows from both.
    fn fit(mut self) -> Option<(f64, Self)> {
        let count = self.observations.len();
        let mut matrix = vec![vec![0.0; count]; count];
        for (row, one) in self.observations.iter().enumerate() {
            for (column, other) in self.observations.iter().enumerate().take(row + 1) {
                matrix[row][column] = self.likeness_of(&one.levels, &other.levels);
            }
            matrix[row][row] += one.error.powi(2) + NUGGET.powi(2);
        }
        self.factor = cholesky(matrix)?;
        let residuals: Vec<f64> = self.observations.iter().map(|observation| observation.log - self.centre).collect();
        let half = forward(&self.factor, &residuals);
        let log_likelihood = -0.5 * half.iter().map(|value| value * value).sum::<f64>()
            - self.factor.iter().enumerate().map(|(row, values)| values[row].ln()).sum::<f64>();
        self.weights = backward(&self.factor, &half);
        Some((log_likelihood, self))
    }

    /// Covariance of two settings.
    fn likeness_of(&self, one: &[usize], other: &[usize]) -> f64 {
        let per_knob: Vec<f64> = self
            .likeness
            .iter()
            .zip(one.iter().zip(other))
            .map(|(likeness, (one, other))| match likeness {
                Likeness::Category => f64::from(u8::from(one == other)),
                Likeness::Order => (-(one.abs_diff(*other) as f64) / REACH).exp(),
            })
            .collect();
        let sum: f64 = per_knob.iter().sum();
        let squares: f64 = per_knob.iter().map(|value| value * value).sum();
        // The sum over all pairs of products.
        let pairs = 0.5 * (sum * sum - squares);
        let own = if one == other { OWN * OWN } else { 0.0 };
        self.scale.powi(2) * sum + self.pair.powi(2) * pairs + own
    }

    /// What is thought of a setting.
    pub fn belief(&self, levels: &[usize]) -> Belief {
        let likeness: Vec<f64> =
            self.observations.iter().map(|observation| self.likeness_of(levels, &observation.levels)).collect();
        let mean = self.centre + likeness.iter().zip(&self.weights).map(|(like, weight)| like * weight).sum::<f64>();
        let explained: f64 = forward(&self.factor, &likeness).iter().map(|value| value * value).sum();
        let deviation = (self.likeness_of(levels, levels) - explained).max(0.0).sqrt();
        Belief { mean, deviation }
    }

    /// Standard deviation of the difference of what is thought of two settings.
    pub fn deviation_between(&self, one: &[usize], other: &[usize]) -> f64 {
        let explained = |levels: &[usize]| {
            let likeness: Vec<f64> =
                self.observations.iter().map(|observation| self.likeness_of(levels, &observation.levels)).collect();
            forward(&self.factor, &likeness)
        };
        let known: f64 =
            explained(one).iter().zip(explained(other)).map(|(one, other)| (one - other) * (one - other)).sum();
        let before = self.likeness_of(one, one) + self.likeness_of(other, other) - 2.0 * self.likeness_of(one, other);
        (before - known).max(0.0).sqrt()
    }

    /// The largest mean among the settings that were tried.
    pub fn best_tried(&self) -> f64 {
        self.observations.iter().map(|observation| self.belief(&observation.levels).mean).fold(f64::MIN, f64::max)
    }

    /// How much a trial of a setting would improve on `best`, on average.
    pub fn expected_improvement(&self, levels: &[usize], best: f64) -> f64 {
        let Belief { mean, deviation } = self.belief(levels);
        let Ok(normal) = Normal::new(0.0, 1.0) else { return 0.0 };
        if deviation < 1e-9 {
            return (mean - best).max(0.0);
        }
        let steps = (mean - best) / deviation;
        (mean - best) * normal.cdf(steps) + deviation * normal.pdf(steps)
    }
}

/// The lower triangle L with L·Lᵀ = matrix. `None` when it is not positive definite.
fn cholesky(mut matrix: Vec<Vec<f64>>) -> Option<Vec<Vec<f64>>> {
    for row in 0..matrix.len() {
        for column in 0..=row {
            let known: f64 = (0..column).map(|index| matrix[row][index] * matrix[column][index]).sum();
            let rest = matrix[row][column] - known;
            matrix[row][column] = match row == column {
                true if rest > 0.0 => rest.sqrt(),
                true => return None,
                false => rest / matrix[column][column],
            };
        }
    }
    Some(matrix)
}

/// Solves L·x = right.
fn forward(factor: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let mut solved = Vec::with_capacity(right.len());
    for (row, value) in right.iter().enumerate() {
        let known: f64 = solved.iter().zip(&factor[row]).map(|(solved, entry): (&f64, &f64)| solved * entry).sum();
        solved.push((value - known) / factor[row][row]);
    }
    solved
}

/// Solves Lᵀ·x = right.
fn backward(factor: &[Vec<f64>], right: &[f64]) -> Vec<f64> {
    let mut solved = vec![0.0; right.len()];
    for row in (0..right.len()).rev() {
        let known: f64 = (row + 1..right.len()).map(|index| factor[index][row] * solved[index]).sum();
        solved[row] = (right[row] - known) / factor[row][row];
    }
    solved
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::stats::random::SplitMix64;

    const LIKENESS: [Likeness; 4] = [Likeness::Category, Likeness::Order, Likeness::Category, Likeness::Category];

    /// 3 × 4 × 3 × 2 settings whose responses are effects of the knobs, one interaction, and noise.
    fn truth(levels: &[usize]) -> f64 {
        let one = [0.0, 0.15, -0.1][levels[0]];
        let two = [0.0, 0.1, 0.16, 0.12][levels[1]];
        let three = [0.0, -0.2, 0.05][levels[2]];
        let four = [0.0, 0.08][levels[3]];
        let together = if levels[0] == 1 && levels[3] == 1 { -0.2 } else { 0.0 };
        13.0 + one + two + three + four + together
    }

    fn all() -> Vec<Vec<usize>> {
        let mut all = Vec::new();
        for one in 0..3 {
            for two in 0..4 {
                for three in 0..3 {
                    all.extend((0..2).map(|four| vec![one, two, three, four]));
                }
            }
        }
        all
    }

    fn observe(levels: &[usize], deviation: f64, random: &mut SplitMix64) -> Observation {
        let log = truth(levels) + deviation * random.normal();
        Observation { levels: levels.to_vec(), log, error: deviation }
    }

    #[test]
    fn what_was_tried_often_is_known_and_what_resembles_nothing_is_not() {
        let mut random = SplitMix64::new(1);
        let observations: Vec<Observation> = (0..8).map(|_| observe(&[0, 0, 0, 0], 0.02, &mut random)).collect();
        let surrogate = Surrogate::learn(&LIKENESS, &observations).unwrap();
        let known = surrogate.belief(&[0, 0, 0, 0]);
        assert!((known.mean - 13.0).abs() < 0.02 && known.deviation < 0.02, "{known:?}");
        assert!(surrogate.belief(&[2, 3, 2, 1]).deviation > 2.0 * known.deviation);
        assert!(Surrogate::learn(&LIKENESS, &[]).is_none());
    }

    #[test]
    fn the_difference_of_settings_is_known_as_well_as_both_were_tried() {
        let mut random = SplitMix64::new(2);
        let tried = |levels: [usize; 4], random: &mut SplitMix64| -> Vec<Observation> {
            (0..6).map(|_| observe(&levels, 0.02, random)).collect()
        };
        let mut observations = tried([0, 0, 0, 0], &mut random);
        observations.extend(tried([1, 0, 0, 0], &mut random));
        let surrogate = Surrogate::learn(&LIKENESS, &observations).unwrap();
        let between = |one: [usize; 4], other: [usize; 4]| surrogate.deviation_between(&one, &other);
        assert_eq!(between([2, 1, 0, 0], [2, 1, 0, 0]), 0.0);
        assert!(between([0, 0, 0, 0], [1, 0, 0, 0]) < 0.02);
        assert!(between([0, 0, 0, 0], [2, 0, 0, 0]) > 2.0 * between([0, 0, 0, 0], [1, 0, 0, 0]));
    }

    #[test]
    fn a_third_of_the_trials_finds_a_setting_near_the_best() {
        let cells = all();
        let best = cells.iter().map(|cell| truth(cell)).fold(f64::MIN, f64::max);
        let mut regrets: Vec<f64> = (0..30)
            .map(|seed| {
                let mut random = SplitMix64::new(seed);
                let mut order = cells.clone();
                random.shuffle(&mut order);
                let mut observations: Vec<Observation> =
                    order[..7].iter().map(|cell| observe(cell, 0.02, &mut random)).collect();
                for _ in 7..cells.len() / 3 {
                    let surrogate = Surrogate::learn(&LIKENESS, &observations).unwrap();
                    let incumbent = surrogate.best_tried();
                    let promise = |cell: &&Vec<usize>| surrogate.expected_improvement(cell, incumbent);
                    let next = cells.iter().max_by(|one, other| promise(one).total_cmp(&promise(other))).unwrap();
                    observations.push(observe(next, 0.02, &mut random));
                }
                let surrogate = Surrogate::learn(&LIKENESS, &observations).unwrap();
                let mean = |cell: &&Vec<usize>| surrogate.belief(cell).mean;
                let chosen = cells.iter().max_by(|one, other| mean(one).total_cmp(&mean(other))).unwrap();
                best - truth(chosen)
            })
            .collect();
        regrets.sort_by(f64::total_cmp);
        assert!(regrets[22] < 0.01 && regrets[29] < 0.1, "{regrets:?}");
    }

    #[test]
    fn matrices_are_factored_and_solved() {
        let factor = cholesky(vec![vec![4.0, 2.0], vec![2.0, 5.0]]).unwrap();
        assert_eq!((factor[0][0], factor[1][0], factor[1][1]), (2.0, 1.0, 2.0));
        let solved = backward(&factor, &forward(&factor, &[8.0, 9.0]));
        assert!((solved[0] - 1.375).abs() < 1e-12 && (solved[1] - 1.25).abs() < 1e-12);
        assert!(cholesky(vec![vec![1.0, 2.0], vec![2.0, 1.0]]).is_none());
    }
}
