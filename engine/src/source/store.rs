//! The store: what a receiver hands its records to.

use super::handover::{Handover, Stopped, Timeline};
use super::input::Input;
use super::start::{Next, Start};
use crate::clock::{Clock, Wake};
use crate::error::{EngineError, panic_text};
use crate::record::Family;
use std::fmt::Display;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// What a receiver hands its records to, and how it tells of its troubles. Clones feed the same stream.
///
/// A store belongs to one start of its receiver. After a restart the old one refuses everything with [`Stopped`], so that a
/// thread of the old start cannot feed the stream beside those of the new one.
pub struct Store<R: Family> {
    input: Arc<Input<R>>,
    start: Arc<Start>,
}

impl<R: Family> Clone for Store<R> {
    fn clone(&self) -> Self {
        Store { input: self.input.clone(), start: self.start.clone() }
    }
}

impl<R: Family> Store<R> {
    pub(crate) fn new(input: Arc<Input<R>>, start: Arc<Start>) -> Self {
        Store { input, start }
    }

    pub(crate) fn input(&self) -> &Arc<Input<R>> {
        &self.input
    }

    /// The engine's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.input.shared.clock
    }

    /// Set when this start of the receiver should end, for a restart or because the context stops; sleep with it.
    pub fn wake(&self) -> &Arc<Wake> {
        &self.start.wake
    }

    /// Should this start of the receiver end?
    pub fn is_stopped(&self) -> bool {
        self.start.wake.is_set()
    }

    /// Stores one record, stamped with its arrival: appended to the open block, which is cut at the block interval. Blocks
    /// while the engine is full.
    ///
    /// # Errors
    /// [`Stopped`]: the record was not taken.
    pub fn store(&self, view: R::View<'_>) -> Result<(), Stopped> {
        self.input.receive_one(view, &self.start.wake)
    }

    /// Stores many records, stamped with their arrival: appended to the open block. Blocks while the engine is full, and comes in
    /// pieces where a rate limit is in force.
    ///
    /// # Errors
    /// [`Stopped`]: the records were not taken, or under a rate limit the first pieces of them alone. [`Store::store_block`] takes all
    /// or nothing.
    pub fn store_column(&self, column: R::Column) -> Result<(), Stopped> {
        self.input.receive(&Arc::new(column), &self.start.wake)
    }

    /// Stores many records, all stamped with this moment, as one block, which is one task. Blocks while the engine is full.
    ///
    /// When it returns `Ok`, the next batch that is cut has these records, a stop's last batch included; a sender that waits
    /// for an acknowledgement can be given it, as far as the life of this process reaches: blocks are in memory alone, and
    /// a stop without time to drain abandons batches (they are counted as unfinished). With `Err` nothing was taken: the
    /// sender should send it again.
    ///
    /// # Errors
    /// [`Stopped`]: none of the records was taken.
    pub fn store_block(&self, column: R::Column) -> Result<(), Stopped> {
        self.input.receive_block(&Arc::new(column), &self.start.wake)
    }

    /// The timeline of a planned source; blocks until the context has fixed it.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn timeline(&self) -> Result<Timeline, Stopped> {
        self.input.shared.timeline(&self.start.wake)
    }

    /// Hands over planned records without copying: those of `range`, whose intended times are evenly spread from the first to
    /// the last and all below [`Store::cut_after`] the first.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn store_planned(
        &self,
        column: &Arc<R::Column>,
        range: Range<usize>,
        first_intended_ns: u64,
        last_intended_ns: u64,
    ) -> Result<Handover, Stopped> {
        self.input.plan(column, range, (first_intended_ns, last_intended_ns), &self.start.wake)
    }

    /// The first block or batch boundary later than this time.
    pub fn cut_after(&self, intended_ns: u64) -> u64 {
        self.input.shared.cut_after(intended_ns)
    }

    /// Everything intended before this time has been handed over.
    pub fn advance_watermark(&self, intended_ns: u64) {
        self.input.advance_watermark(intended_ns);
    }

    /// When the live part of the schedule starts; blocks until windows and state are primed.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn live_start_ns(&self) -> Result<u64, Stopped> {
        self.input.shared.live_start_ns(&self.start.wake)
    }

    /// No more records will come.
    pub fn finish(&self) {
        self.input.finish();
    }

    /// Counts oddities that were taken and input that was refused, by kind.
    pub fn count_input(&self, kind: &'static str, count: u64) {
        self.input.count(kind, count);
    }

    /// The source failed for good; the context's `await` returns this.
    pub fn fail(&self, problem: String) {
        self.input.fail(problem);
    }

    /// Tells listeners of a trouble that the source will try to mend itself, or that it is fine again.
    pub fn report(&self, message: String) {
        self.input.report(&message);
    }

    /// Tells listeners of an error and counts it (`receiver_errors`); receiving goes on.
    pub fn report_error(&self, message: impl Display) {
        self.count_input("receiver_errors", 1);
        self.input.report(&message.to_string());
    }

    /// Starts the receiver again after [`Settings::restart_delay_ns`](crate::Settings::restart_delay_ns): tells the threads of
    /// this start to end, calls `on_stop`, pauses, calls `on_start` with a fresh store. Returns at once; the work is done on
    /// another thread, so that the threads of the receiver may call this themselves. Counted (`receiver_restarts`); listeners
    /// hear the message. Of several calls within one start the first one counts.
    pub fn restart(&self, message: impl Display) {
        self.restart_after(message, self.start.restart_delay());
    }

    /// The same with a pause of one's own. The pause is real time, on a manual clock too.
    pub fn restart_after(&self, message: impl Display, delay: Duration) {
        if self.claim_end() {
            self.begin_restart(&message.to_string(), delay);
        }
    }

    /// Ends this receiver for good, without ending the context: its stream goes on, empty. Returns at once, as
    /// [`Store::restart`] does.
    pub fn stop(&self, message: impl Display) {
        if self.claim_end() {
            self.input.report(&format!("{message}; the receiver has ended for good"));
            self.start.end(Next::Nothing);
        }
    }

    /// With `pin_cores`, keeps the calling thread off the cores of the engine's workers, where there are others for it. Threads
    /// of [`Store::spawn`] need not call it.
    pub fn keep_off_workers(&self) {
        if let Err(error) = self.input.shared.keep_off_workers() {
            self.report(format!("cannot be kept off the cores of the workers: {error}"));
        }
    }

    /// Starts a thread of the receiver. It should end when [`Store::is_stopped`]; the engine joins it after `on_stop`. A panic
    /// in it is reported, counted (`receiver_panics`) and starts the receiver again.
    ///
    /// # Errors
    /// The thread cannot be started.
    pub fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
        let (store, place) = (self.clone(), format!("thread {name}"));
        let guarded = move || {
            store.keep_off_workers();
            if let Err(panic) = catch_unwind(AssertUnwindSafe(body)) {
                store.panicked(&place, &panic_text(&*panic));
            }
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(guarded);
        let thread =
            thread.map_err(|error| EngineError::Thread { thread: name.to_owned(), problem: error.to_string() })?;
        self.start.keep(thread);
        Ok(())
    }

    /// The receiver's own code panicked.
    pub(crate) fn panicked(&self, place: &str, problem: &str) {
        self.count_input("receiver_panics", 1);
        let message = format!("the receiver panicked in {place}: {problem}");
        if self.claim_end() {
            self.begin_restart(&message, self.start.restart_delay());
        } else {
            self.input.report(&message);
        }
    }

    fn claim_end(&self) -> bool {
        !self.is_stopped() && self.start.claim_end()
    }

    fn begin_restart(&self, message: &str, delay: Duration) {
        self.count_input("receiver_restarts", 1);
        self.input.report(&format!("{message}; starting the receiver again in {delay:?}"));
        self.start.end(Next::Again(delay));
    }
}
