//! The seam to time: a real monotonic clock, and a manual one for tests.
//!
//! All times are nanoseconds of `CLOCK_MONOTONIC` (profiler samples are joined on it). Wall time is read once, to anchor
//! the labels of batches.

mod manual;

pub use manual::ManualClock;

use crate::sync;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Where the engine and its sources get the time from, and how they wait for it.
pub trait Clock: Send + Sync + 'static {
    /// Monotonic time, nanoseconds.
    fn now_ns(&self) -> u64;
    /// Wall time = monotonic time + this; fixed when the clock is made.
    fn wall_offset_ns(&self) -> i64;
    /// Returns when the time has come or `wake` is set, whichever is first.
    fn sleep_until(&self, deadline_ns: u64, wake: &Wake);
    /// A thread or batch is at work from now on; a manual clock is not quiet while there is any. Sleeping is not work.
    fn join(&self);
    /// What joined has come to rest or ended.
    fn leave(&self);
}

/// Tells sleeping threads to stop.
#[derive(Default)]
pub struct Wake {
    set: sync::Mutex<bool>,
    changed: sync::Condvar,
}

impl Wake {
    /// Wakes all sleepers, now and in future.
    pub fn set(&self) {
        *sync::lock(&self.set) = true;
        self.changed.notify_all();
    }

    /// Has it been set?
    pub fn is_set(&self) -> bool {
        *sync::lock(&self.set)
    }

    /// Sleeps until set or until the time is over.
    pub fn sleep(&self, time: Duration) {
        let set = sync::lock(&self.set);
        drop(self.changed.wait_timeout_while(set, time, |set| !*set));
    }
}

/// The system's monotonic clock.
pub struct MonotonicClock {
    wall_offset_ns: i64,
}

impl MonotonicClock {
    /// Reads wall time once, to anchor labels.
    pub fn new() -> Self {
        MonotonicClock {
            wall_offset_ns: read_clock(libc::CLOCK_REALTIME) as i64 - read_clock(libc::CLOCK_MONOTONIC) as i64,
        }
    }

    /// How far wall time has moved against the monotonic clock since this clock was made: not 0 when somebody set the clock.
    pub fn wall_jump_ns(&self) -> i64 {
        MonotonicClock::new().wall_offset_ns - self.wall_offset_ns
    }
}

impl Default for MonotonicClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for MonotonicClock {
    fn now_ns(&self) -> u64 {
        read_clock(libc::CLOCK_MONOTONIC)
    }

    fn wall_offset_ns(&self) -> i64 {
        self.wall_offset_ns
    }

    fn sleep_until(&self, deadline_ns: u64, wake: &Wake) {
        while !wake.is_set() {
            let now = self.now_ns();
            if now >= deadline_ns {
                return;
            }
            wake.sleep(Duration::from_nanos(deadline_ns - now));
        }
    }

    fn join(&self) {}

    fn leave(&self) {}
}

/// CPU time of the calling thread, nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time of the whole process, nanoseconds.
pub fn process_cpu_ns() -> u64 {
    read_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Asks the kernel to wake this thread at its deadlines, not up to 50 µs later.
pub fn set_timer_slack() {
    // SAFETY: PR_SET_TIMERSLACK takes one number and touches no memory of ours.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1usize) };
}

fn read_clock(id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for the answer; the clocks asked for exist on every Linux.
    unsafe { libc::clock_gettime(id, &mut time) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Locks even when another thread panicked with the lock held: what user closures can break is not behind our locks.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits on a condition, with the same view of panics as [`lock`].
pub(crate) fn wait<'m, T>(condition: &Condvar, guard: MutexGuard<'m, T>) -> MutexGuard<'m, T> {
    condition.wait(guard).unwrap_or_else(PoisonError::into_inner)
}
