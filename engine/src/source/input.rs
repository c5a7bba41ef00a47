//! One input of a context: gathers what its receiver stores into blocks, and gives them to batches.

use super::budget::Budget;
use super::handover::{Handover, Stopped, Timeline};
use super::open::OpenBlock;
use crate::block::{Block, Stamp};
use crate::clock::{Clock, Wake, lock};
use crate::error::{EngineError, panic_text};
use crate::metrics::BatchListener;
use crate::record::{Column, Family};
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
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

    pub(crate) fn timeline(&self, wake: &Wake) -> Result<Timeline, Stopped> {
        self.wait_for(wake, |times| times.timeline)
    }

    pub(crate) fn live_start_ns(&self, wake: &Wake) -> Result<u64, Stopped> {
        self.wait_for(wake, |times| times.live_start_ns)
    }

    fn wait_for<T>(&self, wake: &Wake, get: impl Fn(&Times) -> Option<T>) -> Result<T, Stopped> {
        let mut times = lock(&self.times);
        loop {
            if let Some(value) = get(&times) {
                return Ok(value);
            }
            if wake.is_set() {
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

    /// Tells the listeners of a source. One that panics fails the context, not the source.
    pub(crate) fn report(&self, source: &str, message: &str) {
        let listeners = self.listeners.read().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| listener.source_reported(source, message))) {
                let problem = format!("a listener panicked at what the source reported: {}", panic_text(&*panic));
                self.fail(EngineError::Source { source_name: source.to_owned(), problem });
            }
        }
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

/// What is known of a batch's input only when its outputs have run, because they read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) stamps: Vec<Stamp>,
}

/// One input, whatever its records are.
pub(crate) trait AnyInput: Send + Sync {
    /// Waits until everything intended before `due_ns` is there (planned inputs), then gives it to the batch.
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment;
    /// The outputs of the batch have run: what they read that `allot` could not know. Called once a batch, before `release`.
    fn settle(&self, batch: u64) -> Settled {
        let _ = batch;
        Settled::default()
    }
    /// The batch is done with its blocks.
    fn release(&self, batch: u64);
    /// The next batch is the last one: what is handed over from now on is refused. Called before that batch is cut.
    fn close(&self);
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
    /// Where a single record is put to learn its bytes; empty between calls.
    scale: Mutex<R::Column>,
    /// Time for which senders waited since the last batch was cut.
    blocked_ns: AtomicU64,
}

