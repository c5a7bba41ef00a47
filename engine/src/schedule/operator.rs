//! Which operator's user code a thread is in, so that a panic can be named.

use std::cell::Cell;
use std::panic::Location;

/// An operator of a job, and where the job called it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operator {
    pub(crate) name: &'static str,
    pub(crate) location: &'static Location<'static>,
}

impl std::fmt::Display for Operator {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} at {}:{}", self.name, self.location.file(), self.location.line())
    }
}

thread_local! {
    static CURRENT: Cell<Option<Operator>> = const { Cell::new(None) };
}

impl Operator {
    /// From here on, user code of this operator runs on this thread.
    #[inline]
    pub(crate) fn enter(self) {
        CURRENT.set(Some(self));
    }
}

/// No user code runs on this thread.
pub(crate) fn clear() {
    CURRENT.set(None);
}

/// The operator whose user code ran last on this thread.
pub(crate) fn current() -> String {
    CURRENT.get().map_or_else(|| "the engine".to_owned(), |operator| operator.to_string())
}
