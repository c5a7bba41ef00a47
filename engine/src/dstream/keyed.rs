//! Operators on pairs: what is grouped by key.

use super::shuffle::{Alike, ShuffleNode};
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

impl<K: Family, V: Family> DStream<Pair<K, V>> {
    /// Each value turned into another, beside its key: `counts.map_values::<u64>(|count| count * 100)`.
    #[track_caller]
    pub fn map_values<W: Family>(
        &self,
        function: impl for<'a> MapFunction<'a, V, W> + Send + Sync + 'static,
    ) -> DStream<Pair<K, W>> {
        self.map_as::<Pair<K, W>>(move |(key, value)| (key, function(value)), operator("map_values"))
    }

    /// Each value turned into any number of others, each beside its key.
    #[track_caller]
    pub fn flat_map_values<W: Family>(
        &self,
        function: impl for<'a> Fn(V::View<'a>, &mut dyn FnMut(W::View<'a>)) + Send + Sync + 'static,
    ) -> DStream<Pair<K, W>> {
        self.flat_map_as::<Pair<K, W>>(
            move |(key, value), out| function(value, &mut |other| out((key, other))),
            operator("flat_map_values"),
        )
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
        let feed = Box::new(Alike { parent: self.node.clone(), operator });
        let node = Arc::new(ShuffleNode::new(feed, combine, operator, &self.graph, self.partitions()));
        self.graph.schedule(node.clone());
        node
    }
}

impl<K: Key> DStream<K> {
    /// Each distinct record with the number of times it was there.
    #[track_caller]
    pub fn count_by_value(&self) -> DStream<Pair<K, u64>> {
        let (operator, ones) = (operator("count_by_value"), self.ones());
        ones.derive(ones.shuffled(|a, b| a + b, operator))
    }

    /// Each record with the number 1.
    pub(super) fn ones(&self) -> DStream<Pair<K, u64>> {
        let ones = self.derive(Arc::new(OnesNode { parent: self.node.clone() }));
        DStream { exchange_partitions: self.exchange_partitions, ..ones }
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
