//! Joins: each pair of one stream with each pair of another that has the same key at the same batch.

use super::emit::Emitter;
use super::per_batch::PerBatch;
use super::route::{ByKey, RouteNode};
use super::{Chunk, DStream, Made, Node, Prepared, Scheduled, Sink, operator, room};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::{Chain, Chains, Key, TablePool};
use crate::metrics::Stage;
use crate::record::{CHUNK, Column, Family, Maybe, Pair, PairColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::marker::PhantomData;
use std::sync::Arc;

/// What a full outer join gives for a key: a record of the one stream and one of the other, of which one may be missing.
pub type OuterJoined<V, W> = Pair<Maybe<V>, Maybe<W>>;

/// What a join gives: the key, and both sides as the join shows them.
type Rows<K, V, W, L, R> = Pair<K, Pair<<L as Shown<V>>::As, <R as Shown<W>>::As>>;

impl<K: Key, V: Family> DStream<Pair<K, V>> {
    /// Each pair of this stream with each pair of the other that has the same key at the same batch. Both streams must slide
    /// alike; to join over more than one batch, window both first.
    #[track_caller]
    pub fn join<W: Family>(&self, other: &DStream<Pair<K, W>>) -> DStream<Pair<K, Pair<V, W>>> {
        self.joined::<W, Always, Always>(other, operator("join"))
    }

    /// As [`join`](DStream::join), and each pair of this stream that has no partner, with `None`.
    #[track_caller]
    pub fn left_outer_join<W: Family>(&self, other: &DStream<Pair<K, W>>) -> DStream<Pair<K, Pair<V, Maybe<W>>>> {
        self.joined::<W, Always, IfThere>(other, operator("left_outer_join"))
    }

    /// As [`join`](DStream::join), and each pair of the other stream that has no partner, with `None`.
    #[track_caller]
    pub fn right_outer_join<W: Family>(&self, other: &DStream<Pair<K, W>>) -> DStream<Pair<K, Pair<Maybe<V>, W>>> {
        self.joined::<W, IfThere, Always>(other, operator("right_outer_join"))
    }

    /// As [`join`](DStream::join), and each pair of either stream that has no partner, with `None`.
    #[track_caller]
    pub fn full_outer_join<W: Family>(&self, other: &DStream<Pair<K, W>>) -> DStream<Pair<K, OuterJoined<V, W>>> {
        self.joined::<W, IfThere, IfThere>(other, operator("full_outer_join"))
    }

    fn joined<W: Family, L: Shown<V>, R: Shown<W>>(
        &self,
        other: &DStream<Pair<K, W>>,
        operator: Operator,
    ) -> DStream<Rows<K, V, W, L, R>> {
        self.check_beside(other, operator);
        let partitions = self.partitions();
        let node = Arc::new(JoinNode::<K, V, W, L, R> {
            left: self.routed(partitions),
            right: other.routed(partitions),
            operator,
            pool: self.tables(),
            built: PerBatch::default(),
            shown: PhantomData,
        });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// How a join shows the records of one side.
pub(super) trait Shown<R: Family>: 'static {
    /// The family they are shown as.
    type As: Family;
    /// Pairs that have nothing on this side are shown too.
    const MAY_MISS: bool;
    /// A record, or that there is none; `None` when such a pair is left out.
    fn show(record: Option<R::View<'_>>) -> Option<<Self::As as Family>::View<'_>>;
}

/// Only pairs that have a record on this side.
pub(super) struct Always;

impl<R: Family> Shown<R> for Always {
    type As = R;
    const MAY_MISS: bool = false;

    #[inline(always)]
    fn show(record: Option<R::View<'_>>) -> Option<R::View<'_>> {
        record
    }
}

/// Also pairs that have none.
pub(super) struct IfThere;

impl<R: Family> Shown<R> for IfThere {
    type As = Maybe<R>;
    const MAY_MISS: bool = true;

    #[inline(always)]
    fn show(record: Option<R::View<'_>>) -> Option<Option<R::View<'_>>> {
        Some(record)
    }
}

/// The side with fewer records, chained by key.
enum Built<K: Key> {
    Left(Chains<K>),
    Right(Chains<K>),
}

struct JoinNode<K: Key, V: Family, W: Family, L, R> {
    left: Arc<RouteNode<Pair<K, V>, ByKey>>,
    right: Arc<RouteNode<Pair<K, W>, ByKey>>,
    operator: Operator,
    pool: TablePool<K, Chain>,
    /// Per partition.
    built: PerBatch<Arc<Vec<Built<K>>>>,
    shown: PhantomData<fn() -> (L, R)>,
}

impl<K: Key, V: Family, W: Family, L, R> JoinNode<K, V, W, L, R> {
    fn build(&self, run: &mut JobRun<'_>, records: u64) -> Result<Arc<Vec<Built<K>>>, EngineError> {
        let (left, right) = (self.left.routed(run.batch), self.right.routed(run.batch));
        let made: Made<Built<K>> = room(self.left.partitions());
        run.stage(
            Stage::Group,
            made.len(),
            records,
            || (),
            |(), partition| {
                self.operator.enter();
                let (left, right) = (&left[partition], &right[partition]);
                let built = if left.len() < right.len() {
                    Built::Left(Chains::of(self.pool.take(), left))
                } else {
                    Built::Right(Chains::of(self.pool.take(), right))
                };
                *lock(&made[partition]) = Some(built);
                Ok(())
            },
        )?;
        Ok(Arc::new(made.into_iter().filter_map(|built| lock(&built).take()).collect()))
    }
}

impl<K: Key, V: Family, W: Family, L: Shown<V>, R: Shown<W>> Node<Rows<K, V, W, L, R>> for JoinNode<K, V, W, L, R> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let records = self.left.prepare(run)?.records + self.right.prepare(run)?.records;
        let built = self.built.get_or_make(run, |run| self.build(run, records))?;
        Ok(Prepared { partitions: built.len(), records })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Rows<K, V, W, L, R>>) -> Result<(), EngineError> {
        let (left, right) = (self.left.routed(batch), self.right.routed(batch));
        let (left, right) = (&left[partition], &right[partition]);
        let built = self.built.get(batch).unwrap_or_default();
        let mut emitter = Emitter::<Rows<K, V, W, L, R>>::new(sink, self.operator);
        let mut show = |key, left, right| {
            if let (Some(left), Some(right)) = (L::show(left), R::show(right)) {
                emitter.emit((key, (left, right)));
            }
        };
        match &built[partition] {
            Built::Left(chains) => probe(chains, left, right, R::MAY_MISS, &mut show),
            Built::Right(chains) => probe(chains, right, left, L::MAY_MISS, |key, right, left| show(key, left, right)),
        }
        emitter.finish();
        Ok(())
    }
}

impl<K: Key, V: Family, W: Family, L: Shown<V>, R: Shown<W>> Scheduled for JoinNode<K, V, W, L, R> {
    fn release(&self, batch: u64) {
        let built = self.built.take(batch).and_then(Arc::into_inner).unwrap_or_default();
        for side in built {
            let (Built::Left(chains) | Built::Right(chains)) = side;
            self.pool.put(chains.into_table());
        }
    }
}

/// Shows each record of one column with each record of the other that has its key, or with none; and, if `lonely` is asked
/// for, each chained record whose key the other column does not have.
#[inline(always)]
fn probe<'r, K: Key, B: Family, P: Family>(
    chains: &Chains<K>,
    chained: &'r PairColumn<K, B>,
    probing: &'r PairColumn<K, P>,
    lonely: bool,
    mut show: impl FnMut(K::View<'r>, Option<B::View<'r>>, Option<P::View<'r>>),
) {
    let mut met = vec![false; if lonely { chained.len() } else { 0 }];
    for start in (0..probing.len()).step_by(CHUNK) {
        let end = probing.len().min(start + CHUNK);
        let pairs: Chunk<(K::View<'r>, P::View<'r>)> = (start..end).map(|index| probing.view(index)).collect();
        // First all chains, then their records: the cache misses of the records overlap like those of the chains.
        let mut found = Chunk::<Chain>::new();
        chains.find_each(&pairs, |pair| pair.0, |_, chain| found.push(chain));
        for ((key, value), chain) in pairs.iter().zip(&found) {
            if chain.is_empty() {
                show(*key, None, Some(*value));
            }
            for index in chains.indices(*chain) {
                show(*key, Some(chained.values().view(index)), Some(*value));
            }
            if lonely && let Some(first) = chains.indices(*chain).next() {
                met[first] = true;
            }
        }
    }
    if lonely {
        chains.for_each(|chain| {
            let mut indices = chains.indices(chain).peekable();
            if indices.peek().is_some_and(|first| !met[*first]) {
                indices.for_each(|index| show(chained.keys().view(index), Some(chained.values().view(index)), None));
            }
        });
    }
}
