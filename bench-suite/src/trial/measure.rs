//! The measured trial: the load runs at its pace, every batch is noted, then the answer is checked.

use super::answers::{self, Checked};
use super::collector::{Collection, Collector};
use super::control::Control;
use super::record::Evidence;
use super::sampler::{self, Sampler};
use super::spans;
use super::telling::Telling;
use crate::failure::Failure;
use crate::load::{Built, Load};
use crate::machine::NoiseMeter;
use crate::plan::{DRAIN_NS, Length, TCP_PATIENCE_NS, TrialSpec};
use crate::source::Source;
use crate::status::Stage;
use downbeat_engine::StreamingContext;
use downbeat_engine::clock::{Clock, MonotonicClock};
use downbeat_engine::context::State;
use downbeat_engine::error::EngineError;
use downbeat_reports::quantity::{duration, rate};
use downbeat_reports::record::{Sampling, TrialRecord};
use downbeat_reports::samples::SamplesFile;
use downbeat_workloads::catalog::Job;
use downbeat_workloads::generator::GeneratorStats;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often it is looked whether the trial should end.
const PERIOD: Duration = Duration::from_millis(20);

/// Why the load came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// Every planned batch is done, or the input has ended.
    Complete,
    /// A batch failed.
    BatchFailed,
    /// Somebody stopped it.
    Stopped,
    /// The time limit came first.
    TimeLimit,
    /// The source failed for good.
    SourceFailed(String),
}

/// Runs the trial of a spec. Beside the record come the samples that were taken meanwhile, if any were.
///
/// # Errors
/// The load or the job cannot be made, or a TCP source never brought a line.
pub(super) fn measure(
    spec: &TrialSpec,
    job: &dyn Job,
    control: &Control,
) -> Result<(TrialRecord, Option<SamplesFile>), Failure> {
    crate::status::Status::default().write(&spec.status);
    let load = Load::for_trial(spec, job)?;
    let context = StreamingContext::new(load.settings.engine.clone())?;
    let built = load.build(&context, job)?;
    let ceiling_per_s = spec.ceiling_per_s.map(|per_s| per_s as f64).or_else(|| load.ceiling_per_s());
    context.print_to(Box::new(std::io::stdout()));
    context.prime(load.primed_batches());
    let collector = Arc::new(collector(spec, &load));
    context.add_listener(collector.clone());
    let telling = Telling::start(spec.status.clone(), collector.clone());
    let noise = NoiseMeter::start(load.settings.engine.interval_ns);
    let sampler = start_sampler(spec, &load);

    let clock = MonotonicClock::new();
    collector.begin(clock.now_ns());
    context.start()?;
    let end = Wait { spec, context: &context, collector: &collector, control }.until_end();
    collector.end(clock.now_ns());
    telling.tell(Stage::Draining);
    let drain = if end == End::BatchFailed { Duration::ZERO } else { Duration::from_nanos(DRAIN_NS) };
    let stopped = context.stop(drain)?;
    let sampled = sampler.and_then(Sampler::stop);
    let noise = noise.stop();
    if !collector.has_begun() {
        nothing_came(spec, &end, collector.status().trouble)?;
    }

    telling.tell(Stage::Checking);
    let collection = collector.take();
    let sampling = Sampling { frequency_hz: load.settings.run.profile_hz, ..Sampling::default() };
    let (sampling, samples) = match sampled {
        Ok(sampled) => {
            let sampling = Sampling { sampler: Some(sampler::SAMPLER.to_owned()), ..sampling };
            let (sampling, samples) = spans::join(&spec.run, sampling, &sampled, &collection.batches);
            (sampling, Some(samples))
        }
        Err(reason) => (Sampling { unavailable: Some(reason), ..sampling }, None),
    };
    let checked = check(&load, job, &built, &collection, &end);
    let unwritten = spec.answer.as_ref().and_then(|answer| Load::write_answer(&built, answer).err());
    telling.stop();
    let mut warnings = warnings(spec, &load, ceiling_per_s, &end);
    // What was measured is kept all the same.
    warnings.extend(unwritten.map(|failure| failure.to_string()));
    warnings.extend(checked.of_the_end.clone());
    let evidence = Evidence {
        spec,
        load: &load,
        generator: built.generator.as_ref().map(GeneratorStats::summary),
        lags_ns: built.generator.as_ref().map(GeneratorStats::batch_lags_ns).unwrap_or_default(),
        ceiling_per_s,
        collection,
        stopped,
        noise,
        sampling,
        checked,
        interrupted: matches!(end, End::Stopped | End::TimeLimit),
        failure: match &end {
            End::SourceFailed(problem) => Some(problem.clone()),
            _ => None,
        },
        warnings,
    };
    Ok((evidence.record()?, samples))
}

