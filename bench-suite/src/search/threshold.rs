//! Where a system stops holding: what trials at several rates say about that rate, as a distribution over it.
//!
//! The chance that a trial exceeds its limits rises with the rate like a logistic curve in the logarithm of the rate,
//! p(r) = λ + (1 − 2λ) / (1 + exp(−(ln r − ln θ) / s)), as a psychometric function does. The threshold θ is the rate at which
//! half of the trials exceed (the exceed ratio 0.5 of MLRsearch, draft-ietf-bmwg-mlrsearch); s says how wide the zone is in which
//! noise decides; λ is the share of trials that go wrong, or right, whatever the rate. All three are unknown. Each trial updates
//! the joint distribution of θ and s on a grid by Bayes' rule (Kontsevich, Tyler, "Bayesian adaptive estimation of psychometric
//! slope and threshold", Vision Research 39, 1999), so that a disturbed trial widens the answer and does not decide it.

use downbeat_reports::search::Interval;

/// Finest step of the grid of rates: 0.2 %.
const STEP: f64 = 0.002;

/// The grid reaches this factor to both sides of the first guess.
const REACH: f64 = 16.0;

/// Widths of the zone that are thought possible, as shares of the rate, equally likely beforehand.
const WIDTHS: [f64; 7] = [0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2];

/// Share of trials that go one way or the other for no reason of the rate.
const LAPSE: f64 = 0.02;

/// Part of the prior that believes nothing about the rate.
const DOUBT: f64 = 0.1;

/// The distribution of the threshold.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// Logarithms of rates, ascending, [`STEP`] apart.
    grid: Vec<f64>,
    /// Chance of each (rate, width), rates outer; sums to 1.
    mass: Vec<f64>,
}

impl Threshold {
    /// Before any trial: somewhere around `rate_per_s`, within a factor of exp(`spread`) with a chance of two thirds.
    pub fn around(rate_per_s: f64, spread: f64) -> Self {
        let steps = (REACH.ln() / STEP) as i64;
        let grid: Vec<f64> = (-steps..=steps).map(|step| rate_per_s.ln() + step as f64 * STEP).collect();
        let flat = DOUBT / grid.len() as f64;
        let bell = |log: f64| (-0.5 * ((log - rate_per_s.ln()) / spread).powi(2)).exp();
        let all: f64 = grid.iter().map(|log| bell(*log)).sum();
        let prior = grid.iter().map(|log| flat + (1.0 - DOUBT) * bell(*log) / all);
        let mass = prior.flat_map(|chance| WIDTHS.map(|_| chance / WIDTHS.len() as f64)).collect();
        Threshold { grid, mass }
    }

    /// Takes in whether a trial at this rate exceeded its limits.
    pub fn observe(&mut self, rate_per_s: f64, exceeds: bool) {
        let at = rate_per_s.ln();
        let cells = self.mass.chunks_exact_mut(WIDTHS.len()).zip(&self.grid);
        for (masses, log) in cells {
            for (mass, width) in masses.iter_mut().zip(WIDTHS) {
                let above = LAPSE + (1.0 - 2.0 * LAPSE) / (1.0 + (-(at - log) / width).exp());
                *mass *= if exceeds { above } else { 1.0 - above };
            }
        }
        let all: f64 = self.mass.iter().sum();
        self.mass.iter_mut().for_each(|mass| *mass /= all);
    }

    /// The rate below which the threshold lies with this chance, records per second.
    pub fn quantile(&self, chance: f64) -> f64 {
        let mut below = 0.0;
        for (mass, log) in self.of_rates() {
            if below + mass >= chance {
                // Inside a step the chance is spread evenly.
                let share = if mass > 0.0 { (chance - below) / mass } else { 0.5 };
                return (log + (share - 0.5) * STEP).exp();
            }
            below += mass;
        }
        self.grid.last().copied().unwrap_or_default().exp()
    }

    /// The median with the 95 % interval.
    pub fn interval(&self) -> Interval {
        Interval { estimate: self.quantile(0.5), lower: self.quantile(0.025), upper: self.quantile(0.975) }
    }

    /// Chance of each logarithm of a rate.
    pub fn of_rates(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        self.mass.chunks_exact(WIDTHS.len()).map(|masses| masses.iter().sum()).zip(self.grid.iter().copied())
    }