struct State<R: Family> {
    closed: Vec<Arc<Block<R>>>,
    open: Option<OpenBlock<R>>,
    allotted: BTreeMap<u64, Arc<Vec<Arc<Block<R>>>>>,
    next_sequence: u64,
    cut_sequence: u64,
    watermark_ns: u64,
    finished: bool,
    /// The last batch is being cut or has been.
    shut: bool,
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
            shut: false,
            counts: BTreeMap::new(),
        };
        Input {
            shared,
            name,
            planned,
            state: Mutex::new(state),
            moved: Condvar::new(),
            scale: Mutex::default(),
            blocked_ns: AtomicU64::new(0),
        }
    }

    /// The blocks of a batch.
    pub(crate) fn blocks(&self, batch: u64) -> Arc<Vec<Arc<Block<R>>>> {
        lock(&self.state).allotted.get(&batch).cloned().unwrap_or_default()
    }

    /// Takes many records, stamped with this moment, into the open block.
    pub(crate) fn receive(&self, column: R::Column, wake: &Wake) -> Result<(), Stopped> {
        let records = column.len();
        if records == 0 {
            return if wake.is_set() { Err(Stopped) } else { Ok(()) };
        }
        self.enter(column.bytes(0..records), wake)?;
        self.join(&Arc::new(column))
    }

    /// Adds records, for which there is room, to the open block, stamped with this moment.
    pub(crate) fn join(&self, column: &Arc<R::Column>) -> Result<(), Stopped> {
        let records = column.len();
        if records == 0 { Ok(()) } else { self.append(column, 0..records, self.arrival(records)) }
    }

    /// Takes one record, stamped with this moment, into the open block.
    pub(crate) fn receive_one(&self, view: R::View<'_>, wake: &Wake) -> Result<(), Stopped> {
        let bytes = {
            let mut scale = lock(&self.scale);
            scale.clear();
            scale.push(view);
            scale.bytes(0..1)
        };
        self.enter(bytes, wake)?;
        let now_ns = self.shared.clock.now_ns();
        self.with_open(now_ns, 1, |open| open.push(view, bytes, now_ns))
    }

    /// Takes many records, stamped with this moment, as a block of their own.
    pub(crate) fn receive_block(&self, column: R::Column, wake: &Wake) -> Result<(), Stopped> {
        self.enter(column.bytes(0..column.len()), wake)?;
        self.place(&Arc::new(column))
    }

    /// Takes records as they are meant to be sent.
    pub(crate) fn plan(
        &self,
        column: &Arc<R::Column>,
        range: Range<usize>,
        (first_ns, last_ns): (u64, u64),
        wake: &Wake,
    ) -> Result<Handover, Stopped> {
        debug_assert!(last_ns < self.shared.cut_after(first_ns), "records of one hand-over belong to one block");
        let blocked_ns = self.enter(column.bytes(range.clone()), wake)?;
        let stamp = Stamp { records: range.len() as u64, first_ns, last_ns };
        self.append(column, range, stamp)?;
        Ok(Handover { blocked_ns, at_ns: self.shared.clock.now_ns() })
    }

    /// Waits for room; returns how long.
    pub(crate) fn enter(&self, bytes: u64, wake: &Wake) -> Result<u64, Stopped> {
        let Shared { budget, clock, .. } = &*self.shared;
        if wake.is_set() {
            return Err(Stopped);
        }
        let booked = |ns| {
            self.blocked_ns.fetch_add(ns, Ordering::Relaxed);
        };
        budget.acquire(bytes, self.planned, wake, &**clock, booked).ok_or(Stopped)
    }

    /// Adds a block of its own, for which there is room.
    pub(crate) fn place(&self, column: &Arc<R::Column>) -> Result<(), Stopped> {
        let records = column.len();
        let stamp = self.arrival(records);
        let mut state = lock(&self.state);
        if state.shut {
            return Err(Stopped);
        }
        state.close_open();
        let mut block = Block::new(state.next_sequence, self.shared.cut_after(stamp.first_ns));
        state.next_sequence += stamp.records;
        // An empty block is a task all the same, as an empty partition is in Spark.
        if records > 0 {
            block.append(column, 0..records, stamp);
        }
        state.closed.push(Arc::new(block));
        Ok(())
    }

    fn arrival(&self, records: usize) -> Stamp {
        let now_ns = self.shared.clock.now_ns();
        Stamp { records: records as u64, first_ns: now_ns, last_ns: now_ns }
    }

    fn append(&self, column: &Arc<R::Column>, range: Range<usize>, stamp: Stamp) -> Result<(), Stopped> {
        self.with_open(stamp.first_ns, stamp.records, |open| open.append(column, range, stamp))
    }

    /// Adds `records` records to the block that is open at `time_ns`.
    fn with_open(&self, time_ns: u64, records: u64, add: impl FnOnce(&mut OpenBlock<R>)) -> Result<(), Stopped> {
        let mut state = lock(&self.state);
        if state.shut {
            return Err(Stopped);
        }
        if state.open.as_ref().is_some_and(|open| time_ns >= open.boundary_ns()) {
            state.close_open();
        }
        let sequence = state.next_sequence;
        state.next_sequence += records;
        add(state.open.get_or_insert_with(|| OpenBlock::new(sequence, self.shared.cut_after(time_ns))));
        Ok(())
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

    /// Tells the listeners. One that panics fails the context, not the source.
    pub(crate) fn report(&self, message: &str) {
        self.shared.report(&self.name, message);
    }
}

impl<R: Family> State<R> {
    fn close_open(&mut self) {
        if let Some(open) = self.open.take() {
            self.closed.push(Arc::new(open.close()));
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
        if state.open.as_ref().is_some_and(|open| !by_intended_time || open.boundary_ns() <= due_ns) {
            state.close_open();
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

    fn close(&self) {
        lock(&self.state).shut = true;
    }

    fn accepted(&self) -> u64 {
        lock(&self.state).next_sequence
    }

    fn waiting(&self) -> u64 {
        let state = lock(&self.state);
        let closed: u64 = state.closed.iter().map(|block| block.records).sum();
        closed + state.open.as_ref().map_or(0, OpenBlock::records)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        lock(&self.state).counts.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    fn is_exhausted(&self) -> bool {
        let state = lock(&self.state);
        state.finished && state.open.is_none() && state.closed.is_empty()
    }
}
