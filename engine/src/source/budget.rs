//! The bound on what waits: received bytes and queued batches. At the bound, senders are blocked.

use crate::clock::{Clock, Wake, lock};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Shared by all inputs and the batch queue of a context.
pub(crate) struct Budget {
    limit_bytes: u64,
    queue_capacity: usize,
    held: Mutex<Held>,
    freed: Condvar,
}

#[derive(Default)]
struct Held {
    /// Payload bytes of blocks that belong to no finished batch.
    bytes: u64,
    /// Batches that wait for the job thread.
    waiting: usize,
    /// Batches that wait or run.
    outstanding: usize,
}

impl Budget {
    pub(crate) fn new(limit_bytes: u64, queue_capacity: usize) -> Self {
        Budget { limit_bytes, queue_capacity, held: Mutex::default(), freed: Condvar::new() }
    }

    /// Takes room for `bytes`, waiting while there is none; `waited` hears of the time as it passes. A planned sender is let
    /// in when no batch is outstanding, however much it holds: its batch is not complete before it has handed everything over,
    /// so waiting would be for ever. Returns how long it waited; `None` when `wake` was set meanwhile.
    pub(crate) fn acquire(
        &self,
        bytes: u64,
        planned: bool,
        wake: &Wake,
        clock: &dyn Clock,
        waited: impl Fn(u64),
    ) -> Option<u64> {
        let mut held = lock(&self.held);
        let mut total_ns = 0;
        while !self.has_room(&held, bytes, planned) {
            if wake.is_set() {
                return None;
            }
            let begin_ns = clock.now_ns();
            // The time-out is for the wake, which does not notify this condition, and so that a long wait is told in time.
            held = self.freed.wait_timeout(held, Duration::from_millis(20)).unwrap_or_else(PoisonError::into_inner).0;
            let step_ns = clock.now_ns() - begin_ns;
            waited(step_ns);
            total_ns += step_ns;
        }
        held.bytes += bytes;
        Some(total_ns)
    }

    /// Takes room for `bytes` without waiting: what was there before anything could make room.
    pub(crate) fn admit(&self, bytes: u64) {
        lock(&self.held).bytes += bytes;
    }

    fn has_room(&self, held: &Held, bytes: u64, planned: bool) -> bool {
        let fits = held.waiting < self.queue_capacity && (held.bytes == 0 || held.bytes + bytes <= self.limit_bytes);
        fits || (planned && held.outstanding == 0)
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
