//! Turns: who may touch what a node keeps from batch to batch. One batch after the other, also when jobs overlap.

use crate::clock::{lock, wait};
use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex};

/// The turn of the lowest batch that has not passed it on.
#[derive(Default)]
pub(crate) struct Turns {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: u64,
    /// Batches above `next` that needed no turn and are over already.
    passed: BTreeSet<u64>,
}

impl Turns {
    /// Waits until every earlier batch has passed its turn on.
    pub(crate) fn wait_for(&self, batch: u64) {
        let mut state = lock(&self.state);
        while state.next < batch {
            state = wait(&self.changed, state);
        }
    }

    /// The batch is over. Each batch says so once, in any order.
    pub(crate) fn pass(&self, batch: u64) {
        let mut state = lock(&self.state);
        state.passed.insert(batch);
        loop {
            let next = state.next;
            if !state.passed.remove(&next) {
                break;
            }
            state.next += 1;
        }
        drop(state);
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn turns_go_by_number_whatever_the_order_of_passing() {
        let turns = Arc::new(Turns::default());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let threads: Vec<_> = [2, 1, 0]
            .map(|batch| {
                let (turns, seen) = (turns.clone(), seen.clone());
                std::thread::spawn(move || {
                    turns.wait_for(batch);
                    lock(&seen).push(batch);
                    turns.pass(batch);
                })
            })
            .into();
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(*lock(&seen), [0, 1, 2]);
        turns.pass(4);
        turns.wait_for(3);
        turns.pass(3);
        turns.wait_for(5);
    }
}
