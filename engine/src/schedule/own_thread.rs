//! Which threads run batches: those cannot wait for the end of a context.

use crate::error::EngineError;
use std::cell::Cell;

thread_local! {
    static RUNS_BATCHES: Cell<bool> = const { Cell::new(false) };
}

/// This thread runs batches from now on.
pub(crate) fn mark() {
    RUNS_BATCHES.set(true);
}

/// Refuses a call that would wait for the batch from whose code it comes.
pub(crate) fn refuse(call: &'static str) -> Result<(), EngineError> {
    if RUNS_BATCHES.get() {
        let reason = "the batch that calls it would wait for itself; call it from a thread of the program";
        return Err(EngineError::State { call, reason });
    }
    Ok(())
}
