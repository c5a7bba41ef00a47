//! The unpaced trial: a prepared backlog is drained in large and in small batches, to see what a batch and a record cost.

use crate::failure::Failure;
use crate::load::Load;
use crate::plan::{NS_PER_S, TrialSpec};
use crate::status::{Stage, Status};
use downbeat_engine::StreamingContext;
use downbeat_engine::allocator;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_reports::capacity::{CapacityRecord, Drain, SCHEMA};
use downbeat_reports::stats::percentiles::median;
use downbeat_workloads::catalog::Job;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Large batches take this share of the interval,
const LARGE_SHARE: f64 = 0.8;

/// or this one where a window has to be filled with as many of them first.
const LARGE_SHARE_OF_WINDOWS: f64 = 0.25;

/// Small batches have this share of the records of large ones.
const SMALL: f64 = 0.125;

/// Batches of a drain that are not counted, beside those that fill windows.
const WARM_UP_BATCHES: u64 = 2;

/// Counted batches of a drain, at least.
const BATCHES_LEAST: u64 = 3;

/// Pairs of a large and a small drain, at least.
const PAIRS_LEAST: usize = 2;

/// The first size that is tried, records a batch.
const FIRST_RECORDS: f64 = 2_000.0;

/// Held records of a batch may take this share of the memory limit.
const MEMORY_SHARE: f64 = 0.125;

/// Measures what the setting of a spec can do at all, for about this long.
///
/// # Errors
/// The job cannot be built, or a batch failed.
pub(super) fn measure(spec: &TrialSpec, job: &dyn Job, measure_ns: u64) -> Result<CapacityRecord, Failure> {
    Status { stage: Stage::Draining, ..Status::default() }.write(&spec.status);
    let bench = Bench { job, load: Load::for_drain(spec, job)?, limit: Duration::from_nanos(spec.time_limit_ns) };
    let settings = &bench.load.settings;
    let fill_batches = job.prime_batches(&settings.load, settings.engine.interval_ns);
    let large = bench.large_size(fill_batches)?;
    let small = (large * SMALL).max(1.0);
    let mut record = CapacityRecord {
        schema: SCHEMA,
        workload: spec.workload.clone(),
        settings: settings.values(),
        interval_ns: settings.engine.interval_ns,
        threads: settings.engine.effective_threads() as u32,
        drains: Vec::new(),
        ceiling_per_s: bench.load.ceiling_per_s(),
        allocator: allocator::kind().to_owned(),
    };
    let begin = Instant::now();
    let mut batches = BATCHES_LEAST;
    while record.drains.len() < 2 * PAIRS_LEAST || begin.elapsed().as_nanos() < u128::from(measure_ns) {
        record.drains.push(bench.drain(large, fill_batches + WARM_UP_BATCHES, batches)?);
        record.drains.push(bench.drain(small, fill_batches + WARM_UP_BATCHES, batches)?);
        // Short batches need more of them for a median.
        let taken_ns: u64 = record.drains[0].processing_ns.iter().sum::<u64>() / BATCHES_LEAST;
        batches = (measure_ns / 4 / taken_ns.max(1)).clamp(BATCHES_LEAST, 200);
        if begin.elapsed() >= bench.limit {
            break;
        }
    }
    Ok(record)
}

struct Bench<'a> {
    job: &'a dyn Job,
    load: Load,
    limit: Duration,
}

impl Bench<'_> {
    /// Records of a batch that takes its share of the interval, found with ever larger ones.
    fn large_size(&self, fill_batches: u64) -> Result<f64, Failure> {
        let engine = &self.load.settings.engine;
        let share = if fill_batches > 0 { LARGE_SHARE_OF_WINDOWS } else { LARGE_SHARE };
        let wanted_ns = share * engine.interval_ns as f64;
        let most = (MEMORY_SHARE * engine.memory_limit_bytes as f64 / self.load.bytes_per_record()).max(1.0);
        let mut records = FIRST_RECORDS.min(most);
        loop {
            let drain = self.drain(records, 1, 2)?;
            let taken_ns = drain.processing_ns.iter().copied().min().unwrap_or(1).max(1) as f64;
            let wanted = records * wanted_ns / taken_ns;
            // Far from the goal the fixed cost misleads, so it is approached in steps.
            if wanted <= 3.0 * records || records >= most {
                return Ok(wanted.clamp(1.0, most));
            }
            records = wanted.min(8.0 * records).min(most);
        }
    }

    /// Runs batches of one size back to back, and tells of the last `batches` of them.
    fn drain(&self, records: f64, warm_up: u64, batches: u64) -> Result<Drain, Failure> {
        let all = warm_up + batches;
        let records = records.round().max(1.0) as u64;
        let load = self.load.of_batches(records, all);
        let context = StreamingContext::new(load.settings.engine.clone())?;
        let built = load.build(&context, self.job)?;
        context.prime(all);
        let tally = Arc::new(Tally::new(records, warm_up, all));
        context.add_listener(tally.clone());
        context.start()?;
        let ended = tally.wait(self.limit);
        context.stop(Duration::ZERO)?;
        drop(built);
        if !ended {
            let limit_s = self.limit.as_nanos() / u128::from(NS_PER_S);
            let message = format!("draining {all} batches of {records} records took longer than {limit_s} s");
            return Err(Failure::internal(message));
        }
        tally.into_drain()
    }
}

/// What the batches of a drain told.
#[derive(Default)]
struct Told {
    drain: Drain,
    skews: Vec<f64>,
    done: u64,
    failure: Option<String>,
}

/// Listens to a drain.
struct Tally {
    warm_up: u64,
    batches: u64,
    told: Mutex<Told>,
    changed: Condvar,
}

impl Tally {
    fn new(records_per_batch: u64, warm_up: u64, batches: u64) -> Self {
        let drain = Drain { records_per_batch, allocations: Some(0), allocated_bytes: Some(0), ..Drain::default() };
        Tally { warm_up, batches, told: Mutex::new(Told { drain, ..Told::default() }), changed: Condvar::new() }
    }

    /// Waits until all batches are done or one failed. False when that took too long.
    fn wait(&self, limit: Duration) -> bool {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let is_open = |told: &mut Told| told.done < self.batches && told.failure.is_none();
        let waited = self.changed.wait_timeout_while(told, limit, is_open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn into_drain(self: Arc<Self>) -> Result<Drain, Failure> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = told.failure.take() {
            return Err(Failure::new(downbeat_reports::exit::Exit::Broken, failure));
        }
        let mut drain = std::mem::take(&mut told.drain);
        drain.skew = median(&told.skews);
        Ok(drain)
    }
}

impl BatchListener for Tally {
    fn batch_completed(&self, report: &BatchReport) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = &report.failure {
            told.failure.get_or_insert(failure.to_string());
        }
        if report.primed {
            told.done += 1;
        }
        if report.primed && report.index >= self.warm_up {
            let drain = &mut told.drain;
            drain.processing_ns.push(report.done_ns.saturating_sub(report.started_ns));
            for (stage, ns) in &report.busy {
                *drain.busy_ns.entry(stage.name().to_owned()).or_insert(0) += ns;
            }
            drain.idle_ns += report.idle_ns;
            drain.allocations = drain.allocations.zip(report.allocations).map(|(all, some)| all + some);
            drain.allocated_bytes = drain.allocated_bytes.zip(report.allocated_bytes).map(|(all, some)| all + some);
            told.skews.extend(report.skew);
        }
        drop(told);
        self.changed.notify_all();
    }
}
