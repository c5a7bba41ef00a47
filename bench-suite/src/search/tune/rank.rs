//! Ranking: unpaced trials of the settings that promise most, as a surrogate of the whole grid sees it.

use super::Task;
use crate::failure::Failure;
use crate::search::goal::Aim;
use crate::search::grid::Cell;
use crate::search::laboratory::{Laboratory, concerns_the_trial};
use crate::search::surrogate::{Likeness, Observation, Surrogate};
use downbeat_engine::settings::KnobKind;
use downbeat_reports::capacity::{CapacityRecord, CostModel};
use downbeat_reports::search::tune::{KnobEffect, Ranked, TuneRecord};
use downbeat_reports::stats::random::SplitMix64;
use std::collections::{BTreeMap, BTreeSet};

/// How long a backlog is drained in the first trial of a setting, nanoseconds; repeats take twice that.
const MEASURE_NS: u64 = 500_000_000;

/// An unpaced trial takes about this long in all, nanoseconds, before the first one has told.
const TRIAL_NS: u64 = 3_000_000_000;

/// Settings that are tried before the surrogate is asked, beside today's.
const FIRST_LEAST: usize = 6;

/// Trials, at most, as a share of the grid,
const SHARE: f64 = 0.3;

/// but for small grids this many.
const TRIALS_LEAST: usize = 14;

/// Nothing counts as worse than the worst other by more than this, on the scale of the logarithm.
const FLOOR: f64 = 1.0;

/// Improvements below this share are not worth a trial.
const WORTH: f64 = 0.002;

/// Candidates that are looked at for each choice, at most.
const LOOKED_AT: usize = 4_000;

/// A change that is believed to bring less than this is left out of every candidate.
const NEGLIGIBLE: f64 = 0.004;

/// What was learned from unpaced trials.
pub(super) struct Ranking<'t> {
    task: &'t Task<'t>,
    likeness: Vec<Likeness>,
    observations: Vec<Observation>,
    records: BTreeMap<Cell, Vec<CapacityRecord>>,
    hopeless: BTreeSet<Cell>,
    failures: Vec<String>,
    surrogate: Option<Surrogate>,
    random: SplitMix64,
}

impl<'t> Ranking<'t> {
    /// Before any trial.
    pub(super) fn new(task: &'t Task<'t>) -> Self {
        let known = crate::settings::knobs();
        let of = |knob: &str| known.iter().find(|info| info.name == knob).map(|info| info.kind);
        let likeness = task.grid.axes.iter().map(|axis| match of(axis.knob) {
            Some(KnobKind::Count | KnobKind::Duration | KnobKind::Bytes | KnobKind::Rate | KnobKind::Share) => {
                Likeness::Order
            }
            _ => Likeness::Category,
        });
        Ranking {
            task,
            likeness: likeness.collect(),
            observations: Vec::new(),
            records: BTreeMap::new(),
            hopeless: BTreeSet::new(),
            failures: Vec::new(),
            surrogate: None,
            random: SplitMix64::new(task.seed),
        }
    }

    /// Tries settings until the time is over, the trials are, or nothing promises an improvement.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial.
    pub(super) fn rank(&mut self, laboratory: &mut Laboratory, time_ns: u64) -> Result<(), Failure> {
        let mut waiting = self.first_cells();
        waiting.reverse();
        let most = ((SHARE * self.task.grid.cells.len() as f64) as usize).max(TRIALS_LEAST);
        while self.trials() < most as u64 {
            let done = self.trials();
            let each_ns = laboratory.elapsed_ns().checked_div(done).unwrap_or(TRIAL_NS);
            if laboratory.elapsed_ns() + each_ns > time_ns && done >= 2 {
                break;
            }
            let Some(cell) = waiting.pop().or_else(|| self.most_promising()) else { break };
            self.trial(laboratory, &cell)?;
        }
        Ok(())
    }

    /// Today's setting, and some in which every value of every knob occurs.
    fn first_cells(&mut self) -> Vec<Cell> {
        let cells = &self.task.grid.cells;
        let mut first: Vec<Cell> = self.task.grid.base_cell().filter(|base| cells.contains(base)).into_iter().collect();
        let mut rest: Vec<&Cell> = cells.iter().filter(|cell| !first.contains(cell)).collect();
        self.random.shuffle(&mut rest);
        let wanted = FIRST_LEAST.max(self.task.grid.axes.iter().map(|axis| axis.values.len()).max().unwrap_or(0));
        while first.len() <= wanted && !rest.is_empty() {
            let rarity = |cell: &&Cell| -> f64 {
                let seen = |(place, level): (usize, &usize)| {
                    first.iter().filter(|other| other.levels[place] == *level).count()
                };
                cell.levels.iter().enumerate().map(|pair| 1.0 / (1.0 + seen(pair) as f64)).sum()
            };
            let looked_at = rest.iter().take(LOOKED_AT).enumerate();
            let rarest =
                looked_at.max_by(|one, other| rarity(one.1).total_cmp(&rarity(other.1))).map_or(0, |(place, _)| place);
            let next = rest.swap_remove(rarest).clone();
            first.push(next);
        }
        first
    }

