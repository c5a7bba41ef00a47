//! Where the trials of a search are made: each in a fresh process, each record kept, under one budget of time.

use crate::failure::Failure;
use crate::machine;
use crate::plan::{DRAIN_NS, Length, Mode, NS_PER_S, PROTOCOL, TrialSpec};
use crate::progress::Progress;
use crate::settings::{Resolved, TrialSettings};
use crate::signals::Signals;
use crate::source::Source;
use crate::subject::embedded::{self, Files, Program};
use crate::subject::together::{self, Child};
use downbeat_reports::capacity::CapacityRecord;
use downbeat_reports::exit::Exit;
use downbeat_reports::figures::{Figures, Outcome, outcome};
use downbeat_reports::limit::Limit;
use downbeat_reports::store;
use downbeat_reports::verdict::{Verdict, judge};
use downbeat_workloads::load::LoadSettings;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What starting a process, making the lines and checking the answer cost beside the batches of a trial, for plans.
const OVERHEAD_NS: u64 = NS_PER_S;

/// Rates up to this share of the generator's ceiling are tried: nearer to it the generator is what is measured.
const CEILING_SHARE: f64 = 0.8;

/// Paced batches meet pauses and the sender's share of the cores, which drained ones do not: they hold about this share of the rate.
pub(crate) const PACED_SHARE: f64 = 0.85;

/// A trial that outlives the budget of its search by this much hangs, nanoseconds.
const GRACE_NS: u64 = 10 * NS_PER_S;

/// How long after its own time limit a trial is killed: it drains and saves in it.
const PATIENCE: Duration = Duration::from_nanos(DRAIN_NS + GRACE_NS);

/// The place and the time of a search.
pub(crate) struct Laboratory {
    /// Name of the job.
    pub(crate) workload: String,
    source: Source,
    origins: BTreeMap<String, String>,
    directory: PathBuf,
    signals: Signals,
    progress: Progress,
    begun: Instant,
    budget: Option<Duration>,
    ceiling_per_s: Option<f64>,
}

/// A paced trial, judged.
pub(crate) struct Paced {
    /// What it means.
    pub(crate) verdict: Verdict,
    /// Its point figures.
    pub(crate) figures: Figures,
}

impl Paced {
    /// What it says to a search with these limits.
    pub(crate) fn outcome(&self, limits: &[Limit]) -> Outcome {
        outcome(&self.figures, &self.verdict, limits)
    }
}

/// What a laboratory is made of.
pub(crate) struct Plan<'p> {
    /// Name of the job.
    pub(crate) workload: &'p str,
    /// Where the lines come from.
    pub(crate) source: Source,
    /// All settings; `max_time` is the budget of the whole search.
    pub(crate) resolved: &'p Resolved,
    /// Where the records go.
    pub(crate) directory: &'p Path,
    /// Records per second that the generator proved it can send.
    pub(crate) ceiling_per_s: Option<f64>,
    /// No progress on stderr.
    pub(crate) quiet: bool,
}

impl Laboratory {
    /// Opens it; the budget runs from now on, and trials go before whatever else runs here, where that is permitted.
    ///
    /// # Errors
    /// The directory for the trials cannot be made (exit 7).
    pub(crate) fn open(plan: &Plan<'_>, signals: Signals) -> Result<Self, Failure> {
        let directory = plan.directory.join("trials");
        std::fs::create_dir_all(&directory)
            .map_err(|error| Failure::environment(format!("cannot write {}: {error}", directory.display())))?;
        machine::raise_priority();
        let settings = &plan.resolved.settings;
        Ok(Laboratory {
            workload: plan.workload.to_owned(),
            source: plan.source.clone(),
            origins: plan.resolved.origins.clone(),
            directory,
            signals,
            progress: Progress::new(plan.quiet, settings.engine.interval_ns),
            begun: Instant::now(),
            budget: settings.run.max_time_ns.map(Duration::from_nanos),
            ceiling_per_s: plan.ceiling_per_s,
        })
    }

    /// Time since it was opened, nanoseconds.
    pub(crate) fn elapsed_ns(&self) -> u64 {
        self.begun.elapsed().as_nanos() as u64
    }

