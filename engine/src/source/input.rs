//! One input of a context: gathers what its receiver stores into blocks, and gives them to batches.

use super::budget::{Budget, Request};
use super::handover::{Handover, Stopped, Timeline};
use super::limiter::Limiter;
use crate::block::{Block, Stamp};
use crate::clock::{Clock, Wake};
use crate::error::EngineError;
use crate::metrics::BatchListener;
use crate::record::{Column, Family};
use crate::settings::{Overload, Settings};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, lock, wait_at_most};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// What all inputs of a context share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) budget: Budget,
    pub(crate) interval_ns: u64,
    pub(crate) block_interval_ns: u64,
    overload: Overload,
    queue_capacity: usize,
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
    pub(crate) fn new(clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        Shared {
            clock,
            wake: Arc::default(),
            budget: Budget::new(settings.memory_limit_bytes),
            interval_ns: settings.interval_ns,
            block_interval_ns: settings.effective_block_interval_ns(),
            overload: settings.overload,
            queue_capacity: settings.queue_capacity,
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
            times = wait_at_most(&self.times_changed, times, Duration::from_millis(20));
        }
    }

    /// Are windows and state being filled, back to back?
    fn is_priming(&self) -> bool {
        lock(&self.times).live_start_ns.is_none()
    }

    /// Nothing more is taken from receivers; whoever waits to hand something over is let go.
    pub(crate) fn stop(&self) {
        self.wake.set();
        self.budget.interrupt();
        drop(lock(&self.times));
        self.times_changed.notify_all();
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
    /// Sequence numbers of its records: ascending, with a gap wherever records were shed.
    pub(crate) ranges: Vec<Range<u64>>,
    /// One past the last sequence number that this batch or one before it has.
    pub(crate) end_sequence: u64,
    /// Records that were dropped in its interval.
    pub(crate) shed: u64,
    pub(crate) blocked_ns: u64,
    /// Time of `blocked_ns` for which a rate limit was the reason.
    pub(crate) throttled_ns: u64,
    /// Records per second that were let in at most when it was cut.
    pub(crate) rate_limit_per_s: Option<u64>,
    pub(crate) stamps: Vec<Stamp>,
}

impl Allotment {
    /// Moves the records of an earlier batch here, before our own. What happened in its interval stays with it.
    pub(crate) fn take_records_of(&mut self, earlier: &mut Allotment) {
        earlier.end_sequence = earlier.ranges.first().map_or(earlier.end_sequence, |range| range.start);
        self.records += std::mem::take(&mut earlier.records);
        self.bytes += std::mem::take(&mut earlier.bytes);
        self.blocks += std::mem::take(&mut earlier.blocks);
        let mut ranges = std::mem::take(&mut earlier.ranges);
        self.ranges.drain(..).for_each(|range| push_range(&mut ranges, range));
        self.ranges = ranges;
        let mut stamps = std::mem::take(&mut earlier.stamps);
        stamps.append(&mut self.stamps);
        self.stamps = stamps;
    }
}

/// Appends a range; one that continues the last extends it.
fn push_range(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut().filter(|last| last.end == range.start) {
        Some(last) => last.end = range.end,
        None => ranges.push(range),
    }
}

/// One input, whatever its records are.
pub(crate) trait AnyInput: Send + Sync {
    /// Waits until everything intended before `due_ns` is there (planned inputs), then gives it to the batch.
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment;
    /// Moves the blocks of a batch to a later one, before its own.
    fn forward(&self, batch: u64, later: u64);
    /// The batch is done with its blocks.
    fn release(&self, batch: u64);
    /// From now on lets in so many records per second at most, if it can be limited.
    fn limit(&self, per_s: f64);
    /// The context is stopping: whoever waits in `allot` goes on.
    fn interrupt(&self);
    /// Records taken so far.
    fn accepted(&self) -> u64;
    /// Records dropped so far.
    fn shed(&self) -> u64;
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
    limiter: Option<Limiter>,
    /// Time for which senders waited since the last batch was cut.
    blocked_ns: AtomicU64,
    /// Time of it for which they waited for the limiter.
    throttled_ns: AtomicU64,
}