    /// The setting whose trial promises the largest improvement, if one does.
    fn most_promising(&mut self) -> Option<Cell> {
        let surrogate = self.surrogate.as_ref()?;
        let best = surrogate.best_tried();
        let mut cells: Vec<&Cell> = self.task.grid.cells.iter().filter(|cell| !self.hopeless.contains(*cell)).collect();
        if cells.len() > LOOKED_AT {
            self.random.shuffle(&mut cells);
            cells.truncate(LOOKED_AT);
        }
        let promises = cells.into_iter().map(|cell| (surrogate.expected_improvement(&cell.levels, best), cell));
        let (promise, cell) = promises.max_by(|one, other| one.0.total_cmp(&other.0))?;
        (promise >= WORTH).then(|| cell.clone())
    }

    fn trial(&mut self, laboratory: &mut Laboratory, cell: &Cell) -> Result<(), Failure> {
        let settings = self.task.grid.settings(cell);
        let repeats = self.records.get(cell).map_or(0, Vec::len);
        let number = self.observations.len() + self.hopeless.len() + 1;
        let measure_ns = MEASURE_NS * if repeats == 0 { 1 } else { 2 };
        let name = format!("unpaced-{number:03}");
        let words = self.task.grid.words(cell);
        let record = match laboratory.capacity(&settings, measure_ns, &name) {
            Ok(record) => record,
            Err(failure) if concerns_the_trial(&failure) => {
                laboratory.say(&format!("unpaced {number:>3}  failed: {}   {words}", failure.message));
                self.failures.push(format!("{words}: {}", failure.one_line()));
                self.hopeless.insert(cell.clone());
                return Ok(());
            }
            Err(failure) => return Err(failure),
        };
        let Some((log, error)) = self.response(&record) else {
            self.failures.push(format!("{words}: larger batches took no longer than small ones"));
            self.hopeless.insert(cell.clone());
            return Ok(());
        };
        laboratory.say(&format!("unpaced {number:>3}  {:>16}   {words}", self.show(log)));
        self.observations.push(Observation { levels: cell.levels.clone(), log, error });
        self.records.entry(cell.clone()).or_default().push(record);
        self.surrogate = Surrogate::learn(&self.likeness, &self.observations);
        Ok(())
    }

    /// Logarithm of what the goal wants more of, predicted by the cost model, with its error.
    fn response(&self, record: &CapacityRecord) -> Option<(f64, f64)> {
        let (_, error) = record.rate_per_s()?;
        let (model, interval_ns) = (record.model()?, record.interval_ns);
        let value = self.predicted(&model, interval_ns);
        // A setting that cannot serve at all must not bend the picture of those that can.
        let worst = self.observations.iter().map(|observation| observation.log).reduce(f64::min);
        let log = value.ln();
        Some((worst.map_or(log, |worst| log.max(worst - FLOOR)), error))
    }

    /// What the goal wants more of: records per second, or 1 ÷ latency in nanoseconds.
    pub(super) fn predicted(&self, model: &CostModel, interval_ns: u64) -> f64 {
        let interval = interval_ns as f64;
        match self.task.goal.aim {
            Aim::MaxRate | Aim::MinThreads { .. } => {
                model.rate_per_s(interval, self.task.goal.share_of_interval(interval_ns)).max(1.0)
            }
            Aim::MinLatency { quantile, rate_per_s } => {
                let busy = model.utilisation(interval, rate_per_s);
                // Near its capacity a setting waits for itself; how long, no model of one batch can say.
                let waiting = if busy > 0.9 { 20.0 * (busy - 0.9) } else { 0.0 };
                1.0 / (interval * (quantile + busy + waiting))
            }
        }
    }

    fn show(&self, log: f64) -> String {
        if !matches!(self.task.goal.aim, Aim::MinLatency { .. }) {
            return downbeat_reports::quantity::rate(log.exp());
        }
        let value = 1.0 / log.exp();
        downbeat_reports::quantity::duration(value as u64)
    }

    /// What is believed of a setting: the logarithm that [`Ranking::response`] gives.
    pub(super) fn belief(&self, cell: &Cell) -> Option<f64> {
        self.surrogate.as_ref().map(|surrogate| surrogate.belief(&cell.levels).mean)
    }

    /// All settings that may be chosen, the best belief first; doubt counts against one a little.
    pub(super) fn by_belief(&self) -> Vec<Cell> {
        let Some(surrogate) = &self.surrogate else { return Vec::new() };
        let merit = |cell: &Cell| {
            let belief = surrogate.belief(&cell.levels);
            belief.mean - 0.5 * belief.deviation
        };
        let mut cells: Vec<(f64, &Cell)> = self
            .task
            .grid
            .cells
            .iter()
            .filter(|cell| !self.hopeless.contains(*cell))
            .map(|cell| (merit(cell), cell))
            .collect();
        cells.sort_by(|one, other| other.0.total_cmp(&one.0));
        cells.into_iter().map(|(_, cell)| cell.clone()).collect()
    }

