//! Which version of what changes between batches each batch sees.

use super::Scheduled;
use crate::clock::lock;
use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// What can be kept here.
type Anything = Arc<dyn Any + Send + Sync>;

/// The versions that the batches see which are not over yet. Streams of one context share it, so that a batch sees the same
/// version wherever it looks.
#[derive(Default)]
pub(crate) struct Versions {
    /// By batch and place in memory of the owner, who is kept so that the place stays its own.
    seen: Mutex<BTreeMap<(u64, usize), (Anything, Anything)>>,
}

impl Versions {
    /// The version that a batch sees of `owner`: what `take` gives at the first call.
    pub(super) fn at<O, T>(&self, batch: u64, owner: &Arc<O>, take: impl Fn() -> Arc<T>) -> Arc<T>
    where
        O: Send + Sync + 'static,
        T: Send + Sync + 'static,
    {
        let place = Arc::as_ptr(owner).addr();
        let mut seen = lock(&self.seen);
        let (_, version) = seen.entry((batch, place)).or_insert_with(|| (owner.clone(), take()));
        version.clone().downcast().unwrap_or_else(|_| take())
    }
}

impl Scheduled for Versions {
    fn release(&self, batch: u64) {
        lock(&self.seen).retain(|(of, _), _| *of != batch);
    }
}
