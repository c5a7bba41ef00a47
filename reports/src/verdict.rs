//! The verdict on a trial: one of five words, a reason from a closed list, and the numbers behind it.

mod because;
mod evidence;
mod wording;

#[cfg(test)]
mod tests;

pub use because::{Because, Word};

use crate::judged;
use crate::record::TrialRecord;
use crate::stats::theil_sen::Slope;
use evidence::Evidence;

/// The limits that a trial is judged by. All but `late_share` are fixed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Accepted share of late batches, from the record.
    pub late_share: f64,
    /// Accepted growth of the total delay, share of the interval per batch.
    pub slope: f64,
    /// Accepted median of processing time / interval.
    pub utilisation: f64,
    /// Accepted share of the judged time for which the engine blocked the sender.
    pub blocked: f64,
    /// Accepted share of records handed over late by the generator.
    pub generator_late: f64,
    /// Judged batches that HOLDS needs at least.
    pub judged_batches: u64,
    /// Below this median utilisation, noise of the host may excuse late batches.
    pub noise_utilisation: f64,
}

impl Limits {
    /// The limits for this record.
    pub fn of(record: &TrialRecord) -> Self {
        Self { late_share: record.judging.late_limit, ..Self::fixed() }
    }

    /// The limits, with the default for the share of late batches.
    pub fn fixed() -> Self {
        Self {
            late_share: 0.01,
            slope: 0.005,
            utilisation: 1.0,
            blocked: 0.01,
            generator_late: 0.01,
            judged_batches: 20,
            noise_utilisation: 0.9,
        }
    }
}

/// Confidence of every one-sided bound.
pub const CONFIDENCE: f64 = 0.95;

/// What a trial showed.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// One of the five words.
    pub word: Word,
    /// The rule that decided.
    pub because: Because,
    /// Batches that were judged, those never done among them.
    pub judged: u64,
    /// Late ones among them.
    pub late: u64,
    /// late / judged. `None` without judged batches.
    pub late_share: Option<f64>,
    /// With 95 % confidence the true late share is at least this (Clopper–Pearson).
    pub late_share_at_least: Option<f64>,
    /// With 95 % confidence the true late share is at most this: larger shares are excluded by the number of batches.
    pub late_share_excluded: Option<f64>,
    /// Median of processing time / interval.
    pub utilisation: Option<f64>,
    /// 1 − utilisation.
    pub headroom: Option<f64>,
    /// Growth of the total delay, nanoseconds per batch, with its 95 % interval. `None` below 20 judged batches.
    pub slope_ns_per_batch: Option<Slope>,
    /// Share of the judged time for which the engine blocked the sender.
    pub blocked_share: f64,
    /// What it was judged by.
    pub limits: Limits,
    /// One or two sentences, without the word; inert for terminals.
    pub text: String,
    /// What to do next; inert for terminals.
    pub next: Option<String>,
}

/// Judges a trial. The first rule that applies decides, in the order BROKEN, INVALID, FALLS BEHIND, HOLDS, NOT JUDGED.
pub fn judge(record: &TrialRecord) -> Verdict {
    let limits = Limits::of(record);
    let evidence = Evidence::gather(record);
    let because = broken(record)
        .or_else(|| invalid(&evidence, &limits))
        .or_else(|| falls_behind(record, &evidence, &limits))
        .unwrap_or_else(|| holds(record, &evidence, &limits));
    let mut verdict = Verdict {
        word: because.word(),
        because,
        judged: evidence.judged,
        late: evidence.late,
        late_share: evidence.late_share(),
        late_share_at_least: evidence.late_share_at_least(),
        late_share_excluded: evidence.late_share_at_most(),
        utilisation: evidence.utilisation,
        headroom: evidence.utilisation.map(|utilisation| 1.0 - utilisation),
        slope_ns_per_batch: evidence.slope_ns_per_batch,
        blocked_share: evidence.blocked_share,
        limits,
        text: String::new(),
        next: None,
    };
    verdict.text = wording::text(record, &verdict, &evidence);
    verdict.next = wording::next(record, &verdict);
    verdict
}

/// Wrong, lost or doubled output, or a failed batch, in the warm-up too.
fn broken(record: &TrialRecord) -> Option<Because> {
    let integrity = &record.integrity;
    let rules = [
        (record.batches.iter().any(|batch| batch.failure.is_some()), Because::BatchFailed),
        (integrity.wrong_batches > 0 || record.batches.iter().any(|batch| batch.wrong.is_some()), Because::WrongOutput),
        (integrity.lost > 0, Because::RecordsLost),
        (integrity.doubled > 0, Because::RecordsDoubled),
        (!integrity.sequence_errors.is_empty(), Because::SequenceBroken),
        (record.failure.is_some(), Because::TrialFailed),
    ];
    first(rules)
}

/// The clock or the generator spoiled the measurement.
fn invalid(evidence: &Evidence, limits: &Limits) -> Option<Because> {
    first([
        (evidence.clock_jumped, Because::ClockJumped),
        (evidence.generator_late_share > limits.generator_late, Because::GeneratorLate),
    ])
}

/// The load is more than this setting can take.
fn falls_behind(record: &TrialRecord, evidence: &Evidence, limits: &Limits) -> Option<Because> {
    let late_too_often = evidence.late_share_at_least().is_some_and(|share| share > limits.late_share);
    let delay_grows = evidence.relative_slope().is_some_and(|slope| slope.low > limits.slope);
    let excused = late_too_often && evidence.host_excuses(record, limits);
    first([
        (record.integrity.shed > 0, Because::RecordsShed),
        (evidence.blocked_share > limits.blocked, Because::SenderBlocked),
        (evidence.utilisation.is_some_and(|utilisation| utilisation > limits.utilisation), Because::Utilisation),
        (late_too_often && !excused, Because::LateShare),
        (delay_grows, Because::DelayGrows),
        (excused, Because::HostNoise),
    ])
}

/// Enough batches in time and no growth, or the first thing that is missing for that.
fn holds(record: &TrialRecord, evidence: &Evidence, limits: &Limits) -> Because {
    let too_many_late = evidence.late_share().is_none_or(|share| share > limits.late_share);
    let may_grow = evidence.relative_slope().is_none_or(|slope| slope.high > limits.slope);
    first([
        (evidence.judged < limits.judged_batches, Because::TooFewBatches),
        (too_little_came(record, evidence), Because::NothingCame),
        (too_many_late, Because::LateShareUnclear),
        (may_grow, Because::GrowthUnclear),
    ])
    .unwrap_or(Because::WithinLimits)
}

/// Nothing at all, or nothing in most batches of a sender whose pace nobody planned: it went away.
fn too_little_came(record: &TrialRecord, evidence: &Evidence) -> bool {
    let empty = empty_batches(record);
    let is_planned = record.schedule.rate_per_s.is_some();
    empty == evidence.judged || (!is_planned && empty > evidence.judged / 2)
}

/// Judged batches without a record.
fn empty_batches(record: &TrialRecord) -> u64 {
    judged::batches(record).filter(|batch| batch.records == 0).count() as u64
}

fn first<const N: usize>(rules: [(bool, Because); N]) -> Option<Because> {
    rules.into_iter().find_map(|(applies, because)| applies.then_some(because))
}

/// The number of the first batch that shows why the trial is BROKEN, when one does.
pub fn broken_batch(record: &TrialRecord) -> Option<u64> {
    record.batches.iter().find(|batch| judged::is_troubled(batch)).map(|batch| batch.index)
}