    /// Time that is left; `None` without a budget.
    pub(crate) fn left_ns(&self) -> Option<u64> {
        self.budget.map(|budget| budget.saturating_sub(self.begun.elapsed()).as_nanos() as u64)
    }

    /// Whether a trial that takes this long still fits into the budget.
    pub(crate) fn has_time_for(&self, planned_ns: u64) -> bool {
        self.left_ns().is_none_or(|left_ns| planned_ns <= left_ns)
    }

    /// The highest rate of such a load that the generator surely sends, records per second.
    pub(crate) fn most_per_s(&self, load: &LoadSettings) -> f64 {
        self.ceiling_per_s.map_or(f64::INFINITY, |per_s| CEILING_SHARE * per_s / load.arrivals.peak_factor())
    }

    /// When a trial hangs that should end before this, nanoseconds: no later than the budget and a little.
    fn limit_ns(&self, planned_ns: u64) -> u64 {
        self.left_ns().map_or(planned_ns, |left_ns| planned_ns.min(left_ns.saturating_add(GRACE_NS)))
    }

    /// The exit that a signal asked for.
    pub(crate) fn interrupted(&self) -> Option<Exit> {
        self.signals.exit()
    }

    /// Says something on stderr.
    pub(crate) fn say(&mut self, message: &str) {
        if !self.progress.is_quiet() {
            self.progress.say(message);
        }
    }

    /// Runs these settings at their pace with this many judged batches. The record is kept as `<name>.json`.
    ///
    /// # Errors
    /// What the trial's process left, or that it died or hung (exit 70), or that it was interrupted.
    pub(crate) fn paced(&mut self, settings: &TrialSettings, batches: u64, name: &str) -> Result<Paced, Failure> {
        let warmup_batches = settings.run.warmup.batches(settings.engine.interval_ns);
        let length = Length { batches: Some(batches), warmup_batches };
        let planned_ns = length.planned_ns(settings.engine.interval_ns).unwrap_or(0);
        let mut spec = self.spec(settings, Mode::Measure, name);
        (spec.batches, spec.warmup_batches) = (length.batches, warmup_batches);
        let windows_ns = settings.load.window_ns.saturating_mul(2);
        spec.time_limit_ns = self.limit_ns(planned_ns.saturating_mul(2) + windows_ns + 60 * NS_PER_S);
        let files = self.run(&mut spec, name)?;
        let record = store::load(&files.record)?;
        self.keep(&files, name);
        let verdict = judge(&record);
        let figures = Figures::of(&record, &verdict);
        Ok(Paced { verdict, figures })
    }

    /// Drains a backlog under these settings for about this long. The record is kept as `<name>.json`.
    ///
    /// # Errors
    /// As [`Laboratory::paced`].
    pub(crate) fn capacity(
        &mut self,
        settings: &TrialSettings,
        measure_ns: u64,
        name: &str,
    ) -> Result<CapacityRecord, Failure> {
        let mut spec = self.spec(settings, Mode::Capacity { measure_ns }, name);
        spec.time_limit_ns = self.limit_ns(measure_ns.saturating_mul(4).saturating_add(60 * NS_PER_S));
        let files = self.run(&mut spec, name)?;
        self.drained(&files, name)
    }

