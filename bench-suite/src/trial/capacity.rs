//! The unpaced trial: a prepared backlog is drained in large and in small batches, to see what a batch and a record cost.

use super::drain::{Bench, Drained, Slices};
use super::places::Places;
use crate::failure::Failure;
use crate::load::Load;
use crate::plan::TrialSpec;
use crate::status::{Stage, Status};
use crate::turns::Turns;
use downbeat_engine::allocator;
use downbeat_reports::capacity::{CapacityRecord, SCHEMA};
use downbeat_workloads::catalog::Job;
use std::sync::Arc;
use std::time::Duration;

/// Large batches take this share of the interval,
const LARGE_SHARE: f64 = 0.8;

/// or this one where a window has to be filled with as many of them first.
const LARGE_SHARE_OF_WINDOWS: f64 = 0.2;

/// Small batches have this share of the records of large ones.
const SMALL: f64 = 0.125;

/// Where processes take turns, so many small batches are a turn, or one large one: about as long, and short beside the seconds in which
/// the speed of a shared host changes.
const SMALL_SLICE: u64 = 8;

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
/// The job cannot be built, or a batch failed or answered wrongly.
pub(super) fn measure(spec: &TrialSpec, job: &dyn Job, measure_ns: u64) -> Result<CapacityRecord, Failure> {
    let turns = spec.seat.as_deref().map(Turns::join).transpose()?.map(Arc::new);
    let pass = || turns.as_deref().map_or(Ok(()), Turns::pass);
    let gone = |error: std::io::Error| Failure::internal(format!("nobody gives turns any more: {error}"));
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
    let places = Arc::new(Places::new());
    // Batches that run side by side would go on in the turns of others.
    let slices = |batches| {
        let places = places.clone();
        (settings.engine.concurrent_jobs == 1).then(|| Slices { turns: turns.clone(), batches, places })
    };
    // Of its own turns, nanoseconds.
    let mut measured_ns = 0;
    // Few of them would be no median, and beside filling a window they cost little.
    let mut batches = if fill_batches > 0 { 5 * BATCHES_LEAST } else { BATCHES_LEAST };
    let pairs = if fill_batches > 0 { PAIRS_LEAST_OF_WINDOWS } else { PAIRS_LEAST };
    let mut first_small: Option<Drained> = None;
    while record.drains.len() < 2 * pairs || measured_ns < measure_ns {
        pass().map_err(gone)?;
        let warm_up = fill_batches + WARM_UP_BATCHES;
        let mut drain = |records: f64, slice: u64| -> Result<Drained, Failure> {
            let drained = bench.drain_in_turns(records, warm_up, batches, slices(slice))?;
            measured_ns += drained.drain.processing_ns.iter().sum::<u64>() / batches * (warm_up + batches);
            record.drains.push(drained.drain.clone());
            Ok(drained)
        };
        drain(large, 1)?;
        let drained = drain(small, SMALL_SLICE)?;
        first_small.get_or_insert(drained);
        // Short batches need more of them for a median.
        let first = &record.drains[0].processing_ns;
        let taken_ns: u64 = first.iter().sum::<u64>() / first.len().max(1) as u64;
        batches = (measure_ns / 4 / taken_ns.max(1)).clamp(BATCHES_LEAST, 200);
        if u128::from(measured_ns) >= bench.limit.as_nanos() {
            break;
        }
    }
    pass().map_err(gone)?;
    // The oracle has one thread only: it gets the drain with the fewest records, after all that is timed.
    first_small.map_or(Ok(()), |drained| drained.check(&bench))?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::{Mode, PROTOCOL};
    use crate::settings::TrialSettings;
    use crate::source::Source;
    use downbeat_reports::exit::Exit;
    use downbeat_workloads::answers::Answers;
    use downbeat_workloads::catalog::CATALOG;
    use std::sync::Arc;

    /// A bench of a job with batches of 20 ms and windows of five of them.
    fn bench(job: &'static dyn Job) -> Bench<'static> {
        let mut settings = TrialSettings::default();
        (settings.engine.interval_ns, settings.load.window_ns) = (20_000_000, 100_000_000);
        settings.load.ring_bytes = 1 << 20;
        let spec = TrialSpec {
            protocol: PROTOCOL,
            mode: Mode::Capacity { measure_ns: 1 },
            run: String::new(),
            command: String::new(),
            subject: String::new(),
            workload: job.name().to_owned(),
            settings: settings.values(),
            origins: std::collections::BTreeMap::new(),
            source: Source::Generator,
            batches: None,
            warmup_batches: 0,
            ceiling_per_s: None,
            time_limit_ns: 60_000_000_000,
            time_limit_is_given: false,
            answer: None,
            status: std::path::PathBuf::new(),
            samples: false,
            seat: None,
        };
        Bench { job, load: Load::for_drain(&spec, job).unwrap(), limit: Duration::from_secs(60) }
    }

    #[test]
    fn what_every_job_answers_in_a_drain_is_right_and_checked() {
        for job in CATALOG {
            let bench = bench(*job);
            let mut drained = bench.drain(300.0, 7, 3).unwrap();
            drained.check(&bench).unwrap_or_else(|failure| panic!("{}: {}", job.name(), failure.message));
            drained.answers = Arc::new(Answers::new(false));
            let is_checked = drained.check(&bench).is_err_and(|failure| failure.exit() == Exit::Broken);
            assert!(is_checked, "{}: a drain without answers passes", job.name());
        }
    }
}
