//! `downbeat tune`: rank the settings, let the best ones meet today's in fresh processes, check the winner at its pace, and say what to
//! change.

mod at_rate;
mod axes;
mod candidates;
mod check;
mod contest;
mod findings;
mod paced;
mod rank;

use super::goal::Goal;
use super::grid::{Axis, Cell, Grid, Shape};
use super::laboratory::{Laboratory, Plan};
use crate::ceiling::{self, Ceilings};
use crate::failure::Failure;
use crate::load::Load;
use crate::machine;
use crate::request::TuneRequest;
use crate::run::{Outcome, command_line, result_directory, run_name};
use crate::settings::TrialSettings;
use crate::signals::Signals;
use at_rate::AtRate;
use contest::Contest;
use downbeat_reports::exit::Exit;
use downbeat_reports::format::html;
use downbeat_reports::quantity::duration;
use downbeat_reports::search::found::Found;
use downbeat_reports::search::tune::{SCHEMA, TuneRecord};
use downbeat_reports::store::RunDirectory;
use downbeat_workloads::catalog::Job;
use rank::Ranking;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// The budget when none was given, nanoseconds.
const BUDGET_NS: u64 = 300_000_000_000;

/// Share of the budget that ranking may take.
const RANKING_SHARE: f64 = 0.27;

/// What every part of a tuning looks at.
struct Task<'r> {
    job: &'r dyn Job,
    goal: &'r Goal,
    grid: Grid,
    today: TrialSettings,
    seed: u64,
    /// Judged batches of a paced trial, when the user said how many.
    batches: Option<u64>,
}

impl Task<'_> {
    /// Batches that fill windows before anything can be judged.
    fn fill_batches(&self, settings: &TrialSettings) -> u64 {
        self.job.prime_batches(&settings.load, settings.engine.interval_ns)
    }

    fn interval_ns(&self) -> u64 {
        self.today.engine.interval_ns
    }
}

/// Searches for the settings that serve a goal best.
///
/// # Errors
/// Before anything is written: what is wrong with the request (exit 2) or the surroundings (exit 7).
pub(crate) fn run(request: &TuneRequest, arguments: &[OsString], jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let job = crate::jobs::find(jobs, &request.workload)?;
    super::refuse_tcp(&request.source)?;
    let mut resolved = request.resolved.clone();
    let settings = &mut resolved.settings;
    let budget_ns = *settings.run.max_time_ns.get_or_insert(BUDGET_NS);
    if let Some(rate_per_s) = request.goal.rate_per_s() {
        settings.load.rate_per_s = rate_per_s;
    }
    let today = settings.clone();
    Load::check(&today, job)?;
    let axes = if request.axes.is_empty() { axes::by_default(&today, job)? } else { request.axes.clone() };
    let axes = axes.into_iter().map(|axis| with_today(axis, &today)).collect();
    let grid = Grid::new(axes, &resolved, Shape::Full, |settings| Load::check(settings, job))?;
    refuse_impossible(&request.goal, &grid)?;
    let batches =
        (resolved.is_given("batches") || resolved.is_given("duration")).then(|| super::long_batches(&resolved));
    let seed = today.load.seed;
    let task = Task { job, goal: &request.goal, grid, today, seed, batches };
    if request.output.dry_run {
        return Ok(Outcome::shown(describe(&task, request, budget_ns)));
    }
    let signals = Signals::catch()?;
    let ceiling_per_s = Ceilings::default().per_s(job, &task.today, &request.source);
    if request.goal.rate_per_s().is_some() {
        ceiling::check(&task.today.load, ceiling_per_s)?;
    }
    let run = run_name();
    let directory = result_directory(request.output.out.as_deref(), &run)?;
    let plan = Plan {
        workload: &request.workload,
        source: request.source.clone(),
        resolved: &resolved,
        directory: directory.path(),
        ceiling_per_s,
        quiet: request.output.quiet,
    };
    let mut laboratory = Laboratory::open(&plan, signals)?;
    let mut record = TuneRecord {
        schema: SCHEMA,
        run,
        command: command_line::reproducing(arguments.iter().cloned(), seed, resolved.is_given("seed")),
        workload: request.workload.clone(),
        goal: request.goal.to_string(),
        settings: task.today.values(),
        interval_ns: task.interval_ns(),
        axes: task.grid.axes.iter().map(|axis| (axis.knob.to_owned(), axis.values.clone())).collect(),
        cells: task.grid.cells.len() as u64,
        refused: task.grid.refused.len() as u64,
        ceiling_per_s,
        environment: machine::fingerprint(),
        ..TuneRecord::default()
    };
    let stopped = search(&task, &mut laboratory, budget_ns, &mut record);
    record.elapsed_ns = laboratory.elapsed_ns();
    let origins = &resolved.origins;
    finish(request, &task, &laboratory, &directory, record, origins, stopped.err())
}

