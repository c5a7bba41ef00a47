//! Reduce by key: combine per lane, exchange by partition, merge per partition.

use super::lane::{Groups, Lane, Loose};
use super::per_batch::PerBatch;
use super::{Chunk, Graph, Made, Node, Prepared, Scheduled, Sink, room, transposed};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::codec::{Encoded, in_chunks};
use crate::exchange::{Key, KeyHasher, Table, TablePool, Value, Wire};
use crate::metrics::{Exchanged, Stage};
use crate::record::{Column, Pair};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::settings::Combine;
use std::sync::{Arc, Mutex};

/// Groups of each partition, in the order of the partitions.
type Partitioned<K, V> = Vec<Groups<K, V>>;

/// What fills a lane: pairs as they are, or pairs that become another kind of value.
pub(super) trait Feed<K: Key, V: Value, F>: Send + Sync {
    /// As [`Node::prepare`].
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError>;

    /// Adds the pairs of one partition to a lane.
    fn fill(&self, batch: u64, partition: usize, lane: &mut Lane<K, V>, combine: &F) -> Result<(), EngineError>;
}

pub(super) struct ShuffleNode<K: Key, V: Value, F> {
    feed: Box<dyn Feed<K, V, F>>,
    combine: F,
    operator: Operator,
    combining: Combine,
    wire: Option<Wire<Pair<K, V>>>,
    partitions: usize,
    hasher: KeyHasher,
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
        graph: &Graph,
        partitions: usize,
    ) -> Self {
        let settings = graph.settings();
        ShuffleNode {
            feed,
            combine,
            operator,
            combining: settings.combine,
            wire: Wire::of(settings),
            partitions,
            hasher: graph.hasher(),
            pool: TablePool::new(settings.buffer_reuse, graph.hasher()),
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

    fn lanes(&self, run: &mut JobRun<'_>) -> Result<Vec<Lane<K, V>>, EngineError> {
        let prepared = self.feed.prepare(run)?;
        let batch = run.batch;
        let make = || Lane::new(self.combining, self.partitions, &self.pool, self.hasher.clone());
        run.stage(Stage::Combine, prepared.partitions, prepared.records, make, |lane, partition| {
            self.feed.fill(batch, partition, lane, &self.combine)
        })
    }

    /// Without a codec, the groups of each partition move to the largest of its tables, and what is loose is added.
    fn merged(&self, run: &mut JobRun<'_>, lanes: Vec<Lane<K, V>>) -> Result<Partitioned<K, V>, EngineError> {
        let records = lanes.iter().map(Lane::records_out).sum();
        run.book_exchanged(Exchanged { records_in: records_in(&lanes), records, ..Exchanged::default() });
        if lanes.len() <= 1 && lanes.iter().all(Lane::is_combined) {
            let empty = || (0..self.partitions).map(|_| self.pool.take()).collect();
            return Ok(lanes.into_iter().next().map_or_else(empty, Lane::into_tables));
        }
        let waiting = transposed(lanes.into_iter().map(Lane::into_partitions).collect(), self.partitions);
        let reduced: Made<Groups<K, V>> = room(self.partitions);
        run.stage(
            Stage::Reduce,
            self.partitions,
            records,
            || (),
            |(), partition| {
                let (mut tables, loose): (Vec<_>, Vec<_>) =
                    std::mem::take(&mut *lock(&waiting[partition])).into_iter().unzip();
                tables.sort_by_key(Table::len);
                let mut into = tables.pop().unwrap_or_else(|| self.pool.take());
                self.operator.enter();
                tables.iter().for_each(|table| into.merge_table(table, &self.combine));
                lock(&self.merged).extend(tables);
                loose.iter().for_each(|column: &Loose<K, V>| {
                    in_chunks(column.len(), |index| column.view(index), &mut |chunk| self.add(&mut into, chunk));
                });
                *lock(&reduced[partition]) = Some(into);
                Ok(())
            },
        )?;
        Ok(self.unwrapped(reduced))
    }

    /// With a codec, they are encoded on the lane that has them and decoded by the partition that wants them.
    fn carried(
        &self,
        run: &mut JobRun<'_>,
        wire: &Wire<Pair<K, V>>,
        lanes: Vec<Lane<K, V>>,
    ) -> Result<Partitioned<K, V>, EngineError> {
        let (records_in, records) = (records_in(&lanes), lanes.iter().map(Lane::records_out).sum());
        let sent: Made<Encoded> = room(lanes.len() * self.partitions);
        let take = || wire.take();
        let codecs = run.stage(Stage::Exchange, sent.len(), records, take, |codec, task| {
            let encoded = lanes[task / self.partitions].encoded(task % self.partitions, codec)?;
            *lock(&sent[task]) = Some(encoded);
            Ok(())
        })?;
        wire.put(codecs);
        lock(&self.merged).extend(lanes.into_iter().flat_map(Lane::into_tables));
        run.book_exchanged(exchanged(records_in, records, &sent));
        let reduced: Made<Groups<K, V>> = room(self.partitions);
        let codecs = run.stage(Stage::Reduce, self.partitions, records, take, |codec, partition| {
            let mut into = self.pool.take();
            self.operator.enter();
            for encoded in sent.iter().skip(partition).step_by(self.partitions) {
                if let Some(encoded) = &*lock(encoded) {
                    codec.for_each_chunk(encoded, |chunk| self.add(&mut into, chunk))?;
                }
            }
            *lock(&reduced[partition]) = Some(into);
            Ok(())
        })?;
        wire.put(codecs);
        Ok(self.unwrapped(reduced))
    }

    fn add(&self, into: &mut Groups<K, V>, pairs: &[(K::View<'_>, V::View<'_>)]) {
        Table::merge_into(std::slice::from_mut(into), pairs, |pair| pair.0, |pair| V::own(pair.1), &self.combine);
    }

    fn unwrapped(&self, reduced: Made<Groups<K, V>>) -> Partitioned<K, V> {
        reduced.into_iter().map(|table| lock(&table).take().unwrap_or_else(|| self.pool.take())).collect()
    }
}

fn records_in<K: Key, V: Value>(lanes: &[Lane<K, V>]) -> u64 {
    lanes.iter().map(Lane::records_in).sum()
}

/// The books of an exchange whose blocks were encoded.
pub(super) fn exchanged(records_in: u64, records: u64, sent: &Made<Encoded>) -> Exchanged {
    let mut exchanged = Exchanged { records_in, records, ..Exchanged::default() };
    for block in sent {
        if let Some(block) = &*lock(block) {
            exchanged.encoded_bytes += block.plain_bytes() as u64;
            exchanged.wire_bytes += block.len_bytes() as u64;
        }
    }
    exchanged
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> Node<Pair<K, V>> for ShuffleNode<K, V, F> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let tables = self.reduced.get_or_make(run, |run| {
            let lanes = self.lanes(run)?;
            let tables = match &self.wire {
                None => self.merged(run, lanes),
                Some(wire) => self.carried(run, wire, lanes),
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

    fn fill(&self, batch: u64, partition: usize, lane: &mut Lane<K, V>, combine: &F) -> Result<(), EngineError> {
        self.parent.push(batch, partition, &mut CombineSink { lane, combine, operator: self.operator })
    }
}

struct CombineSink<'s, K: Key, V: Value, F> {
    lane: &'s mut Lane<K, V>,
    combine: &'s F,
    operator: Operator,
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned> Sink<Pair<K, V>> for CombineSink<'_, K, V, F> {
    #[inline(never)]
    fn accept<'a>(&mut self, records: &[(K::View<'a>, V::View<'a>)]) {
        self.operator.enter();
        self.lane.take(records, self.combine);
    }
}
