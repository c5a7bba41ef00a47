//! Times that are drawn one after another: a Poisson process, with one rate or with two states.

use crate::random::{Purpose, Random, stream};
use crate::schedule::arrivals::{FACTOR_ONE, Factor};
use rand_distr::{Distribution, Exp1};

/// Times are summed in 2⁻¹⁶ ns, as integers, so that a sum never drifts and never depends on how far it has come.
const UNITS_PER_NS_LOG2: u32 = 16;

const UNITS_PER_NS: f64 = (1u32 << UNITS_PER_NS_LOG2) as f64;

/// A random process at the time of its next record.
pub(super) struct Walk {
    random: Random,
    law: Law,
    next_units: u128,
}

enum Law {
    Poisson { mean_units: f64 },
    Bursty(Bursty),
}

/// A Markov-modulated Poisson process with two states: 0 between bursts, 1 in them (Fischer and Meier-Hellstern, Performance
/// Evaluation 18, 1993).
struct Bursty {
    states: Random,
    mean_gap_units: [f64; 2],
    mean_dwell_units: [f64; 2],
    state: usize,
    state_end_units: u128,
}

impl Walk {
    pub(super) fn poisson(rate_micro: u64, seed: u64) -> Self {
        Walk::new(Law::Poisson { mean_units: mean_gap_units(rate_micro as f64) }, seed)
    }

    /// Bursts have `factor` times the rate of what is between them; the mean over the time is the rate.
    pub(super) fn bursty(rate_micro: u64, seed: u64, factor: Factor, burst_ns: u64, calm_ns: u64) -> Self {
        let factor = f64::from(factor) / f64::from(FACTOR_ONE);
        let (burst, calm) = (burst_ns as f64, calm_ns as f64);
        let calm_rate_micro = rate_micro as f64 * (burst + calm) / (factor * burst + calm);
        let mut states = stream(seed, Purpose::Bursts, 0);
        let is_burst: f64 = Exp1.sample(&mut states);
        // 1 − e^-x is even over 0 to 1, so this is true for the burst's share of the time.
        let state = usize::from(1.0 - (-is_burst).exp() < burst / (burst + calm));
        let mut bursty = Bursty {
            states,
            mean_gap_units: [calm_rate_micro, calm_rate_micro * factor].map(mean_gap_units),
            mean_dwell_units: [calm, burst].map(|time_ns| time_ns * UNITS_PER_NS),
            state,
            state_end_units: 0,
        };
        bursty.stay();
        Walk::new(Law::Bursty(bursty), seed)
    }

    fn new(law: Law, seed: u64) -> Self {
        let mut walk = Walk { random: stream(seed, Purpose::Arrivals, 0), law, next_units: 0 };
        walk.advance();
        walk
    }

    #[inline]
    fn advance(&mut self) {
        match &mut self.law {
            Law::Poisson { mean_units } => {
                let gap: f64 = Exp1.sample(&mut self.random);
                // At the lowest rate the longest gap, some 40 means, still fits 64 bits; converting to 128 would take longer than drawing.
                self.next_units += u128::from((gap * *mean_units) as u64);
            }
            Law::Bursty(bursty) => self.next_units = bursty.after(self.next_units, &mut self.random),
        }
    }

    pub(super) fn next_ns(&self) -> u64 {
        u64::try_from(self.next_units >> UNITS_PER_NS_LOG2).unwrap_or(u64::MAX)
    }

    /// How many of the next `most` times are before `offset_ns`, and the last of them.
    pub(super) fn take_before(&mut self, offset_ns: u64, most: u64) -> (u64, u64) {
        let limit_units = u128::from(offset_ns) << UNITS_PER_NS_LOG2;
        let (mut taken, mut last_units) = (0, self.next_units);
        while taken < most && self.next_units < limit_units {
            last_units = self.next_units;
            self.advance();
            taken += 1;
        }
        (taken, u64::try_from(last_units >> UNITS_PER_NS_LOG2).unwrap_or(u64::MAX))
    }
}

impl Bursty {
    /// The time of the next record. An exponential gap forgets: when the state ends before the gap does, a new one is drawn from
    /// there, at the other state's rate.
    fn after(&mut self, mut at_units: u128, random: &mut Random) -> u128 {
        loop {
            let next_units = at_units + exponential_units(self.mean_gap_units[self.state], random);
            if next_units < self.state_end_units {
                return next_units;
            }
            at_units = self.state_end_units;
            self.state = 1 - self.state;
            self.stay();
        }
    }

    /// Draws how long the state lasts.
    fn stay(&mut self) {
        self.state_end_units += exponential_units(self.mean_dwell_units[self.state], &mut self.states);
    }
}

fn mean_gap_units(rate_micro: f64) -> f64 {
    1e15 / rate_micro * UNITS_PER_NS
}

/// Rounded to the nearest, so that the mean stays what it is also where it is a few units.
fn exponential_units(mean_units: f64, random: &mut Random) -> u128 {
    let means: f64 = Exp1.sample(random);
    means.mul_add(mean_units, 0.5) as u128
}
