//! Windows: the last batches seen as one. A batch (or the slide of the parent) is the pane.

use super::partitions::Gather;
use super::shuffle::{Groups, ShuffleNode, push_groups};
use super::source::push_column;
use super::{DStream, Made, Node, Prepared, Scheduled, Sink, operator, push_stage, room};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::{Dense, Key, Table, TablePool, Value};
use crate::metrics::Stage;
use crate::record::{Column, Family, Pair};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A window in panes of the parent and batches of the context.
#[derive(Clone, Copy)]
struct Span {
    panes: usize,
    parent_slide_batches: u64,
    slide_batches: u64,
}

impl<A: Family> DStream<A> {
    /// The records of the last `window`, at every `slide`. Both must be multiples of this stream's own slide.
    #[track_caller]
    pub fn window(&self, window: Duration, slide: Duration) -> DStream<A> {
        let span = self.span(window, slide, operator("window"));
        let node = Arc::new(WindowNode { parent: self.node.clone(), span, panes: Mutex::default() });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }

    /// Checks the lengths; a job with wrong ones is refused at its start, with this operator's name.
    fn span(&self, window: Duration, slide: Duration, operator: Operator) -> Span {
        self.graph.refuse_in_one_batch(operator);
        let interval_ns = u128::from(self.graph.settings().interval_ns);
        let own_slide_ns = interval_ns * u128::from(self.slide_batches);
        let mut steps = [1u64; 2];
        for (step, (name, length)) in steps.iter_mut().zip([("window", window), ("slide", slide)]) {
            let length_ns = length.as_nanos();
            if length_ns == 0 || length_ns % own_slide_ns != 0 {
                let unit = Duration::from_millis(u64::try_from(own_slide_ns / 1_000_000).unwrap_or(u64::MAX));
                let problem = format!(
                    "the {name} of {length:?} is no multiple of {unit:?}, at which its input has records; choose one"
                );
                self.graph.refuse(operator, problem);
            } else {
                *step = u64::try_from(length_ns / own_slide_ns).unwrap_or(u64::MAX);
            }
        }
        let panes = usize::try_from(steps[0]).unwrap_or(usize::MAX);
        Span {
            panes,
            parent_slide_batches: self.slide_batches,
            slide_batches: steps[1].saturating_mul(self.slide_batches),
        }
    }
}

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The values of each key of the last `window` combined, at every `slide`. Each slide combines all panes of the window.
    #[track_caller]
    pub fn reduce_by_key_and_window(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        window: Duration,
        slide: Duration,
    ) -> DStream<Pair<K, V>> {
        let operator = operator("reduce_by_key_and_window");
        let span = self.span(window, slide, operator);
        let node = Arc::new(RecomputedWindow {
            reduced: self.shuffled(combine, operator),
            span,
            panes: Mutex::default(),
            pool: TablePool::new(self.graph.settings().buffer_reuse),
            current: Mutex::default(),
        });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }

    /// The same for a `combine` that `inverse` can undo: `inverse(combine(a, b), b) = a`. The cost of a slide follows the keys
    /// that come and go, not the length of the window. A key leaves with the last pane that has it.
    #[track_caller]
    pub fn reduce_by_key_and_inverse_window(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        inverse: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        window: Duration,
        slide: Duration,
    ) -> DStream<Pair<K, V>> {
        let operator = operator("reduce_by_key_and_inverse_window");
        let span = self.span(window, slide, operator);
        if slide > window {
            let problem = format!(
                "the slide of {slide:?} is longer than the window of {window:?}: batches between would be lost; use a shorter slide"
            );
            self.graph.refuse(operator, problem);
        }
        let reduced = self.shuffled(combine, operator);
        let states = (0..reduced.partitions()).map(|_| Mutex::new(Table::new())).collect();
        let node = Arc::new(IncrementalWindow {
            reduced,
            inverse,
            operator,
            span,
            panes: Mutex::default(),
            states,
            torn: AtomicBool::new(false),
        });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }
}

impl Span {
    /// Does the parent have records at this batch?
    fn parent_fires(self, run: &JobRun<'_>) -> bool {
        run.fires(self.parent_slide_batches)
    }
}

/// Keeps the records of the last panes as columns.
struct WindowNode<A: Family> {
    parent: Arc<dyn Node<A>>,
    span: Span,
    /// Each pane is a column per partition.
    panes: Mutex<VecDeque<Vec<Arc<A::Column>>>>,
}

impl<A: Family> WindowNode<A> {
    fn column(&self, partition: usize) -> Option<Arc<A::Column>> {
        lock(&self.panes).iter().flatten().nth(partition).cloned()
    }
}

