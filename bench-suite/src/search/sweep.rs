//! `downbeat sweep`: many settings in interleaved, shuffled rounds; each trial is kept, so a killed sweep goes on where it was.

mod store;

pub(crate) use store::arguments;

use super::grid::{Axis, Cell, Grid, Shape};
use super::laboratory::{Laboratory, Plan, concerns_the_trial, paced_ns};
use crate::ceiling::{self, Ceilings};
use crate::failure::Failure;
use crate::load::Load;
use crate::machine;
use crate::request::SweepRequest;
use crate::run::{Outcome, command_line};
use crate::settings::TrialSettings;
use crate::signals::Signals;
use downbeat_reports::exit::Exit;
use downbeat_reports::format::html;
use downbeat_reports::quantity::duration;
use downbeat_reports::search::found::Found;
use downbeat_reports::search::sweep::{CellResult, Response, SCHEMA, SweepRecord, WorkloadSweep};
use downbeat_reports::stats::random::SplitMix64;
use downbeat_reports::verdict::Word;
use downbeat_workloads::catalog::Job;
use std::ffi::OsString;
use store::{Key, Store};

/// How long a backlog is drained in each trial, nanoseconds.
const MEASURE_NS: u64 = 1_000_000_000;

/// So often a trial is repeated that says nothing.
const REPEATS: usize = 2;

/// What an unpaced trial costs beside that: a process, its lines, finding the sizes.
const OVERHEAD_NS: u64 = 1_500_000_000;

/// Measures a grid.
///
/// # Errors
/// Before anything is measured: what is wrong with the request (exit 2) or the surroundings (exit 7).
pub(crate) fn run(request: &SweepRequest, arguments: &[OsString], jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    super::refuse_tcp(&request.source)?;
    let sweeps =
        request.workloads.iter().map(|workload| planned(request, workload, jobs)).collect::<Result<Vec<_>, _>>()?;
    let settings = &request.resolved.settings;
    let seed_is_given = request.resolved.is_given("seed");
    let mut record = SweepRecord {
        schema: SCHEMA,
        command: command_line::reproducing(arguments.iter().cloned(), settings.load.seed, seed_is_given),
        hash: String::new(),
        response: request.response,
        knobs: request.axes.iter().map(|axis| axis.knob.to_owned()).collect(),
        values: request.axes.iter().map(|axis| axis.values.clone()).collect(),
        settings: settings
            .values()
            .into_iter()
            .filter(|(name, _)| request.axes.iter().all(|axis| axis.knob != name))
            .collect(),
        workloads: Vec::new(),
        rounds: request.rounds,
        skipped: Vec::new(),
        environment: machine::fingerprint(),
    };
    record.hash = store::hash(request, &record);
    let trials = order(&sweeps, request.rounds, settings.load.seed);
    let needed_ns: u64 = trials.iter().map(|trial| sweeps[trial.sweep].trial_ns(trial.cell, request)).sum();
    if request.output.dry_run {
        return Ok(Outcome::shown(describe(&sweeps, &record, trials.len(), needed_ns)));
    }
    let signals = Signals::catch()?;
    let (store, skipped) = Store::open(request.output.out.clone(), &record.hash, arguments)?;
    record.skipped = skipped;
    let mut run = Run { request, sweeps, store, record, laboratories: Vec::new() };
    run.open(&signals)?;
    let stop = run.measure(&trials, needed_ns);
    run.finish(stop)
}

/// One workload with its grid.
struct Sweep {
    workload: String,
    grid: Grid,
    fill_batches: Vec<u64>,
    ceiling_per_s: Option<f64>,
}

/// One trial to be made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Planned {
    sweep: usize,
    /// Its place in the grid.
    cell: usize,
    round: u64,
}

fn planned(request: &SweepRequest, workload: &str, jobs: &[&dyn Job]) -> Result<Sweep, Failure> {
    let job = crate::jobs::find(jobs, workload)?;
    let shape = if request.one_at_a_time { Shape::OneAtATime } else { Shape::Full };
    let grid = Grid::new(request.axes.clone(), &request.resolved, shape, |settings| Load::check(settings, job))?;
    let fill = |cell: &Cell| {
        let settings = grid.settings(cell);
        job.prime_batches(&settings.load, settings.engine.interval_ns)
    };
    let fill_batches = grid.cells.iter().map(fill).collect();
    let mut ceilings = Ceilings::default();
    let mut ceiling_per_s = None;
    for settings in grid.cells.iter().map(|cell| grid.settings(cell)).filter(|_| !request.output.dry_run) {
        let of_cell = ceilings.per_s(job, &settings, &request.source);
        if request.response == Response::P99 {
            ceiling::check(&settings.load, of_cell)?;
        }
        ceiling_per_s = ceiling_per_s.or(of_cell);
    }
    Ok(Sweep { workload: workload.to_owned(), grid, fill_batches, ceiling_per_s })
}

impl Sweep {
    fn settings(&self, cell: usize) -> TrialSettings {
        self.grid.settings(&self.grid.cells[cell])
    }

