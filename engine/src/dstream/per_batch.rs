//! What a node made for each batch that is not over yet: more than one batch, when jobs overlap.

use crate::clock::lock;
use crate::error::EngineError;
use crate::schedule::job::JobRun;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// One `T` per batch; `T` is cheap to clone, usually an `Arc`.
pub(super) struct PerBatch<T> {
    made: Mutex<BTreeMap<u64, T>>,
}

impl<T> Default for PerBatch<T> {
    fn default() -> Self {
        PerBatch { made: Mutex::default() }
    }
}

impl<T: Clone> PerBatch<T> {
    /// What was made for a batch, if anything.
    pub(super) fn get(&self, batch: u64) -> Option<T> {
        lock(&self.made).get(&batch).cloned()
    }

    /// What was made for this batch; makes it at the first call.
    pub(super) fn get_or_make(
        &self,
        run: &mut JobRun<'_>,
        make: impl FnOnce(&mut JobRun<'_>) -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        if let Some(made) = self.get(run.batch) {
            return Ok(made);
        }
        let made = make(run)?;
        lock(&self.made).insert(run.batch, made.clone());
        Ok(made)
    }

    /// The batch is over.
    pub(super) fn take(&self, batch: u64) -> Option<T> {
        lock(&self.made).remove(&batch)
    }
}
