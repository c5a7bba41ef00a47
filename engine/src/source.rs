//! Where records come from: the receiver seam, and the sources that are built on it.

pub(crate) mod budget;
mod handover;
pub(crate) mod input;
pub(crate) mod limiter;
mod lines;
mod queue;
mod socket;
mod store;

pub use handover::{Handover, Stopped, Timeline};
pub use lines::{LineCounts, LineSplitter};
pub use queue::QueueHandle;
pub(crate) use queue::QueueReceiver;
pub(crate) use socket::SocketReceiver;
pub use store::Store;

use crate::error::EngineError;
use crate::record::Family;

/// A source of records with threads of its own.
pub trait Receiver<R: Family>: Send {
    /// Starts receiving. Must not block: it starts threads, which call the store's methods until these say [`Stopped`].
    ///
    /// # Errors
    /// The source cannot start at all; the context does not start then.
    fn on_start(&mut self, store: Store<R>) -> Result<(), EngineError>;
    /// Ends receiving: joins the threads, which the store's `wake` has told to stop.
    fn on_stop(&mut self);
}
