//! A paced trial of a confirmation: repeated while it says nothing, and once when the host paused while it exceeded.

use crate::failure::Failure;
use crate::search::laboratory::{Laboratory, concerns_the_trial, paced_ns};
use crate::settings::TrialSettings;
use downbeat_reports::figures::{Figures, Outcome};
use downbeat_reports::limit::Limit;
use downbeat_reports::quantity::rate;

/// So often a trial is repeated that says nothing.
const REPEATS: usize = 2;

/// What is to be tried.
pub(super) struct Question<'q> {
    /// `today`, or which candidate.
    pub(super) name: &'q str,
    /// The settings, their rate among them.
    pub(super) settings: &'q TrialSettings,
    /// Judged batches.
    pub(super) batches: u64,
    /// Batches that fill windows first.
    pub(super) fill_batches: u64,
    /// What it must keep.
    pub(super) limits: &'q [Limit],
    /// Which round it belongs to, from 1.
    pub(super) round: usize,
}

/// What it showed in the end.
pub(super) enum Answer {
    /// Its figures, and whether they exceed a limit.
    Took(Box<Figures>, bool),
    /// Nothing, however often it was repeated, or wrong answers; why.
    Lost(String),
    /// The time was over.
    NoTime,
}

impl Question<'_> {
    /// How long one trial of it takes, nanoseconds.
    pub(super) fn takes_ns(&self) -> u64 {
        paced_ns(self.settings, self.batches, self.fill_batches, 1.0)
    }

    /// Makes the trial; each attempt adds one to `trials`.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial.
    pub(super) fn ask(&self, laboratory: &mut Laboratory, trials: &mut u64) -> Result<Answer, Failure> {
        let mut why = String::new();
        let mut was_disturbed = false;
        for repeat in 0..=REPEATS {
            if !laboratory.has_time_for(self.takes_ns()) {
                return Ok(Answer::NoTime);
            }
            *trials += 1;
            let again = ["", "-again", "-again-2"][repeat];
            let file = format!("paced-{}-{:02}{again}", self.name.replace(' ', "-"), self.round);
            let paced = match laboratory.paced(self.settings, self.batches, &file) {
                Ok(paced) => paced,
                Err(failure) if concerns_the_trial(&failure) => {
                    why = failure.message;
                    self.say(laboratory, &format!("failed: {why}"));
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            match paced.outcome(self.limits) {
                Outcome::Within => {
                    self.say(laboratory, "within");
                    return Ok(Answer::Took(Box::new(paced.figures), false));
                }
                Outcome::Disturbed(said) if !was_disturbed && repeat < REPEATS => {
                    was_disturbed = true;
                    self.say(laboratory, &format!("exceeds while the host paused, again: {said}"));
                    why = said;
                }
                Outcome::Exceeds(said) | Outcome::Disturbed(said) => {
                    self.say(laboratory, &format!("exceeds: {said}"));
                    return Ok(Answer::Took(Box::new(paced.figures), true));
                }
                Outcome::Spoiled(said) => {
                    self.say(laboratory, &format!("says nothing: {said}"));
                    why = said;
                }
                Outcome::Broken(said) => {
                    self.say(laboratory, &format!("BROKEN: {said}"));
                    return Ok(Answer::Lost(said));
                }
            }
        }
        Ok(Answer::Lost(why))
    }

    fn say(&self, laboratory: &mut Laboratory, what: &str) {
        let rate_per_s = rate(self.settings.load.rate_per_s);
        laboratory.say(&format!("paced    {:<12} {rate_per_s:>16}  {what}", self.name));
    }
}
