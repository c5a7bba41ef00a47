//! The search for the rate that holds: which trial comes next, and when enough is known. It runs nothing itself.
//!
//! Short trials first, from a guess, until the threshold is known to some 15 %. Then long ones, which alone decide: ladders of
//! three rungs where the threshold may lie, climbed in shuffled order and then in the mirrored one, so that a host that drifts
//! pulls the first and the second pass into opposite directions. Ends when the 95 % interval is narrow enough.

use super::threshold::Threshold;
use downbeat_reports::search::{Interval, Rung, Stop, Tried};
use downbeat_reports::stats::random::SplitMix64;
use std::collections::VecDeque;

/// How a search is made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Rungs lie this share of the rate apart.
    pub resolution: f64,
    /// Enough is known when the 95 % interval is no wider than this share of the rate.
    pub width: f64,
    /// Judged batches of a short trial.
    pub short_batches: u64,
    /// Judged batches of a decisive one.
    pub long_batches: u64,
    /// No trial is made above this, records per second.
    pub most_per_s: f64,
    /// Decides the order of the rungs.
    pub seed: u64,
}

/// Short trials, at least and at most.
const SHORT_LEAST: usize = 3;
const SHORT_TRIALS: usize = 14;

/// Short trials end when the threshold is known this well.
const SHORT_WIDTH: f64 = 0.15;

/// Long trials may put the threshold this far from where short ones saw it: they meet more of the host's pauses.
const LONG_SPREAD: f64 = 0.05;

/// Decisive trials, at least.
const LONG_LEAST: usize = 6;

/// Decisive trials, at most.
const LONG_MOST: usize = 60;

/// While all decisive trials went one way, the next one goes this much further: a threshold needs trials on both sides of it.
const REACH_OUT: f64 = 0.85;

/// Where the rungs of a ladder lie in what is known.
const RUNGS: [f64; 3] = [0.2, 0.5, 0.8];

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Next {
    /// A trial.
    Trial {
        /// At this rate, records per second.
        rate_per_s: f64,
        /// With this many judged batches.
        batches: u64,
        /// Whether it decides.
        decisive: bool,
    },
    /// Nothing.
    Stop(Stop),
}

/// A search in progress.
#[derive(Clone, Debug)]
pub struct RateSearch {
    options: Options,
    short: Threshold,
    long: Option<Threshold>,
    ladder: VecDeque<f64>,
    random: SplitMix64,
    tried: Vec<Tried>,
}

impl RateSearch {
    /// Around a first guess, records per second, that may be wrong by a factor of exp(`spread`) or more.
    pub fn new(options: Options, guess_per_s: f64, spread: f64) -> Self {
        let guess_per_s = guess_per_s.min(options.most_per_s);
        RateSearch {
            options,
            short: Threshold::around(guess_per_s, spread),
            long: None,
            ladder: VecDeque::new(),
            random: SplitMix64::new(options.seed),
            tried: Vec::new(),
        }
    }

    /// What to do next. Asked again before an answer, it says the same.
    pub fn next_step(&mut self) -> Next {
        if self.long.is_none() {
            if let Some(next) = self.next_short() {
                return next;
            }
            let known = self.short.interval();
            let spread = (0.5 * (known.upper / known.lower).ln()).max(LONG_SPREAD);
            self.long = Some(Threshold::around(known.estimate, spread));
        }
        self.next_long()
    }

    fn next_short(&mut self) -> Option<Next> {
        let tried = self.tried.len();
        if self.short.is_at_an_end() {
            self.short = Threshold::around(self.short.quantile(0.5), 1.0);
        }
        let is_known = tried >= SHORT_LEAST && self.short.interval().width() <= SHORT_WIDTH;
        if is_known || tried >= SHORT_TRIALS || self.holds_at_the_most(false) {
            return None;
        }
        let chance = [0.5, 0.3, 0.7][tried % 3];
        let rate_per_s = self.on_a_rung(self.short.quantile(chance));
        Some(Next::Trial { rate_per_s, batches: self.options.short_batches, decisive: false })
    }

    fn next_long(&mut self) -> Next {
        let decisive = self.tried.iter().filter(|tried| tried.decisive).count();
        if let (true, Some(long)) = (self.ladder.is_empty(), &self.long) {
            if decisive >= LONG_LEAST && long.interval().width() <= self.options.width {
                return Next::Stop(Stop::Narrow);
            }
            if self.holds_at_the_most(true) {
                return Next::Stop(Stop::AtTheMost);
            }
            if decisive >= LONG_MOST {
                return Next::Stop(Stop::TooNoisy);
            }
            if let Some(rate_per_s) = self.beyond() {
                self.ladder.push_back(rate_per_s);
                return Next::Trial { rate_per_s, batches: self.options.long_batches, decisive: true };
            }
            let mut rungs: Vec<f64> = RUNGS.iter().map(|chance| self.on_a_rung(long.quantile(*chance))).collect();
            rungs.dedup();
            self.random.shuffle(&mut rungs);
            let mirrored: Vec<f64> = rungs.iter().rev().copied().collect();
            self.ladder.extend(rungs.into_iter().chain(mirrored));
        }
        let rate_per_s = self.ladder.front().copied().unwrap_or(self.options.most_per_s);
        Next::Trial { rate_per_s, batches: self.options.long_batches, decisive: true }
    }

