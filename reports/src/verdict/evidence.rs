//! The numbers that the rules of the verdict compare with their limits.

use super::{CONFIDENCE, Limits};
use crate::judged;
use crate::record::{BatchRecord, TrialRecord};
use crate::stats::clopper_pearson::{lower_bound, upper_bound};
use crate::stats::theil_sen::{Slope, slope_with_interval};

/// Seed of the block bootstrap: fixed, so that a stored record is judged alike for ever.
const BOOTSTRAP_SEED: u64 = 0x646f_776e_6265_6174;

/// A clock that moves by less than this, and by less than [`CLOCK_DRIFT`] of the trial's length, was not set but slewed.
const CLOCK_JUMP_NS: f64 = 10e6;

/// Twice the 500 ppm at which a Linux clock is slewed at most (adjtimex(2)).
const CLOCK_DRIFT: f64 = 0.001;

/// What the rules look at.
#[derive(Clone, Debug)]
pub(super) struct Evidence {
    pub(super) judged: u64,
    pub(super) late: u64,
    pub(super) interval_ns: f64,
    pub(super) utilisation: Option<f64>,
    pub(super) slope_ns_per_batch: Option<Slope>,
    pub(super) blocked_share: f64,
    pub(super) generator_late_share: f64,
    pub(super) generator_late_records: u64,
    pub(super) clock_jumped: bool,
}

impl Evidence {
    pub(super) fn gather(record: &TrialRecord) -> Self {
        let measured = judged::batches(record).count() as u64;
        let late = judged::batches(record).filter(|batch| judged::is_late(record, batch)).count() as u64;
        let never_done = batches_never_done(record);
        let blocked_share = blocked_share(record);
        let (generator_late_records, generator_late_share) = generator_late(record, blocked_share);
        Self {
            judged: measured.saturating_add(never_done),
            late: late.saturating_add(never_done),
            interval_ns: record.judging.interval_ns as f64,
            utilisation: judged::median_utilisation(record),
            slope_ns_per_batch: slope(record),
            blocked_share,
            generator_late_share,
            generator_late_records,
            clock_jumped: clock_jumped(record),
        }
    }

    pub(super) fn late_share(&self) -> Option<f64> {
        (self.judged > 0).then(|| self.late as f64 / self.judged as f64)
    }

    pub(super) fn late_share_at_least(&self) -> Option<f64> {
        (self.judged > 0).then(|| lower_bound(self.late, self.judged, CONFIDENCE))
    }

    pub(super) fn late_share_at_most(&self) -> Option<f64> {
        (self.judged > 0).then(|| upper_bound(self.late, self.judged, CONFIDENCE))
    }

    /// The slope as share of the interval per batch.
    pub(super) fn relative_slope(&self) -> Option<Slope> {
        let slope = self.slope_ns_per_batch?;
        (self.interval_ns > 0.0).then(|| Slope {
            estimate: slope.estimate / self.interval_ns,
            low: slope.low / self.interval_ns,
            high: slope.high / self.interval_ns,
        })
    }

    /// Whether disturbances of the host may be why batches were late: at least half of the late streaks overlap one, and the batches
    /// are otherwise short.
    pub(super) fn host_excuses(&self, record: &TrialRecord, limits: &Limits) -> bool {
        let (streaks, disturbed) = late_streaks(record);
        let is_short = self.utilisation.is_some_and(|utilisation| utilisation < limits.noise_utilisation);
        is_short && disturbed > 0 && 2 * disturbed >= streaks
    }
}

/// How many streaks of late batches there are, and how many of them overlap a disturbance of the host.
pub(super) fn late_streaks(record: &TrialRecord) -> (usize, usize) {
    let judged: Vec<&BatchRecord> = judged::batches(record).collect();
    let streaks = judged
        .chunk_by(|one, next| judged::is_late(record, one) == judged::is_late(record, next))
        .filter(|streak| judged::is_late(record, streak[0]));
    let overlaps = |streak: &&[&BatchRecord]| {
        let start = streak[0].due_ns;
        let end = streak.iter().map(|batch| batch.due_ns.saturating_add(batch.total_delay_ns)).max().unwrap_or(start);
        record
            .noise
            .hiccups
            .iter()
            .any(|hiccup| hiccup.start_ns < end && hiccup.start_ns.saturating_add(hiccup.length_ns) > start)
    };
    streaks.fold((0, 0), |(all, disturbed), streak| (all + 1, disturbed + usize::from(overlaps(&streak))))
}

/// Batches that were planned and not done when the drain ended. They are late: the drain is longer than the interval, or the
/// trial would have gone on. A trial that was ended early planned no more than it ran, but for the one it was in.
fn batches_never_done(record: &TrialRecord) -> u64 {
    if record.integrity.unfinished == 0 {
        return 0;
    }
    if record.interrupted {
        // Ended while it primed or warmed up, it was in no batch that counts.
        return u64::from(judged::batches(record).next().is_some());
    }
    let recorded = record.batches.iter().filter(|batch| !batch.warmup).count() as u64;
    record.judging.planned_batches.saturating_sub(recorded).max(1)
}

fn blocked_share(record: &TrialRecord) -> f64 {
    let measured = record.batches.iter().filter(|batch| !batch.warmup).count();
    let judged_ns = measured as f64 * record.judging.interval_ns as f64;
    if judged_ns == 0.0 {
        return 0.0;
    }
    record.integrity.blocked_ns as f64 / judged_ns
}

/// Records that the generator handed over late, and their share. A planned record that was never handed over counts too, unless the
/// engine blocked the sender so long that this is its own verdict.
fn generator_late(record: &TrialRecord, blocked_share: f64) -> (u64, f64) {
    let integrity = &record.integrity;
    let handed_over = integrity.accepted.saturating_add(integrity.shed);
    let missing = integrity.planned.map_or(0, |planned| planned.saturating_sub(handed_over));
    let blocked = blocked_share > Limits::of(record).blocked;
    let missing = if blocked { 0 } else { missing };
    let late = integrity.generator_late_records.saturating_add(missing);
    let all = handed_over.saturating_add(missing);
    if all == 0 {
        return (late, 0.0);
    }
    (late, late as f64 / all as f64)
}

fn clock_jumped(record: &TrialRecord) -> bool {
    let first_due = record.batches.first().map_or(0, |batch| batch.due_ns);
    let last_due = record.batches.last().map_or(0, |batch| batch.due_ns);
    let length_ns = last_due.saturating_sub(first_due) as f64;
    let allowed = CLOCK_JUMP_NS.max(CLOCK_DRIFT * length_ns);
    record.integrity.clock_jump_ns.unsigned_abs() as f64 > allowed
}

fn slope(record: &TrialRecord) -> Option<Slope> {
    let points: Vec<(f64, f64)> =
        judged::batches(record).map(|batch| (batch.index as f64, batch.total_delay_ns as f64)).collect();
    slope_with_interval(&points, BOOTSTRAP_SEED)
}