struct State<R: Family> {
    closed: Vec<Arc<Block<R>>>,
    open: Option<Block<R>>,
    allotted: BTreeMap<u64, Arc<Vec<Arc<Block<R>>>>>,
    next_sequence: u64,
    cut_sequence: u64,
    shed: u64,
    /// What was dropped and belongs to no batch yet: the boundary of the block that it would have been in, and how many records.
    shed_waiting: VecDeque<(u64, u64)>,
    watermark_ns: u64,
    /// The watermark that the ticker waits for.
    awaited_ns: Option<u64>,
    finished: bool,
    counts: BTreeMap<&'static str, u64>,
}

impl<R: Family> Input<R> {
    pub(crate) fn new(shared: Arc<Shared>, name: String, planned: bool, settings: &Settings) -> Self {
        let state = State {
            closed: Vec::new(),
            open: None,
            allotted: BTreeMap::new(),
            next_sequence: 0,
            cut_sequence: 0,
            shed: 0,
            shed_waiting: VecDeque::new(),
            watermark_ns: 0,
            awaited_ns: None,
            finished: false,
            counts: BTreeMap::new(),
        };
        let (most, initial) = (settings.max_rate_per_s, settings.backpressure_initial_rate_per_s);
        let is_limited = most.is_some() || initial.is_some() || settings.backpressure;
        let limiter = is_limited.then(|| Limiter::new(most, initial, shared.block_interval_ns));
        Input {
            shared,
            name,
            planned,
            state: Mutex::new(state),
            moved: Condvar::new(),
            limiter,
            blocked_ns: AtomicU64::new(0),
            throttled_ns: AtomicU64::new(0),
        }
    }

    /// The blocks of a batch.
    pub(crate) fn blocks(&self, batch: u64) -> Arc<Vec<Arc<Block<R>>>> {
        lock(&self.state).allotted.get(&batch).cloned().unwrap_or_default()
    }

    /// Takes records that arrive now, in pieces as the limit on their rate lets them in.
    pub(crate) fn receive(&self, column: R::Column) -> Result<(), Stopped> {
        let records = column.len();
        if records == 0 {
            return if self.shared.wake.is_set() { Err(Stopped) } else { Ok(()) };
        }
        let column = Arc::new(column);
        let (mut from, mut at_work) = (0, None);
        while from < records {
            let piece = from..from + self.piece(records - from);
            from = piece.end;
            if self.limiter.is_some() && at_work.is_none() {
                // The sender may be any thread, so it did not join the clock that it is going to sleep by.
                at_work = Some(AtWork::begin(&*self.shared.clock));
            }
            self.let_in(&column, piece, |now_ns| (now_ns, now_ns), &mut at_work)?;
        }
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
        let spread = Spread { first_ns, last_ns, records: range.len() };
        let (mut from, mut blocked_ns) = (range.start, 0);
        while from < range.end {
            let piece = from..from + self.piece(range.end - from);
            from = piece.end;
            let times = (spread.at(piece.start - range.start), spread.at(piece.end - 1 - range.start));
            blocked_ns += self.let_in(column, piece, |_| times, &mut None)?;
        }
        Ok(Handover { blocked_ns, at_ns: self.shared.clock.now_ns() })
    }

    /// How many of `records` may be let in at once.
    fn piece(&self, records: usize) -> usize {
        let piece = self.limiter.as_ref().map(|limiter| limiter.piece(records as u64));
        piece.map_or(records, |piece| piece as usize)
    }

