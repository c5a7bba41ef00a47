//! The queue of batches that are cut and wait for a job thread: bounded, first in, first out.

use crate::clock::Clock;
use crate::source::allotment::Allotment;
use crate::source::budget::Budget;
use crate::sync::{Condvar, Mutex, lock, wait};
use std::collections::VecDeque;
use std::sync::Arc;

/// A batch that is cut.
pub(crate) struct Batch {
    /// Counts primed and live batches together: the id under which inputs keep its blocks.
    pub(crate) id: u64,
    pub(crate) index: u64,
    pub(crate) time_ns: i64,
    pub(crate) due_ns: u64,
    pub(crate) submitted_ns: u64,
    pub(crate) primed: bool,
    pub(crate) queue_depth: u64,
    pub(crate) allotments: Vec<Allotment>,
}

impl Batch {
    pub(crate) fn sum(&self, part: impl Fn(&Allotment) -> u64) -> u64 {
        self.allotments.iter().map(part).sum()
    }
}

/// Batches on their way to the job threads. When it is full, the ticker waits; what happens to senders, the discipline says
/// (see [`Budget`]).
pub(crate) struct Queue {
    capacity: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Batch>,
    /// Batches that were popped and are not done.
    running: usize,
    /// Their records.
    running_records: u64,
    closed: bool,
    abandoned: bool,
    /// Records of batches that failed or were abandoned.
    unfinished_records: u64,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Queue { capacity, state: Mutex::default(), changed: Condvar::new() }
    }

    /// Adds a batch, waiting while the queue is full; stamps it as submitted. False when the queue was abandoned. `overtake` is
    /// called with the batch that waits last, if any does, and the new one: it may move records from the one to the other.
    pub(crate) fn push(
        &self,
        mut batch: Batch,
        clock: &Arc<dyn Clock>,
        budget: &Budget,
        overtake: impl FnOnce(&mut Batch, &mut Batch),
    ) -> bool {
        let mut state = lock(&self.state);
        while state.waiting.len() >= self.capacity && !state.abandoned {
            state = wait(&self.changed, state);
        }
        if state.abandoned {
            state.unfinished_records += batch.sum(|allotment| allotment.records);
            return false;
        }
        if let Some(last) = state.waiting.back_mut() {
            overtake(last, &mut batch);
        }
        clock.join();
        budget.batch_queued();
        batch.queue_depth = state.waiting.len() as u64;
        batch.submitted_ns = clock.now_ns();
        state.waiting.push_back(batch);
        drop(state);
        self.changed.notify_all();
        true
    }

    /// The next batch; waits for one. `None` when the queue is closed and empty, or abandoned.
    pub(crate) fn pop(&self) -> Option<Batch> {
        let mut state = lock(&self.state);
        loop {
            if state.abandoned {
                return None;
            }
            if let Some(batch) = state.waiting.pop_front() {
                state.running += 1;
                state.running_records += batch.sum(|allotment| allotment.records);
                drop(state);
                self.changed.notify_all();
                return Some(batch);
            }
            if state.closed {
                return None;
            }
            state = wait(&self.changed, state);
        }
    }

    /// A batch that was popped is done, with its outputs committed or not. It was cut with so many records, and turned out to
    /// have so many.
    pub(crate) fn done(&self, cut_records: u64, records: u64, committed: bool) {
        let mut state = lock(&self.state);
        state.running -= 1;
        state.running_records -= cut_records;
        state.unfinished_records += if committed { 0 } else { records };
        drop(state);
        self.changed.notify_all();
    }

    /// Records of batches that failed, were abandoned or are not done yet.
    pub(crate) fn unfinished_records(&self) -> u64 {
        let state = lock(&self.state);
        let waiting: u64 = state.waiting.iter().map(|batch| batch.sum(|allotment| allotment.records)).sum();
        state.unfinished_records + waiting + state.running_records
    }

    /// Waits until no batch waits or runs.
    pub(crate) fn wait_empty(&self) {
        let mut state = lock(&self.state);
        while (!state.waiting.is_empty() || state.running > 0) && !state.abandoned {
            state = wait(&self.changed, state);
        }
    }

    /// No more batches will come.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }

    /// What waits is not run any more.
    pub(crate) fn abandon(&self, clock: &Arc<dyn Clock>) {
        let mut state = lock(&self.state);
        state.abandoned = true;
        for batch in std::mem::take(&mut state.waiting) {
            state.unfinished_records += batch.sum(|allotment| allotment.records);
            clock.leave();
        }
        drop(state);
        self.changed.notify_all();
    }
}