fn start_sampler(spec: &TrialSpec, load: &Load) -> Result<Sampler, String> {
    match spec.samples && load.settings.run.trial_samples {
        true => Sampler::start(load.settings.run.profile_hz),
        false if spec.samples => Err("trial_samples is off".to_owned()),
        false => Err("none were asked for".to_owned()),
    }
}

fn collector(spec: &TrialSpec, load: &Load) -> Collector {
    let length = Length { batches: spec.batches, warmup_batches: spec.warmup_batches };
    let waits = matches!(spec.source, Source::Tcp { .. });
    Collector::new(length, load.settings.engine.interval_ns, waits)
}

/// Waits for the end of the load.
struct Wait<'a> {
    spec: &'a TrialSpec,
    context: &'a StreamingContext,
    collector: &'a Collector,
    control: &'a Control,
}

impl Wait<'_> {
    fn until_end(&self) -> End {
        let started = Instant::now();
        let limit = Duration::from_nanos(self.spec.time_limit_ns);
        let patience = limit.min(Duration::from_nanos(TCP_PATIENCE_NS));
        loop {
            let is_complete = self.collector.wait(PERIOD);
            if let Some(end) = self.failure() {
                return end;
            }
            if is_complete || self.context.state() == State::Stopped {
                return End::Complete;
            }
            if self.control.is_stopped() {
                return End::Stopped;
            }
            let is_silent = !self.collector.has_begun() && !self.spec.time_limit_is_given;
            if started.elapsed() >= if is_silent { patience } else { limit } {
                return End::TimeLimit;
            }
        }
    }

    fn failure(&self) -> Option<End> {
        if self.collector.has_failed() {
            return Some(End::BatchFailed);
        }
        match self.context.await_termination_or_timeout(Duration::ZERO) {
            Ok(_) => None,
            Err(EngineError::Batch { .. }) => Some(End::BatchFailed),
            Err(error) => Some(End::SourceFailed(error.to_string())),
        }
    }
}

/// A TCP source that never brought a line: there is nothing to judge, and the reason is known.
fn nothing_came(spec: &TrialSpec, end: &End, trouble: Option<String>) -> Result<(), Failure> {
    let trouble = trouble.map(|trouble| format!(": {trouble}")).unwrap_or_default();
    let why = match end {
        End::SourceFailed(problem) => return Err(Failure::environment(problem.clone())),
        End::Stopped => {
            return Err(Failure::new(downbeat_reports::exit::Exit::Interrupted, "stopped before the first line came"));
        }
        _ => format!("no line came from {} within {}", spec.source, duration(spec.time_limit_ns.min(TCP_PATIENCE_NS))),
    };
    let help = "start the sender first, for example `nc -lk 9999`, or give it longer with --max-time";
    Err(Failure::environment(format!("{why}{trouble}")).help(help))
}

/// The answer is checked unless somebody wants it to end now.
fn check(load: &Load, job: &dyn Job, built: &Built, collection: &Collection, end: &End) -> Checked {
    if *end == End::Stopped {
        return Checked::not("the trial was interrupted");
    }
    answers::check(load, job, built, &collection.batches)
}

fn warnings(spec: &TrialSpec, load: &Load, ceiling_per_s: Option<f64>, end: &End) -> Vec<String> {
    let mut warnings = Vec::new();
    if *end == End::TimeLimit {
        let whose = if spec.time_limit_is_given { "max_time" } else { "twice the planned time" };
        warnings.push(format!(
            "ended by {whose} after {}: not all planned batches were done",
            duration(spec.time_limit_ns)
        ));
    }
    let asked_per_s = load.settings.load.rate_per_s;
    if let Some(ceiling_per_s) = ceiling_per_s.filter(|ceiling| asked_per_s > 0.5 * ceiling) {
        let (asked, ceiling) = (rate(asked_per_s), rate(ceiling_per_s));
        warnings.push(format!("{asked} is near what the generator can send at all on this machine: {ceiling}"));
    }
    let threads = load.settings.engine.effective_threads();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if threads > cores {
        warnings.push(format!("{threads} threads share {cores} cores: they wait for each other"));
    }
    warnings
}
