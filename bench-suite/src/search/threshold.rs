//! Where a system stops holding: what trials at several rates say about that rate, as a distribution over it.
//!
//! The chance that a trial exceeds its limits rises with the rate like a logistic curve in the logarithm of the rate,
//! p(r) = λ + (1 − 2λ) / (1 + exp(−(ln r − ln θ) / s)), as a psychometric function does. The threshold θ is the rate at which
//! half of the trials exceed (the exceed ratio 0.5 of MLRsearch, draft-ietf-bmwg-mlrsearch); s says how wide the zone is in which
//! noise decides; λ is the share of trials that go wrong, or right, whatever the rate. All three are unknown. Each trial updates
//! the joint distribution of θ and s on a grid by Bayes' rule (Kontsevich, Tyler, "Bayesian adaptive estimation of psychometric
//! slope and threshold", Vision Research 39, 1999), so that a disturbed trial widens the answer and does not decide it.
//!
//! Where a trial says by how much it exceeds or not (its margin m, the logarithm of a figure ÷ its limit), it says more than a bit: m is
//! about ln r − ln θ with noise of the same width, and half of the trials at θ have a margin above 0, so the threshold is the same one. The
//! noise is Student's t (Lange, Little, Taylor, "Robust statistical modeling using the t distribution", JASA 84, 1989).
//!
//! Hosts drift within minutes, so what a trial deviates by has a part that the next one shares: an AR(1) of unknown size beside each
//! trial's own noise. For each cell of the grid a Kalman filter follows it (Harvey, "Forecasting, structural time series models and the
//! Kalman filter", 1989, §3.2), its steps bounded against outliers. Without it a search believes that twenty trials of the same slow
//! minutes are twenty witnesses.

use downbeat_reports::search::Interval;

/// Finest step of the grid of rates: 0.2 %.
const STEP: f64 = 0.002;

/// The grid reaches this factor to both sides of the first guess.
const REACH: f64 = 16.0;

/// Widths of the zone that are thought possible, as shares of the rate, equally likely beforehand.
const WIDTHS: [f64; 7] = [0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2];

/// Share of trials that go one way or the other for no reason of the rate.
const LAPSE: f64 = 0.02;

/// How the host's speed may wander, equally likely beforehand: its standard deviation, and how much of it is still there at the
/// next trial.
const DRIFTS: [(f64, f64); 4] = [(0.0, 0.0), (0.02, 0.85), (0.05, 0.85), (0.05, 0.95)];

/// Widths and drifts at each rate.
const CELLS: usize = WIDTHS.len() * DRIFTS.len();

/// A deviation moves what is thought of the host's speed as far as this many scales would, no further.
const SURPRISE: f64 = 2.5;

/// Variances of the logistic distribution of width 1, π² / 3, and of Student's t of scale 1 with five degrees of freedom, 5 / 3.
const LOGISTIC_VARIANCE: f64 = 3.29;
const STUDENT_VARIANCE: f64 = 5.0 / 3.0;

/// Scale of Student's t that has the standard deviation of the logistic curve of width 1.
const SCALE: f64 = 1.4;

/// Margins do not rise exactly as the rate does: far from the threshold they are this share of themselves less certain.
const BENT: f64 = 0.3;

/// Beyond this a margin says no more than on which side of the threshold it is: fixed costs and waiting bend it.
const FAR: f64 = 0.3;

/// What a margin may be by a lapse: anything, this thinly.
const ANYTHING: f64 = 0.2;

/// Part of the prior that believes nothing about the rate.
const DOUBT: f64 = 0.1;

