//! Records on their way to their partition, uncombined: what groupings, joins, state and `repartition` rest on.

use super::per_batch::PerBatch;
use super::shuffle::exchanged;
use super::source::push_column;
use super::{Graph, Made, Node, Prepared, Scheduled, Sink, room, transposed};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::codec::Encoded;
use crate::exchange::{Key, KeyHasher, Wire, partition_of};
use crate::metrics::{Exchanged, Stage};
use crate::record::{Column, Family, Pair};
use crate::schedule::job::JobRun;
use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

/// Which partition a record goes to.
pub(super) trait Placement<R: Family>: Send + Sync + 'static {
    /// Says of each record to which of the partitions it goes; `nth` counts the records of one lane.
    fn place_each<'a>(
        records: &[R::View<'a>],
        nth: &mut usize,
        partitions: usize,
        hasher: &KeyHasher,
        put: impl FnMut(usize, R::View<'a>),
    );
}

/// Pairs go by the hash of their key.
pub(super) struct ByKey;

impl<K: Key, V: Family> Placement<Pair<K, V>> for ByKey {
    #[inline(always)]
    fn place_each<'a>(
        records: &[(K::View<'a>, V::View<'a>)],
        _: &mut usize,
        partitions: usize,
        hasher: &KeyHasher,
        mut put: impl FnMut(usize, (K::View<'a>, V::View<'a>)),
    ) {
        let key = |pair: &(K::View<'a>, V::View<'a>)| pair.0;
        hasher.probe_each::<K, _>(records, key, |pair, probe| put(partition_of(K::hash(&probe), partitions), *pair));
    }
}

/// Records go to one partition after the other.
pub(super) struct RoundRobin;

impl<R: Family> Placement<R> for RoundRobin {
    #[inline(always)]
    fn place_each<'a>(
        records: &[R::View<'a>],
        nth: &mut usize,
        partitions: usize,
        _: &KeyHasher,
        mut put: impl FnMut(usize, R::View<'a>),
    ) {
        for view in records {
            put(*nth % partitions, *view);
            *nth += 1;
        }
    }
}

/// Columns by partition.
pub(super) type Routed<R> = Vec<<R as Family>::Column>;

pub(super) struct RouteNode<R: Family, P> {
    parent: Arc<dyn Node<R>>,
    wire: Option<Wire<R>>,
    hasher: KeyHasher,
    partitions: usize,
    routed: PerBatch<Arc<Routed<R>>>,
    placement: PhantomData<fn() -> P>,
}

impl<R: Family, P: Placement<R>> RouteNode<R, P> {
    pub(super) fn new(parent: Arc<dyn Node<R>>, graph: &Graph, partitions: usize) -> Self {
        let (wire, hasher) = (Wire::of(graph.settings()), graph.hasher());
        RouteNode { parent, wire, hasher, partitions, routed: PerBatch::default(), placement: PhantomData }
    }

    pub(super) fn partitions(&self) -> usize {
        self.partitions
    }

    /// Brings every record of the batch to its partition, once per batch.
    pub(super) fn route(&self, run: &mut JobRun<'_>) -> Result<Arc<Routed<R>>, EngineError> {
        self.routed.get_or_make(run, |run| {
            let lanes = self.spread(run)?;
            let columns = match &self.wire {
                None => self.joined(run, lanes),
                Some(wire) => self.carried(run, wire, lanes),
            };
            columns.map(Arc::new)
        })
    }

    /// The records of a batch that was routed.
    pub(super) fn routed(&self, batch: u64) -> Arc<Routed<R>> {
        self.routed.get(batch).unwrap_or_default()
    }

    fn spread(&self, run: &mut JobRun<'_>) -> Result<Vec<Routed<R>>, EngineError> {
        let prepared = self.parent.prepare(run)?;
        let batch = run.batch;
        let make = || RouteSink::<R, P> {
            nth: 0,
            hasher: &self.hasher,
            placement: PhantomData,
            columns: (0..self.partitions).map(|_| R::Column::default()).collect(),
        };
        let lanes = run.stage(Stage::Exchange, prepared.partitions, prepared.records, make, |sink, partition| {
            self.parent.push(batch, partition, sink)
        })?;
        Ok(lanes.into_iter().map(|lane| lane.columns).collect())
    }

