//! Output operations: what makes a job run.
//!
//! The outputs of a batch run one after another in the order in which the job names them, each for itself: one that fails fails the
//! batch, but neither undoes what the ones before it wrote nor keeps the ones behind it from running.

mod batch;
mod for_each;
mod materialize;
mod outcome;
mod print;
mod save;

pub use batch::{Batch, Partition};
pub use outcome::Outcome;
pub(crate) use print::PrintSink;

use crate::error::EngineError;
use crate::schedule::job::JobRun;

/// An output operation of a job.
pub(crate) trait Output: Send + Sync {
    /// It has something to do at every so many batches.
    fn slide_batches(&self) -> u64;
    /// Does it.
    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError>;
}

/// Which batch an output is called for.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    pub(crate) index: u64,
    pub(crate) time_ns: i64,
    pub(crate) primed: bool,
}
