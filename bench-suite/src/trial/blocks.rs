//! The trial of a gate's arm: batches of two fixed sizes, drained unpaced, and a hash of what they answered; or a few batches to
//! be counted.

use super::drain::{Bench, Drained, Slices};
use super::places::Places;
use super::sampler::Sampler;
use crate::failure::Failure;
use crate::gate::measured::{BlocksRecord, CountsRecord};
use crate::load::Load;
use crate::plan::{Blocks, SLICE_BATCHES, TrialSpec};
use crate::status::{Stage, Status};
use crate::turns::Turns;
use downbeat_reports::exit::Exit;
use downbeat_workloads::answers::{Answers, BatchKey};
use downbeat_workloads::catalog::Job;
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::Xxh3;

/// Small batches that warm up, beside those that fill windows.
const WARM_UP_BATCHES: u64 = 50;

/// Large batches that warm up, beside those that fill windows: what is left to warm is memory, and the first few take half as long again.
const LARGE_WARM_UP_BATCHES: u64 = 5;

/// A quarter as many as are measured are enough, where that is less.
const WARM_UP_SHARE: u64 = 4;

/// Runs the small batches, then the large ones.
///
/// # Errors
/// The job cannot be built, a batch failed, or it took longer than the spec allows.
pub(super) fn measure(spec: &TrialSpec, job: &dyn Job, blocks: &Blocks) -> Result<BlocksRecord, Failure> {
    let turns = spec.seat.as_deref().map(Turns::join).transpose()?.map(Arc::new);
    let bench = bench(spec, job)?;
    let fill_batches = fill_batches(&bench);
    let sampler = sampler(&bench.load)?;
    let places = Arc::new(Places::new());
    let mut hash = Xxh3::new();
    let mut drain = |records: u64, warm_up: u64, batches: u64, slice: u64| -> Result<Vec<u64>, Failure> {
        let warm_up = fill_batches + warm_up.min(batches.div_ceil(WARM_UP_SHARE));
        let slices = Slices { turns: turns.clone(), batches: slice, places: places.clone() };
        let drained = bench.drain_in_turns(records as f64, warm_up, batches, Some(slices))?;
        add_answers(&mut hash, &drained)?;
        Ok(drained.drain.processing_ns)
    };
    let slice = 1 + SLICE_BATCHES;
    let with_first_ones = blocks.batches + blocks.batches.div_ceil(SLICE_BATCHES);
    let processing_ns = drain(blocks.batch_records, WARM_UP_BATCHES, with_first_ones, slice)?;
    let processing_ns = processing_ns.chunks(slice as usize).flat_map(|slice| &slice[1..]).copied().collect();
    // What others left in the caches is little beside a large batch.
    let large_processing_ns = drain(blocks.large_records, LARGE_WARM_UP_BATCHES, blocks.large_batches, 1)?;
    sampler.map_or(Ok(()), |sampler| sampler.stop().map(drop).map_err(Failure::internal))?;
    Ok(BlocksRecord {
        workload: spec.workload.clone(),
        batch_records: blocks.batch_records,
        processing_ns,
        large_records: blocks.large_records,
        large_processing_ns,
        answer_hash: format!("{:032x}", hash.digest128()),
        code_moves: places.moves(),
    })
}

/// Runs so many batches, those that fill windows included, and counts.
///
/// # Errors
/// As [`measure`].
pub(super) fn count(
    spec: &TrialSpec,
    job: &dyn Job,
    batch_records: u64,
    batches: u64,
) -> Result<CountsRecord, Failure> {
    let bench = bench(spec, job)?;
    let drained = bench.drain(batch_records as f64, fill_batches(&bench), batches)?;
    Ok(CountsRecord {
        workload: spec.workload.clone(),
        batches,
        batch_records,
        allocations: drained.allocated.map(|(allocations, _)| allocations),
        allocated_bytes: drained.allocated.map(|(_, bytes)| bytes),
    })
}

fn bench<'j>(spec: &TrialSpec, job: &'j dyn Job) -> Result<Bench<'j>, Failure> {
    Status { stage: Stage::Draining, ..Status::default() }.write(&spec.status);
    Ok(Bench { job, load: Load::for_drain(spec, job)?, limit: Duration::from_nanos(spec.time_limit_ns) })
}

/// Samples that nobody reads: an arm that takes them has their cost in its figures.
fn sampler(load: &Load) -> Result<Option<Sampler>, Failure> {
    let run = &load.settings.run;
    run.trial_samples.then(|| Sampler::start(run.profile_hz).map_err(Failure::environment)).transpose()
}

fn fill_batches(bench: &Bench<'_>) -> u64 {
    let settings = &bench.load.settings;
    bench.job.prime_batches(&settings.load, settings.engine.interval_ns)
}

/// Every batch has an answer, and each only one: what is missing or doubled is a wrong answer.
fn add_answers(hash: &mut Xxh3, drained: &Drained) -> Result<(), Failure> {
    let answers: &Answers = &drained.answers;
    if let Some(batch) = answers.repeated().first() {
        return Err(Failure::new(Exit::Broken, format!("{batch} was answered twice")));
    }
    for index in 0..drained.batches {
        // A window that slides by several batches answers some of them only; the same ones in both arms.
        let answer = answers.of_batch(BatchKey { primed: true, index });
        hash.update(format!("{index} {answer:?}\n").as_bytes());
    }
    Ok(())
}
