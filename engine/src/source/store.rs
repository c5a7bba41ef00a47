//! The store: what a receiver hands its records to.

use super::handover::{Handover, Stopped, Timeline};
use super::input::Input;
use crate::clock::{Clock, Wake};
use crate::record::Family;
use std::ops::Range;
use std::sync::Arc;

/// What a receiver hands its records to. Clones feed the same stream.
pub struct Store<R: Family> {
    pub(crate) input: Arc<Input<R>>,
}

impl<R: Family> Clone for Store<R> {
    fn clone(&self) -> Self {
        Store { input: self.input.clone() }
    }
}

impl<R: Family> Store<R> {
    /// The engine's clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.input.shared.clock
    }

    /// Set when the receiver should stop; sleep with it.
    pub fn wake(&self) -> &Arc<Wake> {
        &self.input.shared.wake
    }

    /// Should the receiver stop?
    pub fn is_stopped(&self) -> bool {
        self.input.shared.wake.is_set()
    }

    /// Stores one record, stamped with its arrival. Blocks while the engine is full.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn store(&self, view: R::View<'_>) -> Result<(), Stopped> {
        let mut column = R::Column::default();
        crate::record::Column::push(&mut column, view);
        self.store_column(column)
    }

    /// Stores many records, all stamped with this moment. Blocks while the engine is full.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn store_column(&self, column: R::Column) -> Result<(), Stopped> {
        self.input.receive(column)
    }

    /// The timeline of a planned source; blocks until the context has fixed it.
    ///
    /// # Errors
    /// [`Stopped`].
    pub fn timeline(&self) -> Result<Timeline, Stopped> {
        self.input.shared.timeline()
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
        self.input.plan(column, range, first_intended_ns, last_intended_ns)
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
        self.input.shared.live_start_ns()
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

    /// Tells listeners of a trouble that the source will try to mend itself.
    pub fn report(&self, message: String) {
        self.input.report(message);
    }
}