    /// Without a codec, the records of each partition move to the largest of its columns.
    fn joined(&self, run: &mut JobRun<'_>, mut lanes: Vec<Routed<R>>) -> Result<Routed<R>, EngineError> {
        let records = lanes.iter().flatten().map(|column| column.len() as u64).sum();
        run.book_exchanged(Exchanged { records_in: records, records, ..Exchanged::default() });
        if lanes.len() <= 1 {
            return Ok(lanes.pop().unwrap_or_else(|| self.empty()));
        }
        let waiting = transposed(lanes, self.partitions);
        let joined: Made<R::Column> = room(self.partitions);
        run.stage(
            Stage::Group,
            self.partitions,
            records,
            || (),
            |(), partition| {
                let mut columns = std::mem::take(&mut *lock(&waiting[partition]));
                columns.sort_by_key(|column| column.len());
                let mut into = columns.pop().unwrap_or_default();
                columns.iter().for_each(|column| into.append(column));
                *lock(&joined[partition]) = Some(into);
                Ok(())
            },
        )?;
        Ok(unwrapped(joined))
    }

    /// With a codec, they are encoded on the lane that has them and decoded by the partition that wants them.
    fn carried(&self, run: &mut JobRun<'_>, wire: &Wire<R>, lanes: Vec<Routed<R>>) -> Result<Routed<R>, EngineError> {
        let records = lanes.iter().flatten().map(|column| column.len() as u64).sum();
        let sent: Made<Encoded> = room(lanes.len() * self.partitions);
        let take = || wire.take();
        let codecs = run.stage(Stage::Exchange, sent.len(), records, take, |codec, task| {
            let column = &lanes[task / self.partitions][task % self.partitions];
            *lock(&sent[task]) = Some(codec.encode(column)?);
            Ok(())
        })?;
        wire.put(codecs);
        drop(lanes);
        run.book_exchanged(exchanged(records, records, &sent));
        let joined: Made<R::Column> = room(self.partitions);
        let codecs = run.stage(Stage::Group, self.partitions, records, take, |codec, partition| {
            let mut into = R::Column::default();
            for encoded in sent.iter().skip(partition).step_by(self.partitions) {
                if let Some(encoded) = &*lock(encoded) {
                    codec.for_each_chunk(encoded, |chunk| chunk.iter().for_each(|view| into.push(*view)))?;
                }
            }
            *lock(&joined[partition]) = Some(into);
            Ok(())
        })?;
        wire.put(codecs);
        Ok(unwrapped(joined))
    }

    fn empty(&self) -> Routed<R> {
        (0..self.partitions).map(|_| R::Column::default()).collect()
    }
}

fn unwrapped<C: Default>(made: Made<C>) -> Vec<C> {
    made.into_iter().map(|column| lock(&column).take().unwrap_or_default()).collect()
}

struct RouteSink<'s, R: Family, P> {
    columns: Routed<R>,
    hasher: &'s KeyHasher,
    nth: usize,
    placement: PhantomData<fn() -> P>,
}

impl<R: Family, P: Placement<R>> Sink<R> for RouteSink<'_, R, P> {
    fn accept<'a>(&mut self, records: &[R::View<'a>]) {
        if let [column] = &mut *self.columns {
            records.iter().for_each(|view| column.push(*view));
            return;
        }
        let RouteSink { columns, nth, hasher, .. } = self;
        P::place_each(records, nth, columns.len(), hasher, |partition, view| columns[partition].push(view));
    }
}

/// A stream whose records lie in the partition they belong to.
impl<R: Family, P: Placement<R>> Node<R> for RouteNode<R, P> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let columns = self.route(run)?;
        Ok(Prepared { partitions: columns.len(), records: columns.iter().map(|column| column.len() as u64).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<R>) -> Result<(), EngineError> {
        let columns = self.routed(batch);
        push_column::<R>(&columns[partition], 0..columns[partition].len(), sink);
        Ok(())
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&R::Column, Range<usize>)) -> bool {
        let columns = self.routed(batch);
        visit(&columns[partition], 0..columns[partition].len());
        true
    }
}

impl<R: Family, P: Placement<R>> Scheduled for RouteNode<R, P> {
    fn release(&self, batch: u64) {
        self.routed.take(batch);
    }
}
