//! Windows that are combined anew at each slide, from the groups of every pane: what carrying is measured against, and
//! cheaper than it where the window is short or slides by nearly its whole length.

use super::span::Span;
use crate::clock::lock;
use crate::dstream::lane::Groups;
use crate::dstream::per_batch::PerBatch;
use crate::dstream::shuffle::{ShuffleNode, push_groups};
use crate::dstream::{DStream, Made, Node, Prepared, Scheduled, Sink, room};
use crate::error::EngineError;
use crate::exchange::{Dense, Key, KeyHasher, Table, Value};
use crate::metrics::Stage;
use crate::record::Pair;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::schedule::turns::Turns;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The pairs of the window, combined by key at each slide. With `keys_stay`, a key that ever came stays, with the default
    /// when no pane has it.
    pub(super) fn recomputed_window(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        keys_stay: bool,
        span: Span,
        operator: Operator,
    ) -> DStream<Pair<K, V>> {
        let reduced = self.shuffled(combine, operator);
        let hasher = self.graph.hasher();
        let ever =
            keys_stay.then(|| (0..reduced.partitions()).map(|_| Mutex::new(Table::new(hasher.clone()))).collect());
        let node = Arc::new(RecomputedWindow {
            reduced,
            hasher,
            operator,
            span,
            panes: Mutex::default(),
            ever,
            turns: Turns::default(),
            combined: PerBatch::default(),
        });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }
}

/// The groups of one batch by partition. A batch that failed is a pane of nothing.
type Pane<K, V> = Arc<Vec<Option<Dense<K, <V as Value>::Owned>>>>;

struct RecomputedWindow<K: Key, V: Value, F> {
    reduced: Arc<ShuffleNode<K, V, F>>,
    hasher: KeyHasher,
    operator: Operator,
    span: Span,
    panes: Mutex<VecDeque<Pane<K, V>>>,
    /// Keys that ever came, by partition, where they stay.
    ever: Option<Vec<Mutex<Table<K, ()>>>>,
    turns: Turns,
    combined: PerBatch<Arc<Vec<Groups<K, V>>>>,
}

impl<K, V, F> RecomputedWindow<K, V, F>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
{
    /// The groups of this batch, copied out of tables that the next batch will use.
    fn newest(&self, run: &mut JobRun<'_>) -> Result<Pane<K, V>, EngineError> {
        let records = self.reduced.prepare(run)?.records;
        let groups = self.reduced.groups(run.batch);
        let made: Made<Dense<K, V::Owned>> = room(self.reduced.partitions());
        run.stage(
            Stage::Window,
            made.len(),
            records,
            || (),
            |(), partition| {
                *lock(&made[partition]) = groups.get(partition).map(Table::to_dense);
                Ok(())
            },
        )?;
        Ok(Arc::new(made.into_iter().map(|pane| lock(&pane).take()).collect()))
    }

    fn remember_keys(&self, pane: &Pane<K, V>) {
        for (ever, groups) in std::iter::zip(self.ever.iter().flatten(), pane.iter()) {
            let keys = groups.iter().flat_map(|groups| groups.iter().map(|(key, _)| (key, ())));
            lock(ever).change_each(keys, |(), ()| true);
        }
    }

    fn combine_all(&self, run: &mut JobRun<'_>) -> Result<Vec<Groups<K, V>>, EngineError> {
        let panes: Vec<Pane<K, V>> = lock(&self.panes).iter().cloned().collect();
        let groups = panes.iter().flat_map(|pane| pane.iter().flatten()).map(|groups| groups.len() as u64).sum();
        let made: Made<Groups<K, V>> = room(self.reduced.partitions());
        run.stage(
            Stage::Window,
            made.len(),
            groups,
            || (),
            |(), partition| {
                let mut window = Groups::<K, V>::new(self.hasher.clone());
                if let Some(ever) = &self.ever {
                    window.change_each(lock(&ever[partition]).iter(), |_, _| true);
                }
                self.operator.enter();
                for pane in panes.iter().filter_map(|pane| pane.get(partition)?.as_ref()) {
                    window.merge_groups(pane.iter(), self.reduced.combine());
                }
                *lock(&made[partition]) = Some(window);
                Ok(())
            },
        )?;
        Ok(made
            .into_iter()
            .map(|window| lock(&window).take().unwrap_or_else(|| Table::new(self.hasher.clone())))
            .collect())
    }
}

impl<K, V, F> Scheduled for RecomputedWindow<K, V, F>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
{
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.span.parent_slide_batches) {
            return Ok(());
        }
        let newest = self.newest(run);
        self.turns.wait_for(run.batch);
        let (pane, failure) = newest.map_or_else(|error| (Arc::default(), Err(error)), |pane| (pane, Ok(())));
        self.remember_keys(&pane);
        let mut panes = lock(&self.panes);
        self.span.evict(&mut panes);
        panes.push_back(pane);
        failure
    }

    fn release(&self, batch: u64) {
        self.combined.take(batch);
        self.turns.pass(batch);
    }
}

impl<K, V, F> Node<Pair<K, V>> for RecomputedWindow<K, V, F>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let combined = self.combined.get_or_make(run, |run| {
            let combined = self.combine_all(run);
            if let (Err(_), Some(newest)) = (&combined, lock(&self.panes).back_mut()) {
                // What cannot be combined must not fail the slides after this one too.
                *newest = Arc::default();
            }
            combined.map(Arc::new)
        })?;
        Ok(Prepared { partitions: combined.len(), records: combined.iter().map(|groups| groups.len() as u64).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Pair<K, V>>) -> Result<(), EngineError> {
        push_groups::<K, V>(self.combined.get(batch).unwrap_or_default()[partition].iter(), sink);
        Ok(())
    }
}
