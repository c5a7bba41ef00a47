//! The contest for the highest rate: today's setting and the best beliefs drained unpaced in fresh processes that take turns, until a duel
//! has told; then the winner and today's at their pace, side by side.

use super::Task;
use super::candidates::candidates;
use super::check::Check;
use super::rank::Ranking;
use crate::failure::Failure;
use crate::search::duel::{Duel, Look, is_told, looks};
use crate::search::grid::Cell;
use crate::search::laboratory::{Laboratory, concerns_the_trial, paced_ns};
use crate::settings::TrialSettings;
use downbeat_reports::capacity::{CapacityRecord, CostModel};
use downbeat_reports::quantity::rate;
use downbeat_reports::search::tune::{Arm, Challenger, TuneRecord};
use downbeat_reports::stats::random::SplitMix64;
use std::collections::BTreeMap;

/// Challengers of today's setting.
const CHALLENGERS: usize = 2;

/// All trials of a tuning, at most, as a share of an exhaustive sweep of the grid in two rounds,
const SHARE_OF_SWEEP: f64 = 0.33;

/// but for small grids this many.
const TRIALS_LEAST: u64 = 31;

/// Rounds, at least and at most.
const ROUNDS_LEAST: u64 = 3;
const ROUNDS_MOST: u64 = 20;

/// How long a backlog is drained in each trial, nanoseconds.
const MEASURE_NS: u64 = 1_000_000_000;

/// Share of the whole time that is kept for the paced check, at most.
const CHECK_SHARE: f64 = 0.4;

/// A setting in the contest.
struct Contender {
    name: String,
    cell: Option<Cell>,
    settings: TrialSettings,
    unpaced: u64,
    paced: u64,
    model: Option<CostModel>,
    given_up: Option<String>,
}

/// The contest.
pub(super) struct Contest<'t> {
    task: &'t Task<'t>,
    ranking: &'t Ranking<'t>,
    contenders: Vec<Contender>,
    duel: Duel,
    rounds_most: u64,
    check: Option<Check>,
    /// The longest trial so far, nanoseconds.
    trial_ns: u64,
    random: SplitMix64,
}

impl<'t> Contest<'t> {
    /// Today's setting, and the best beliefs of a ranking.
    pub(super) fn new(task: &'t Task<'t>, ranking: &'t Ranking<'t>) -> Self {
        let contender = |name: String, cell: Option<Cell>, settings: TrialSettings| Contender {
            name,
            model: cell.as_ref().and_then(|cell| ranking.model(cell)),
            cell,
            settings,
            unpaced: 0,
            paced: 0,
            given_up: None,
        };
        let mut contenders = vec![contender("today".to_owned(), task.grid.base_cell(), task.today.clone())];
        for (index, cell) in candidates(task, ranking, CHALLENGERS).into_iter().enumerate() {
            let settings = task.grid.settings(&cell);
            contenders.push(contender(format!("candidate {}", index + 1), Some(cell), settings));
        }
        let most = rounds(trials_most(task.grid.cells.len()).saturating_sub(ranking.trials()), contenders.len() as u64);
        Contest {
            task,
            ranking,
            duel: Duel::new(contenders.len() - 1, looks(most as usize)),
            rounds_most: most,
            contenders,
            check: None,
            trial_ns: MEASURE_NS,
            random: SplitMix64::new(task.seed ^ 0x636f_6e66),
        }
    }

