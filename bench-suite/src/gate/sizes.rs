//! How large the batches are: found once with the base, then the same for both arms.

use super::process::{Processes, Task, ends_the_gate};
use crate::failure::Failure;
use crate::gate::measured::BlocksRecord;
use crate::plan::{Blocks, Mode, NS_PER_S, SLICE_BATCHES};
use crate::subject::embedded::Program;
use downbeat_reports::capacity::CapacityRecord;
use downbeat_reports::exit::Exit;
use downbeat_reports::stats::percentiles::median;
use std::collections::BTreeMap;
use std::time::Instant;

/// A small batch takes about this long with the base,
const SMALL_NS: f64 = 1e6;

/// and a large one this long.
const LARGE_NS: f64 = 20e6;

/// Small batches for one large one.
const BATCHES_PER_LARGE: u64 = 25;

/// Large batches, at least: one of them may be hit by anything.
const LARGE_BATCHES_LEAST: u64 = 3;

/// How long a backlog is drained to find the sizes.
const DRAIN_NS: u64 = NS_PER_S / 3;

/// A process needs this long to start and to make its lines, before it is known better.
const START_NS: u64 = 3 * NS_PER_S / 10;

/// A process that takes so many times as long as it should hangs.
const PATIENCE: u64 = 20;
const PATIENCE_NS: u64 = 5 * NS_PER_S;

/// Batches that take so many times as long as they should, or so much less, have the wrong size.
const OFF: f64 = 1.4;

/// Sizes are mended so many times at most.
const MENDED_MOST: usize = 4;

/// Batches of a trial of the trial.
const PROBE_BATCHES: u64 = 20;
const PROBE_LARGE_BATCHES: u64 = 2;

/// What each process of a workload runs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sized {
    /// How much.
    pub(super) blocks: Blocks,
    /// How long one takes, nanoseconds.
    pub(super) process_ns: u64,
}

/// Why a workload cannot be measured with the base.
pub(super) enum Refusal {
    /// The gate cannot go on.
    Gate(Failure),
    /// This workload is left out, and why.
    Workload(String),
}

/// Large batches that go with this many small ones.
fn large_batches(batches: u64) -> u64 {
    (batches / BATCHES_PER_LARGE).max(LARGE_BATCHES_LEAST)
}

/// How long a process of a gate takes, before anything was measured, nanoseconds.
pub(super) fn planned_process_ns(batches: u64) -> u64 {
    let small = batches + batches.div_ceil(SLICE_BATCHES);
    START_NS + small * SMALL_NS as u64 + large_batches(batches) * LARGE_NS as u64
}

/// When a process that should take so long hangs, nanoseconds.
pub(super) fn limit_ns(process_ns: u64) -> u64 {
    process_ns.saturating_mul(PATIENCE).saturating_add(PATIENCE_NS)
}

/// Finds the sizes, and tries with both arms what the blocks will run.
pub(super) fn find(
    processes: &mut Processes,
    (base, head): (&Program, &Program),
    workload: &str,
    settings: &BTreeMap<String, String>,
    batches: u64,
) -> Result<Sized, Refusal> {
    let limit_ns = limit_ns(planned_process_ns(batches));
    let task = |mode| Task { workload, settings: settings.clone(), mode, limit_ns };
    let of_base = |failure: Failure| match failure.exit() {
        // What the settings forbid is forbidden for the whole gate.
        Exit::Usage => Refusal::Gate(failure),
        _ if ends_the_gate(&failure) => Refusal::Gate(failure),
        _ => Refusal::Workload(format!("the base fails: {}", failure.message)),
    };
    let drained: CapacityRecord =
        processes.run(base, &task(Mode::Capacity { measure_ns: DRAIN_NS })).map_err(of_base)?;
    let (batch_records, large_records) =
        records(&drained).ok_or_else(|| Refusal::Workload("the base told nothing about its batches".to_owned()))?;
    let mut blocks = Blocks { batch_records, batches, large_records, large_batches: large_batches(batches) };
    let mut mended_times = 0;
    let (probe, first, wall_ns) = loop {
        let probe = Blocks {
            batches: batches.min(PROBE_BATCHES),
            large_batches: blocks.large_batches.min(PROBE_LARGE_BATCHES),
            ..blocks
        };
        let begun = Instant::now();
        let probed: BlocksRecord = processes.run(base, &task(Mode::Blocks(probe))).map_err(of_base)?;
        let wall_ns = begun.elapsed().as_nanos() as u64;
        let mended = mended(&blocks, &probed);
        if mended == blocks || mended_times == MENDED_MOST {
            break (probe, probed, wall_ns);
        }
        (blocks, mended_times) = (mended, mended_times + 1);
    };
    let second: BlocksRecord = processes.run(base, &task(Mode::Blocks(probe))).map_err(of_base)?;
    if first.answer_hash != second.answer_hash {
        let why = "two runs of the base over the same lines answer differently, so answers cannot be compared";
        return Err(Refusal::Workload(why.to_owned()));
    }
    // A head that fails is measured all the same: its failures are the evidence. One that speaks another protocol is not.
    match processes.run::<BlocksRecord>(head, &task(Mode::Blocks(probe))) {
        Err(failure) if ends_the_gate(&failure) => return Err(Refusal::Gate(failure)),
        _ => {}
    }
    Ok(Sized { blocks, process_ns: process_ns(&blocks, &probe, &first, wall_ns) })
}

