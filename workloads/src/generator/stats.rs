//! What the generator tells about itself: how late it was, what it used, how long it was kept waiting.

use downbeat_engine::clock::thread_cpu_ns;
use hdrhistogram::Histogram;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records handed over later than this after their intended time are late, unless 5 % of the interval is more.
const LATE_LEAST_NS: u64 = 5_000_000;

/// Points by which the lags of the records of one hand-over are told.
const LAG_POINTS: u64 = 16;

/// Longest lag that is told apart; longer ones count as this.
const LAG_MOST_NS: u64 = 3_600_000_000_000;

/// A handle on what a generator tells about itself, while it runs and after.
#[derive(Clone, Default)]
pub struct GeneratorStats {
    state: Arc<Mutex<State>>,
}

/// What a generator did. All but the first two are of the measured part: the live batches after the warm-up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GeneratorSummary {
    /// Records handed over, priming and warm-up included.
    pub handed_records: u64,
    /// Every record of the schedule was handed over.
    pub finished: bool,
    /// Records handed over.
    pub measured_records: u64,
    /// Of these, how many were handed over later than max(5 ms, 5 % of the interval) after their intended time, not counting
    /// time in which the engine blocked the generator.
    pub late_records: u64,
    /// 99th percentile over records of that lateness, nanoseconds.
    pub lag_p99_ns: u64,
    /// Largest lateness.
    pub lag_max_ns: u64,
    /// CPU time of the generator's thread.
    pub cpu_ns: u64,
    /// Time for which the engine blocked it.
    pub blocked_ns: u64,
}

/// One hand-over.
#[derive(Clone, Copy, Debug)]
pub struct Delivery {
    /// Offset of its first record in the schedule.
    pub offset_ns: u64,
    /// How many records it has.
    pub records: u64,
    /// Intended times of its first and last record; the others lie evenly between.
    pub first_ns: u64,
    /// Intended time of the last one.
    pub last_ns: u64,
    /// When the generator came with it.
    pub offered_ns: u64,
    /// For how long it was kept waiting then.
    pub blocked_ns: u64,
}

/// Batches whose lateness is kept one by one; what comes later has none.
const BATCHES_MOST: usize = 1 << 20;

struct State {
    late_after_ns: u64,
    interval_ns: u64,
    /// Where the first live batch begins in the schedule.
    live_from_offset_ns: u64,
    measured_from_offset_ns: u64,
    /// Until then lateness is the engine's doing: the end of its last wait, and as long again as it lasted, to catch up with what
    /// became due meanwhile.
    excused_until_ns: u64,
    /// CPU time of the thread when the measured part began.
    cpu_begin_ns: Option<u64>,
    lag: Histogram<u64>,
    pacing: Histogram<u64>,
    /// Largest lateness of a record of each live batch. `None` for a batch without any.
    batch_lags_ns: Vec<Option<u64>>,
    summary: GeneratorSummary,
}

impl Default for State {
    fn default() -> Self {
        State {
            late_after_ns: LATE_LEAST_NS,
            interval_ns: 0,
            live_from_offset_ns: 0,
            measured_from_offset_ns: 0,
            excused_until_ns: 0,
            cpu_begin_ns: None,
            lag: histogram(),
            pacing: histogram(),
            batch_lags_ns: Vec::new(),
            summary: GeneratorSummary::default(),
        }
    }
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LAG_MOST_NS, 2).expect("these bounds are allowed")
}

impl GeneratorStats {
    /// What it did so far.
    pub fn summary(&self) -> GeneratorSummary {
        let state = self.lock();
        GeneratorSummary {
            lag_p99_ns: state.lag.value_at_quantile(0.99),
            lag_max_ns: state.lag.max(),
            ..state.summary.clone()
        }
    }

    /// Lateness of each record of the measured part, nanoseconds, blocked time excluded.
    pub fn lag_histogram(&self) -> Histogram<u64> {
        self.lock().lag.clone()
    }

    /// Pacing error of each hand-over of the measured part, nanoseconds: how much later it came than its last record was meant
    /// to, blocked time excluded. Records wait for the next tick of 1 ms; this leaves that wait out, [`Self::lag_histogram`]
    /// has it.
    pub fn pacing_histogram(&self) -> Histogram<u64> {
        self.lock().pacing.clone()
    }