    /// Rounds until the duel has told, then the paced check of its winner.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial.
    pub(super) fn run(&mut self, laboratory: &mut Laboratory, budget_ns: u64) -> Result<(), Failure> {
        if self.contenders.len() == 1 {
            return Ok(());
        }
        let ranked_ns = laboratory.elapsed_ns() / self.ranking.trials().max(1);
        self.trial_ns = self.trial_ns.max(ranked_ns);
        let mut round = 0;
        while round < self.rounds_most && self.duel.look() == Look::Open {
            let round_ns = self.trial_ns * self.in_it().len() as u64;
            // Fewer rounds tell nothing that could be checked.
            let kept_ns = if round < ROUNDS_LEAST { 0 } else { self.kept_for_the_check(budget_ns) };
            if !laboratory.has_time_for(round_ns + kept_ns) {
                break;
            }
            round += 1;
            self.round(laboratory, round)?;
            if !self.duel.is_in(0) || self.in_it().len() < 2 {
                break;
            }
        }
        match self.duel.best() {
            Some((winner, gain)) if is_told(&gain) => self.check(laboratory, winner),
            _ => Ok(()),
        }
    }

    fn kept_for_the_check(&self, budget_ns: u64) -> u64 {
        let takes_ns =
            |settings: &TrialSettings| paced_ns(settings, Check::BATCHES_LEAST, self.task.fill_batches(settings), 1.0);
        let longest_ns = self.contenders.iter().map(|contender| takes_ns(&contender.settings)).max().unwrap_or(0);
        (2 * Check::PAIRS * longest_ns).min((CHECK_SHARE * budget_ns as f64) as u64)
    }

    /// Trials that the whole tuning may still take.
    fn trials_left(&self) -> u64 {
        let taken = self.ranking.trials() + self.contenders.iter().map(|contender| contender.unpaced).sum::<u64>();
        trials_most(self.task.grid.cells.len()).saturating_sub(taken)
    }

    fn in_it(&self) -> Vec<usize> {
        (0..self.contenders.len()).filter(|arm| self.duel.is_in(*arm)).collect()
    }

    /// One trial of each, in turns, begun in an order of its own. Whoever fails is tried once more by itself.
    fn round(&mut self, laboratory: &mut Laboratory, round: u64) -> Result<(), Failure> {
        let mut order = self.in_it();
        self.random.shuffle(&mut order);
        let name = |contender: &Contender| format!("duel-{}-{round:02}", contender.name.replace(' ', "-"));
        let trials: Vec<(&TrialSettings, String)> =
            order.iter().map(|arm| (&self.contenders[*arm].settings, name(&self.contenders[*arm]))).collect();
        let begun_ns = laboratory.elapsed_ns();
        let drained = laboratory.capacities(&trials, MEASURE_NS)?;
        let again: Vec<String> = trials.into_iter().map(|(_, name)| format!("{name}-again")).collect();
        self.trial_ns = self.trial_ns.max((laboratory.elapsed_ns() - begun_ns) / order.len().max(1) as u64);
        let mut logs = vec![None; self.contenders.len()];
        for ((arm, drained), again) in order.into_iter().zip(drained).zip(again) {
            logs[arm] = self.told(laboratory, arm, drained);
            if logs[arm].is_none() {
                let drained = laboratory.capacity(&self.contenders[arm].settings, MEASURE_NS, &again);
                logs[arm] = match drained {
                    Err(failure) if !concerns_the_trial(&failure) => return Err(failure),
                    drained => self.told(laboratory, arm, drained),
                };
            }
            if logs[arm].is_none() {
                self.duel.leave_out(arm);
            }
        }
        self.duel.take(logs);
        let shown = self.duel.best().map(|(arm, gain)| {
            let change = |factor: f64| 100.0 * (factor - 1.0);
            let (estimate, lower, upper) = (change(gain.estimate), change(gain.lower), change(gain.upper));
            format!(
                "         {} {estimate:+.1} % [{lower:+.1}, {upper:+.1}] against today's",
                self.contenders[arm].name
            )
        });
        shown.into_iter().for_each(|shown| laboratory.say(&shown));
        Ok(())
    }