    /// Waits for the limiter, then for room, then takes the records, or sheds them. `times` are of the first and the last, told
    /// when they are let in. Returns how long it waited.
    fn let_in(
        &self,
        column: &Arc<R::Column>,
        range: Range<usize>,
        times: impl FnOnce(u64) -> (u64, u64),
        at_work: &mut Option<AtWork<'_>>,
    ) -> Result<u64, Stopped> {
        if self.shared.wake.is_set() {
            return Err(Stopped);
        }
        let admission = self.admit(range.len() as u64, column.bytes(range.clone()), at_work)?;
        let (first_ns, last_ns) = times(self.shared.clock.now_ns());
        let stamp = Stamp { records: range.len() as u64, first_ns, last_ns };
        if admission.has_room {
            self.append(column, range, stamp);
        } else {
            self.skip(stamp);
        }
        Ok(admission.waited_ns)
    }

    /// Waits as the limiter and the discipline for overload say.
    fn admit(&self, records: u64, bytes: u64, at_work: &mut Option<AtWork<'_>>) -> Result<Admission, Stopped> {
        let Shared { budget, wake, clock, interval_ns, .. } = &*self.shared;
        // Primed records are history: they come as fast as they are taken, and none of them is dropped or overtaken.
        let is_primed = self.planned && self.shared.is_priming();
        let blocked = |ns| {
            self.blocked_ns.fetch_add(ns, Ordering::Relaxed);
        };
        let throttled = |ns| {
            self.throttled_ns.fetch_add(ns, Ordering::Relaxed);
            blocked(ns);
        };
        let mut waited_ns = 0;
        if let Some(limiter) = self.limiter.as_ref().filter(|_| !is_primed) {
            waited_ns = limiter.acquire(records, &**clock, wake, *interval_ns, throttled).ok_or(Stopped)?;
        }
        let overload = if is_primed { Overload::Queue } else { self.shared.overload };
        let waiting_most = match overload {
            Overload::Queue | Overload::Shed => self.shared.queue_capacity,
            Overload::Block => 1,
            Overload::Merge => usize::MAX,
        };
        let sheds = overload == Overload::Shed;
        let request = Request { bytes, waiting_most, completes_a_batch: self.planned && !sheds };
        let has_room = budget.try_acquire(request);
        if !has_room && !sheds {
            // What makes room may be the next tick, which a manual clock does not come to while we are at work.
            *at_work = None;
            waited_ns += budget.acquire(request, wake, &**clock, blocked).ok_or(Stopped)?;
        }
        Ok(Admission { has_room: has_room || !sheds, waited_ns })
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

    /// Drops records: their sequence numbers are a gap between blocks.
    fn skip(&self, stamp: Stamp) {
        let boundary_ns = self.shared.cut_after(stamp.first_ns);
        let mut state = lock(&self.state);
        state.close();
        state.next_sequence += stamp.records;
        state.shed += stamp.records;
        match state.shed_waiting.back_mut().filter(|(boundary, _)| *boundary == boundary_ns) {
            Some((_, records)) => *records += stamp.records,
            None => state.shed_waiting.push_back((boundary_ns, stamp.records)),
        }
    }

    pub(crate) fn advance_watermark(&self, intended_ns: u64) {
        self.raise_watermark(&mut lock(&self.state), intended_ns);
        self.moved.notify_all();
    }

    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        state.finished = true;
        self.raise_watermark(&mut state, u64::MAX);
        drop(state);
        self.moved.notify_all();
    }

    /// The ticker is at work again from the moment at which it can be, not only once it runs: the caller may come to rest now.
    fn raise_watermark(&self, state: &mut State<R>, intended_ns: u64) {
        state.watermark_ns = state.watermark_ns.max(intended_ns);
        if state.awaited_ns.take_if(|awaited_ns| *awaited_ns <= intended_ns).is_some() {
            self.shared.clock.join();
        }
    }