impl<A: Family> Scheduled for WindowNode<A> {
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !self.span.parent_fires(run) {
            return Ok(());
        }
        let make = || Gather::<A> { column: A::Column::default() };
        let pushed = self.parent.prepare(run);
        let pushed = pushed.and_then(|prepared| push_stage(run, Stage::Map, &self.parent, prepared, make));
        let (lanes, failure) = or_empty(pushed);
        push_pane(&mut lock(&self.panes), self.span, lanes.into_iter().map(|lane| Arc::new(lane.column)).collect());
        failure
    }

    fn release(&self, _: u64) {}
}

impl<A: Family> Node<A> for WindowNode<A> {
    fn prepare(&self, _: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let panes = lock(&self.panes);
        let columns = panes.iter().flatten();
        let records = columns.clone().map(|column| column.len() as u64).sum();
        Ok(Prepared { partitions: columns.count(), records })
    }

    fn push(&self, _: u64, partition: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        if let Some(column) = self.column(partition) {
            push_column::<A>(&column, 0..column.len(), sink);
        }
        Ok(())
    }

    fn push_columns(&self, _: u64, partition: usize, visit: &mut dyn FnMut(&A::Column, Range<usize>)) -> bool {
        if let Some(column) = self.column(partition) {
            visit(&column, 0..column.len());
        }
        true
    }
}

/// A batch that failed is an empty pane: the others must not stay in the window for longer because of it.
fn or_empty<T>(result: Result<Vec<T>, EngineError>) -> (Vec<T>, Result<(), EngineError>) {
    match result {
        Ok(made) => (made, Ok(())),
        Err(error) => (Vec::new(), Err(error)),
    }
}

fn push_pane<P>(panes: &mut VecDeque<P>, span: Span, pane: P) {
    panes.push_back(pane);
    while panes.len() > span.panes {
        panes.pop_front();
    }
}

/// The groups of one pane, by partition.
type Pane<K, V> = Arc<Vec<Dense<K, <V as Value>::Owned>>>;

/// The combined groups of the window at a batch, by partition.
type Current<K, V> = (u64, Arc<Vec<Groups<K, V>>>);

/// A window whose panes are combined anew at each slide.
struct RecomputedWindow<K: Key, V: Value, F> {
    reduced: Arc<ShuffleNode<K, V, F>>,
    span: Span,
    panes: Mutex<VecDeque<Pane<K, V>>>,
    pool: TablePool<K, V::Owned>,
    current: Mutex<Option<Current<K, V>>>,
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> RecomputedWindow<K, V, F> {
    fn groups(&self, batch: u64) -> Option<Arc<Vec<Groups<K, V>>>> {
        lock(&self.current).as_ref().filter(|(of, _)| *of == batch).map(|(_, groups)| groups.clone())
    }
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> Scheduled for RecomputedWindow<K, V, F> {
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !self.span.parent_fires(run) {
            return Ok(());
        }
        let failure = self.reduced.prepare(run).map(drop);
        let groups = self.reduced.groups(run.batch);
        let (pane, torn) = or_empty(run.alone(Stage::Window, || Ok(groups.iter().map(Table::to_dense).collect())));
        push_pane(&mut lock(&self.panes), self.span, Arc::new(pane));
        failure.and(torn)
    }

    fn release(&self, batch: u64) {
        let current = lock(&self.current).take_if(|(of, _)| *of == batch);
        let tables = current.and_then(|(_, groups)| Arc::into_inner(groups)).unwrap_or_default();
        tables.into_iter().for_each(|table| self.pool.put(table));
    }
}

impl<K: Key, V: Value, F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync> Node<Pair<K, V>>
    for RecomputedWindow<K, V, F>
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        if self.groups(run.batch).is_none() {
            let panes: Vec<Pane<K, V>> = lock(&self.panes).iter().cloned().collect();
            let keys = panes.iter().flat_map(|pane| pane.iter()).map(|dense| dense.len() as u64).sum();
            let partitions = self.reduced.partitions();
            let merged: Made<Groups<K, V>> = room(partitions);
            run.stage(
                Stage::Window,
                partitions,
                keys,
                || (),
                |(), partition| {
                    let mut into = self.pool.take();
                    for dense in panes.iter().filter_map(|pane| pane.get(partition)) {
                        into.merge_dense(dense, self.reduced.combine());
                    }
                    *lock(&merged[partition]) = Some(into);
                    Ok(())
                },
            )?;
            let groups = merged.into_iter().filter_map(|table| lock(&table).take()).collect();
            *lock(&self.current) = Some((run.batch, Arc::new(groups)));
        }
        let groups = self.groups(run.batch).unwrap_or_default();
        Ok(Prepared { partitions: groups.len(), records: groups.iter().map(|table| table.len() as u64).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Pair<K, V>>) -> Result<(), EngineError> {
        if let Some(groups) = self.groups(batch) {
            push_groups::<K, V>(groups[partition].iter(), sink);
        }
        Ok(())
    }
}

/// What a window knows of a key: its value, and in how many panes it is.
type Counted<V> = (<V as Value>::Owned, u32);

/// A window that is carried from slide to slide: what comes is combined, what goes is undone.
struct IncrementalWindow<K: Key, V: Value, F, I> {
    reduced: Arc<ShuffleNode<K, V, F>>,
    inverse: I,
    operator: Operator,
    span: Span,
    panes: Mutex<VecDeque<Pane<K, V>>>,
    states: Vec<Mutex<Table<K, Counted<V>>>>,
    /// The last slide did not end well.
    torn: AtomicBool,
}

impl<K, V, F, I> IncrementalWindow<K, V, F, I>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync,
    I: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync,
{
    /// First what goes, then what comes, as Spark does it. A key that is in no pane any more leaves.
    fn slide<'g>(
        &self,
        state: &mut Table<K, Counted<V>>,
        gone: Option<&Dense<K, V::Owned>>,
        come: impl Iterator<Item = (K::View<'g>, &'g V::Owned)>,
    ) {
        self.operator.enter();
        for (key, value) in gone.into_iter().flat_map(Dense::iter) {
            state.change(key, |(sum, panes)| {
                *sum = (self.inverse)(std::mem::take(sum), value.clone());
                *panes = panes.saturating_sub(1);
                *panes > 0
            });
        }
        for (key, value) in come {
            state.change(key, |(sum, panes)| {
                *sum = if *panes == 0 {
                    value.clone()
                } else {
                    (self.reduced.combine())(std::mem::take(sum), value.clone())
                };
                *panes += 1;
                true
            });
        }
        if state.is_hollow() {
            *state = state.compacted();
        }
    }

