//! The unpaced trial: a prepared backlog is drained in large and in small batches, to see what a batch and a record cost.

use super::drain::Bench;
use crate::failure::Failure;
use crate::load::Load;
use crate::plan::TrialSpec;
use crate::status::{Stage, Status};
use downbeat_engine::allocator;
use downbeat_reports::capacity::{CapacityRecord, SCHEMA};
use downbeat_workloads::catalog::Job;
use std::time::{Duration, Instant};

/// Large batches take this share of the interval,
const LARGE_SHARE: f64 = 0.8;

/// or this one where a window has to be filled with as many of them first.
const LARGE_SHARE_OF_WINDOWS: f64 = 0.2;

/// Small batches have this share of the records of large ones.
const SMALL: f64 = 0.125;

/// Batches of a drain that are not counted, beside those that fill windows.
const WARM_UP_BATCHES: u64 = 2;

/// Counted batches of a drain, at least.
const BATCHES_LEAST: u64 = 3;

/// Pairs of a large and a small drain, at least; a window is filled anew for each.
const PAIRS_LEAST: usize = 2;
const PAIRS_LEAST_OF_WINDOWS: usize = 1;

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
        ceiling_per_s: spec.ceiling_per_s.map(|per_s| per_s as f64).or_else(|| bench.load.ceiling_per_s()),
        allocator: allocator::kind().to_owned(),
    };
    let begin = Instant::now();
    // Few of them would be no median, and beside filling a window they cost little.
    let mut batches = if fill_batches > 0 { 3 * BATCHES_LEAST } else { BATCHES_LEAST };
    let pairs = if fill_batches > 0 { PAIRS_LEAST_OF_WINDOWS } else { PAIRS_LEAST };
    while record.drains.len() < 2 * pairs || begin.elapsed().as_nanos() < u128::from(measure_ns) {
        record.drains.push(bench.drain(large, fill_batches + WARM_UP_BATCHES, batches)?.drain);
        record.drains.push(bench.drain(small, fill_batches + WARM_UP_BATCHES, batches)?.drain);
        // Short batches need more of them for a median.
        let first = &record.drains[0].processing_ns;
        let taken_ns: u64 = first.iter().sum::<u64>() / first.len().max(1) as u64;
        batches = (measure_ns / 4 / taken_ns.max(1)).clamp(BATCHES_LEAST, 200);
        if begin.elapsed() >= bench.limit {
            break;
        }
    }
    Ok(record)
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
            let drain = self.drain(records, 1, 2)?.drain;
            let taken_ns = drain.processing_ns.iter().copied().min().unwrap_or(1).max(1) as f64;
            let wanted = records * wanted_ns / taken_ns;
            // Far from the goal the fixed cost misleads, so it is approached in steps.
            if wanted <= 3.0 * records || records >= most {
                return Ok(wanted.clamp(1.0, most));
            }
            records = wanted.min(8.0 * records).min(most);
        }
    }
}
