//! The gate of an input: what a receiver hands over waits here, as the limit on its rate and the discipline for overload say.

use super::budget::Request;
use super::handover::Stopped;
use super::limiter::Limiter;
use super::shared::Shared;
use crate::clock::{Clock, Wake};
use crate::settings::{Overload, Settings};
use crate::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

pub(super) struct Gate {
    shared: Arc<Shared>,
    planned: bool,
    limiter: Option<Limiter>,
    /// Time for which senders waited since the last batch was cut.
    blocked_ns: AtomicU64,
    /// Time of it for which they waited for the limiter.
    throttled_ns: AtomicU64,
}

/// What became of a hand-over.
pub(super) struct Admission {
    /// There is none only where the sender does not wait for any: what it brings is shed.
    pub(super) has_room: bool,
    pub(super) waited_ns: u64,
}

/// A thread that joined the clock for a while.
pub(super) struct AtWork<'c>(&'c dyn Clock);

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Gate {
    pub(super) fn new(shared: Arc<Shared>, planned: bool, settings: &Settings) -> Self {
        let (most, initial) = (settings.max_rate_per_s, settings.backpressure_initial_rate_per_s);
        let is_limited = most.is_some() || initial.is_some() || settings.backpressure;
        let limiter = is_limited.then(|| Limiter::new(most, initial, shared.block_interval_ns));
        Gate { shared, planned, limiter, blocked_ns: AtomicU64::new(0), throttled_ns: AtomicU64::new(0) }
    }

    /// How many of `records` may be let in at once.
    pub(super) fn piece(&self, records: usize) -> usize {
        let piece = self.limiter.as_ref().map(|limiter| limiter.piece(records as u64));
        piece.map_or(records, |piece| piece as usize)
    }

    /// A sender may be any thread, so it did not join the clock that it is going to sleep by.
    pub(super) fn begin(&self) -> Option<AtWork<'_>> {
        self.limiter.as_ref().map(|_| {
            self.shared.clock.join();
            AtWork(&*self.shared.clock)
        })
    }

    /// Waits for the limiter, then for room.
    pub(super) fn admit<'g>(
        &'g self,
        records: u64,
        bytes: u64,
        wake: &Wake,
        at_work: &mut Option<AtWork<'g>>,
    ) -> Result<Admission, Stopped> {
        if wake.is_set() {
            return Err(Stopped);
        }
        let Shared { budget, clock, interval_ns, .. } = &*self.shared;
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

    /// From now on lets in so many records per second at most, if it can be limited.
    pub(super) fn limit(&self, per_s: f64) {
        if let Some(limiter) = &self.limiter {
            limiter.set_rate(per_s);
        }
    }

    /// Records per second that are let in at most.
    pub(super) fn rate_limit_per_s(&self) -> Option<u64> {
        self.limiter.as_ref().and_then(Limiter::rate)
    }

    /// Time for which senders were blocked, and for which of it a rate limit was the reason, since the last call.
    pub(super) fn take_waits_ns(&self) -> (u64, u64) {
        (self.blocked_ns.swap(0, Ordering::Relaxed), self.throttled_ns.swap(0, Ordering::Relaxed))
    }
}
