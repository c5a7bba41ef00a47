//! What an operator with state is told before its first batch.

use crate::exchange::{Key, KeyHasher, Roster, Value, partition_of};
use crate::record::Column;
use std::time::Duration;

/// What an operator with state starts from, and when its keys time out. How many partitions it has is the stream's to say
/// (`with_partitions`).
pub struct StateSpec<K: Key, S: Value> {
    keys: K::Column,
    states: Vec<S::Owned>,
    timeout: Option<Duration>,
}

impl<K: Key, S: Value> Default for StateSpec<K, S> {
    fn default() -> Self {
        StateSpec { keys: K::Column::default(), states: Vec::new(), timeout: None }
    }
}

impl<K: Key, S: Value> StateSpec<K, S> {
    /// No state in the beginning, no time-outs.
    pub fn new() -> Self {
        Self::default()
    }

    /// Keys that have a state before the first batch: `StateSpec::new().initial([(&b"a"[..], 5)])`. Of several states of one
    /// key the last counts.
    #[must_use]
    pub fn initial<'k>(mut self, states: impl IntoIterator<Item = (K::View<'k>, S::Owned)>) -> Self {
        for (key, state) in states {
            self.keys.push(key);
            self.states.push(state);
        }
        self
    }

    /// A key without records for longer than this times out, at the first batch at which that is so. Time is that of the
    /// batches' labels.
    #[must_use]
    pub fn timeout(mut self, idle: Duration) -> Self {
        self.timeout = Some(idle);
        self
    }

    /// The longest idle time that is allowed, whole milliseconds as labels are: longer than 1.5 ms is longer than 1 ms.
    pub(super) fn timeout_ms(&self) -> Option<i64> {
        self.timeout.map(|idle| i64::try_from(idle.as_millis()).unwrap_or(i64::MAX))
    }

    /// The initial states in the partitions of their keys; `put` changes the value of a key in its partition.
    pub(super) fn spread<O: Default>(
        self,
        partitions: usize,
        hasher: &KeyHasher,
        put: impl Fn(&mut O, S::Owned),
    ) -> Vec<Roster<K, O>> {
        let mut rosters: Vec<Roster<K, O>> = (0..partitions).map(|_| Roster::new(hasher.clone())).collect();
        for (index, state) in self.states.into_iter().enumerate() {
            let key = self.keys.view(index);
            let partition = partition_of(K::hash(&hasher.probe::<K>(key)), partitions);
            let mut state = Some(state);
            rosters[partition].place_each(
                &[key],
                |key| *key,
                |_, _, value| {
                    if let Some(state) = state.take() {
                        put(value, state);
                    }
                },
            );
        }
        rosters
    }
}
