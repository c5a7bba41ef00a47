//! Operators on pairs: what is grouped by key.

use super::shuffle::ShuffleNode;
use super::stateless::MapFunction;
use super::{Chunk, DStream, Node, Prepared, Sink, operator};
use crate::error::EngineError;
use crate::exchange::{Key, Value};
use crate::record::{CHUNK, Family, Pair};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::sync::Arc;

impl<A: Family> DStream<A> {
    /// Each record turned into a key and a value: `words.map_to_pair::<Text, u64>(|word| (word, 1))`.
    #[track_caller]
    pub fn map_to_pair<K: Family, V: Family>(
        &self,
        function: impl for<'a> MapFunction<'a, A, Pair<K, V>> + Send + Sync + 'static,
    ) -> DStream<Pair<K, V>> {
        self.map_as(function, operator("map_to_pair"))
    }
}

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The values of each key combined. `combine` must be associative and commutative.
    #[track_caller]
    pub fn reduce_by_key(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
    ) -> DStream<Pair<K, V>> {
        self.derive(self.shuffled(combine, operator("reduce_by_key")))
    }

    #[track_caller]
    pub(super) fn shuffled<F>(&self, combine: F, operator: Operator) -> Arc<ShuffleNode<K, V, F>>
    where
        F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
    {
        let settings = self.graph.settings();
        let node = Arc::new(ShuffleNode::new(self.node.clone(), combine, operator, settings, self.partitions()));
        self.graph.schedule(node.clone());
        node
    }
}

impl<K: Key> DStream<K> {
    /// Each distinct record with the number of times it was there.
    #[track_caller]
    pub fn count_by_value(&self) -> DStream<Pair<K, u64>> {
        let operator = operator("count_by_value");
        let ones = self.derive(Arc::new(OnesNode { parent: self.node.clone() }));
        let ones = DStream { exchange_partitions: self.exchange_partitions, ..ones };
        ones.derive(ones.shuffled(|a, b| a + b, operator))
    }
}

/// Each record with the number 1.
struct OnesNode<K: Key> {
    parent: Arc<dyn Node<K>>,
}

impl<K: Key> Node<Pair<K, u64>> for OnesNode<K> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Pair<K, u64>>) -> Result<(), EngineError> {
        self.parent.push(batch, partition, &mut OnesSink { sink })
    }
}

struct OnesSink<'s, K: Key> {
    sink: &'s mut dyn Sink<Pair<K, u64>>,
}

impl<K: Key> Sink<K> for OnesSink<'_, K> {
    fn accept<'a>(&mut self, records: &[K::View<'a>]) {
        for some in records.chunks(CHUNK) {
            let ones: Chunk<(K::View<'a>, u64)> = some.iter().map(|view| (*view, 1)).collect();
            self.sink.accept(&ones);
        }
    }
}