    fn trial_ns(&self, cell: usize, request: &SweepRequest) -> u64 {
        match request.response {
            Response::Capacity => MEASURE_NS + OVERHEAD_NS,
            Response::P99 => {
                let batches = super::long_batches(&request.resolved);
                paced_ns(&self.settings(cell), batches, self.fill_batches[cell], 0.5)
            }
        }
    }
}

/// Every cell once a round, each round in an order of its own, all workloads mixed.
fn order(sweeps: &[Sweep], rounds: u64, seed: u64) -> Vec<Planned> {
    let mut random = SplitMix64::new(seed);
    let mut all = Vec::new();
    for round in 0..rounds {
        let cells = |(sweep, of): (usize, &Sweep)| {
            (0..of.grid.cells.len()).map(move |cell| Planned { sweep, cell, round }).collect::<Vec<_>>()
        };
        let mut trials: Vec<Planned> = sweeps.iter().enumerate().flat_map(cells).collect();
        random.shuffle(&mut trials);
        all.extend(trials);
    }
    all
}

fn describe(sweeps: &[Sweep], record: &SweepRecord, trials: usize, needed_ns: u64) -> String {
    let mut text = format!("plan     {trials} trials in {} rounds, about {}\n", record.rounds, duration(needed_ns));
    for sweep in sweeps {
        let (workload, cells) = (&sweep.workload, sweep.grid.cells.len());
        text.push_str(&format!("         {workload}: {cells} cells, {} left out\n", sweep.grid.refused.len()));
        for (cell, why) in sweep.grid.refused.iter().take(5) {
            text.push_str(&format!("left out {cell}: {why}\n"));
        }
    }
    for Axis { knob, values } in sweeps.first().map(|sweep| sweep.grid.axes.as_slice()).unwrap_or_default() {
        text.push_str(&format!("         {knob:<16} {}\n", values.join("  ")));
    }
    text.push_str(&format!("hash     {}: the same sweep goes on where it was\n", record.hash));
    text
}

struct Run<'r> {
    request: &'r SweepRequest,
    sweeps: Vec<Sweep>,
    store: Store,
    record: SweepRecord,
    laboratories: Vec<Laboratory>,
}

