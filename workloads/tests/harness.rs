//! Runs a load through the engine on a manual clock, and keeps what there is to know.

use downbeat_engine::clock::ManualClock;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::settings::Settings;
use downbeat_engine::{DStream, EngineError, StreamingContext, record::Text};
use downbeat_workloads::answers::{Answers, BatchKey};
use downbeat_workloads::catalog::Job;
use downbeat_workloads::generator::{Generator, GeneratorStats, GeneratorSummary};
use downbeat_workloads::load::LoadSettings;
use downbeat_workloads::oracle::{BatchRanges, WrongAnswer};
use downbeat_workloads::payload::Payload;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const MS: u64 = 1_000_000;

/// A time that is a multiple of every interval used here, far enough from 0 for windows to be primed before it.
pub(crate) const START_NS: u64 = 1_000_000 * MS;

/// Keeps all reports.
#[derive(Default)]
pub(crate) struct Reports(pub(crate) Mutex<Vec<BatchReport>>);

impl BatchListener for Reports {
    fn batch_completed(&self, report: &BatchReport) {
        self.0.lock().unwrap().push(report.clone());
    }
}

/// A context on a manual clock with a generator as its source.
pub(crate) struct Bench {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) context: StreamingContext,
    pub(crate) lines: DStream<Text>,
    pub(crate) stats: GeneratorStats,
    pub(crate) reports: Arc<Reports>,
}

impl Bench {
    /// `batches` counts primed and live ones.
    pub(crate) fn new(
        settings: Settings,
        payload: Payload,
        load: &LoadSettings,
        batches: u64,
        measured_from_batch: u64,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(START_NS));
        let schedule =
            load.schedule(batches * settings.interval_ns, payload.records_limit()).expect("the load is fine");
        let (generator, stats) = Generator::new(payload, Arc::new(schedule), measured_from_batch);
        let context = StreamingContext::with_clock(settings, clock.clone()).expect("the settings are fine");
        let lines = context.planned_stream("generator", generator);
        let reports = Arc::new(Reports::default());
        context.add_listener(reports.clone());
        Bench { clock, context, lines, stats, reports }
    }

    /// When the live part starts: the end of the interval in which the context was started.
    pub(crate) fn live_start_ns(&self) -> u64 {
        START_NS + self.context.settings().interval_ns
    }

    /// Waits until the last batch is done; a run that never ends is a failure, not a hang.
    pub(crate) fn wait_for_end(&self) -> Result<(), EngineError> {
        let ended = self.context.await_termination_or_timeout(Duration::from_secs(20))?;
        assert!(ended, "the generator has not finished: {:?}", self.stats.summary());
        Ok(())
    }

    pub(crate) fn reports(&self) -> Vec<BatchReport> {
        self.reports.0.lock().unwrap().clone()
    }
}

/// A whole run of a job; batches of the schedule beyond the primed ones are live.
pub(crate) struct Run {
    pub(crate) payload: Payload,
    pub(crate) answers: Arc<Answers>,
    pub(crate) ranges: Vec<BatchRanges>,
    pub(crate) summary: GeneratorSummary,
}

impl Run {
    pub(crate) fn check(&self, job: &dyn Job, load: &LoadSettings, interval_ns: u64) -> Vec<WrongAnswer> {
        job.oracle(load, interval_ns).expect("every job here has one").check(&self.payload, &self.ranges, &self.answers)
    }
}

pub(crate) fn run_job(
    job: &dyn Job,
    load: &LoadSettings,
    settings: &Settings,
    live_batches: u64,
) -> Result<Run, EngineError> {
    let interval_ns = settings.interval_ns;
    let payload = job.payload(load).expect("the load is fine");
    let primed = job.prime_batches(load, interval_ns);
    let bench = Bench::new(settings.clone(), payload.clone(), load, primed + live_batches, 0);
    let answers = Arc::new(Answers::new(true));
    job.build(&bench.lines, load, interval_ns, &answers)?;
    bench.context.prime(primed);
    bench.context.start()?;
    for batch in 0..=live_batches {
        bench.clock.advance_to(bench.live_start_ns() + batch * interval_ns);
    }
    bench.wait_for_end()?;
    bench.context.stop(Duration::from_secs(1))?;
    let ranges = bench.reports().into_iter().map(|report| BatchRanges {
        batch: BatchKey { primed: report.primed, index: report.index },
        ranges: report.ranges,
    });
    Ok(Run { payload, answers, ranges: ranges.collect(), summary: bench.stats.summary() })
}
