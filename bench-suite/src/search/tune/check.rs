//! The paced check of a duel's winner: today's setting and it at one rate, in pairs of fresh processes. What drains faster unpaced must
//! keep its limits at its pace, and must not be busier there.

use super::Task;
use super::paced::{Answer, Question};
use crate::failure::Failure;
use crate::search::duel::{Duel, contradiction};
use crate::search::laboratory::{Laboratory, PACED_SHARE, paced_ns};
use crate::settings::TrialSettings;
use downbeat_reports::figures::Figures;
use downbeat_reports::search::Interval;
use downbeat_reports::search::tune::PacedCheck;
use downbeat_reports::stats::random::SplitMix64;

/// The common rate is this share of the lower of both predictions: there both are busy, and neither is at its limit.
const RATE_SHARE: f64 = 0.85;

/// Judged batches of a trial, at most, when the user did not say.
const BATCHES_MOST: u64 = 100;

/// Pairs before it may be given up for want of trials.
const PAIRS_LEAST: u64 = 2;

/// The check.
pub(super) struct Check {
    rate_per_s: f64,
    batches: u64,
    pairs: Duel,
    /// Trials of today's and of the winner that kept their limits, and that did not.
    within: [u64; 2],
    exceeded: [u64; 2],
    /// Trials of both, those that said nothing among them.
    pub(super) trials: [u64; 2],
    lost: Option<String>,
    random: SplitMix64,
}

impl Check {
    /// Pairs, at most.
    pub(super) const PAIRS: u64 = 4;

    /// Judged batches of a trial, at least.
    pub(super) const BATCHES_LEAST: u64 = 20;

    /// A check at the rate that belongs to this lower one of both unpaced predictions.
    pub(super) fn at(predicted_per_s: f64, laboratory: &Laboratory, task: &Task<'_>) -> Self {
        let most_per_s = laboratory.most_per_s(&task.today.load);
        let left_ns = laboratory.left_ns().unwrap_or(u64::MAX);
        let today = &task.today;
        let besides_ns = paced_ns(today, 0, task.fill_batches(today), 0.9);
        let fit = (left_ns / (2 * Check::PAIRS)).saturating_sub(besides_ns) / today.engine.interval_ns;
        Check {
            rate_per_s: (RATE_SHARE * PACED_SHARE * predicted_per_s).min(most_per_s),
            batches: task.batches.unwrap_or(fit.clamp(Check::BATCHES_LEAST, BATCHES_MOST)),
            pairs: Duel::new(1, vec![Check::PAIRS as usize]),
            within: [0; 2],
            exceeded: [0; 2],
            trials: [0; 2],
            lost: None,
            random: SplitMix64::new(task.seed ^ 0x7061_6365),
        }
    }

    /// Runs the pairs, each in an order of its own.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial.
    pub(super) fn run(
        &mut self,
        laboratory: &mut Laboratory,
        task: &Task<'_>,
        sides: [(&str, &TrialSettings); 2],
        trials_most: u64,
    ) -> Result<(), Failure> {
        for pair in 1..=Check::PAIRS {
            let taken: u64 = self.trials.iter().sum();
            if pair > PAIRS_LEAST && taken + 2 > trials_most {
                return Ok(());
            }
            let mut order = [0, 1];
            self.random.shuffle(&mut order);
            let mut logs = vec![None; 2];
            for side in order {
                let (name, settings) = sides[side];
                let mut settings = settings.clone();
                settings.load.rate_per_s = self.rate_per_s;
                let question = Question {
                    name,
                    settings: &settings,
                    batches: self.batches,
                    fill_batches: task.fill_batches(&settings),
                    limits: &task.goal.limits,
                    round: pair as usize,
                };
                match question.ask(laboratory, &mut self.trials[side])? {
                    Answer::Took(figures, exceeds) => logs[side] = self.take(side, &figures, exceeds),
                    Answer::NoTime => return Ok(()),
                    Answer::Lost(why) => {
                        self.lost = Some(format!("{name}: {why}"));
                        return Ok(());
                    }
                }
            }
            self.pairs.take(logs);
        }
        Ok(())
    }

    /// Counts a trial; minus the logarithm of how busy it was, so that more is better.
    fn take(&mut self, side: usize, figures: &Figures, exceeds: bool) -> Option<f64> {
        let counts = if exceeds { &mut self.exceeded } else { &mut self.within };
        counts[side] += 1;
        (figures.utilisation > 0.0).then(|| -figures.utilisation.ln())
    }

    /// How many times as busy today's setting was.
    fn gain(&self) -> Option<Interval> {
        self.pairs.gain(1)
    }

    /// Whether it points the same way as the duel: the winner is less busy, and keeps its limits in most trials.
    pub(super) fn agrees(&self) -> bool {
        self.contradiction().is_none()
    }

    /// Why it does not; `None` when it does.
    fn contradiction(&self) -> Option<String> {
        if let Some(why) = &self.lost {
            return Some(format!("a paced trial said nothing, {why}"));
        }
        contradiction(self.gain().as_ref(), self.within[1], self.exceeded[1])
    }

    /// The check as it is stored.
    pub(super) fn told(&self, arm: usize) -> PacedCheck {
        PacedCheck {
            arm,
            rate_per_s: self.rate_per_s,
            pairs: self.pairs.complete() as u64,
            gain: self.gain(),
            within: self.within[1],
            exceeded: self.exceeded[1],
            contradiction: self.contradiction(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pairs in which the winner was this many times less busy, with limits kept and broken.
    fn checked(gains: &[f64], within: u64, exceeded: u64) -> Check {
        let mut pairs = Duel::new(1, vec![Check::PAIRS as usize]);
        gains.iter().for_each(|gain| pairs.take(vec![Some(0.5), Some(0.5 + gain.ln())]));
        Check {
            rate_per_s: 1e6,
            batches: 20,
            pairs,
            within: [within, within],
            exceeded: [0, exceeded],
            trials: [0; 2],
            lost: None,
            random: SplitMix64::new(1),
        }
    }

    #[test]
    fn a_winner_that_is_less_busy_and_keeps_its_limits_is_confirmed() {
        assert!(checked(&[1.05, 1.02, 1.04, 0.99], 4, 0).agrees());
        assert!(checked(&[1.05, 1.02, 1.04, 1.03], 3, 1).agrees(), "one trial in four may meet a pause");
    }

    #[test]
    fn a_winner_that_is_busier_breaks_its_limits_or_was_not_tried_is_not() {
        let said = |check: Check| check.told(1).contradiction.unwrap_or_default();
        assert!(said(checked(&[0.95, 0.98, 1.01, 0.97], 4, 0)).contains("not less busy"));
        assert!(said(checked(&[1.1, 1.1, 1.1, 1.1], 2, 2)).contains("exceeded its limits in 2 of 4"));
        assert!(said(checked(&[1.1], 1, 0)).contains("the time was over"));
        let mut lost = checked(&[1.1, 1.1], 2, 0);
        lost.lost = Some("candidate 1: wrong answers".to_owned());
        assert!(said(lost).contains("wrong answers"));
    }
}
