//! What the engine tells about each batch, kept: which ones are judged, the latencies of their records, and when the trial is complete.

use super::during::{Counters, During};
use super::latency;
use crate::machine;
use crate::plan::Length;
use crate::status::{Stage, Status};
use downbeat_engine::clock::process_cpu_ns;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What was used up to a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// The moment, monotonic.
    pub(super) at_ns: u64,
    /// CPU time of the process.
    pub(super) cpu_ns: u64,
    /// Allocations and their bytes.
    pub(super) allocations: Option<(u64, u64)>,
    /// CPU time that the hypervisor gave to others.
    pub(super) steal_ns: Option<u64>,
}

/// A batch with the part that it plays.
#[derive(Clone, Debug)]
pub(super) struct Collected {
    /// What the engine told; its stamps are in the histogram already and left out here.
    pub(super) report: BatchReport,
    /// What was counted since the batch before was done.
    pub(super) during: During,
    /// Whether it is judged.
    pub(super) judged: bool,
}

/// Everything that was collected.
pub(super) struct Collection {
    /// Primed batches, then live ones, in order.
    pub(super) batches: Vec<Collected>,
    /// Latency by record of the judged batches.
    pub(super) latency: Histogram<u64>,
    /// Before the first judged batch.
    pub(super) begin: Mark,
    /// After the last judged batch.
    pub(super) end: Mark,
}

impl Collection {
    fn with_room(batches: u64) -> Self {
        Collection {
            batches: Vec::with_capacity(batches as usize),
            latency: latency::histogram(),
            begin: Mark::default(),
            end: Mark::default(),
        }
    }
}

/// Batches that room is made for beforehand, at most.
const ROOM_MOST: u64 = 1 << 20;

struct State {
    collection: Collection,
    /// Batches that were done before an earlier one, which concurrent jobs make possible; by whether they are live, then index.
    early: BTreeMap<(bool, u64), (BatchReport, During)>,
    primed_taken: u64,
    live_taken: u64,
    /// No record has come yet, and the source decides when it begins.
    waiting: bool,
    warmed_up: u64,
    judged: u64,
    failed: bool,
    status: Status,
    counters: Counters,
}

/// Listens to the engine.
pub(super) struct Collector {
    length: Length,
    interval_ns: u64,
    state: Mutex<State>,
    changed: Condvar,
}

impl Collector {
    /// With `waits`, empty batches do not count until the first record has come.
    pub(super) fn new(length: Length, interval_ns: u64, waits: bool) -> Self {
        let planned = length.batches.map(|batches| batches + length.warmup_batches);
        // Room beforehand: a list that grows is copied between two batches.
        let collection = Collection::with_room(planned.unwrap_or(0).min(ROOM_MOST));
        let status = Status { planned, ..Status::default() };
        let state = State {
            collection,
            early: BTreeMap::new(),
            primed_taken: 0,
            live_taken: 0,
            waiting: waits,
            warmed_up: 0,
            judged: 0,
            failed: false,
            status,
            counters: Counters::new(interval_ns),
        };
        let (state, changed) = (Mutex::new(state), Condvar::new());
        Collector { length, interval_ns, state, changed }
    }

    /// Notes what was used before the first batch.
    pub(super) fn begin(&self, now_ns: u64) {
        let mark = mark(now_ns);
        let mut state = self.lock();
        (state.collection.begin, state.collection.end) = (mark, mark);
    }

    /// Notes what was used until now, unless the last planned batch did so.
    pub(super) fn end(&self, now_ns: u64) {
        let mark = mark(now_ns);
        let mut state = self.lock();
        if self.length.batches != Some(state.judged) {
            state.collection.end = mark;
        }
    }

    /// Waits until every planned batch is done or one has failed, at most this long. True when it is so.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let is_open =
            |state: &mut State| !state.failed && self.length.batches.is_none_or(|batches| state.judged < batches);
        let waited = self.changed.wait_timeout_while(self.lock(), time, is_open);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Has a batch failed?
    pub(super) fn has_failed(&self) -> bool {
        self.lock().failed
    }

    /// Has any record come?
    pub(super) fn has_begun(&self) -> bool {
        !self.lock().waiting
    }