    /// Slides every partition; returns the new pane.
    fn slide_all(
        &self,
        run: &mut JobRun<'_>,
        keys: u64,
        gone: Option<Pane<K, V>>,
    ) -> Result<Vec<Dense<K, V::Owned>>, EngineError> {
        let groups = self.reduced.groups(run.batch);
        let dense: Made<Dense<K, V::Owned>> = room(self.states.len());
        run.stage(
            Stage::Window,
            self.states.len(),
            keys,
            || (),
            |(), partition| {
                let gone = gone.as_ref().and_then(|pane| pane.get(partition));
                let come = groups.get(partition);
                self.slide(&mut lock(&self.states[partition]), gone, come.into_iter().flat_map(Table::iter));
                *lock(&dense[partition]) = come.map(Table::to_dense);
                Ok(())
            },
        )?;
        Ok(dense.into_iter().filter_map(|dense| lock(&dense).take()).collect())
    }

    /// Combines the panes anew: user code panicked in the middle of a slide, so the states cannot be trusted.
    fn rebuild(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        let panes: Vec<Pane<K, V>> = lock(&self.panes).iter().cloned().collect();
        let keys = panes.iter().flat_map(|pane| pane.iter()).map(|dense| dense.len() as u64).sum();
        run.stage(
            Stage::Window,
            self.states.len(),
            keys,
            || (),
            |(), partition| {
                let mut state = Table::new();
                for dense in panes.iter().filter_map(|pane| pane.get(partition)) {
                    self.slide(&mut state, None, dense.iter());
                }
                *lock(&self.states[partition]) = state;
                Ok(())
            },
        )?;
        Ok(())
    }
}

impl<K, V, F, I> Scheduled for IncrementalWindow<K, V, F, I>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync,
    I: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync,
{
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !self.span.parent_fires(run) {
            return Ok(());
        }
        let (keys, failure) = match self.reduced.prepare(run) {
            Ok(come) => (come.records, Ok(())),
            Err(error) => (0, Err(error)),
        };
        let mended = if self.torn.load(Ordering::Acquire) { self.rebuild(run) } else { Ok(()) };
        let gone = {
            let mut panes = lock(&self.panes);
            if panes.len() == self.span.panes { panes.pop_front() } else { None }
        };
        let slid = mended.and_then(|()| self.slide_all(run, keys, gone));
        self.torn.store(slid.is_err(), Ordering::Release);
        let (pane, torn) = or_empty(slid);
        lock(&self.panes).push_back(Arc::new(pane));
        failure.and(torn)
    }

    fn release(&self, _: u64) {}
}

impl<K, V, F, I> Node<Pair<K, V>> for IncrementalWindow<K, V, F, I>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync,
    I: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync,
{
    fn prepare(&self, _: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let records = self.states.iter().map(|state| lock(state).len() as u64).sum();
        Ok(Prepared { partitions: self.states.len(), records })
    }

    fn push(&self, _: u64, partition: usize, sink: &mut dyn Sink<Pair<K, V>>) -> Result<(), EngineError> {
        let state = lock(&self.states[partition]);
        push_groups::<K, V>(state.iter().map(|(key, (value, _))| (key, value)), sink);
        Ok(())
    }
}
