//! The load of a trial: a job's text and schedule, joined to a context; and the check of what came out.

use crate::failure::Failure;
use crate::plan::TrialSpec;
use crate::settings::TrialSettings;
use crate::source::Source;
use downbeat_engine::StreamingContext;
use downbeat_engine::record::Text;
use downbeat_reports::exit::Exit;
use downbeat_workloads::answers::Answers;
use downbeat_workloads::catalog::Job;
use downbeat_workloads::error::LoadError;
use downbeat_workloads::generator::{Generator, GeneratorStats, ceiling_per_s};
use downbeat_workloads::load::LoadSettings;
use downbeat_workloads::oracle::{BatchRanges, WrongAnswer};
use downbeat_workloads::payload::Payload;
use downbeat_workloads::schedule::{Arrivals, Schedule};
use std::io::BufWriter;
use std::path::Path;
use std::sync::Arc;

/// How the warning of an answer that could not be written begins.
pub(crate) const UNWRITTEN_ANSWER: &str = "cannot write --answer";

/// What is sent to a job, and when.
pub(crate) struct Load {
    /// All settings of the trial.
    pub(crate) settings: TrialSettings,
    source: Source,
    warmup_batches: u64,
    keeps_answer: bool,
    /// `None` where the load comes from outside.
    planned: Option<Planned>,
}

/// A load that is known beforehand.
struct Planned {
    payload: Payload,
    schedule: Arc<Schedule>,
    primed_batches: u64,
}

/// A job joined to a context, with what both will tell.
pub(crate) struct Built {
    /// What the job's output saw.
    pub(crate) answers: Arc<Answers>,
    /// What the generator tells about itself.
    pub(crate) generator: Option<GeneratorStats>,
}

impl Load {
    /// Can the job be built with these settings at all?
    ///
    /// # Errors
    /// What cannot work (exit 2).
    pub(crate) fn check(settings: &TrialSettings, job: &dyn Job) -> Result<(), Failure> {
        // Reads recorded times too, if there are any.
        settings.load.schedule(0, None).map_err(failure)?;
        settings.run.validate()?;
        let context = StreamingContext::new(settings.engine.clone())?;
        let (_, lines) = context.queue_stream::<Text>();
        job.build(&lines, &settings.load, settings.engine.interval_ns, &Arc::new(Answers::new(false)))?;
        Ok(context.check()?)
    }

    /// These settings can be had with a user's own file.
    ///
    /// # Errors
    /// A setting that belongs to text that is made (exit 2).
    pub(crate) fn check_input(settings: &TrialSettings, path: &Path) -> Result<(), Failure> {
        let load = LoadSettings { input: Some(path.to_owned()), ..settings.load.clone() };
        load.validate().map_err(failure)
    }

    /// The load of a measured trial.
    ///
    /// # Errors
    /// A setting that cannot work, or an input that cannot be read.
    pub(crate) fn for_trial(spec: &TrialSpec, job: &dyn Job) -> Result<Self, Failure> {
        let settings = settings(spec)?;
        let interval_ns = settings.engine.interval_ns;
        let primed_batches = job.prime_batches(&settings.load, interval_ns);
        let batches = spec.batches.map(|batches| primed_batches + spec.warmup_batches + batches);
        let horizon_ns = batches.map_or(u64::MAX, |batches| batches.saturating_mul(interval_ns));
        Load::new(spec, job, settings, horizon_ns, primed_batches)
    }

    /// The same records for a replay of this length, as many times over as it takes.
    ///
    /// # Errors
    /// A setting that cannot work, or an input that cannot be read.
    pub(crate) fn for_replay(spec: &TrialSpec, job: &dyn Job, horizon_ns: u64) -> Result<Self, Failure> {
        let mut settings = settings(spec)?;
        settings.load.input_loop = true;
        Load::new(spec, job, settings, horizon_ns, 0)
    }

    /// The records for drains, as many as it takes; [`Load::of_batches`] gives each its own size.
    ///
    /// # Errors
    /// A setting that cannot work, an input that cannot be read, or a source that cannot be drained.
    pub(crate) fn for_drain(spec: &TrialSpec, job: &dyn Job) -> Result<Self, Failure> {
        if matches!(spec.source, Source::Tcp { .. }) {
            return Err(Failure::usage("lines from a TCP source cannot be drained unpaced"));
        }
        let mut settings = settings(spec)?;
        (settings.load.input_loop, settings.load.arrivals) = (true, Arrivals::Constant);
        Load::new(spec, job, settings, u64::MAX, 0)
    }

    /// The same lines in this many batches of exactly so many records.
    pub(crate) fn of_batches(&self, records: u64, batches: u64) -> Self {
        let interval_ns = self.settings.engine.interval_ns;
        let mut settings = self.settings.clone();
        settings.load.rate_per_s = records as f64 * 1e9 / interval_ns as f64;
        let planned = self.planned.as_ref().and_then(|planned| {
            let schedule = settings.load.schedule(batches.saturating_mul(interval_ns), None).ok()?;
            Some(Planned { payload: planned.payload.clone(), schedule: Arc::new(schedule), primed_batches: 0 })
        });
        Load { settings, source: self.source.clone(), warmup_batches: 0, keeps_answer: false, planned }
    }