/// Records of a small and of a large batch, by the cost model of a drain; where that is not one, in proportion.
fn records(drained: &CapacityRecord) -> Option<(u64, u64)> {
    let of = |wanted_ns: f64| -> Option<u64> {
        let records = match drained.model() {
            Some(model) => (wanted_ns - model.fixed_ns) / model.per_record_ns,
            None => {
                let large = drained.drains.first()?;
                let taken_ns = median(&large.processing_ns.iter().map(|ns| *ns as f64).collect::<Vec<_>>())?;
                large.records_per_batch as f64 * wanted_ns / taken_ns.max(1.0)
            }
        };
        Some((records.round() as u64).max(1))
    };
    let small = of(SMALL_NS)?;
    Some((small, of(LARGE_NS)?.max(small)))
}

/// The sizes after a probe of them: in proportion where batches took far too long or far too short.
fn mended(blocks: &Blocks, probed: &BlocksRecord) -> Blocks {
    let of = |records: u64, times: &[u64], wanted_ns: f64| {
        let taken_ns = median(&times.iter().map(|ns| *ns as f64).collect::<Vec<_>>()).unwrap_or(wanted_ns).max(1.0);
        let factor = wanted_ns / taken_ns;
        match (1.0 / OFF..=OFF).contains(&factor) {
            true => records,
            false => ((records as f64 * factor).round() as u64).max(1),
        }
    };
    let batch_records = of(blocks.batch_records, &probed.processing_ns, SMALL_NS);
    let large_records = of(blocks.large_records, &probed.large_processing_ns, LARGE_NS).max(batch_records);
    Blocks { batch_records, large_records, ..*blocks }
}

/// A whole process takes what the probe took, and the batches that it did not run.
fn process_ns(blocks: &Blocks, probe: &Blocks, probed: &BlocksRecord, wall_ns: u64) -> u64 {
    let mean = |times: &[u64]| times.iter().sum::<u64>() / times.len().max(1) as u64;
    let small_ns = (blocks.batches - probe.batches) * mean(&probed.processing_ns);
    let large_ns = (blocks.large_batches - probe.large_batches) * mean(&probed.large_processing_ns);
    // Those that warm up come on top.
    wall_ns + (small_ns + large_ns) * 11 / 10
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::capacity::Drain;

    fn drained(small: (u64, u64), large: (u64, u64)) -> CapacityRecord {
        let drain =
            |(records_per_batch, ns)| Drain { records_per_batch, processing_ns: vec![ns; 3], ..Drain::default() };
        CapacityRecord { drains: vec![drain(large), drain(small)], ..CapacityRecord::default() }
    }

    #[test]
    fn sizes_are_those_of_about_1_and_20_ms() {
        // F = 0.5 ms, c = 1 µs.
        let record = drained((10_000, 10_500_000), (80_000, 80_500_000));
        assert_eq!(records(&record), Some((500, 19_500)));
        // Even an empty batch takes longer than 1 ms.
        let record = drained((10, 5_100_000), (100, 6_000_000));
        assert_eq!(records(&record), Some((1, 1_500)));
        // Larger batches took no longer: what one takes decides.
        let record = drained((10, 100_000), (80, 60_000));
        assert_eq!(records(&record), Some((1_333, 26_667)));
        assert_eq!(records(&CapacityRecord::default()), None);
    }

    #[test]
    fn sizes_are_mended_where_batches_take_something_else() {
        let blocks = Blocks { batch_records: 1, batches: 9, large_records: 1_000, large_batches: 2 };
        let probed = |small_ns, large_ns| BlocksRecord {
            processing_ns: vec![small_ns; 3],
            large_processing_ns: vec![large_ns; 2],
            ..BlocksRecord::default()
        };
        let sizes = |small_ns, large_ns| {
            let mended = mended(&blocks, &probed(small_ns, large_ns));
            (mended.batch_records, mended.large_records)
        };
        assert_eq!(sizes(750_000, 25_000_000), (1, 1_000), "near enough");
        assert_eq!(sizes(2_000, 60_000_000), (500, 500), "a small batch is never the larger one");
        assert_eq!(sizes(9_000_000, 3_000_000), (1, 6_667), "no batch is empty");
        assert_eq!(mended(&blocks, &BlocksRecord::default()), blocks);
    }

    #[test]
    fn a_process_takes_what_its_probe_took_and_the_rest() {
        let blocks = Blocks { batch_records: 1, batches: 120, large_records: 9, large_batches: 4 };
        let probe = Blocks { batches: 20, large_batches: 2, ..blocks };
        let probed = BlocksRecord {
            processing_ns: vec![1_000; 20],
            large_processing_ns: vec![50_000; 2],
            ..BlocksRecord::default()
        };
        assert_eq!(process_ns(&blocks, &probe, &probed, 7), 7 + 220_000);
    }
}
