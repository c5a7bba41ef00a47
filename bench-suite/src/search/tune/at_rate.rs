//! Confirmation of a goal at a rate: today's setting and the candidates at that rate, paced, in fresh processes, in turns.

use super::Task;
use super::candidates::candidates;
use super::paced::{Answer, Question};
use super::rank::Ranking;
use crate::failure::Failure;
use crate::search::duel::{Duel, Look, is_told, looks};
use crate::search::goal::Aim;
use crate::search::grid::Cell;
use crate::search::laboratory::{Laboratory, paced_ns};
use crate::settings::TrialSettings;
use downbeat_reports::capacity::CostModel;
use downbeat_reports::figures::Figures;
use downbeat_reports::search::Interval;
use downbeat_reports::search::tune::{Arm, Challenger, TuneRecord};
use downbeat_reports::stats::random::SplitMix64;
use std::collections::BTreeMap;
use std::ops::Range;

/// Candidates beside today's setting.
const CANDIDATES: usize = 3;

/// Trials that each setting should get in the time that is left, for choosing their length.
const TRIALS_WANTED: u64 = 7;

/// Judged batches of a trial, at least and at most, when the user did not say.
const BATCHES_LEAST: u64 = 20;
const BATCHES_MOST: u64 = 100;

/// Trials of an arm before it may be recommended.
const TRIALS_LEAST: u64 = 2;

/// Rounds, at most.
const ROUNDS_MOST: usize = 9;

/// One setting in the race.
struct Runner {
    name: String,
    cell: Option<Cell>,
    settings: TrialSettings,
    within: u64,
    exceeded: u64,
    trials: u64,
    model: Option<CostModel>,
    given_up: Option<String>,
}

/// The race.
pub(super) struct AtRate<'t> {
    task: &'t Task<'t>,
    runners: Vec<Runner>,
    /// Minus the logarithms of the goal's latency, by round.
    latencies: Duel,
    batches: u64,
    random: SplitMix64,
}

impl<'t> AtRate<'t> {
    /// Today's setting, and the candidates of a ranking, at this rate in records per second.
    pub(super) fn new(task: &'t Task<'t>, ranking: &Ranking<'_>, rate_per_s: f64) -> Self {
        let runner = |name: String, cell: Option<Cell>, mut settings: TrialSettings| {
            settings.load.rate_per_s = rate_per_s;
            let model = cell.as_ref().and_then(|cell| ranking.model(cell));
            Runner { name, cell, settings, within: 0, exceeded: 0, trials: 0, model, given_up: None }
        };
        let mut runners = vec![runner("today".to_owned(), task.grid.base_cell(), task.today.clone())];
        for (index, cell) in candidates(task, ranking, CANDIDATES).into_iter().enumerate() {
            let settings = task.grid.settings(&cell);
            runners.push(runner(format!("candidate {}", index + 1), Some(cell), settings));
        }
        AtRate {
            task,
            latencies: Duel::new(runners.len() - 1, looks(ROUNDS_MOST)),
            runners,
            batches: task.batches.unwrap_or(BATCHES_MOST),
            random: SplitMix64::new(task.seed ^ 0x636f_6e66),
        }
    }

    /// Runs rounds until enough is known or the time is over.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial.
    pub(super) fn run(&mut self, laboratory: &mut Laboratory) -> Result<(), Failure> {
        self.choose_length(laboratory);
        for round in 1..=ROUNDS_MOST {
            let order = self.order();
            if order.is_empty() || self.is_known() {
                return Ok(());
            }
            let mut logs = vec![None; self.runners.len()];
            for index in order {
                match self.trial(laboratory, index, round)? {
                    Some(log) => logs[index] = log,
                    None => return Ok(()),
                }
            }
            self.latencies.take(logs);
        }
        Ok(())
    }

    fn order(&mut self) -> Vec<usize> {
        let mut order: Vec<usize> =
            (0..self.runners.len()).filter(|index| self.runners[*index].given_up.is_none()).collect();
        self.random.shuffle(&mut order);
        order
    }

    fn is_known(&self) -> bool {
        matches!(self.task.goal.aim, Aim::MinLatency { .. }) && self.latencies.look() != Look::Open
    }

    /// Trials as long as the time allows for enough of them.
    fn choose_length(&mut self, laboratory: &Laboratory) {
        if self.task.batches.is_some() {
            return;
        }
        let Some(left_ns) = laboratory.left_ns() else { return };
        let each_ns = left_ns / (TRIALS_WANTED * self.runners.len() as u64).max(1);
        let settings = &self.task.today;
        let besides_ns = paced_ns(settings, 0, self.task.fill_batches(settings), 0.9);
        let batches = each_ns.saturating_sub(besides_ns) / settings.engine.interval_ns;
        self.batches = batches.clamp(BATCHES_LEAST, BATCHES_MOST);
    }

