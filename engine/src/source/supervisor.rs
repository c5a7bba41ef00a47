//! The supervisor: owns the receivers of a context, starts and stops them, and starts one again that asked for it or
//! panicked. A receiver's trouble stays its own: nothing here ends the context or another receiver.

use super::input::Input;
use super::start::{Next, Owner, Start};
use super::{Receiver, Store};
use crate::clock::lock;
use crate::error::{EngineError, panic_text};
use crate::record::Family;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

/// The receivers of a context.
#[derive(Default)]
pub(crate) struct Supervisor {
    slots: Mutex<Vec<Arc<dyn AnySlot>>>,
}

/// The place of one receiver, whatever its records are.
trait AnySlot: Send + Sync {
    fn start(&self) -> Result<(), EngineError>;
    /// Tells the threads of the current start to end; no other start follows once the context's wake is set.
    fn wake(&self);
    /// Ends the receiver for good.
    fn stop(&self);
}

impl Supervisor {
    pub(crate) fn add<R: Family>(
        &self,
        input: Arc<Input<R>>,
        receiver: impl Receiver<R> + 'static,
        restart_delay: Duration,
    ) {
        let slot = Arc::new_cyclic(|this| Slot {
            this: this.clone(),
            input,
            restart_delay,
            receiver: Mutex::new(Some(Box::new(receiver))),
            current: Mutex::default(),
        });
        lock(&self.slots).push(slot);
    }

    /// Starts all receivers, in the order in which they were added.
    ///
    /// # Errors
    /// The first receiver that cannot start.
    pub(crate) fn start(&self) -> Result<(), EngineError> {
        // A stop from another thread must get at the slots while `on_start` runs.
        let slots = lock(&self.slots).clone();
        slots.iter().try_for_each(|slot| slot.start())
    }

    /// Ends all receivers; the context's wake has been set before. First all are told, then each is waited for.
    pub(crate) fn stop(&self) {
        let slots = lock(&self.slots).clone();
        slots.iter().for_each(|slot| slot.wake());
        slots.iter().for_each(|slot| slot.stop());
    }
}

struct Slot<R: Family> {
    this: Weak<Slot<R>>,
    input: Arc<Input<R>>,
    restart_delay: Duration,
    /// Locked while `on_start` or `on_stop` runs; `None` when the receiver has ended for good.
    receiver: Mutex<Option<Box<dyn Receiver<R>>>>,
    current: Mutex<Option<Arc<Start>>>,
}

impl<R: Family> Slot<R> {
    /// Calls `on_start` with a fresh store. A panic in it is reported and leads to a restart.
    fn begin(&self) -> Result<(), EngineError> {
        let mut receiver = lock(&self.receiver);
        let (Some(receiver), Some(start)) = (receiver.as_mut(), self.new_start()) else { return Ok(()) };
        let store = Store::new(self.input.clone(), start);
        let started = catch_unwind(AssertUnwindSafe(|| receiver.on_start(store.clone())));
        started.unwrap_or_else(|panic| {
            store.panicked("on_start", &panic_text(&*panic));
            Ok(())
        })
    }

    /// `None` when the context is stopping. Under the lock, so that either this sees the context's wake or the one who set
    /// it sees this start.
    fn new_start(&self) -> Option<Arc<Start>> {
        let mut current = lock(&self.current);
        if self.input.shared.wake.is_set() {
            return None;
        }
        let owner: Weak<dyn Owner> = self.this.clone();
        Some(current.insert(Arc::new(Start::new(owner))).clone())
    }

    /// Ends the current start, if there is one: tells its threads, calls `on_stop`, waits for its threads.
    fn halt(&self, receiver: &mut dyn Receiver<R>) {
        let Some(start) = lock(&self.current).take() else { return };
        start.claim_end();
        start.wake.set();
        self.input.shared.interrupt();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| receiver.on_stop())) {
            self.input.count("receiver_panics", 1);
            self.input.report(&format!("the receiver panicked in on_stop: {}", panic_text(&*panic)));
        }
        start.join();
    }

    fn end_for_good(&self) {
        let mut receiver = lock(&self.receiver);
        if let Some(mut receiver) = receiver.take() {
            self.halt(&mut *receiver);
        }
    }

    /// Ends the current start and tries, after the pause, until there is another one or the context stops.
    fn start_again(&self, mut delay: Duration) {
        loop {
            if let Some(receiver) = lock(&self.receiver).as_mut() {
                self.halt(&mut **receiver);
            }
            self.input.shared.wake.sleep(delay);
            let Err(error) = self.begin() else { return };
            delay = self.restart_delay;
            self.input.count("receiver_errors", 1);
            self.input.report(&format!("the receiver cannot start again: {error}; trying again in {delay:?}"));
            // Claimed already: the receiver asked for a restart itself before it failed, and gets that one.
            if !lock(&self.current).as_ref().is_none_or(|start| start.claim_end()) {
                return;
            }
        }
    }
}

impl<R: Family> AnySlot for Slot<R> {
    fn start(&self) -> Result<(), EngineError> {
        self.begin()
    }

    fn wake(&self) {
        if let Some(start) = &*lock(&self.current) {
            start.wake.set();
        }
        self.input.shared.interrupt();
    }

    fn stop(&self) {
        self.end_for_good();
    }
}

impl<R: Family> Owner for Slot<R> {
    fn end(self: Arc<Self>, next: Next) {
        let input = self.input.clone();
        let body = move || match next {
            Next::Again(delay) => self.start_again(delay),
            Next::Nothing => {
                self.end_for_good();
                // Batches of a planned source must not wait for it any more.
                self.input.advance_watermark(u64::MAX);
            }
        };
        if let Err(error) = std::thread::Builder::new().name("db-receiver".into()).spawn(body) {
            let error = EngineError::Thread { thread: "db-receiver".into(), problem: error.to_string() };
            input.fail(format!("its receiver cannot be ended: {error}"));
        }
    }

    fn restart_delay(&self) -> Duration {
        self.restart_delay
    }
}
