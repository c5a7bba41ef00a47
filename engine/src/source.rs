//! Where records come from: the receiver seam, and the sources that are built on it.

pub(crate) mod allotment;
pub(crate) mod budget;
mod directory;
mod feed;
mod gate;
mod handover;
mod http;
pub(crate) mod input;
pub(crate) mod limiter;
mod lines;
mod open;
mod queue;
pub(crate) mod shared;
mod socket;
pub(crate) mod spill;
mod start;
mod store;
mod supervisor;
mod tcp;

pub(crate) use directory::DirectoryInput;
pub use directory::DirectoryOptions;
pub use handover::{Handover, Stopped, Timeline};
pub(crate) use http::HttpReceiver;
pub use http::{Backoff, HttpOptions};
pub use lines::{LineCounts, LineSplitter};
pub use queue::QueueHandle;
pub(crate) use queue::{OneAtATime, QueueReceiver, default_column};
pub(crate) use socket::SocketReceiver;
pub use store::Store;
pub(crate) use supervisor::Supervisor;

use crate::error::EngineError;
use crate::record::Family;

/// A source of records with threads of its own.
///
/// It is started with the context, and again whenever it asks for it ([`Store::restart`]) or one of its threads panics; each
/// start has a store of its own. `on_stop` is called once after every `on_start`, whatever came of that. A panic in either is
/// reported, counted (`receiver_panics`) and starts the receiver again: a faulty receiver never ends the context.
pub trait Receiver<R: Family>: Send {
    /// Starts receiving. Must not block: it starts threads ([`Store::spawn`]), which call the store's methods until these say
    /// [`Stopped`].
    ///
    /// # Errors
    /// The source cannot start at all; the context does not start then. At a restart the error is reported, counted
    /// (`receiver_errors`), and the start is tried again after the restart delay.
    fn on_start(&mut self, store: Store<R>) -> Result<(), EngineError>;
    /// Ends receiving: the store's `wake` has been set, and the threads of [`Store::spawn`] are joined by the engine afterwards.
    /// Other threads are joined here.
    fn on_stop(&mut self);
}