    /// How far the trial is.
    pub(super) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    /// Hands everything out; what comes later is lost.
    pub(super) fn take(&self) -> Collection {
        let mut state = self.lock();
        // The batch that these were waiting for was given up.
        std::mem::take(&mut state.early).into_values().for_each(|done| self.take_in(&mut state, done));
        std::mem::replace(&mut state.collection, Collection::with_room(0))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A live batch: part of the waiting, the warm-up, the judged ones, or of what came after them.
    fn live(&self, state: &mut State, report: &BatchReport) -> bool {
        state.waiting &= report.records == 0;
        if state.waiting {
            state.status.stage = Stage::Waiting;
            return false;
        }
        state.status.done += 1;
        if state.warmed_up < self.length.warmup_batches {
            state.warmed_up += 1;
            state.status.stage = Stage::WarmUp;
            if state.warmed_up == self.length.warmup_batches {
                let mark = mark(report.done_ns);
                (state.collection.begin, state.collection.end) = (mark, mark);
            }
            return false;
        }
        if self.length.batches.is_some_and(|batches| state.judged >= batches) {
            return false;
        }
        state.status.stage = Stage::Measuring;
        if report.has_job {
            state.judged += 1;
            state.status.late += u64::from(report.done_ns.saturating_sub(report.due_ns) > self.interval_ns);
            latency::add(&mut state.collection.latency, &report.stamps, report.done_ns);
        }
        if self.length.batches == Some(state.judged) {
            state.collection.end = mark(report.done_ns);
        }
        true
    }
}

fn mark(at_ns: u64) -> Mark {
    Mark {
        at_ns,
        cpu_ns: process_cpu_ns(),
        allocations: downbeat_engine::allocator::totals(),
        steal_ns: machine::steal_ns(),
    }
}

impl State {
    /// The batch whose turn it is, if it is done.
    fn next(&mut self) -> Option<(BatchReport, During)> {
        let entry = self.early.first_entry()?;
        let taken = if entry.key().0 { &mut self.live_taken } else { &mut self.primed_taken };
        if entry.key().1 != *taken {
            return None;
        }
        *taken += 1;
        Some(entry.remove())
    }
}

impl Collector {
    /// Takes in a batch; they come in order.
    fn take_in(&self, state: &mut State, (mut report, during): (BatchReport, During)) {
        let judged = !report.primed && self.live(state, &report);
        if report.primed {
            state.status.stage = Stage::Priming;
        }
        state.status.processing_ns = report.done_ns.saturating_sub(report.started_ns);
        state.status.total_delay_ns = report.done_ns.saturating_sub(report.due_ns);
        state.status.backlog = report.queue_depth;
        report.stamps = Vec::new();
        state.collection.batches.push(Collected { report, during, judged });
    }
}

impl BatchListener for Collector {
    fn batch_completed(&self, report: &BatchReport) {
        let mut state = self.lock();
        state.failed |= report.failure.is_some();
        let during = state.counters.read();
        state.early.insert((!report.primed, report.index), (report.clone(), during));
        while let Some(done) = state.next() {
            self.take_in(&mut state, done);
        }
        drop(state);
        self.changed.notify_all();
    }

    fn source_reported(&self, source: &str, message: &str) {
        self.lock().status.trouble = Some(format!("{source}: {message}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::examples::report;
    use downbeat_engine::block::Stamp;

    fn collector(batches: Option<u64>, warmup_batches: u64, waits: bool) -> Collector {
        Collector::new(Length { batches, warmup_batches }, 1_000, waits)
    }

    fn judged(collector: &Collector) -> Vec<bool> {
        collector.take().batches.iter().map(|batch| batch.judged).collect()
    }

    #[test]
    fn warm_up_comes_first_and_what_comes_after_the_plan_is_not_judged() {
        let collector = collector(Some(2), 1, false);
        for index in 0..4 {
            assert_eq!(collector.wait(Duration::ZERO), index > 2, "complete after the third batch");
            collector.batch_completed(&report(index, index, index + 1));
        }
        assert_eq!(judged(&collector), [false, true, true, false]);
    }

    #[test]
    fn empty_batches_before_the_first_record_of_a_tcp_source_do_not_count() {
        let collector = collector(Some(1), 1, true);
        collector.batch_completed(&report(0, 0, 0));
        assert!(!collector.has_begun());
        for (index, records) in [(1, 5), (2, 5)] {
            collector.batch_completed(&report(index, 0, records));
        }
        assert!(collector.has_begun() && collector.wait(Duration::ZERO));
        assert_eq!(judged(&collector), [false, false, true]);
    }

    #[test]
    fn batches_that_are_done_out_of_order_are_taken_in_order() {
        let collector = collector(Some(2), 1, false);
        for index in [2, 1, 3] {
            collector.batch_completed(&report(index, index, index + 1));
            assert!(!collector.wait(Duration::ZERO), "the first is not done");
        }
        collector.batch_completed(&report(0, 0, 1));
        assert!(collector.wait(Duration::ZERO));
        let batches = collector.take().batches;
        let order: Vec<(u64, bool)> = batches.iter().map(|batch| (batch.report.index, batch.judged)).collect();
        assert_eq!(order, [(0, false), (1, true), (2, true), (3, false)]);
    }

    #[test]
    fn a_batch_that_never_ends_holds_back_nothing_for_ever() {
        let collector = collector(None, 0, false);
        let failure = Some(downbeat_engine::EngineError::Codec { codec: "x", problem: "y".into() });
        [2, 0].into_iter().for_each(|index| collector.batch_completed(&report(index, index, index + 1)));
        collector.batch_completed(&BatchReport { failure, ..report(4, 4, 5) });
        assert!(collector.has_failed(), "a failure is told at once");
        let batches = collector.take().batches;
        assert_eq!(batches.iter().map(|batch| batch.report.index).collect::<Vec<_>>(), [0, 2, 4]);
    }

    #[test]
    fn batches_without_a_job_and_primed_ones_do_not_count() {
        let collector = collector(Some(1), 0, false);
        collector.batch_completed(&BatchReport { primed: true, ..report(0, 0, 1) });
        collector.batch_completed(&BatchReport { has_job: false, ..report(0, 1, 2) });
        assert!(!collector.wait(Duration::ZERO));
        collector.batch_completed(&report(1, 2, 3));
        assert!(collector.wait(Duration::ZERO));
    }

    #[test]
    fn only_judged_batches_have_latencies_and_a_failure_ends_the_wait() {
        let collector = collector(None, 1, false);
        let stamps = vec![Stamp { records: 3, first_ns: 0, last_ns: 2 }];
        for index in 0..2 {
            collector.batch_completed(&BatchReport { stamps: stamps.clone(), done_ns: 1_500, ..report(index, 0, 3) });
        }
        assert_eq!(collector.status().late, 1);
        assert!(!collector.wait(Duration::ZERO));
        let failure = Some(downbeat_engine::EngineError::Codec { codec: "x", problem: "y".into() });
        collector.batch_completed(&BatchReport { failure, ..report(2, 3, 6) });
        assert!(collector.wait(Duration::ZERO) && collector.has_failed());
        assert_eq!(collector.take().latency.len(), 3);
    }
}