    /// The rate to try while there is no decisive trial on one side of the threshold, after a pass up a ladder that went one way.
    fn beyond(&self) -> Option<f64> {
        let decisive = || self.tried.iter().filter(|tried| tried.decisive);
        if decisive().count() < RUNGS.len() {
            return None;
        }
        let rates = || decisive().map(|tried| tried.rate_per_s);
        if decisive().all(|tried| tried.exceeds) {
            return rates().reduce(f64::min).map(|lowest| self.on_a_rung(lowest * REACH_OUT));
        }
        if decisive().all(|tried| !tried.exceeds) {
            return rates().reduce(f64::max).map(|highest| self.on_a_rung(highest / REACH_OUT));
        }
        None
    }

    /// Two trials held at the highest rate that may be tried and none exceeded there.
    fn holds_at_the_most(&self, decisive: bool) -> bool {
        let most_per_s = self.on_a_rung(f64::INFINITY);
        let there = self.tried.iter().filter(|tried| tried.decisive >= decisive && tried.rate_per_s >= most_per_s);
        there.clone().count() >= 2 && there.clone().all(|tried| !tried.exceeds)
    }

    /// The nearest rate of the geometric ladder, not above the highest that may be tried.
    fn on_a_rung(&self, rate_per_s: f64) -> f64 {
        let step = self.options.resolution.ln_1p();
        let rung = |log: f64| (log * step).exp();
        let most = (self.options.most_per_s.ln() / step).floor();
        rung((rate_per_s.ln() / step).round().min(most))
    }

    /// Takes in what the trial showed that was asked for.
    pub fn observe(&mut self, tried: Tried) {
        match (&mut self.long, tried.decisive) {
            (Some(long), true) => {
                take(long, &tried);
                self.ladder.pop_front();
            }
            _ => take(&mut self.short, &tried),
        }
        self.tried.push(tried);
        if self.beyond().is_some() {
            // The rest of that ladder would go the same way.
            self.ladder.clear();
        }
    }

    /// What is known: from decisive trials, or from short ones while there is no decisive one.
    pub fn threshold(&self) -> &Threshold {
        let is_decided = self.tried.iter().any(|tried| tried.decisive);
        self.long.as_ref().filter(|_| is_decided).unwrap_or(&self.short)
    }

    /// The rate at which half of the decisive trials would exceed the limits.
    pub fn interval(&self) -> Interval {
        self.threshold().interval()
    }

    /// All trials, in order.
    pub fn tried(&self) -> &[Tried] {
        &self.tried
    }

    /// Decisive trials by rate, ascending.
    pub fn rungs(&self) -> Vec<Rung> {
        let mut rungs: Vec<Rung> = Vec::new();
        for tried in self.tried.iter().filter(|tried| tried.decisive) {
            let place = rungs.iter().position(|rung| rung.rate_per_s == tried.rate_per_s).unwrap_or(rungs.len());
            if place == rungs.len() {
                rungs.push(Rung { rate_per_s: tried.rate_per_s, ..Rung::default() });
            }
            let rung = &mut rungs[place];
            rung.trials += 1;
            rung.exceeded += u64::from(tried.exceeds);
            rung.judged += tried.judged;
            rung.late += tried.late;
        }
        rungs.sort_by(|one, other| one.rate_per_s.total_cmp(&other.rate_per_s));
        rungs
    }

    /// The highest rung that holds below the lowest one that does not, and that one.
    pub fn bracket(&self) -> (Option<Rung>, Option<Rung>) {
        let rungs = self.rungs();
        let behind = rungs.iter().position(|rung| rung.holds() == Some(false));
        let below = &rungs[..behind.unwrap_or(rungs.len())];
        let holds = below.iter().rfind(|rung| rung.holds() == Some(true)).copied();
        (holds, behind.map(|index| rungs[index]))
    }
}

fn take(threshold: &mut Threshold, tried: &Tried) {
    match tried.margin {
        Some(margin) => threshold.observe_margin(tried.rate_per_s, margin),
        None => threshold.observe(tried.rate_per_s, tried.exceeds),
    }
}

#[cfg(test)]
mod tests;
