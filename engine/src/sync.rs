//! Locks, as the queue of batches, the inputs and the shutdown use them: std's, or with the feature `shuttle` those of a scheduler
//! that tries many orders of execution (`scripts/schedules`).
//!
//! Under that scheduler a wait with a time-out never times out: what is right there rests on no time-out.

#[cfg(not(feature = "shuttle"))]
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, atomic};

#[cfg(feature = "shuttle")]
pub(crate) use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, atomic};

use std::time::Duration;

/// Locks even when another thread panicked with the lock held: what user closures can break is not behind our locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition, with the same view of panics as [`lock`].
pub(crate) fn wait<'m, T>(condition: &Condvar, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// The same, for at most this long.
pub(crate) fn wait_at_most<'m, T>(condition: &Condvar, guard: MutexGuard<'m, T>, time: Duration) -> MutexGuard<'m, T> {
    condition.wait_timeout(guard, time).unwrap_or_else(PoisonError::into_inner).0
}
