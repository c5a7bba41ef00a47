//! One input of a context: gathers what its receiver stores into blocks, and gives them to batches.

use super::allotment::{Allotment, Settled, push_range};
use super::gate::{AtWork, Gate};
use super::handover::{Handover, Stopped};
use super::open::OpenBlock;
use super::shared::Shared;
use crate::block::{Block, Stamp};
use crate::clock::Wake;
use crate::error::EngineError;
use crate::record::{Column, Family};
use crate::settings::{Settings, StorageForm};
use crate::sync::{Condvar, Mutex, MutexGuard, lock, wait_at_most};
use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// One input, whatever its records are.
pub(crate) trait AnyInput: Send + Sync {
    /// Waits until everything intended before `due_ns` is there (planned inputs), then gives it to the batch.
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment;
    /// The outputs of the batch have run: what they read that `allot` could not know. Called once a batch, before `release`.
    fn settle(&self, batch: u64) -> Settled {
        let _ = batch;
        Settled::default()
    }
    /// Moves the blocks of a batch to a later one, before its own.
    fn forward(&self, batch: u64, later: u64);
    /// The batch is done with its blocks.
    fn release(&self, batch: u64);
    /// The next batch is the last one: what is handed over from now on is refused. Called before that batch is cut.
    fn close(&self);
    /// From now on lets in so many records per second at most, if it can be limited.
    fn limit(&self, per_s: f64) {
        let _ = per_s;
    }
    /// The context is stopping: whoever waits in `allot` goes on.
    fn interrupt(&self) {}
    /// Records taken so far.
    fn accepted(&self) -> u64;
    /// Records dropped so far.
    fn shed(&self) -> u64 {
        0
    }
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
    form: StorageForm,
    state: Mutex<State<R>>,
    moved: Condvar,
    /// Where a single record is put to learn its bytes; empty between calls.
    scale: Mutex<R::Column>,
    gate: Gate,
}