    /// Logarithm of the rate that a drained backlog predicts, if there is one.
    fn told(
        &mut self,
        laboratory: &mut Laboratory,
        arm: usize,
        drained: Result<CapacityRecord, Failure>,
    ) -> Option<f64> {
        let contender = &mut self.contenders[arm];
        contender.unpaced += 1;
        let why = match drained {
            Ok(record) => match record.model() {
                Some(model) => {
                    contender.model = Some(model);
                    let per_s = self.ranking.predicted(&model, record.interval_ns);
                    laboratory.say(&format!("unpaced  {:<12} {:>16}", contender.name, rate(per_s)));
                    return Some(per_s.ln());
                }
                None => "larger batches took no longer than small ones".to_owned(),
            },
            Err(failure) => failure.message,
        };
        laboratory.say(&format!("unpaced  {:<12} failed: {why}", contender.name));
        contender.given_up = Some(why);
        None
    }

    fn check(&mut self, laboratory: &mut Laboratory, winner: usize) -> Result<(), Failure> {
        let per_s = |arm: usize| self.duel.value(arm).map_or(0.0, |value| value.estimate);
        let lower_per_s = per_s(0).min(per_s(winner));
        let trials_left = self.trials_left();
        let mut check = Check::at(lower_per_s, laboratory, self.task);
        let [today, challenger] = [0, winner].map(|arm| &self.contenders[arm]);
        let sides = [(today.name.as_str(), &today.settings), (challenger.name.as_str(), &challenger.settings)];
        let ended = check.run(laboratory, self.task, sides, trials_left);
        let [of_today, of_winner] = check.trials;
        (self.contenders[0].paced, self.contenders[winner].paced) = (of_today, of_winner);
        self.check = Some(check);
        ended
    }

    /// Fills arms, recommendation, the best challenger and the check into the record.
    pub(super) fn tell(&self, record: &mut TuneRecord) {
        let today = self.task.today.values();
        record.arms = (0..self.contenders.len()).map(|arm| self.arm(arm, &today)).collect();
        let best = self.duel.best();
        record.challenger = best.map(|(arm, gain)| Challenger { arm, gain });
        record.check = self.check.as_ref().zip(best).map(|(check, (arm, _))| check.told(arm));
        let is_alone = self.contenders.len() == 1;
        if !is_alone && (self.duel.complete() == 0 || !self.duel.is_in(0)) {
            return;
        }
        let is_better = best.is_some_and(|(_, gain)| is_told(&gain)) && self.check.as_ref().is_some_and(Check::agrees);
        match best {
            Some((arm, gain)) if is_better => (record.recommended, record.gain) = (Some(arm), Some(gain)),
            _ => record.recommended = Some(0),
        }
    }

    fn arm(&self, arm: usize, today: &BTreeMap<String, String>) -> Arm {
        let contender = &self.contenders[arm];
        Arm {
            name: contender.name.clone(),
            changes: super::changes(contender.cell.as_ref(), &contender.settings, today),
            value: self.duel.value(arm),
            trials: contender.paced,
            unpaced_trials: contender.unpaced,
            model: contender.model,
            given_up: (!self.duel.is_in(arm)).then(|| contender.given_up.clone()).flatten(),
            ..Arm::default()
        }
    }
}

/// Trials of a whole tuning over a grid of so many settings.
fn trials_most(cells: usize) -> u64 {
    TRIALS_LEAST.max((SHARE_OF_SWEEP * 2.0 * cells as f64) as u64)
}

/// Rounds of so many arms that leave enough of the trials for the check.
fn rounds(trials_left: u64, arms: u64) -> u64 {
    (trials_left.saturating_sub(2 * Check::PAIRS) / arms).clamp(ROUNDS_LEAST, ROUNDS_MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuning_takes_a_third_of_the_trials_of_a_sweep_in_two_rounds() {
        // 14 of 48 settings ranked, three rounds of three arms, four pairs.
        assert_eq!((trials_most(48), rounds(31 - 14, 3)), (31, 3));
        assert_eq!(14 + 3 * 3 + 2 * Check::PAIRS, 31);
        assert_eq!((trials_most(4), trials_most(1_000)), (31, 660));
        assert_eq!((rounds(660 - 60, 3), rounds(0, 3)), (ROUNDS_MOST, ROUNDS_LEAST));
    }
}
