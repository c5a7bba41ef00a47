//! What all inputs of a context share: the clock, the budget, the times of the schedule, the first failure.

use super::budget::Budget;
use super::handover::{Stopped, Timeline};
use super::spill::Spill;
use crate::affinity;
use crate::clock::{Clock, Wake};
use crate::error::{EngineError, panic_text};
use crate::metrics::BatchListener;
use crate::settings::{Overload, Settings};
use crate::storage::Storage;
use crate::sync::{Condvar, Mutex, PoisonError, RwLock, lock, wait_at_most};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What all inputs of a context share.
pub(crate) struct Shared {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) budget: Budget,
    pub(crate) spill: Arc<Spill>,
    pub(crate) interval_ns: u64,
    pub(crate) block_interval_ns: u64,
    pub(super) overload: Overload,
    pub(super) queue_capacity: usize,
    pub(crate) listeners: RwLock<Vec<Arc<dyn BatchListener>>>,
    times: Mutex<Times>,
    times_changed: Condvar,
    failure: Mutex<Option<EngineError>>,
    /// Where no worker is; empty when those who bring records may run anywhere.
    other_cores: Mutex<Vec<usize>>,
}

#[derive(Clone, Copy, Default)]
struct Times {
    timeline: Option<Timeline>,
    live_start_ns: Option<u64>,
}

impl Shared {
    pub(crate) fn new(clock: Arc<dyn Clock>, storage: Arc<dyn Storage>, settings: &Settings) -> Self {
        Shared {
            clock,
            wake: Arc::default(),
            budget: Budget::new(settings.memory_limit_bytes),
            spill: Spill::new(storage),
            interval_ns: settings.interval_ns,
            block_interval_ns: settings.effective_block_interval_ns(),
            overload: settings.overload,
            queue_capacity: settings.queue_capacity,
            listeners: RwLock::default(),
            times: Mutex::default(),
            times_changed: Condvar::new(),
            failure: Mutex::default(),
            other_cores: Mutex::default(),
        }
    }

    pub(crate) fn set_other_cores(&self, cores: Vec<usize>) {
        *lock(&self.other_cores) = cores;
    }

    /// Keeps the calling thread where no worker is, if there is such a place.
    pub(crate) fn keep_off_workers(&self) -> std::io::Result<()> {
        let cores = lock(&self.other_cores).clone();
        if cores.is_empty() { Ok(()) } else { affinity::keep_on(&cores) }
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
            times = wait_at_most(&self.times_changed, times, Duration::from_millis(20));
        }
    }

    /// Are windows and state being filled, back to back?
    pub(super) fn is_priming(&self) -> bool {
        lock(&self.times).live_start_ns.is_none()
    }

    /// Makes whoever waits to hand something over look at its wake, which was set before.
    pub(crate) fn interrupt(&self) {
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