/// The distribution of the threshold.
#[derive(Clone, Debug)]
pub struct Threshold {
    /// Logarithms of rates, ascending, [`STEP`] apart.
    grid: Vec<f64>,
    /// Chance of each (rate, width, drift), rates outermost; sums to 1.
    mass: Vec<f64>,
    /// How much slower than usual the host is thought to be, a logarithm, for each of the same.
    slower: Vec<f64>,
    /// Variance of that, for each (width, drift): it does not depend on the rate.
    unsure: [f64; CELLS],
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
        let mass = prior.flat_map(|chance| [chance / CELLS as f64; CELLS]).collect();
        let slower = vec![0.0; grid.len() * CELLS];
        Threshold { grid, mass, slower, unsure: std::array::from_fn(lasting) }
    }

    /// Takes in whether a trial at this rate exceeded its limits.
    pub fn observe(&mut self, rate_per_s: f64, exceeds: bool) {
        let at = rate_per_s.ln();
        self.pass_on();
        let Threshold { grid, mass, slower, unsure } = self;
        let widths: [f64; CELLS] =
            std::array::from_fn(|cell| (width(cell).powi(2) + unsure[cell] / LOGISTIC_VARIANCE).sqrt());
        let said = if exceeds { 1.0 } else { -1.0 };
        for ((masses, slower), log) in mass.chunks_exact_mut(CELLS).zip(slower.chunks_exact_mut(CELLS)).zip(grid) {
            for (cell, (mass, slower)) in masses.iter_mut().zip(slower).enumerate() {
                let chance = 1.0 / (1.0 + (-said * (at - *log + *slower) / widths[cell]).exp());
                *mass *= LAPSE + (1.0 - 2.0 * LAPSE) * chance;
                // One step of the filter along the slope of the logarithm of that chance. A yes or no makes nobody surer of the speed.
                *slower += said * unsure[cell] * (1.0 - chance) / widths[cell];
            }
        }
        self.normalize();
    }

    /// Takes in by how much a trial at this rate exceeded its limits, or not: the logarithm of a figure ÷ its limit.
    pub fn observe_margin(&mut self, rate_per_s: f64, margin: f64) {
        if margin.abs() > FAR {
            return self.observe(rate_per_s, margin > 0.0);
        }
        let at = rate_per_s.ln();
        let bent = BENT * margin;
        self.pass_on();
        let Threshold { grid, mass, slower, unsure } = self;
        let own: [f64; CELLS] = std::array::from_fn(|cell| (SCALE * width(cell)).powi(2) + bent * bent);
        let scales: [f64; CELLS] = std::array::from_fn(|cell| (unsure[cell] + own[cell]).sqrt());
        let gains: [f64; CELLS] =
            std::array::from_fn(|cell| unsure[cell] / (unsure[cell] + STUDENT_VARIANCE * own[cell]));
        for ((masses, slower), log) in mass.chunks_exact_mut(CELLS).zip(slower.chunks_exact_mut(CELLS)).zip(grid) {
            for (cell, (mass, slower)) in masses.iter_mut().zip(slower).enumerate() {
                let deviation = (margin - (at - *log) - *slower) / scales[cell];
                *mass *= LAPSE * ANYTHING + (1.0 - LAPSE) * student(deviation) / scales[cell];
                *slower += gains[cell] * scales[cell] * deviation.clamp(-SURPRISE, SURPRISE);
            }
        }
        unsure.iter_mut().zip(gains).for_each(|(unsure, gain)| *unsure *= 1.0 - gain);
        self.normalize();
    }

    /// From one trial to the next what is thought of the host's speed fades, and its variance grows back.
    fn pass_on(&mut self) {
        for slower in self.slower.chunks_exact_mut(CELLS) {
            slower.iter_mut().enumerate().for_each(|(cell, slower)| *slower *= memory(cell));
        }
        for (cell, unsure) in self.unsure.iter_mut().enumerate() {
            let kept = memory(cell).powi(2);
            *unsure = kept * *unsure + (1.0 - kept) * lasting(cell);
        }
    }

    fn normalize(&mut self) {
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
        self.mass.chunks_exact(CELLS).map(|masses| masses.iter().sum()).zip(self.grid.iter().copied())
    }

    /// Whether the grid ends before the threshold may be reached: at its lower or its upper end.
    pub fn is_at_an_end(&self) -> bool {
        let median = self.quantile(0.5).ln();
        let (Some(first), Some(last)) = (self.grid.first(), self.grid.last()) else { return false };
        median - first < 50.0 * STEP || last - median < 50.0 * STEP
    }
}

