//! How often each key was in the last batches.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// A window of whole batches, as the keys of each and their number in all.
pub(super) struct Window<K> {
    most: usize,
    batches: VecDeque<Vec<K>>,
    counts: HashMap<K, u64, foldhash::fast::RandomState>,
}

impl<K: Clone + Eq + Hash> Window<K> {
    /// An empty window that will have `most` batches at most.
    pub(super) fn new(most: usize) -> Self {
        Window { most, batches: VecDeque::new(), counts: HashMap::default() }
    }

    /// A batch comes; the oldest goes, if there are too many.
    pub(super) fn slide(&mut self, batch: Vec<K>) {
        for key in &batch {
            *self.counts.entry(key.clone()).or_default() += 1;
        }
        self.batches.push_back(batch);
        if self.batches.len() > self.most {
            self.batches.pop_front().into_iter().flatten().for_each(|key| self.take_out(key));
        }
    }

    fn take_out(&mut self, key: K) {
        if let Some(count) = self.counts.get_mut(&key) {
            *count -= 1;
            if *count == 0 {
                self.counts.remove(&key);
            }
        }
    }

    /// The keys that are there, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, u64)> {
        self.counts.iter().map(|(key, count)| (key, *count))
    }

    /// The number of a key.
    pub(super) fn count(&self, key: &K) -> u64 {
        self.counts.get(key).copied().unwrap_or_default()
    }
}
