//! A clock that stands still until a test moves it, and waits for the engine to come to rest.

use super::{Clock, Wake, lock, wait};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// A clock that only `advance_to` moves.
pub struct ManualClock {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    now_ns: u64,
    at_work: u64,
    /// Deadlines of the sleepers; one that has come is taken out and counted as at work.
    deadlines: Vec<u64>,
}

impl ManualClock {
    /// A clock that shows `start_ns`; wall time is the same.
    pub fn new(start_ns: u64) -> Self {
        ManualClock {
            state: Mutex::new(State { now_ns: start_ns, at_work: 0, deadlines: Vec::new() }),
            changed: Condvar::new(),
        }
    }

    /// Moves the clock and returns when nothing is at work any more: no block or batch is outstanding.
    pub fn advance_to(&self, now_ns: u64) {
        let mut state = lock(&self.state);
        state = self.wait_quiet(state);
        state.now_ns = state.now_ns.max(now_ns);
        let now = state.now_ns;
        let sleeping = state.deadlines.len();
        state.deadlines.retain(|deadline| *deadline > now);
        state.at_work += (sleeping - state.deadlines.len()) as u64;
        self.changed.notify_all();
        drop(self.wait_quiet(state));
    }

    fn wait_quiet<'m>(&self, mut state: std::sync::MutexGuard<'m, State>) -> std::sync::MutexGuard<'m, State> {
        while state.at_work > 0 {
            state = wait(&self.changed, state);
        }
        state
    }
}

impl Clock for ManualClock {
    fn now_ns(&self) -> u64 {
        lock(&self.state).now_ns
    }

    fn wall_offset_ns(&self) -> i64 {
        0
    }

    /// The caller has joined; while it sleeps it does not count as at work.
    fn sleep_until(&self, deadline_ns: u64, wake: &Wake) {
        let mut state = lock(&self.state);
        if state.now_ns >= deadline_ns || wake.is_set() {
            return;
        }
        state.at_work -= 1;
        state.deadlines.push(deadline_ns);
        self.changed.notify_all();
        while state.now_ns < deadline_ns {
            if wake.is_set() {
                // Nobody moved the clock to our deadline, so it is still listed.
                if let Some(at) = state.deadlines.iter().position(|deadline| *deadline == deadline_ns) {
                    state.deadlines.swap_remove(at);
                    state.at_work += 1;
                }
                return;
            }
            let waited = self.changed.wait_timeout(state, Duration::from_millis(2));
            state = waited.unwrap_or_else(std::sync::PoisonError::into_inner).0;
        }
    }

    fn join(&self) {
        lock(&self.state).at_work += 1;
    }

    fn leave(&self) {
        lock(&self.state).at_work -= 1;
        self.changed.notify_all();
    }
}
