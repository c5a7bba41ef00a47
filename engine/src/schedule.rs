//! When batches are cut, where they wait, and how their tasks are spread over threads.

pub(crate) mod backpressure;
pub(crate) mod job;
mod merge;
pub(crate) mod operator;
pub(crate) mod own_thread;
mod pid;
#[cfg(feature = "planted")]
pub(crate) mod planted;
pub(crate) mod pool;
pub(crate) mod queue;
pub(crate) mod ticker;
pub(crate) mod turns;