fn search(
    task: &Task<'_>,
    laboratory: &mut Laboratory,
    budget_ns: u64,
    record: &mut TuneRecord,
) -> Result<(), Failure> {
    let mut ranking = Ranking::new(task);
    let ranked = ranking.rank(laboratory, (RANKING_SHARE * budget_ns as f64) as u64);
    ranking.tell(record);
    ranked?;
    if ranking.by_belief().is_empty() {
        return Err(Failure::new(Exit::BudgetSpent, "the time was over before anything was ranked")
            .help("give it longer with --max-time"));
    }
    let confirmed = match task.goal.rate_per_s() {
        None => {
            let mut contest = Contest::new(task, &ranking);
            let ended = contest.run(laboratory, budget_ns);
            contest.tell(record);
            ended
        }
        Some(rate_per_s) => {
            let mut race = AtRate::new(task, &ranking, rate_per_s);
            let ended = race.run(laboratory);
            race.tell(record);
            ended
        }
    };
    findings::tell(task, &ranking, record);
    confirmed
}

/// What a setting of the grid changes against today's.
fn changes(
    cell: Option<&Cell>,
    settings: &TrialSettings,
    today: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    if cell.is_none() {
        return BTreeMap::new();
    }
    settings.values().into_iter().filter(|(knob, value)| knob != "rate" && today.get(knob) != Some(value)).collect()
}

/// Today's value is always among those that are tried.
fn with_today(mut axis: Axis, today: &TrialSettings) -> Axis {
    let value = today.values().remove(axis.knob).unwrap_or_default();
    if !axis.values.contains(&value) {
        axis.values.insert(0, value);
    }
    axis
}

/// A latency limit that the wait for the end of the interval breaks by itself, in every cell.
fn refuse_impossible(goal: &Goal, grid: &Grid) -> Result<(), Failure> {
    let possible = |interval_ns| goal.share_of_interval(interval_ns) > 0.0;
    if grid.cells.iter().any(|cell| possible(grid.settings(cell).engine.interval_ns)) {
        return Ok(());
    }
    let message = format!(
        "the goal `{goal}` cannot be reached: records wait for the end of their interval, and that alone takes longer"
    );
    Err(Failure::usage(message).help("allow more latency, or let the interval vary: --vary interval=20ms,50ms,100ms"))
}

fn describe(task: &Task<'_>, request: &TuneRequest, budget_ns: u64) -> String {
    let mut text = format!(
        "plan     tune {}: {}, {} at most\n         {} settings ({} contradict themselves): ranked unpaced in up to {}, then {}\n",
        request.workload,
        task.goal,
        duration(budget_ns),
        task.grid.cells.len(),
        task.grid.refused.len(),
        duration((RANKING_SHARE * budget_ns as f64) as u64),
        match task.goal.rate_per_s() {
            None => "the best two against today's in turns, and the winner at its pace",
            Some(_) => "the best three against today's, paced, in turns",
        },
    );
    for axis in &task.grid.axes {
        text.push_str(&format!("         {:<16} {}\n", axis.knob, axis.values.join("  ")));
    }
    for (cell, why) in task.grid.refused.iter().take(3) {
        text.push_str(&format!("left out {cell}: {why}\n"));
    }
    text
}

fn finish(
    request: &TuneRequest,
    task: &Task<'_>,
    laboratory: &Laboratory,
    directory: &RunDirectory,
    mut record: TuneRecord,
    origins: &BTreeMap<String, String>,
    failure: Option<Failure>,
) -> Result<Outcome, Failure> {
    record.cut_short = record.recommended.is_none();
    if let Some(arm) = record.recommended.and_then(|index| record.arms.get(index)) {
        let toml = findings::best_toml(task, &record, arm, origins);
        let path = directory.write("best.toml", toml.as_bytes())?;
        let refuted_by = findings::refuting(task, &record, &request.source, &path);
        record.refuted_by = refuted_by;
    }
    let json = super::json(&record)?;
    directory.write("tune.json", json.as_bytes())?;
    directory.write("report.html", html::search(&Found::Tune(record.clone())).as_bytes())?;
    let exit = match (&failure, laboratory.interrupted()) {
        (_, Some(exit)) => exit,
        (Some(failure), None) => failure.exit(),
        (None, None) if record.cut_short => Exit::BudgetSpent,
        (None, None) => Exit::Ok,
    };
    let mut text = if request.output.json { json } else { record.render_human() };
    if !request.output.json && record.recommended.is_some() {
        text.push_str(&format!("wrote    {}\n", directory.file("best.toml").display()));
    }
    if !request.output.json {
        text = super::with_report(text, &directory.file("report.html"));
    }
    Ok(Outcome { text: text.into_bytes(), message: failure.map(|failure| format!("error: {failure}")), exit })
}