    /// The same for several settings at once, which take turns, a large and a small drain each: they meet the same host. In the order of
    /// `trials`, each with its name.
    ///
    /// # Errors
    /// An interruption, or something that concerns more than one trial; the failure of one trial stands in its place.
    pub(crate) fn capacities(
        &mut self,
        trials: &[(&TrialSettings, String)],
        measure_ns: u64,
    ) -> Result<Vec<Result<CapacityRecord, Failure>>, Failure> {
        if let Some(exit) = self.signals.exit() {
            return Err(Failure::new(exit, "interrupted"));
        }
        let together_ns = measure_ns.saturating_mul(4 * trials.len() as u64);
        let limit_ns = self.limit_ns(together_ns.saturating_add(60 * NS_PER_S));
        let mut children = Vec::new();
        for (settings, name) in trials {
            let mut spec = self.spec(settings, Mode::Capacity { measure_ns }, name);
            let files = Files::new(&self.directory, name);
            (spec.time_limit_ns, spec.status) = (limit_ns, files.status.clone());
            children.push(Child { program: Program { patience: PATIENCE, ..Program::this()? }, spec, files });
        }
        let files: Vec<Files> = children.iter().map(|child| child.files.clone()).collect();
        let ended = together::run(children, &self.signals, Duration::from_nanos(limit_ns), |_, _| {})?;
        if let Some(exit) = self.signals.exit() {
            return Err(Failure::new(exit, "interrupted"));
        }
        let mut drained = Vec::new();
        for ((ended, files), (_, name)) in ended.into_iter().zip(&files).zip(trials) {
            match ended.and_then(|()| self.drained(files, name)) {
                Err(failure) if !concerns_the_trial(&failure) => return Err(failure),
                other => drained.push(other),
            }
        }
        Ok(drained)
    }

    fn drained(&mut self, files: &Files, name: &str) -> Result<CapacityRecord, Failure> {
        let unreadable = |why: String| Failure::internal(format!("the record of {name} is unreadable: {why}"));
        let bytes = std::fs::read(&files.record).map_err(|error| unreadable(error.to_string()))?;
        let record: CapacityRecord = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        // Of a user's own file the trial's process finds it out.
        self.ceiling_per_s = self.ceiling_per_s.or(record.ceiling_per_s);
        self.keep(files, name);
        Ok(record)
    }

    fn spec(&self, settings: &TrialSettings, mode: Mode, name: &str) -> TrialSpec {
        let mut settings = settings.clone();
        // It was the budget of the search.
        settings.run.max_time_ns = None;
        TrialSpec {
            protocol: PROTOCOL,
            mode,
            run: name.to_owned(),
            command: String::new(),
            subject: embedded::NAME.to_owned(),
            workload: self.workload.clone(),
            settings: settings.values(),
            origins: self.origins.clone(),
            source: self.source.clone(),
            batches: None,
            warmup_batches: 0,
            ceiling_per_s: self.ceiling_per_s.map(|per_s| per_s as u64),
            time_limit_ns: 0,
            time_limit_is_given: false,
            answer: None,
            status: PathBuf::new(),
            samples: false,
            seat: None,
        }
    }

    fn run(&mut self, spec: &mut TrialSpec, name: &str) -> Result<Files, Failure> {
        if let Some(exit) = self.signals.exit() {
            return Err(Failure::new(exit, "interrupted"));
        }
        let files = Files::new(&self.directory, name);
        spec.status.clone_from(&files.status);
        let program = Program { patience: PATIENCE, ..Program::this()? };
        let ended = embedded::run_program(&program, spec, &files, &self.signals, &mut self.progress);
        // Whatever the process left when it was interrupted says nothing of its settings.
        match self.signals.exit() {
            Some(exit) => Err(Failure::new(exit, "interrupted")),
            None => ended.map(|()| files),
        }
    }

    /// Leaves the record alone; what else a trial left is of no more use.
    fn keep(&self, files: &Files, name: &str) {
        let _ = std::fs::rename(&files.record, self.directory.join(format!("{name}.json")));
        let _ = std::fs::remove_file(&files.spec);
        let _ = std::fs::remove_file(&files.status);
    }
}

/// How long a paced trial takes, nanoseconds: windows are filled first, at about the speed at which the load comes.
pub(crate) fn paced_ns(settings: &TrialSettings, batches: u64, fill_batches: u64, utilisation: f64) -> u64 {
    let interval_ns = settings.engine.interval_ns;
    let filling_ns = (fill_batches * interval_ns) as f64 * utilisation;
    let warmup_batches = settings.run.warmup.batches(interval_ns);
    filling_ns as u64 + (batches + warmup_batches) * interval_ns + OVERHEAD_NS
}

/// Whether a failure concerns one trial, so that a search can go on without it.
pub(crate) fn concerns_the_trial(failure: &Failure) -> bool {
    matches!(failure.exit(), Exit::Internal | Exit::Broken)
}