    /// The same setting without the changes against today's that are believed to bring next to nothing.
    pub(super) fn without_negligible_changes(&self, cell: &Cell) -> Cell {
        self.without_changes(cell, |_, _| NEGLIGIBLE)
    }

    /// The same setting without the changes of which the trials do not say whether they bring anything.
    pub(super) fn without_doubtful_changes(&self, cell: &Cell) -> Cell {
        self.without_changes(cell, |one, other| self.doubt(one, other).max(NEGLIGIBLE))
    }

    /// Standard deviation of the difference of two beliefs.
    fn doubt(&self, one: &Cell, other: &Cell) -> f64 {
        self.surrogate.as_ref().map_or(0.0, |surrogate| surrogate.deviation_between(&one.levels, &other.levels))
    }

    /// The same setting with changes taken back, the best remaining one first, for as long as that costs no more than `may_cost` says.
    fn without_changes(&self, cell: &Cell, may_cost: impl Fn(&Cell, &Cell) -> f64) -> Cell {
        let (Some(today), Some(mut believed)) = (self.task.grid.base_cell(), self.belief(cell)) else {
            return cell.clone();
        };
        let mut simple = cell.clone();
        loop {
            let changed = (0..simple.levels.len()).filter(|place| simple.levels[*place] != today.levels[*place]);
            let reverted = changed.filter_map(|place| {
                let mut other = simple.clone();
                other.levels[place] = today.levels[place];
                let is_there = self.task.grid.cells.contains(&other) && !self.hopeless.contains(&other);
                is_there.then(|| self.belief(&other).map(|belief| (belief, other))).flatten()
            });
            let best = reverted.max_by(|one, other| one.0.total_cmp(&other.0));
            match best {
                Some((belief, other)) if belief > believed - may_cost(cell, &other) => {
                    believed = believed.max(belief);
                    simple = other;
                }
                _ => return simple,
            }
        }
    }

    /// Unpaced records of a setting.
    pub(super) fn records(&self, cell: &Cell) -> &[CapacityRecord] {
        self.records.get(cell).map_or(&[], Vec::as_slice)
    }

    /// The cost model of a setting: measured, or that of today's scaled by what is believed.
    pub(super) fn model(&self, cell: &Cell) -> Option<CostModel> {
        if let Some(model) = self.records(cell).last().and_then(CapacityRecord::model) {
            return Some(model);
        }
        let today = self.task.grid.base_cell()?;
        let model = self.records(&today).last()?.model()?;
        let factor = (self.belief(&today)? - self.belief(cell)?).exp();
        Some(CostModel { fixed_ns: model.fixed_ns * factor, per_record_ns: model.per_record_ns * factor })
    }

    /// Unpaced trials so far, those that failed among them.
    pub(super) fn trials(&self) -> u64 {
        (self.observations.len() + self.hopeless.len()) as u64
    }

    /// Fills the ranking into the record.
    pub(super) fn tell(&self, record: &mut TuneRecord) {
        let today = self.task.grid.base_cell();
        record.unpaced_trials = self.trials();
        record.failures.clone_from(&self.failures);
        let ranked = self.by_belief().into_iter().filter(|cell| self.records.contains_key(cell)).map(|cell| {
            let belief = self.belief(&cell).unwrap_or_default();
            let of_latency = matches!(self.task.goal.aim, Aim::MinLatency { .. });
            Ranked {
                values: self.task.grid.values(&cell),
                predicted: if of_latency { (-belief).exp() } else { belief.exp() },
                trials: self.records(&cell).len() as u64,
                today: Some(&cell) == today.as_ref(),
            }
        });
        record.ranking = ranked.collect();
        record.effects = self.effects();
    }

    /// Mean belief by value of each knob: the best against the worst, the strongest knob first.
    fn effects(&self) -> Vec<KnobEffect> {
        let beliefs: Vec<(&Cell, f64)> =
            self.task.grid.cells.iter().filter_map(|cell| Some((cell, self.belief(cell)?))).collect();
        let mut effects = Vec::new();
        for (place, axis) in self.task.grid.axes.iter().enumerate() {
            let mean = |level: usize| {
                let of_level =
                    beliefs.iter().filter(|(cell, _)| cell.levels[place] == level).map(|(_, belief)| *belief);
                let (sum, count) = of_level.fold((0.0, 0_u32), |(sum, count), belief| (sum + belief, count + 1));
                (count > 0).then(|| (sum / f64::from(count), level))
            };
            let mut means: Vec<(f64, usize)> = (0..axis.values.len()).filter_map(mean).collect();
            means.sort_by(|one, other| other.0.total_cmp(&one.0));
            if let (Some(best), Some(worst)) = (means.first(), means.last()) {
                effects.push(KnobEffect {
                    knob: axis.knob.to_owned(),
                    best: axis.values[best.1].clone(),
                    worst: axis.values[worst.1].clone(),
                    factor: (best.0 - worst.0).exp(),
                });
            }
        }
        effects.sort_by(|one, other| other.factor.total_cmp(&one.factor));
        effects
    }
}