    /// Waits until everything intended before then was handed over, or the context stops. Rests meanwhile: what it waits for may be
    /// a sender that waits for its rate limit, by the clock.
    fn await_watermark<'s>(&'s self, mut state: MutexGuard<'s, State<R>>, due_ns: u64) -> MutexGuard<'s, State<R>> {
        let is_awaited = |state: &State<R>| state.watermark_ns < due_ns && !self.shared.wake.is_set();
        if !is_awaited(&state) {
            return state;
        }
        state.awaited_ns = Some(due_ns);
        self.shared.clock.leave();
        while is_awaited(&state) {
            // The time-out is for a wake that nobody tells us of.
            state = wait_at_most(&self.moved, state, Duration::from_millis(20));
        }
        if state.awaited_ns.take().is_some() {
            self.shared.clock.join();
        }
        state
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

/// What became of a hand-over.
struct Admission {
    /// There is none only where the sender does not wait for any.
    has_room: bool,
    waited_ns: u64,
}

/// A thread that joined the clock for a while.
struct AtWork<'c>(&'c dyn Clock);

impl<'c> AtWork<'c> {
    fn begin(clock: &'c dyn Clock) -> Self {
        clock.join();
        AtWork(clock)
    }
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// Intended times that are evenly spread over records.
struct Spread {
    first_ns: u64,
    last_ns: u64,
    records: usize,
}

impl Spread {
    fn at(&self, record: usize) -> u64 {
        let gaps = self.records.saturating_sub(1).max(1) as u128;
        self.first_ns + (u128::from(self.last_ns - self.first_ns) * record as u128 / gaps) as u64
    }
}

impl<R: Family> State<R> {
    /// Records that were shed and whose block would have ended by then.
    fn take_shed(&mut self, until_ns: u64) -> u64 {
        let later = self.shed_waiting.iter().position(|(boundary, _)| *boundary > until_ns);
        let later = later.unwrap_or(self.shed_waiting.len());
        self.shed_waiting.drain(..later).map(|(_, records)| records).sum()
    }

    fn close(&mut self) {
        if let Some(open) = self.open.take() {
            self.closed.push(Arc::new(open));
        }
    }
}

impl<R: Family> AnyInput for Input<R> {
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment {
        let mut state = lock(&self.state);
        if self.planned {
            state = self.await_watermark(state, due_ns);
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
        let mut ranges = Vec::new();
        taken
            .iter()
            .for_each(|block| push_range(&mut ranges, block.first_sequence..block.first_sequence + block.records));
        state.cut_sequence = ranges.last().map_or(state.cut_sequence, |range| range.end);
        let allotment = Allotment {
            records: taken.iter().map(|block| block.records).sum(),
            bytes: taken.iter().map(|block| block.bytes).sum(),
            blocks: taken.len() as u64,
            ranges,
            end_sequence: state.cut_sequence,
            shed: state.take_shed(if by_intended_time { due_ns } else { u64::MAX }),
            blocked_ns: self.blocked_ns.swap(0, Ordering::Relaxed),
            throttled_ns: self.throttled_ns.swap(0, Ordering::Relaxed),
            rate_limit_per_s: self.limiter.as_ref().and_then(Limiter::rate),
            stamps: taken.iter().flat_map(|block| block.stamps.iter().copied()).collect(),
        };
        state.allotted.insert(batch, Arc::new(taken));
        allotment
    }

    fn forward(&self, batch: u64, later: u64) {
        let mut state = lock(&self.state);
        let earlier = state.allotted.get_mut(&batch).map(std::mem::take).unwrap_or_default();
        let own = state.allotted.entry(later).or_default();
        *own = Arc::new(earlier.iter().chain(own.iter()).cloned().collect());
    }

    fn release(&self, batch: u64) {
        lock(&self.state).allotted.remove(&batch);
    }

    fn limit(&self, per_s: f64) {
        if let Some(limiter) = &self.limiter {
            limiter.set_rate(per_s);
        }
    }

    fn interrupt(&self) {
        drop(lock(&self.state));
        self.moved.notify_all();
    }

    fn accepted(&self) -> u64 {
        let state = lock(&self.state);
        state.next_sequence - state.shed
    }

    fn shed(&self) -> u64 {
        lock(&self.state).shed
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
        state.finished && state.open.is_none() && state.closed.is_empty() && state.shed_waiting.is_empty()
    }
}
