//! One input of a context: gathers what its receiver stores into blocks, and gives them to batches.

use super::budget::Budget;
use super::handover::{Handover, Stopped, Timeline};
use crate::block::{Block, Stamp};
use crate::clock::{Clock, Wake, lock};
use crate::error::EngineError;
use crate::metrics::BatchListener;
use crate::record::{Column, Family};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::Duration;

/// What all inputs of a context share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) budget: Budget,
    pub(crate) interval_ns: u64,
    pub(crate) block_interval_ns: u64,
    pub(crate) listeners: RwLock<Vec<Arc<dyn BatchListener>>>,
    times: Mutex<Times>,
    times_changed: Condvar,
    failure: Mutex<Option<EngineError>>,
}

#[derive(Clone, Copy, Default)]
struct Times {
    timeline: Option<Timeline>,
    live_start_ns: Option<u64>,
}

impl Shared {
    pub(crate) fn new(clock: Arc<dyn Clock>, budget: Budget, interval_ns: u64, block_interval_ns: u64) -> Self {
        Shared {
            clock,
            wake: Arc::default(),
            budget,
            interval_ns,
            block_interval_ns,
            listeners: RwLock::default(),
            times: Mutex::default(),
            times_changed: Condvar::new(),
            failure: Mutex::default(),
        }
    }

    pub(crate) fn set_timeline(&self, timeline: Timeline) {
        lock(&self.times).timeline = Some(timeline);
        self.times_changed.notify_all();
    }

    pub(crate) fn set_live_start(&self, live_start_ns: u64) {
        lock(&self.times).live_start_ns = Some(live_start_ns);
        self.times_changed.notify_all();
    }

    pub(crate) fn timeline(&self) -> Result<Timeline, Stopped> {
        self.wait_for(|times| times.timeline)
    }

    pub(crate) fn live_start_ns(&self) -> Result<u64, Stopped> {
        self.wait_for(|times| times.live_start_ns)
    }

    fn wait_for<T>(&self, get: impl Fn(&Times) -> Option<T>) -> Result<T, Stopped> {
        let mut times = lock(&self.times);
        loop {
            if let Some(value) = get(&times) {
                return Ok(value);
            }
            if self.wake.is_set() {
                return Err(Stopped);
            }
            let waited = self.times_changed.wait_timeout(times, Duration::from_millis(20));
            times = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Blocks are cut at multiples of the block interval within a batch, and at the batch's end.
    pub(crate) fn cut_after(&self, time_ns: u64) -> u64 {
        let grid = lock(&self.times).timeline.map_or(0, |timeline| timeline.prime_start_ns % self.interval_ns);
        let into_batch = (time_ns + self.interval_ns - grid) % self.interval_ns;
        let block_end = (into_batch / self.block_interval_ns + 1) * self.block_interval_ns;
        time_ns - into_batch + block_end.min(self.interval_ns)
    }

    pub(crate) fn fail(&self, error: EngineError) {
        lock(&self.failure).get_or_insert(error);
    }

    pub(crate) fn failure(&self) -> Option<EngineError> {
        lock(&self.failure).clone()
    }
}

/// What a batch got from one input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allotment {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) blocks: u64,
    pub(crate) first_sequence: u64,
    pub(crate) end_sequence: u64,
    pub(crate) blocked_ns: u64,
    pub(crate) stamps: Vec<Stamp>,
}

/// One input, whatever its records are.
pub(crate) trait AnyInput: Send + Sync {
    /// Waits until everything intended before `due_ns` is there (planned inputs), then gives it to the batch.
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment;
    /// The batch is done with its blocks.
    fn release(&self, batch: u64);
    /// Records taken so far.
    fn accepted(&self) -> u64;
    /// Records that belong to no batch yet.
    fn waiting(&self) -> u64;
    /// Oddities and refusals by kind.
    fn counts(&self) -> Vec<(&'static str, u64)>;
    /// True when no more records will come and none wait.
    fn is_exhausted(&self) -> bool;
}

/// One input of records of the family `R`.
pub(crate) struct Input<R: Family> {
    pub(crate) shared: Arc<Shared>,
    name: String,
    planned: bool,
    state: Mutex<State<R>>,
    moved: Condvar,
    /// Time for which senders waited since the last batch was cut.
    blocked_ns: AtomicU64,
}

struct State<R: Family> {
    closed: Vec<Arc<Block<R>>>,
    open: Option<Block<R>>,
    allotted: BTreeMap<u64, Arc<Vec<Arc<Block<R>>>>>,
    next_sequence: u64,
    cut_sequence: u64,
    watermark_ns: u64,
    finished: bool,
    counts: BTreeMap<&'static str, u64>,
}

impl<R: Family> Input<R> {
    pub(crate) fn new(shared: Arc<Shared>, name: String, planned: bool) -> Self {
        let state = State {
            closed: Vec::new(),
            open: None,
            allotted: BTreeMap::new(),
            next_sequence: 0,
            cut_sequence: 0,
            watermark_ns: 0,
            finished: false,
            counts: BTreeMap::new(),
        };
        Input { shared, name, planned, state: Mutex::new(state), moved: Condvar::new(), blocked_ns: AtomicU64::new(0) }
    }

    /// The blocks of a batch.
    pub(crate) fn blocks(&self, batch: u64) -> Arc<Vec<Arc<Block<R>>>> {
        lock(&self.state).allotted.get(&batch).cloned().unwrap_or_default()
    }

