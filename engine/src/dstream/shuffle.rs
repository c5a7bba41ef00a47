//! Reduce by key: combine per lane, exchange by partition, merge per partition.

use super::per_batch::PerBatch;
use super::{Chunk, Made, Node, Prepared, Scheduled, Sink, room, transposed};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::codec::Encoded;
use crate::exchange::{Key, Table, TablePool, Value};
use crate::metrics::Stage;
use crate::record::{Column, Family, Pair};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::settings::{CodecKind, Settings};
use std::sync::{Arc, Mutex};

/// The groups of one partition.
pub(super) type Groups<K, V> = Table<K, <V as Value>::Owned>;
/// Groups of each partition, in the order of the partitions.
type Partitioned<K, V> = Vec<Groups<K, V>>;

/// What fills the tables of a lane with groups: pairs as they are, or pairs that become another kind of value.
pub(super) trait Feed<K: Key, V: Value, F>: Send + Sync {
    /// As [`Node::prepare`].
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError>;

    /// Adds the pairs of one partition to `tables`, one a partition of the exchange.
    fn fill(&self, batch: u64, partition: usize, tables: &mut [Groups<K, V>], combine: &F) -> Result<(), EngineError>;
}

pub(super) struct ShuffleNode<K: Key, V: Value, F> {
    feed: Box<dyn Feed<K, V, F>>,
    combine: F,
    operator: Operator,
    codec: CodecKind,
    partitions: usize,
    pool: TablePool<K, V::Owned>,
    reduced: PerBatch<Arc<Partitioned<K, V>>>,
    /// Tables that were merged into others, to be emptied when a batch is done.
    merged: Mutex<Partitioned<K, V>>,
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> ShuffleNode<K, V, F> {
    pub(super) fn new(
        feed: Box<dyn Feed<K, V, F>>,
        combine: F,
        operator: Operator,
        settings: &Settings,
        partitions: usize,
    ) -> Self {
        ShuffleNode {
            feed,
            combine,
            operator,
            codec: settings.codec,
            partitions,
            pool: TablePool::new(settings.buffer_reuse),
            reduced: PerBatch::default(),
            merged: Mutex::default(),
        }
    }

    pub(super) fn partitions(&self) -> usize {
        self.partitions
    }

    pub(super) fn combine(&self) -> &F {
        &self.combine
    }

    /// The groups of a batch that was prepared.
    pub(super) fn groups(&self, batch: u64) -> Arc<Partitioned<K, V>> {
        self.reduced.get(batch).unwrap_or_default()
    }

    fn combined(&self, run: &mut JobRun<'_>) -> Result<Vec<Partitioned<K, V>>, EngineError> {
        let prepared = self.feed.prepare(run)?;
        let batch = run.batch;
        let make = || (0..self.partitions).map(|_| self.pool.take()).collect::<Partitioned<K, V>>();
        run.stage(Stage::Combine, prepared.partitions, prepared.records, make, |tables, partition| {
            self.feed.fill(batch, partition, tables, &self.combine)
        })
    }

    /// Without a codec, the groups of each partition move to the largest of its tables.
    fn merged(&self, run: &mut JobRun<'_>, lanes: Vec<Partitioned<K, V>>) -> Result<Partitioned<K, V>, EngineError> {
        if lanes.len() <= 1 {
            let empty = || (0..self.partitions).map(|_| self.pool.take()).collect();
            return Ok(lanes.into_iter().next().unwrap_or_else(empty));
        }
        let groups = lanes.iter().flatten().map(|table| table.len() as u64).sum();
        let waiting = transposed(lanes, self.partitions);
        let reduced: Made<Groups<K, V>> = room(self.partitions);
        run.stage(
            Stage::Reduce,
            self.partitions,
            groups,
            || (),
            |(), partition| {
                let mut tables = std::mem::take(&mut *lock(&waiting[partition]));
                tables.sort_by_key(Table::len);
                let mut into = tables.pop().unwrap_or_else(|| self.pool.take());
                self.operator.enter();
                tables.iter().for_each(|table| into.merge_table(table, &self.combine));
                lock(&self.merged).extend(tables);
                *lock(&reduced[partition]) = Some(into);
                Ok(())
            },
        )?;
        Ok(self.unwrapped(reduced))
    }

    /// With a codec, they are encoded on the lane that combined them and decoded by the partition that wants them.
    fn carried(&self, run: &mut JobRun<'_>, lanes: Vec<Partitioned<K, V>>) -> Result<Partitioned<K, V>, EngineError> {
        let groups = lanes.iter().flatten().map(|table| table.len() as u64).sum();
        let wire: Made<Encoded> = room(lanes.len() * self.partitions);
        run.stage(Stage::Exchange, wire.len(), groups, Default::default, |column, task| {
            let table = &lanes[task / self.partitions][task % self.partitions];
            *lock(&wire[task]) = Some(self.encoded(table, column)?);
            Ok(())
        })?;
        lock(&self.merged).extend(lanes.into_iter().flatten());
        let reduced: Made<Groups<K, V>> = room(self.partitions);
        run.stage(Stage::Reduce, self.partitions, groups, Default::default, |column, partition| {
            let mut into = self.pool.take();
            for encoded in wire.iter().skip(partition).step_by(self.partitions) {
                if let Some(encoded) = &*lock(encoded) {
                    self.decoded(encoded, column, &mut into)?;
                }
            }
            *lock(&reduced[partition]) = Some(into);
            Ok(())
        })?;
        Ok(self.unwrapped(reduced))
    }

    fn encoded(
        &self,
        table: &Groups<K, V>,
        column: &mut <Pair<K, V> as Family>::Column,
    ) -> Result<Encoded, EngineError> {
        column.clear();
        table.iter().for_each(|(key, value)| column.push((key, V::view(value))));
        Encoded::encode::<Pair<K, V>>(self.codec, column)
    }

    fn decoded(
        &self,
        encoded: &Encoded,
        scratch: &mut <Pair<K, V> as Family>::Column,
        into: &mut Groups<K, V>,
    ) -> Result<(), EngineError> {
        self.operator.enter();
        encoded.for_each_chunk::<Pair<K, V>>(scratch, |chunk| {
            Table::merge_into(std::slice::from_mut(into), chunk, |pair| pair.0, |pair| V::own(pair.1), &self.combine);
        })?;
        Ok(())
    }

    fn unwrapped(&self, reduced: Made<Groups<K, V>>) -> Partitioned<K, V> {
        reduced.into_iter().map(|table| lock(&table).take().unwrap_or_else(|| self.pool.take())).collect()
    }
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> Node<Pair<K, V>> for ShuffleNode<K, V, F> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let tables = self.reduced.get_or_make(run, |run| {
            let lanes = self.combined(run)?;
            let tables = match self.codec {
                CodecKind::None => self.merged(run, lanes),
                CodecKind::Rkyv | CodecKind::Json => self.carried(run, lanes),
            };
            tables.map(Arc::new)
        })?;
        Ok(Prepared { partitions: tables.len(), records: tables.iter().map(|table| table.len() as u64).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Pair<K, V>>) -> Result<(), EngineError> {
        push_groups::<K, V>(self.groups(batch)[partition].iter(), sink);
        Ok(())
    }
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> Scheduled for ShuffleNode<K, V, F> {
    fn release(&self, batch: u64) {
        let reduced = self.reduced.take(batch).and_then(Arc::into_inner).unwrap_or_default();
        let merged = std::mem::take(&mut *lock(&self.merged));
        reduced.into_iter().chain(merged).for_each(|table| self.pool.put(table));
    }
}

/// Pushes groups as pairs.
pub(super) fn push_groups<'g, K: Key, V: Value>(
    groups: impl Iterator<Item = (K::View<'g>, &'g V::Owned)>,
    sink: &mut dyn Sink<Pair<K, V>>,
) {
    let mut chunk = Chunk::<(K::View<'g>, V::View<'g>)>::new();
    for (key, value) in groups {
        chunk.push((key, V::view(value)));
        if chunk.is_full() {
            sink.accept(&chunk);
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        sink.accept(&chunk);
    }
}

/// Pairs whose values are combined as they are.
pub(super) struct Alike<K: Key, V: Value> {
    pub(super) parent: Arc<dyn Node<Pair<K, V>>>,
    pub(super) operator: Operator,
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned> Feed<K, V, F> for Alike<K, V> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn fill(&self, batch: u64, partition: usize, tables: &mut [Groups<K, V>], combine: &F) -> Result<(), EngineError> {
        self.parent.push(batch, partition, &mut CombineSink { tables, combine, operator: self.operator })
    }
}

struct CombineSink<'s, K: Key, V: Value, F> {
    tables: &'s mut [Groups<K, V>],
    combine: &'s F,
    operator: Operator,
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned> Sink<Pair<K, V>> for CombineSink<'_, K, V, F> {
    #[inline(never)]
    fn accept<'a>(&mut self, records: &[(K::View<'a>, V::View<'a>)]) {
        self.operator.enter();
        Table::merge_into(self.tables, records, |pair| pair.0, |pair| V::own(pair.1), self.combine);
    }
}