struct State<R: Family> {
    closed: Vec<Arc<Block<R>>>,
    open: Option<OpenBlock<R>>,
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
    /// The last batch is being cut or has been.
    shut: bool,
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
            shut: false,
            counts: BTreeMap::new(),
        };
        let gate = Gate::new(shared.clone(), planned, settings);
        Input {
            shared,
            name,
            planned,
            form: settings.storage,
            state: Mutex::new(state),
            moved: Condvar::new(),
            scale: Mutex::default(),
            gate,
        }
    }

    /// The blocks of a batch.
    pub(crate) fn blocks(&self, batch: u64) -> Arc<Vec<Arc<Block<R>>>> {
        lock(&self.state).allotted.get(&batch).cloned().unwrap_or_default()
    }

    /// Takes many records, stamped with their arrival, into the open block, in pieces as the limit on their rate lets them in.
    pub(crate) fn receive(&self, column: &Arc<R::Column>, wake: &Wake) -> Result<(), Stopped> {
        let records = column.len();
        if records == 0 {
            return if wake.is_set() { Err(Stopped) } else { Ok(()) };
        }
        let (mut from, mut at_work) = (0, None);
        while from < records {
            let piece = from..from + self.gate.piece(records - from);
            from = piece.end;
            at_work = at_work.or_else(|| self.gate.begin());
            self.let_in(column, piece, |now_ns| (now_ns, now_ns), wake, &mut at_work)?;
        }
        Ok(())
    }

    /// Adds records, for which there is room, to the open block, stamped with this moment.
    pub(crate) fn join(&self, column: &Arc<R::Column>) -> Result<(), Stopped> {
        let records = column.len();
        if records == 0 { Ok(()) } else { self.append(column, 0..records, self.arrival(records)) }
    }

    /// Takes one record, stamped with its arrival, into the open block.
    pub(crate) fn receive_one(&self, view: R::View<'_>, wake: &Wake) -> Result<(), Stopped> {
        let bytes = {
            let mut scale = lock(&self.scale);
            scale.clear();
            scale.push(view);
            scale.bytes(0..1)
        };
        let admission = self.gate.admit(1, bytes, wake, &mut self.gate.begin())?;
        let now_ns = self.shared.clock.now_ns();
        if !admission.has_room {
            self.skip(self.arrival(1));
            return Ok(());
        }
        self.with_open(now_ns, 1, |open| open.push(view, bytes, now_ns))
    }

    /// Takes many records, stamped with their arrival, as a block of their own, once the limit lets in all of them.
    pub(crate) fn receive_block(&self, column: &Arc<R::Column>, wake: &Wake) -> Result<(), Stopped> {
        if self.admit_or_shed(column.len(), column.bytes(0..column.len()), wake)? { self.place(column) } else { Ok(()) }
    }

    /// Waits until so many records may come in together; false when they are shed.
    pub(crate) fn admit_or_shed(&self, records: usize, bytes: u64, wake: &Wake) -> Result<bool, Stopped> {
        let admission = self.gate.admit(records as u64, bytes, wake, &mut self.gate.begin())?;
        if !admission.has_room {
            self.skip(self.arrival(records));
        }
        Ok(admission.has_room)
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
        let spread = Spread { first_ns, last_ns, records: range.len() };
        let (mut from, mut blocked_ns) = (range.start, 0);
        while from < range.end {
            let piece = from..from + self.gate.piece(range.end - from);
            from = piece.end;
            let times = (spread.at(piece.start - range.start), spread.at(piece.end - 1 - range.start));
            blocked_ns += self.let_in(column, piece, |_| times, wake, &mut None)?;
        }
        Ok(Handover { blocked_ns, at_ns: self.shared.clock.now_ns() })
    }

    /// Waits at the gate, then takes the records, or sheds them. `times` are of the first and the last, told when they are let
    /// in. Returns how long it waited.
    fn let_in<'g>(
        &'g self,
        column: &Arc<R::Column>,
        range: Range<usize>,
        times: impl FnOnce(u64) -> (u64, u64),
        wake: &Wake,
        at_work: &mut Option<AtWork<'g>>,
    ) -> Result<u64, Stopped> {
        let admission = self.gate.admit(range.len() as u64, column.bytes(range.clone()), wake, at_work)?;
        let (first_ns, last_ns) = times(self.shared.clock.now_ns());
        let stamp = Stamp { records: range.len() as u64, first_ns, last_ns };
        if admission.has_room {
            self.append(column, range, stamp)?;
        } else {
            self.skip(stamp);
        }
        Ok(admission.waited_ns)
    }

    /// Adds a block of its own, for which there is room.
    pub(crate) fn place(&self, column: &Arc<R::Column>) -> Result<(), Stopped> {
        let records = column.len();
        let stamp = self.arrival(records);
        let mut state = lock(&self.state);
        if state.shut {
            return Err(Stopped);
        }
        self.close_open(&mut state);
        let mut block = Block::new(state.next_sequence, self.shared.cut_after(stamp.first_ns));
        state.next_sequence += stamp.records;
        // An empty block is a task all the same, as an empty partition is in Spark.
        if records > 0 {
            block.append(column, 0..records, stamp);
        }
        self.keep(&mut state, block);
        Ok(())
    }

    fn close_open(&self, state: &mut State<R>) {
        if let Some(open) = state.open.take() {
            self.keep(state, open.close());
        }
    }

    /// Adds a closed block to those of the batch that is cut next, in the form in which it is to be kept.
    fn keep(&self, state: &mut State<R>, mut block: Block<R>) {
        if self.form != StorageForm::Deserialized {
            match block.encode() {
                Ok(()) => self.shared.budget.resize(block.bytes, block.held_bytes()),
                Err(error) => self.shared.fail(error),
            }
        }
        if self.form == StorageForm::SerializedDisk && self.shared.budget.is_half_taken() {
            self.spill(state, &mut block);
        }
        state.closed.push(Arc::new(block));
    }

    /// A block that the disk does not take stays in memory.
    fn spill(&self, state: &mut State<R>, block: &mut Block<R>) {
        let held_bytes = block.held_bytes();
        let kind = match block.spill(&self.shared.spill) {
            Ok(()) => "blocks_to_disk",
            Err(_) => "blocks_not_to_disk",
        };
        self.shared.budget.resize(held_bytes, block.held_bytes());
        *state.counts.entry(kind).or_default() += 1;
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
            self.close_open(&mut state);
        }
        let sequence = state.next_sequence;
        state.next_sequence += records;
        add(state.open.get_or_insert_with(|| OpenBlock::new(sequence, self.shared.cut_after(time_ns))));
        Ok(())
    }

    /// Drops records: their sequence numbers are a gap between blocks.
    fn skip(&self, stamp: Stamp) {
        let boundary_ns = self.shared.cut_after(stamp.first_ns);
        let mut state = lock(&self.state);
        self.close_open(&mut state);
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

    /// Tells the listeners. One that panics fails the context, not the source.
    pub(crate) fn report(&self, message: &str) {
        self.shared.report(&self.name, message);
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
}

impl<R: Family> AnyInput for Input<R> {
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment {
        let mut state = lock(&self.state);
        if self.planned {
            state = self.await_watermark(state, due_ns);
        }
        // The last batch of a stop takes whatever was handed over.
        let by_intended_time = self.planned && !self.shared.wake.is_set();
        if state.open.as_ref().is_some_and(|open| !by_intended_time || open.boundary_ns() <= due_ns) {
            self.close_open(&mut state);
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
        let (blocked_ns, throttled_ns) = self.gate.take_waits_ns();
        let allotment = Allotment {
            records: taken.iter().map(|block| block.records).sum(),
            bytes: taken.iter().map(|block| block.bytes).sum(),
            held_bytes: taken.iter().map(|block| block.held_bytes()).sum(),
            blocks: taken.len() as u64,
            ranges,
            end_sequence: state.cut_sequence,
            shed: state.take_shed(if by_intended_time { due_ns } else { u64::MAX }),
            blocked_ns,
            throttled_ns,
            rate_limit_per_s: self.gate.rate_limit_per_s(),
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

    fn close(&self) {
        lock(&self.state).shut = true;
    }

    fn limit(&self, per_s: f64) {
        self.gate.limit(per_s);
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
        closed + state.open.as_ref().map_or(0, OpenBlock::records)
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        lock(&self.state).counts.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    fn is_exhausted(&self) -> bool {
        let state = lock(&self.state);
        state.finished && state.open.is_none() && state.closed.is_empty() && state.shed_waiting.is_empty()
    }
}