    /// Whether the grid ends before the threshold may be reached: at its lower or its upper end.
    pub fn is_at_an_end(&self) -> bool {
        let median = self.quantile(0.5).ln();
        let (Some(first), Some(last)) = (self.grid.first(), self.grid.last()) else { return false };
        median - first < 50.0 * STEP || last - median < 50.0 * STEP
    }
}

/// How many times as high the first threshold is as the second: median and 95 % interval of the ratio of two independent ones.
pub fn ratio(first: &Threshold, second: &Threshold) -> Interval {
    let thin = |threshold: &Threshold| -> Vec<(f64, f64)> {
        let cells: Vec<(f64, f64)> = threshold.of_rates().collect();
        cells.into_iter().filter(|(mass, _)| *mass > 1e-6).collect()
    };
    let (first, second) = (thin(first), thin(second));
    let mut ratios: Vec<(f64, f64)> = Vec::with_capacity(first.len() * second.len());
    for (mass, log) in &first {
        ratios.extend(second.iter().map(|(other_mass, other)| (log - other, mass * other_mass)));
    }
    ratios.sort_unstable_by(|one, other| one.0.total_cmp(&other.0));
    let all: f64 = ratios.iter().map(|(_, mass)| mass).sum();
    let quantile = |chance: f64| {
        let mut below = 0.0;
        let reached = ratios.iter().find(|(_, mass)| {
            below += mass / all;
            below >= chance
        });
        reached.map_or(f64::NAN, |(log, _)| log.exp())
    };
    Interval { estimate: quantile(0.5), lower: quantile(0.025), upper: quantile(0.975) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_any_trial_the_guess_is_in_the_middle_and_little_is_known() {
        let threshold = Threshold::around(1e6, 0.3);
        let interval = threshold.interval();
        assert!((interval.estimate / 1e6 - 1.0).abs() < 0.01, "{interval:?}");
        assert!(interval.width() > 1.0, "{interval:?}");
    }

    #[test]
    fn trials_that_agree_narrow_it_and_the_answer_lies_between_them() {
        let mut threshold = Threshold::around(500_000.0, 0.5);
        for _ in 0..6 {
            threshold.observe(1e6, false);
            threshold.observe(1.04e6, true);
        }
        let interval = threshold.interval();
        assert!((1e6..1.04e6).contains(&interval.estimate), "{interval:?}");
        assert!(interval.width() < 0.06, "{interval:?}");
        assert!(!threshold.is_at_an_end());
    }

    #[test]
    fn one_disturbed_trial_does_not_decide() {
        let mut calm = Threshold::around(1e6, 0.5);
        for rate in [0.9e6, 0.95e6, 0.97e6, 0.98e6, 0.99e6] {
            calm.observe(rate, false);
        }
        for rate in [1.03e6, 1.05e6, 1.1e6] {
            calm.observe(rate, true);
        }
        let mut disturbed = calm.clone();
        disturbed.observe(0.9e6, true);
        let (calm, disturbed) = (calm.interval(), disturbed.interval());
        assert!((disturbed.estimate / calm.estimate - 1.0).abs() < 0.02, "{calm:?} {disturbed:?}");
        assert!(disturbed.width() > calm.width());
    }

    #[test]
    fn a_guess_that_is_far_off_shows_at_the_end_of_the_grid() {
        let mut threshold = Threshold::around(1_000.0, 0.5);
        (0..12).for_each(|_| threshold.observe(16_000.0, false));
        assert!(threshold.is_at_an_end());
    }

    #[test]
    fn the_ratio_of_two_thresholds_has_their_quotient_in_its_interval() {
        let known = |rate: f64| {
            let mut threshold = Threshold::around(rate, 0.5);
            (0..8).for_each(|_| {
                threshold.observe(rate * 0.98, false);
                threshold.observe(rate * 1.02, true);
            });
            threshold
        };
        let ratio = ratio(&known(1.3e6), &known(1e6));
        assert!((ratio.estimate - 1.3).abs() < 0.01, "{ratio:?}");
        assert!(ratio.lower < 1.3 && 1.3 < ratio.upper && ratio.width() < 0.12, "{ratio:?}");
    }
}