    pub(crate) fn receive(&self, column: R::Column) -> Result<(), Stopped> {
        let records = column.len();
        if records == 0 {
            return if self.shared.wake.is_set() { Err(Stopped) } else { Ok(()) };
        }
        self.enter(column.bytes(0..records))?;
        let now = self.shared.clock.now_ns();
        let stamp = Stamp { records: records as u64, first_ns: now, last_ns: now };
        self.append(&Arc::new(column), 0..records, stamp);
        Ok(())
    }

    pub(crate) fn plan(
        &self,
        column: &Arc<R::Column>,
        range: Range<usize>,
        first_ns: u64,
        last_ns: u64,
    ) -> Result<Handover, Stopped> {
        debug_assert!(last_ns < self.shared.cut_after(first_ns), "records of one hand-over belong to one block");
        let blocked_ns = self.enter(column.bytes(range.clone()))?;
        let stamp = Stamp { records: range.len() as u64, first_ns, last_ns };
        self.append(column, range, stamp);
        Ok(Handover { blocked_ns, at_ns: self.shared.clock.now_ns() })
    }

    /// Waits for room; returns how long.
    fn enter(&self, bytes: u64) -> Result<u64, Stopped> {
        let Shared { budget, wake, clock, .. } = &*self.shared;
        if wake.is_set() {
            return Err(Stopped);
        }
        let booked = |ns| {
            self.blocked_ns.fetch_add(ns, Ordering::Relaxed);
        };
        budget.acquire(bytes, self.planned, wake, &**clock, booked).ok_or(Stopped)
    }

    fn append(&self, column: &Arc<R::Column>, range: Range<usize>, stamp: Stamp) {
        let mut state = lock(&self.state);
        if state.open.as_ref().is_some_and(|open| stamp.first_ns >= open.boundary_ns) {
            state.close();
        }
        let sequence = state.next_sequence;
        state.next_sequence += stamp.records;
        let open = state.open.get_or_insert_with(|| Block::new(sequence, self.shared.cut_after(stamp.first_ns)));
        open.append(column, range, stamp);
    }

    pub(crate) fn advance_watermark(&self, intended_ns: u64) {
        let mut state = lock(&self.state);
        state.watermark_ns = state.watermark_ns.max(intended_ns);
        drop(state);
        self.moved.notify_all();
    }

    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        state.finished = true;
        state.watermark_ns = u64::MAX;
        drop(state);
        self.moved.notify_all();
    }

    pub(crate) fn count(&self, kind: &'static str, count: u64) {
        *lock(&self.state).counts.entry(kind).or_default() += count;
    }

    pub(crate) fn fail(&self, problem: String) {
        self.shared.fail(EngineError::Source { source_name: self.name.clone(), problem });
        self.finish();
    }

    pub(crate) fn report(&self, message: String) {
        let listeners = self.shared.listeners.read().unwrap_or_else(PoisonError::into_inner);
        listeners.iter().for_each(|listener| listener.source_reported(&self.name, &message));
    }
}

impl<R: Family> State<R> {
    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.closed.push(Arc::new(open));
        }
    }
}

impl<R: Family> AnyInput for Input<R> {
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment {
        let mut state = lock(&self.state);
        while self.planned && state.watermark_ns < due_ns && !self.shared.wake.is_set() {
            // The time-out is for the wake alone, which does not notify this condition.
            let waited = self.moved.wait_timeout(state, Duration::from_millis(20));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // The last batch of a stop takes whatever was handed over.
        let by_intended_time = self.planned && !self.shared.wake.is_set();
        if state.open.as_ref().is_some_and(|open| !by_intended_time || open.boundary_ns <= due_ns) {
            state.close();
        }
        let taken: Vec<_> = if by_intended_time {
            let later = state.closed.iter().position(|block| block.boundary_ns > due_ns).unwrap_or(state.closed.len());
            state.closed.drain(..later).collect()
        } else {
            std::mem::take(&mut state.closed)
        };
        // From the blocks' own numbers, not from a running sum: a block that went missing shows as a gap.
        let first_sequence = taken.first().map_or(state.cut_sequence, |block| block.first_sequence);
        state.cut_sequence = taken.last().map_or(state.cut_sequence, |block| block.first_sequence + block.records);
        let allotment = Allotment {
            records: taken.iter().map(|block| block.records).sum(),
            bytes: taken.iter().map(|block| block.bytes).sum(),
            blocks: taken.len() as u64,
            first_sequence,
            end_sequence: state.cut_sequence,
            blocked_ns: self.blocked_ns.swap(0, Ordering::Relaxed),
            stamps: taken.iter().flat_map(|block| block.stamps.iter().copied()).collect(),
        };
        state.allotted.insert(batch, Arc::new(taken));
        allotment
    }

    fn release(&self, batch: u64) {
        lock(&self.state).allotted.remove(&batch);
    }

    fn accepted(&self) -> u64 {
        lock(&self.state).next_sequence
    }

    fn waiting(&self) -> u64 {
        let state = lock(&self.state);
        let closed: u64 = state.closed.iter().map(|block| block.records).sum();
        closed + state.open.as_ref().map_or(0, |open| open.records)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        lock(&self.state).counts.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    fn is_exhausted(&self) -> bool {
        let state = lock(&self.state);
        state.finished && state.open.is_none() && state.closed.is_empty()
    }
}
