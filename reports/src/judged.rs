//! The judged batches of a record, and plain figures of them that verdict and reports share.

use crate::record::{BatchRecord, TrialRecord};

/// Judged are batches after the warm-up that had a job and did not fail.
pub fn is_judged(batch: &BatchRecord) -> bool {
    !batch.warmup && batch.has_job && batch.failure.is_none()
}

/// The judged batches, in the order of their labels.
pub fn batches(record: &TrialRecord) -> impl Iterator<Item = &BatchRecord> {
    record.batches.iter().filter(|batch| is_judged(batch))
}

/// Done after the next batch was due.
pub fn is_late(record: &TrialRecord, batch: &BatchRecord) -> bool {
    batch.total_delay_ns > record.judging.interval_ns
}

/// What became of a batch, in a word or two.
pub fn state(record: &TrialRecord, batch: &BatchRecord) -> &'static str {
    match batch {
        batch if batch.failure.is_some() => "failed",
        batch if batch.wrong.is_some() => "wrong",
        batch if batch.warmup => "warm-up",
        batch if !batch.has_job => "no job",
        batch if is_late(record, batch) => "late",
        _ => "in time",
    }
}

/// Whether it failed or its answer was wrong.
pub fn is_troubled(batch: &BatchRecord) -> bool {
    batch.failure.is_some() || batch.wrong.is_some()
}

/// The late judged batches, the longest delay first, then the smaller index.
pub fn late_worst_first(record: &TrialRecord) -> Vec<&BatchRecord> {
    let mut late: Vec<&BatchRecord> = batches(record).filter(|batch| is_late(record, batch)).collect();
    late.sort_by_key(|batch| (std::cmp::Reverse(batch.total_delay_ns), batch.index));
    late
}

/// Records per second: as planned, else as committed in the batches after the warm-up. `None` when neither is known.
pub fn rate_per_s(record: &TrialRecord) -> Option<f64> {
    if let Some(planned) = record.schedule.rate_per_s {
        return Some(planned);
    }
    let measured = record.batches.iter().filter(|batch| !batch.warmup);
    let (count, records) =
        measured.fold((0_u64, 0_u64), |(count, records), batch| (count + 1, records.saturating_add(batch.records)));
    let time_s = count as f64 * record.judging.interval_ns as f64 / 1e9;
    (time_s > 0.0).then(|| records as f64 / time_s)
}

/// Processing time / interval of the median batch, which the report can show. `None` without judged batches.
pub fn median_utilisation(record: &TrialRecord) -> Option<f64> {
    let interval_ns = record.judging.interval_ns as f64;
    let median = median_batch(record).filter(|_| interval_ns > 0.0)?;
    Some(median.processing_ns as f64 / interval_ns)
}

/// The judged batch whose processing time is in the middle (the lower of two, then the smaller index).
pub fn median_batch(record: &TrialRecord) -> Option<&BatchRecord> {
    let mut ascending: Vec<&BatchRecord> = batches(record).collect();
    ascending.sort_by_key(|batch| (batch.processing_ns, batch.index));
    ascending.get(ascending.len().saturating_sub(1) / 2).copied()
}

/// Total time per name over the given batches: `wait` (generation + scheduling delay) first, then each phase in the order in which it
/// first appears. Nanoseconds.
pub fn time_by_phase<'a>(batches: impl IntoIterator<Item = &'a BatchRecord>) -> Vec<(&'a str, u64)> {
    let mut times = vec![(WAIT, 0_u64)];
    for batch in batches {
        let wait_ns = batch.generation_delay_ns.saturating_add(batch.scheduling_delay_ns);
        times[0].1 = times[0].1.saturating_add(wait_ns);
        for phase in &batch.phases {
            match times.iter_mut().skip(1).find(|(name, _)| *name == phase.name) {
                Some((_, ns)) => *ns = ns.saturating_add(phase.ns),
                None => times.push((&phase.name, phase.ns)),
            }
        }
    }
    // A stage that the first batches did not need still comes where it is executed. Another subject's names keep their order.
    let place = |name: &str| STAGES.iter().position(|stage| *stage == name);
    if times[1..].iter().all(|(name, _)| place(name).is_some()) {
        times[1..].sort_by_key(|(name, _)| place(name));
    }
    times
}

/// The engine's closed list of stages, in order of execution.
const STAGES: [&str; 9] = ["map", "combine", "exchange", "reduce", "group", "window", "state", "output", "commit"];

/// The name under which the time before the start of a batch is shown beside its phases.
pub const WAIT: &str = "wait";

/// The phase that takes the largest share of the processing time of the judged batches, with that share.
pub fn limiting_phase(record: &TrialRecord) -> Option<(&str, f64)> {
    let times = time_by_phase(batches(record));
    let processing: f64 = times.iter().skip(1).map(|(_, ns)| *ns as f64).sum();
    let (name, ns) = times.into_iter().skip(1).max_by_key(|(_, ns)| *ns).filter(|(_, ns)| *ns > 0)?;
    Some((name, ns as f64 / processing))
}
