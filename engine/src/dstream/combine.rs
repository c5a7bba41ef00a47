//! Combine by key: values that become another kind of value when they are combined.

use super::lane::Lane;
use super::shuffle::{Feed, ShuffleNode};
use super::{DStream, Node, Prepared, Sink, operator};
use crate::error::EngineError;
use crate::exchange::{Key, Value};
use crate::record::{Family, Pair};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::sync::Arc;

impl<K: Key, V: Family> DStream<Pair<K, V>> {
    /// The values of each key combined into a `C`: `create` makes one of the first value of a key, `merge_value` adds another
    /// value, `merge_combiners` puts two of them together. Values are combined on the thread that has them, and then by
    /// partition, so that each key may be created more than once.
    ///
    /// The mean of each key: `combine_by_key::<Pair<u64, u64>>(|v| (v, 1), |(sum, n), v| (sum + v, n + 1), |a, b| (a.0 + b.0, a.1 + b.1))`.
    #[track_caller]
    pub fn combine_by_key<C: Value>(
        &self,
        create: impl for<'a> Fn(V::View<'a>) -> C::Owned + Send + Sync + 'static,
        merge_value: impl for<'a> Fn(C::Owned, V::View<'a>) -> C::Owned + Send + Sync + 'static,
        merge_combiners: impl Fn(C::Owned, C::Owned) -> C::Owned + Send + Sync + 'static,
    ) -> DStream<Pair<K, C>> {
        let operator = operator("combine_by_key");
        let feed = Box::new(Created { parent: self.node.clone(), create, merge_value, operator });
        let node =
            Arc::new(ShuffleNode::<K, C, _>::new(feed, merge_combiners, operator, &self.graph, self.partitions()));
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// Pairs whose values become others.
struct Created<K: Key, V: Family, N, M> {
    parent: Arc<dyn Node<Pair<K, V>>>,
    create: N,
    merge_value: M,
    operator: Operator,
}

impl<K: Key, V: Family, C: Value, F, N, M> Feed<K, C, F> for Created<K, V, N, M>
where
    N: for<'a> Fn(V::View<'a>) -> C::Owned + Send + Sync,
    M: for<'a> Fn(C::Owned, V::View<'a>) -> C::Owned + Send + Sync,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn fill(&self, batch: u64, partition: usize, lane: &mut Lane<K, C>, _: &F) -> Result<(), EngineError> {
        let sink = &mut CreateSink::<K, V, C, N, M> { lane, feed: self };
        self.parent.push(batch, partition, sink)
    }
}

struct CreateSink<'s, K: Key, V: Family, C: Value, N, M> {
    lane: &'s mut Lane<K, C>,
    feed: &'s Created<K, V, N, M>,
}

impl<K: Key, V: Family, C: Value, N, M> Sink<Pair<K, V>> for CreateSink<'_, K, V, C, N, M>
where
    N: for<'a> Fn(V::View<'a>) -> C::Owned,
    M: for<'a> Fn(C::Owned, V::View<'a>) -> C::Owned,
{
    #[inline(never)]
    fn accept<'a>(&mut self, records: &[(K::View<'a>, V::View<'a>)]) {
        self.feed.operator.enter();
        let create = |pair: &(K::View<'a>, V::View<'a>)| (self.feed.create)(pair.1);
        let merge = |there, pair: &(K::View<'a>, V::View<'a>)| (self.feed.merge_value)(there, pair.1);
        self.lane.take_created(records, |pair| pair.0, create, merge);
    }
}