fn width(cell: usize) -> f64 {
    WIDTHS[cell / DRIFTS.len()]
}

fn memory(cell: usize) -> f64 {
    DRIFTS[cell % DRIFTS.len()].1
}

/// Variance of what lasts from trial to trial.
fn lasting(cell: usize) -> f64 {
    DRIFTS[cell % DRIFTS.len()].0.powi(2)
}

/// Density of Student's t with five degrees of freedom.
fn student(deviation: f64) -> f64 {
    // 8 / (3 π √5)
    0.379_606_689_822_494 / (1.0 + deviation * deviation / 5.0).powi(3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::stats::random::SplitMix64;

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

    /// Trials round a threshold of 1 M/s, of this own noise and on a host that wanders by so much, standard deviations.
    fn margins(trials: usize, own: f64, wandering: f64, seed: u64) -> Vec<(f64, f64)> {
        let mut random = SplitMix64::new(seed);
        let memory = 0.85_f64;
        let mut speed = random.normal();
        let mut trial = |number: usize| {
            speed = memory * speed + (1.0 - memory * memory).sqrt() * random.normal();
            let log = 0.02 * (number % 3) as f64 - 0.02;
            (1e6 * log.exp(), log + own * random.normal() + wandering * speed)
        };
        (0..trials).map(&mut trial).collect()
    }

    fn by_margins(trials: &[(f64, f64)]) -> Interval {
        let mut threshold = Threshold::around(1.1e6, 0.3);
        trials.iter().for_each(|(rate_per_s, margin)| threshold.observe_margin(*rate_per_s, *margin));
        threshold.interval()
    }

    #[test]
    fn margins_find_the_threshold_sooner_than_bits() {
        for seed in 0..20 {
            let trials = margins(8, 0.012, 0.0, seed);
            let mut bits = Threshold::around(1.1e6, 0.3);
            trials.iter().for_each(|(rate_per_s, margin)| bits.observe(*rate_per_s, *margin > 0.0));
            let (bits, margins) = (bits.interval(), by_margins(&trials));
            assert!((margins.estimate / 1e6 - 1.0).abs() < 0.025, "{margins:?}");
            assert!(margins.width() < 0.17 && margins.width() < 0.5 * bits.width(), "{seed}: {margins:?} {bits:?}");
        }
    }

    #[test]
    fn the_threshold_lies_in_the_interval_of_margins_also_when_the_host_wanders() {
        for (own, wandering, trials) in [(0.03, 0.0, 10), (0.01, 0.04, 10), (0.01, 0.04, 30)] {
            let found = (0..60).map(|seed| by_margins(&margins(trials, own, wandering, seed)));
            let inside = found.filter(|interval| interval.contains(1e6)).count();
            assert!(inside >= 55, "{inside} of 60, {trials} trials, {own} and {wandering}");
        }
    }

    #[test]
    fn the_threshold_lies_in_the_interval_of_bits_too_when_the_host_wanders() {
        let inside = (0..40).filter(|seed| {
            let mut threshold = Threshold::around(1.1e6, 0.3);
            for (rate_per_s, margin) in margins(30, 0.01, 0.04, *seed) {
                threshold.observe(rate_per_s, margin > 0.0);
            }
            threshold.interval().contains(1e6)
        });
        let inside = inside.count();
        assert!(inside >= 34, "{inside} of 40");
    }

    #[test]
    fn one_wild_margin_does_not_decide() {
        let mut trials = margins(9, 0.01, 0.0, 3);
        let calm = by_margins(&trials);
        trials[4].1 = 0.5;
        let disturbed = by_margins(&trials);
        assert!((disturbed.estimate / calm.estimate - 1.0).abs() < 0.015, "{calm:?} {disturbed:?}");
    }
}