    /// Minus the logarithm of the latency, when there is one; `None` when the time was over.
    fn trial(
        &mut self,
        laboratory: &mut Laboratory,
        index: usize,
        round: usize,
    ) -> Result<Option<Option<f64>>, Failure> {
        let runner = &mut self.runners[index];
        let question = Question {
            name: &runner.name,
            settings: &runner.settings,
            batches: self.batches,
            fill_batches: self.task.fill_batches(&runner.settings),
            limits: &self.task.goal.limits,
            round,
        };
        match question.ask(laboratory, &mut runner.trials)? {
            Answer::NoTime => Ok(None),
            Answer::Took(figures, exceeds) => {
                *(if exceeds { &mut runner.exceeded } else { &mut runner.within }) += 1;
                Ok(Some(self.log(&figures)))
            }
            Answer::Lost(why) => {
                runner.given_up = Some(why);
                self.latencies.leave_out(index);
                Ok(Some(None))
            }
        }
    }

    fn log(&self, figures: &Figures) -> Option<f64> {
        match self.task.goal.aim {
            Aim::MinLatency { quantile, .. } => figures.latency_ns(quantile).map(|ns| -(ns.max(1) as f64).ln()),
            Aim::MaxRate | Aim::MinThreads { .. } => None,
        }
    }

    /// What the goal asks for: 1 ÷ nanoseconds, or 1 ÷ threads; among equal threads the one that kept its limits more often.
    fn merit(&self, index: usize) -> Option<f64> {
        let runner = &self.runners[index];
        match self.task.goal.aim {
            Aim::MinLatency { .. } => self.latencies.value(index).map(|value| value.estimate),
            Aim::MaxRate | Aim::MinThreads { .. } => {
                Some(1.0 / runner.threads() + 1e-3 * runner.within as f64 / runner.tried() as f64)
            }
        }
    }

    /// The one of these arms that serves the goal best, among those that hold.
    fn best(&self, arms: Range<usize>) -> Option<usize> {
        let merits =
            arms.filter(|index| self.runners[*index].holds()).filter_map(|index| Some((index, self.merit(index)?)));
        merits.max_by(|one, other| one.1.total_cmp(&other.1)).map(|(index, _)| index)
    }

    /// How many times as good as today's an arm is.
    fn gain(&self, index: usize) -> Option<Interval> {
        match self.task.goal.aim {
            Aim::MinLatency { .. } => self.latencies.gain(index),
            Aim::MaxRate | Aim::MinThreads { .. } => {
                let saved = self.runners[0].threads() / self.runners[index].threads();
                Some(Interval { estimate: saved, lower: saved, upper: saved })
            }
        }
    }

    /// Fills arms, recommendation, gain and the best challenger into the record.
    pub(super) fn tell(&self, record: &mut TuneRecord) {
        let today = self.task.today.values();
        record.arms = (0..self.runners.len()).map(|index| self.arm(index, &today)).collect();
        let challenger = self.best(1..self.runners.len());
        record.challenger = challenger.and_then(|arm| Some(Challenger { arm, gain: self.gain(arm)? }));
        let tried_today = self.runners[0].tried() > 0 || matches!(self.task.goal.aim, Aim::MinThreads { .. });
        let Some(best) = self.best(0..self.runners.len()).filter(|_| tried_today) else { return };
        let gain = self.gain(best).filter(|_| best != 0);
        // Settings that hold beat one that does not, whatever the figures.
        let is_told = gain.as_ref().is_some_and(is_told) || !self.runners[0].holds();
        let is_better = best != 0 && self.runners[best].tried() >= TRIALS_LEAST && is_told;
        if is_better {
            (record.recommended, record.gain) = (Some(best), gain);
        } else if self.runners[0].holds() {
            record.recommended = Some(0);
        }
    }

    fn arm(&self, index: usize, today: &BTreeMap<String, String>) -> Arm {
        let runner = &self.runners[index];
        let value = match self.task.goal.aim {
            Aim::MinLatency { .. } => self.latencies.value(index).map(|merit| inverse(&merit)),
            Aim::MaxRate | Aim::MinThreads { .. } => {
                Some(Interval { estimate: runner.threads(), lower: runner.threads(), upper: runner.threads() })
            }
        };
        Arm {
            name: runner.name.clone(),
            changes: super::changes(runner.cell.as_ref(), &runner.settings, today),
            value,
            trials: runner.trials,
            holds: (runner.tried() > 0).then(|| runner.holds()),
            model: runner.model,
            given_up: runner.given_up.clone(),
            ..Arm::default()
        }
    }
}

impl Runner {
    fn tried(&self) -> u64 {
        self.within + self.exceeded
    }

    fn holds(&self) -> bool {
        self.given_up.is_none() && self.within > self.exceeded
    }

    fn threads(&self) -> f64 {
        self.settings.engine.effective_threads() as f64
    }
}

/// The interval of 1 ÷ a number.
fn inverse(number: &Interval) -> Interval {
    let upper = 1.0 / number.lower.max(f64::MIN_POSITIVE);
    Interval { estimate: 1.0 / number.estimate, lower: 1.0 / number.upper, upper }
}
