//! Grouping: all values of a key in one list, of one stream or of two.

use super::per_batch::PerBatch;
use super::route::{ByKey, RouteNode};
use super::source::push_column;
use super::{DStream, Made, Node, Prepared, Scheduled, Sink, operator, room};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::{Chain, Key, Links, TablePool, for_each_keys};
use crate::metrics::Stage;
use crate::record::{Column, Family, List, ListColumn, Pair, PairColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::ops::Range;
use std::sync::Arc;

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
    pub fn cogroup<W: Family>(&self, other: &DStream<Pair<K, W>>) -> DStream<Pair<K, Pair<List<V>, List<W>>>> {
        let operator = operator("cogroup");
        self.check_beside(other, operator);
        let partitions = self.partitions();
        let (left, right) = (self.routed(partitions), other.routed(partitions));
        self.grouped(Cogroup { left, right, operator, pool: self.tables() })
    }

    /// The pairs, brought to their partition.
    pub(super) fn routed(&self, partitions: usize) -> Arc<RouteNode<Pair<K, V>, ByKey>> {
        let node = Arc::new(RouteNode::new(self.node.clone(), self.graph.settings().codec, partitions));
        self.graph.schedule(node.clone());
        node
    }

    /// Tables by key, kept from batch to batch if the settings say so.
    pub(super) fn tables<O: Clone + Default>(&self) -> TablePool<K, O> {
        TablePool::new(self.graph.settings().buffer_reuse)
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
    pool: TablePool<K, Chain>,
}

impl<K: Key, V: Family> Grouping<Pair<K, List<V>>> for GroupByKey<K, V> {
    fn route(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.records.prepare(run)
    }

    fn group(&self, batch: u64, partition: usize) -> PairColumn<K, List<V>> {
        let routed = self.records.routed(batch);
        let records = &routed[partition];
        self.operator.enter();
        let (mut table, mut links) = (self.pool.take(), Links::with_capacity(records.len()));
        for_each_keys(records, |keys| table.update_each(keys, |key| *key, |_, chain| links.append(chain)));
        let (mut keys, mut lists) = (K::Column::default(), ListColumn::<V>::default());
        for (key, chain) in table.iter() {
            keys.push(key);
            push_list(&mut lists, records, &links, *chain);
        }
        self.pool.put(table);
        PairColumn::of(keys, lists)
    }
}

struct Cogroup<K: Key, V: Family, W: Family> {
    left: Arc<RouteNode<Pair<K, V>, ByKey>>,
    right: Arc<RouteNode<Pair<K, W>, ByKey>>,
    operator: Operator,
    /// The chains of a key in both streams.
    pool: TablePool<K, [Chain; 2]>,
}

impl<K: Key, V: Family, W: Family> Grouping<Pair<K, Pair<List<V>, List<W>>>> for Cogroup<K, V, W> {
    fn route(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let (left, right) = (self.left.prepare(run)?, self.right.prepare(run)?);
        Ok(Prepared { records: left.records + right.records, ..left })
    }

    fn group(&self, batch: u64, partition: usize) -> PairColumn<K, Pair<List<V>, List<W>>> {
        let routed = (self.left.routed(batch), self.right.routed(batch));
        let (left, right) = (&routed.0[partition], &routed.1[partition]);
        self.operator.enter();
        let mut table = self.pool.take();
        let (mut left_links, mut right_links) = (Links::with_capacity(left.len()), Links::with_capacity(right.len()));
        for_each_keys(left, |keys| table.update_each(keys, |key| *key, |_, [chain, _]| left_links.append(chain)));
        for_each_keys(right, |keys| table.update_each(keys, |key| *key, |_, [_, chain]| right_links.append(chain)));
        let mut keys = K::Column::default();
        let (mut left_lists, mut right_lists) = (ListColumn::<V>::default(), ListColumn::<W>::default());
        for (key, [left_chain, right_chain]) in table.iter() {
            keys.push(key);
            push_list(&mut left_lists, left, &left_links, *left_chain);
            push_list(&mut right_lists, right, &right_links, *right_chain);
        }
        self.pool.put(table);
        PairColumn::of(keys, PairColumn::of(left_lists, right_lists))
    }
}

/// Appends the values of a chain as one list.
fn push_list<K: Family, V: Family>(lists: &mut ListColumn<V>, records: &PairColumn<K, V>, links: &Links, chain: Chain) {
    links.of(chain).for_each(|index| lists.push_record(records.values().view(index)));
    lists.close();
}