impl Run<'_> {
    fn open(&mut self, signals: &Signals) -> Result<(), Failure> {
        for sweep in &self.sweeps {
            let plan = Plan {
                workload: &sweep.workload,
                source: self.request.source.clone(),
                resolved: &self.request.resolved,
                directory: self.store.path(),
                ceiling_per_s: sweep.ceiling_per_s,
                quiet: self.request.output.quiet,
            };
            self.laboratories.push(Laboratory::open(&plan, signals.clone())?);
        }
        Ok(())
    }

    /// Runs what is not there yet. How it ended, if not by being complete.
    fn measure(&mut self, trials: &[Planned], needed_ns: u64) -> Result<Option<Exit>, Failure> {
        let missing: Vec<&Planned> = trials.iter().filter(|trial| !self.store.has(&self.key(trial))).collect();
        let (done, all) = (trials.len() - missing.len(), trials.len());
        if let Some(laboratory) = self.laboratories.first_mut() {
            let left_ns = needed_ns / all.max(1) as u64 * missing.len() as u64;
            laboratory.say(&format!(
                "{done} of {all} trials are there, {} to go: about {}",
                missing.len(),
                duration(left_ns)
            ));
        }
        for (number, trial) in missing.iter().enumerate() {
            let laboratory = &self.laboratories[trial.sweep];
            if let Some(exit) = laboratory.interrupted() {
                return Ok(Some(exit));
            }
            if !laboratory.has_time_for(self.sweeps[trial.sweep].trial_ns(trial.cell, self.request)) {
                return Ok(Some(Exit::BudgetSpent));
            }
            let words = self.words(trial);
            let said = self.trial(trial);
            let laboratory = &mut self.laboratories[trial.sweep];
            let said = match said {
                Ok(said) => said,
                Err(failure) if laboratory.interrupted().is_some() => {
                    laboratory.say(&failure.message);
                    return Ok(laboratory.interrupted());
                }
                Err(failure) => return Err(failure),
            };
            let each_ns = laboratory.elapsed_ns() / (number as u64 + 1);
            let left = missing.len() - number - 1;
            laboratory.say(&format!(
                "trial {:>4}/{all}  {said:>18}  {words}   {left} left, about {}",
                done + number + 1,
                duration(each_ns * left as u64)
            ));
        }
        Ok(None)
    }

    /// One trial; its response or failure is stored before it is told.
    fn trial(&mut self, trial: &Planned) -> Result<String, Failure> {
        let key = self.key(trial);
        let settings = self.settings(trial);
        let (response, name) = (self.request.response, key.name());
        let laboratory = &mut self.laboratories[trial.sweep];
        let measured = match response {
            Response::Capacity => laboratory.capacity(&settings, MEASURE_NS, &name).map(|drained| {
                drained.rate_per_s().map(|(rate_per_s, _)| rate_per_s).ok_or("larger batches took no longer".to_owned())
            }),
            Response::P99 => latency(laboratory, &settings, super::long_batches(&self.request.resolved), &name),
        };
        let result = match measured {
            Ok(result) => result,
            Err(failure) if concerns_the_trial(&failure) => Err(failure.message),
            Err(failure) => return Err(failure),
        };
        self.store.keep(&key, &result)?;
        Ok(result.map_or_else(|_| "failed".to_owned(), |value| response.show(value)))
    }

    fn settings(&self, trial: &Planned) -> TrialSettings {
        self.sweeps[trial.sweep].settings(trial.cell)
    }

    fn words(&self, trial: &Planned) -> String {
        let grid = &self.sweeps[trial.sweep].grid;
        grid.words(&grid.cells[trial.cell])
    }

    fn key(&self, trial: &Planned) -> Key {
        let sweep = &self.sweeps[trial.sweep];
        Key {
            workload: sweep.workload.clone(),
            values: sweep.grid.values(&sweep.grid.cells[trial.cell]),
            round: trial.round,
        }
    }

    fn finish(mut self, stop: Result<Option<Exit>, Failure>) -> Result<Outcome, Failure> {
        for (index, sweep) in self.sweeps.iter().enumerate() {
            let today = sweep.grid.base_cell();
            let result = |(place, cell): (usize, &Cell)| {
                let trial = |round| self.store.result(&self.key(&Planned { sweep: index, cell: place, round }));
                let all: Vec<Option<Result<f64, String>>> = (0..self.request.rounds).map(trial).collect();
                // A round that is not reached yet is no failure.
                let reached = all.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
                CellResult {
                    levels: cell.levels.clone(),
                    responses: all[..reached].iter().map(|result| result.clone()?.ok()).collect(),
                    today: Some(cell) == today.as_ref(),
                    failures: all.into_iter().flatten().filter_map(Result::err).collect(),
                }
            };
            let cells = sweep.grid.cells.iter().enumerate().map(result).collect();
            let (workload, refused) = (sweep.workload.clone(), sweep.grid.refused.clone());
            let ceiling_per_s = sweep.ceiling_per_s;
            self.record.workloads.push(WorkloadSweep { workload, cells, ceiling_per_s, refused });
        }
        let json = super::json(&self.record)?;
        self.store.write("sweep.json", json.as_bytes())?;
        self.store.write("report.html", html::search(&Found::Sweep(self.record.clone())).as_bytes())?;
        let text = match self.request.output.json {
            true => json,
            false => super::with_report(self.record.render_human(), &self.store.path().join("report.html")),
        };
        let resume = format!("continue with: downbeat resume {}", self.store.path().display());
        match stop {
            Ok(None) => Ok(Outcome::shown(text)),
            Ok(Some(exit)) => Ok(Outcome { text: text.into_bytes(), message: Some(resume), exit }),
            Err(failure) => Ok(Outcome {
                text: text.into_bytes(),
                message: Some(format!("error: {failure}\n{resume}")),
                exit: failure.exit(),
            }),
        }
    }
}

/// The 99th percentile of a paced trial, repeated while its sender was late; or why there is none.
fn latency(
    laboratory: &mut Laboratory,
    settings: &TrialSettings,
    batches: u64,
    name: &str,
) -> Result<Result<f64, String>, Failure> {
    let mut last = String::new();
    for _ in 0..=REPEATS {
        let paced = laboratory.paced(settings, batches, name)?;
        match paced.verdict.word {
            Word::Broken => return Ok(Err(paced.verdict.text)),
            Word::Invalid => last = paced.verdict.text,
            _ => return Ok(paced.figures.latency_ns(0.99).map(|ns| ns as f64).ok_or("no record came".to_owned())),
        }
    }
    Ok(Err(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Resolved;
    use std::collections::{BTreeMap, BTreeSet};

    #[test]
    fn every_round_has_every_cell_once_in_an_order_of_its_own() {
        let resolved = Resolved { settings: TrialSettings::default(), origins: BTreeMap::new() };
        let axes = vec![Axis::parse("codec=none,rkyv,json").unwrap(), Axis::parse("threads=1,2,3,4").unwrap()];
        let grid = Grid::new(axes, &resolved, Shape::Full, |_| Ok(())).unwrap();
        let fill_batches = vec![0; grid.cells.len()];
        let sweeps = [Sweep { workload: "w".into(), grid, fill_batches, ceiling_per_s: None }];
        let trials = order(&sweeps, 3, 42);
        assert_eq!(trials.len(), 36);
        let rounds: Vec<Vec<usize>> =
            trials.chunks(12).map(|round| round.iter().map(|trial| trial.cell).collect()).collect();
        for round in &rounds {
            assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 12);
        }
        assert!(rounds[0] != rounds[1] && rounds[1] != rounds[2]);
        assert_eq!(trials, order(&sweeps, 3, 42), "the same seed, the same order: a resumed sweep");
    }
}
