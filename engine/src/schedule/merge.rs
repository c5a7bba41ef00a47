//! The discipline `merge`: what waits moves into the newest batch.
//!
//! As in Structured Streaming, the backlog becomes one growing batch; unlike there, every tick still yields a batch, so that windows,
//! state and time-outs see each interval pass: those that were overtaken run as empty ones.

use super::queue::Batch;
use crate::source::input::AnyInput;
use std::sync::Arc;

/// Moves the records of a batch that waits to a newer one. Because each batch that joins the queue does so, only the last one that
/// waits has any.
pub(crate) fn move_forward(inputs: &[Arc<dyn AnyInput>], waiting: &mut Batch, newest: &mut Batch) {
    for input in inputs {
        input.forward(waiting.id, newest.id);
    }
    for (earlier, later) in waiting.allotments.iter_mut().zip(&mut newest.allotments) {
        later.take_records_of(earlier);
    }
}
