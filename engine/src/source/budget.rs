//! The bound on what waits: received bytes and queued batches. At the bound, senders are blocked or told that there is no room.

use crate::clock::{Clock, Wake};
use crate::sync::{Condvar, Mutex, lock, wait_at_most};
use std::time::Duration;

/// Shared by all inputs and the batch queue of a context.
pub(crate) struct Budget {
    limit_bytes: u64,
    held: Mutex<Held>,
    freed: Condvar,
}

#[derive(Default)]
struct Held {
    /// Bytes of blocks that belong to no finished batch: of their payload, or of their encoded form where they have one.
    bytes: u64,
    /// Batches that wait for a job thread.
    waiting: usize,
    /// Batches that wait or run.
    outstanding: usize,
}

/// What a sender asks for.
#[derive(Clone, Copy)]
pub(crate) struct Request {
    /// Payload bytes of its records.
    pub(crate) bytes: u64,
    /// There is no room while so many batches wait.
    pub(crate) waiting_most: usize,
    /// Let in whenever no batch is outstanding, however much is held: of a planned sender whose batch is not complete before it
    /// has handed everything over, so that waiting would be for ever.
    pub(crate) completes_a_batch: bool,
}

impl Budget {
    pub(crate) fn new(limit_bytes: u64) -> Self {
        Budget { limit_bytes, held: Mutex::default(), freed: Condvar::new() }
    }

    /// Takes room, waiting while there is none; `waited` hears of the time as it passes. Returns how long it waited; `None` when
    /// `wake` was set meanwhile.
    pub(crate) fn acquire(
        &self,
        request: Request,
        wake: &Wake,
        clock: &dyn Clock,
        waited: impl Fn(u64),
    ) -> Option<u64> {
        let mut held = lock(&self.held);
        let mut total_ns = 0;
        while !self.has_room(&held, request) {
            if wake.is_set() {
                return None;
            }
            let begin_ns = clock.now_ns();
            // The time-out is for a wake that nobody tells us of, and so that a long wait is told in time.
            held = wait_at_most(&self.freed, held, Duration::from_millis(20));
            let step_ns = clock.now_ns() - begin_ns;
            waited(step_ns);
            total_ns += step_ns;
        }
        held.bytes += request.bytes;
        Some(total_ns)
    }

    /// Takes room for `bytes` without waiting: what was there before anything could make room.
    pub(crate) fn admit(&self, bytes: u64) {
        lock(&self.held).bytes += bytes;
    }

    /// What took room for `from_bytes` takes room for `to_bytes` from now on, whether there is some or not.
    pub(crate) fn resize(&self, from_bytes: u64, to_bytes: u64) {
        let mut held = lock(&self.held);
        held.bytes = (held.bytes + to_bytes).saturating_sub(from_bytes);
        drop(held);
        if to_bytes < from_bytes {
            self.freed.notify_all();
        }
    }

    /// More than half of what may be held is.
    pub(crate) fn is_half_taken(&self) -> bool {
        lock(&self.held).bytes > self.limit_bytes / 2
    }

    /// Takes room if there is some.
    pub(crate) fn try_acquire(&self, request: Request) -> bool {
        let mut held = lock(&self.held);
        let has_room = self.has_room(&held, request);
        if has_room {
            held.bytes += request.bytes;
        }
        has_room
    }

    fn has_room(&self, held: &Held, request: Request) -> bool {
        let Request { bytes, waiting_most, completes_a_batch } = request;
        let fits = held.waiting < waiting_most && (held.bytes == 0 || held.bytes + bytes <= self.limit_bytes);
        fits || (completes_a_batch && held.outstanding == 0)
    }

    /// Makes all who wait look at their wake.
    pub(crate) fn interrupt(&self) {
        drop(lock(&self.held));
        self.freed.notify_all();
    }

    /// A batch joined the queue.
    pub(crate) fn batch_queued(&self) {
        let mut held = lock(&self.held);
        held.waiting += 1;
        held.outstanding += 1;
    }

    /// A batch left the queue and runs.
    pub(crate) fn batch_started(&self) {
        lock(&self.held).waiting -= 1;
        self.freed.notify_all();
    }

    /// A batch is done; its blocks are gone.
    pub(crate) fn batch_done(&self, bytes: u64) {
        let mut held = lock(&self.held);
        held.outstanding -= 1;
        held.bytes = held.bytes.saturating_sub(bytes);
        drop(held);
        self.freed.notify_all();
    }
}
