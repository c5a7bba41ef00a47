//! State: what is kept of each key from batch to batch.
//!
//! `update_state_by_key` looks at every key at every batch, `map_with_state` only at those that have records or time out. Both
//! change the state of a batch as a whole or not at all.

mod ages;
mod handle;
mod map;
mod spec;
mod update;

pub use handle::State;
pub use map::Mapped;
pub use spec::StateSpec;

use super::Chunk;
use crate::record::{Column, Family};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Locks for reading. A panic of user code while it was written to leaves nothing that is not undone before it is read.
fn read<T>(part: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    part.read().unwrap_or_else(PoisonError::into_inner)
}

/// Locks for writing, with the same view of panics.
fn write<T>(part: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    part.write().unwrap_or_else(PoisonError::into_inner)
}

/// Shows the records of a column, some at a time, with the number of the first.
fn for_each_chunk<'c, R: Family>(column: &'c R::Column, mut visit: impl FnMut(usize, &[R::View<'c>])) {
    let mut chunk = Chunk::<R::View<'c>>::new();
    for first in (0..column.len()).step_by(chunk.capacity()) {
        let end = column.len().min(first + chunk.capacity());
        chunk.extend((first..end).map(|index| column.view(index)));
        visit(first, &chunk);
        chunk.clear();
    }
}