    /// Mean size of a record, at least one byte.
    pub(crate) fn bytes_per_record(&self) -> f64 {
        self.planned.as_ref().map_or(1.0, |planned| planned.payload.bytes_per_record()).max(1.0)
    }

    fn new(
        spec: &TrialSpec,
        job: &dyn Job,
        settings: TrialSettings,
        horizon_ns: u64,
        primed_batches: u64,
    ) -> Result<Self, Failure> {
        let planned = match &spec.source {
            Source::Tcp { .. } => None,
            Source::Generator | Source::File { .. } => {
                let payload = job.payload(&settings.load).map_err(failure)?;
                let lead_ns = primed_batches.saturating_mul(settings.engine.interval_ns);
                let schedule = settings.load.schedule_after(lead_ns, horizon_ns, payload.records_limit());
                let schedule = schedule.map_err(failure)?;
                Some(Planned { payload, schedule: Arc::new(schedule), primed_batches })
            }
        };
        Ok(Load {
            settings,
            source: spec.source.clone(),
            warmup_batches: spec.warmup_batches,
            keeps_answer: spec.answer.is_some(),
            planned,
        })
    }

    /// Batches to be run before the first live one, so that windows are full. Only a planned load can do that.
    pub(crate) fn primed_batches(&self) -> u64 {
        self.planned.as_ref().map_or(0, |planned| planned.primed_batches)
    }

    /// Joins source and job to a context.
    ///
    /// # Errors
    /// The job cannot be built.
    pub(crate) fn build(&self, context: &StreamingContext, job: &dyn Job) -> Result<Built, Failure> {
        let (lines, generator) = match (&self.planned, &self.source) {
            (Some(planned), source) => {
                let (generator, stats) =
                    Generator::new(planned.payload.clone(), planned.schedule.clone(), self.warmup_batches);
                (context.planned_stream(&source.to_string(), generator), Some(stats))
            }
            (None, Source::Tcp { addresses }) => {
                let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
                (context.socket_text_stream_of(&addresses), None)
            }
            (None, source) => return Err(Failure::internal(format!("{source} was not prepared"))),
        };
        let answers = Arc::new(Answers::new(self.keeps_answer));
        job.build(&lines, &self.settings.load, self.settings.engine.interval_ns, &answers)?;
        context.check()?;
        Ok(Built { answers, generator })
    }

    /// The intended send times. `None` where the sender decides.
    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        self.planned.as_ref().map(|planned| &*planned.schedule)
    }

    /// Identifies the events: times and bytes.
    pub(crate) fn hash(&self) -> Option<String> {
        self.planned.as_ref().map(|planned| planned.schedule.hash(&planned.payload.hash()))
    }

    /// Records per second that the generator alone could hand over.
    pub(crate) fn ceiling_per_s(&self) -> Option<f64> {
        ceiling_per_s(&self.planned.as_ref()?.payload, &self.settings.load).ok()
    }

    /// Compares what the job answered with what the oracle computes. `Err` says why nothing was compared.
    pub(crate) fn check_answers(
        &self,
        job: &dyn Job,
        built: &Built,
        batches: &[BatchRanges],
    ) -> Result<Vec<WrongAnswer>, String> {
        self.wrong_answers(job, &built.answers, batches)
    }

    /// The same for answers alone.
    pub(crate) fn wrong_answers(
        &self,
        job: &dyn Job,
        answers: &Answers,
        batches: &[BatchRanges],
    ) -> Result<Vec<WrongAnswer>, String> {
        let Some(planned) = &self.planned else {
            return Err("the lines came from outside and were not kept".to_owned());
        };
        let oracle = job.oracle(&self.settings.load, self.settings.engine.interval_ns);
        let oracle = oracle.ok_or_else(|| format!("{} has no oracle", job.name()))?;
        Ok(oracle.check(&planned.payload, batches, answers))
    }

    /// Writes the job's final answer.
    ///
    /// # Errors
    /// The file cannot be written (exit 7).
    pub(crate) fn write_answer(built: &Built, path: &Path) -> Result<(), Failure> {
        let written = std::fs::File::create(path).and_then(|file| {
            let mut file = BufWriter::new(file);
            built.answers.write_final(&mut file)?;
            std::io::Write::flush(&mut file)
        });
        let failed =
            |error: std::io::Error| Failure::environment(format!("{UNWRITTEN_ANSWER} {}: {error}", path.display()));
        written.map_err(failed)
    }
}

fn settings(spec: &TrialSpec) -> Result<TrialSettings, Failure> {
    let mut settings = spec.trial_settings()?;
    settings.load.line_limit_bytes = settings.engine.line_limit_bytes;
    if let Source::File { path, again } = &spec.source {
        (settings.load.input, settings.load.input_loop) = (Some(path.clone()), *again);
    }
    Ok(settings)
}

/// A load that cannot be made: exit 2 for its settings, 7 for its files.
pub(crate) fn failure(error: LoadError) -> Failure {
    let exit = match &error {
        LoadError::Setting { .. } => Exit::Usage,
        LoadError::InputUnreadable { .. }
        | LoadError::InputEmpty { .. }
        | LoadError::InputTooLarge { .. }
        | LoadError::ArrivalsUnreadable { .. }
        | LoadError::ArrivalsLine { .. } => Exit::Environment,
    };
    Failure::new(exit, error.to_string())
}
