//! Grouping: all values of a key in one list, of one stream or of two.

use super::per_batch::PerBatch;
use super::route::{ByKey, RouteNode};
use super::source::push_column;
use super::{DStream, Made, Node, Prepared, Scheduled, Sink, operator, room};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::{ByGroup, Key, Numbered, TablePool};
use crate::metrics::Stage;
use crate::record::{Column, Family, List, ListColumn, Pair, PairColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::ops::Range;
use std::sync::Arc;

/// What a cogroup gives for a key: its values in the one stream and in the other.
pub type Cogrouped<V, W> = Pair<List<V>, List<W>>;

impl<K: Key, V: Family> DStream<Pair<K, V>> {
    /// The values of each key as one list, in no order that means anything. To combine them, `reduce_by_key` and
    /// `combine_by_key` are cheaper: they do not keep each value.
    #[track_caller]
    pub fn group_by_key(&self) -> DStream<Pair<K, List<V>>> {
        let records = self.routed(self.partitions());
        self.grouped(GroupByKey { records, operator: operator("group_by_key"), pool: self.tables() })
    }

    /// For each key of either stream its values in both, as two lists, of which one may be empty. Both streams must slide
    /// alike.
    #[track_caller]
    pub fn cogroup<W: Family>(&self, other: &DStream<Pair<K, W>>) -> DStream<Pair<K, Cogrouped<V, W>>> {
        let operator = operator("cogroup");
        self.check_beside(other, operator);
        let partitions = self.partitions();
        let (left, right) = (self.routed(partitions), other.routed(partitions));
        self.grouped(Cogroup { left, right, operator, pool: self.tables() })
    }

    /// The pairs, brought to their partition.
    pub(super) fn routed(&self, partitions: usize) -> Arc<RouteNode<Pair<K, V>, ByKey>> {
        let node = Arc::new(RouteNode::new(self.node.clone(), &self.graph, partitions));
        self.graph.schedule(node.clone());
        node
    }

    /// Tables by key, kept from batch to batch if the settings say so.
    pub(super) fn tables<O: Clone + Default>(&self) -> TablePool<K, O> {
        TablePool::new(self.graph.settings().buffer_reuse, self.graph.hasher())
    }

    fn grouped<R: Family>(&self, grouping: impl Grouping<R> + 'static) -> DStream<R> {
        let node = Arc::new(GroupNode { grouping, grouped: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// What makes the lists of each partition.
trait Grouping<R: Family>: Send + Sync {
    /// Brings the records of the batch to their partitions.
    fn route(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError>;

    /// Makes the lists of one partition.
    fn group(&self, batch: u64, partition: usize) -> R::Column;
}

/// The lists of each batch, a column per partition.
struct GroupNode<R: Family, G> {
    grouping: G,
    grouped: PerBatch<Arc<Vec<R::Column>>>,
}

impl<R: Family, G: Grouping<R>> GroupNode<R, G> {
    fn make(&self, run: &mut JobRun<'_>) -> Result<Arc<Vec<R::Column>>, EngineError> {
        let routed = self.grouping.route(run)?;
        let (batch, made) = (run.batch, room(routed.partitions) as Made<R::Column>);
        run.stage(
            Stage::Group,
            routed.partitions,
            routed.records,
            || (),
            |(), partition| {
                *lock(&made[partition]) = Some(self.grouping.group(batch, partition));
                Ok(())
            },
        )?;
        Ok(Arc::new(made.into_iter().map(|column| lock(&column).take().unwrap_or_default()).collect()))
    }
}

impl<R: Family, G: Grouping<R>> Node<R> for GroupNode<R, G> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let columns = self.grouped.get_or_make(run, |run| self.make(run))?;
        Ok(Prepared { partitions: columns.len(), records: columns.iter().map(|column| column.len() as u64).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<R>) -> Result<(), EngineError> {
        let columns = self.grouped.get(batch).unwrap_or_default();
        push_column::<R>(&columns[partition], 0..columns[partition].len(), sink);
        Ok(())
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&R::Column, Range<usize>)) -> bool {
        let columns = self.grouped.get(batch).unwrap_or_default();
        visit(&columns[partition], 0..columns[partition].len());
        true
    }
}

impl<R: Family, G: Grouping<R>> Scheduled for GroupNode<R, G> {
    fn release(&self, batch: u64) {
        self.grouped.take(batch);
    }
}

struct GroupByKey<K: Key, V: Family> {
    records: Arc<RouteNode<Pair<K, V>, ByKey>>,
    operator: Operator,
    pool: TablePool<K, u32>,
}

impl<K: Key, V: Family> Grouping<Pair<K, List<V>>> for GroupByKey<K, V> {
    fn route(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.records.prepare(run)
    }

    fn group(&self, batch: u64, partition: usize) -> PairColumn<K, List<V>> {
        let routed = self.records.routed(batch);
        let records = &routed[partition];
        self.operator.enter();
        let mut numbered = Numbered::new(self.pool.take());
        let numbers = numbered.number(records);
        let (keys, table) = numbered.into_parts();
        let lists = lists(records, &numbers, keys.len());
        self.pool.put(table);
        PairColumn::of(keys, lists)
    }
}

struct Cogroup<K: Key, V: Family, W: Family> {
    left: Arc<RouteNode<Pair<K, V>, ByKey>>,
    right: Arc<RouteNode<Pair<K, W>, ByKey>>,
    operator: Operator,
    pool: TablePool<K, u32>,
}

impl<K: Key, V: Family, W: Family> Grouping<Pair<K, Cogrouped<V, W>>> for Cogroup<K, V, W> {
    fn route(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let (left, right) = (self.left.prepare(run)?, self.right.prepare(run)?);
        Ok(Prepared { records: left.records + right.records, ..left })
    }

    fn group(&self, batch: u64, partition: usize) -> PairColumn<K, Cogrouped<V, W>> {
        let routed = (self.left.routed(batch), self.right.routed(batch));
        let (left, right) = (&routed.0[partition], &routed.1[partition]);
        self.operator.enter();
        let mut numbered = Numbered::new(self.pool.take());
        let numbers = (numbered.number(left), numbered.number(right));
        let (keys, table) = numbered.into_parts();
        let lists = PairColumn::of(lists(left, &numbers.0, keys.len()), lists(right, &numbers.1, keys.len()));
        self.pool.put(table);
        PairColumn::of(keys, lists)
    }
}

/// The values of each of `groups` groups as a list.
fn lists<K: Family, V: Family>(records: &PairColumn<K, V>, numbers: &[u32], groups: usize) -> ListColumn<V> {
    let mut lists = ListColumn::default();
    for indices in ByGroup::of(numbers, groups).iter() {
        indices.iter().for_each(|index| lists.push_record(records.values().view(*index as usize)));
        lists.close();
    }
    lists
}