    /// Largest lateness of a record of each live batch, the warm-up included, nanoseconds, blocked time excluded. `None` for a batch
    /// without records.
    pub fn batch_lags_ns(&self) -> Vec<Option<u64>> {
        self.lock().batch_lags_ns.clone()
    }

    pub(super) fn begin(&self, interval_ns: u64, live_from_offset_ns: u64, measured_from_batch: u64) {
        let mut state = self.lock();
        state.late_after_ns = LATE_LEAST_NS.max(interval_ns / 20);
        (state.interval_ns, state.live_from_offset_ns) = (interval_ns, live_from_offset_ns);
        state.measured_from_offset_ns =
            live_from_offset_ns.saturating_add(measured_from_batch.saturating_mul(interval_ns));
    }

    /// Takes note of a hand-over.
    pub fn deliver(&self, delivery: Delivery) {
        self.lock().deliver(delivery);
    }

    pub(super) fn finish(&self) {
        self.lock().summary.finished = true;
    }

    /// Called on the generator's thread.
    pub(super) fn update_cpu(&self) {
        let mut state = self.lock();
        if let Some(begin_ns) = state.cpu_begin_ns {
            state.summary.cpu_ns = thread_cpu_ns() - begin_ns;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn deliver(&mut self, delivery: Delivery) {
        self.summary.handed_records += delivery.records;
        self.note_batch(delivery);
        if delivery.offset_ns >= self.measured_from_offset_ns {
            self.cpu_begin_ns.get_or_insert_with(thread_cpu_ns);
            self.measure(delivery);
        }
        if delivery.blocked_ns > 0 {
            let unblocked_ns = delivery.offered_ns + delivery.blocked_ns;
            self.excused_until_ns = self.excused_until_ns.max(unblocked_ns) + delivery.blocked_ns;
        }
    }

    /// A hand-over lies in one block, so in one batch, and its first record is the one that waited longest.
    fn note_batch(&mut self, delivery: Delivery) {
        let Some(live_ns) = delivery.offset_ns.checked_sub(self.live_from_offset_ns) else { return };
        let batch = usize::try_from(live_ns.checked_div(self.interval_ns).unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
        if batch >= BATCHES_MOST {
            return;
        }
        if batch >= self.batch_lags_ns.len() {
            self.batch_lags_ns.resize(batch + 1, None);
        }
        let lag_ns = delivery.offered_ns.saturating_sub(delivery.first_ns.max(self.excused_until_ns));
        self.batch_lags_ns[batch] = self.batch_lags_ns[batch].max(Some(lag_ns));
    }

    fn measure(&mut self, delivery: Delivery) {
        self.summary.measured_records += delivery.records;
        self.summary.blocked_ns += delivery.blocked_ns;
        self.summary.late_records += self.late_records(delivery);
        let meant_ns = delivery.last_ns.max(self.excused_until_ns);
        self.pacing.saturating_record(delivery.offered_ns.saturating_sub(meant_ns));
        let points = delivery.records.min(LAG_POINTS);
        for point in 0..points {
            let intended_ns =
                delivery.first_ns + (delivery.last_ns - delivery.first_ns) * point / points.saturating_sub(1).max(1);
            let lag_ns = delivery.offered_ns.saturating_sub(intended_ns.max(self.excused_until_ns));
            let weight = delivery.records * (point + 1) / points - delivery.records * point / points;
            self.lag.saturating_record_n(lag_ns, weight);
        }
    }

    /// Records of an evenly spread run that were intended more than the threshold before they were offered.
    fn late_records(&self, delivery: Delivery) -> u64 {
        let Some(late_before_ns) = delivery.offered_ns.checked_sub(self.late_after_ns) else { return 0 };
        if late_before_ns <= self.excused_until_ns || late_before_ns <= delivery.first_ns {
            return 0;
        }
        if late_before_ns > delivery.last_ns {
            return delivery.records;
        }
        let spread_ns = u128::from(delivery.last_ns - delivery.first_ns);
        let gaps = u128::from(late_before_ns - delivery.first_ns) * u128::from(delivery.records - 1);
        // Record k is at first + k × spread / (records − 1); how many k are below the threshold.
        u64::try_from(gaps.div_ceil(spread_ns)).unwrap_or(delivery.records)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn delivery(first_ns: u64, last_ns: u64, records: u64, offered_ns: u64, blocked_ns: u64) -> Delivery {
        Delivery { offset_ns: first_ns, records, first_ns, last_ns, offered_ns, blocked_ns }
    }

    fn stats(interval_ns: u64, measured_from_offset_ns: u64) -> GeneratorStats {
        let stats = GeneratorStats::default();
        stats.begin(interval_ns, 0, measured_from_offset_ns / interval_ns);
        stats
    }

    #[test]
    fn records_are_late_after_5_ms_or_5_percent_of_the_interval() {
        let late = |interval_ns, lag_ns| {
            let stats = stats(interval_ns, 0);
            stats.deliver(delivery(100 * MS, 100 * MS, 1, 100 * MS + lag_ns, 0));
            stats.summary().late_records
        };
        assert_eq!((late(10 * MS, 5 * MS), late(10 * MS, 5 * MS + 1)), (0, 1));
        assert_eq!((late(1000 * MS, 50 * MS), late(1000 * MS, 50 * MS + 1)), (0, 1));
    }

    #[test]
    fn the_late_ones_of_a_run_are_counted_by_their_own_times() {
        let stats = stats(10 * MS, 0);
        // 101 records at 0, 1, … 100 ms, offered at 55.5 ms: those at 0 to 50 ms are more than 5 ms late.
        stats.deliver(delivery(0, 100 * MS, 101, 55 * MS + MS / 2, 0));
        assert_eq!(stats.summary().late_records, 51);
        let summary = stats.summary();
        assert_eq!((summary.handed_records, summary.measured_records), (101, 101));
        assert_eq!(stats.lag_histogram().len(), 101, "each record has its weight");
        stats.deliver(delivery(60 * MS, 70 * MS, 11, 70 * MS + 7, 0));
        let pacing = stats.pacing_histogram();
        assert_eq!((pacing.len(), pacing.min(), pacing.max()), (2, 0, 7), "a hand-over counts by its last record");
    }

    #[test]
    fn time_for_which_the_engine_blocked_is_nobodys_lateness() {
        let stats = stats(10 * MS, 0);
        stats.deliver(delivery(10 * MS, 10 * MS, 10, 10 * MS, 500 * MS));
        stats.deliver(delivery(11 * MS, 509 * MS, 1000, 510 * MS + MS, 0));
        let summary = stats.summary();
        assert_eq!((summary.late_records, summary.blocked_ns), (0, 500 * MS));
        assert!(summary.lag_max_ns < 2 * MS, "{summary:?}");
        stats.deliver(delivery(600 * MS, 800 * MS, 5, 900 * MS, 0));
        assert_eq!(stats.summary().late_records, 0, "for as long again it may catch up");
        stats.deliver(delivery(1005 * MS, 1005 * MS, 7, 1020 * MS, 0));
        assert_eq!(stats.summary().late_records, 7, "what comes after that is");
    }

    #[test]
    fn each_live_batch_has_its_own_lateness() {
        let stats = GeneratorStats::default();
        stats.begin(10 * MS, 20 * MS, 2);
        let (primed, origin) = (delivery(5 * MS, 5 * MS, 1, 900 * MS, 0), 20 * MS);
        stats.deliver(primed);
        stats.deliver(delivery(origin, origin + 2 * MS, 3, origin + 3 * MS, 0));
        stats.deliver(delivery(origin + 5 * MS, origin + 5 * MS, 1, origin + 6 * MS, 0));
        stats.deliver(delivery(origin + 31 * MS, origin + 38 * MS, 4, origin + 80 * MS, 0));
        assert_eq!(stats.batch_lags_ns(), [Some(3 * MS), None, None, Some(49 * MS)]);
    }

    #[test]
    fn only_the_part_after_the_warm_up_is_measured() {
        let stats = stats(10 * MS, 20 * MS);
        stats.deliver(delivery(19 * MS, 19 * MS, 5, 99 * MS, 0));
        stats.deliver(delivery(20 * MS, 20 * MS, 3, 20 * MS, 0));
        let summary = stats.summary();
        assert_eq!((summary.handed_records, summary.measured_records, summary.late_records), (8, 3, 0));
        assert_eq!(summary.lag_max_ns, 0);
    }
}
