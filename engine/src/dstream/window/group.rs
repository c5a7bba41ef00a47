//! Windows grouped by key, with every value.

use super::carried::{Carried, Carry};
use crate::dstream::route::{ByKey, RouteNode, Routed};
use crate::dstream::{Chunk, DStream, Node, Prepared, Scheduled, Sink, operator};
use crate::error::EngineError;
use crate::exchange::{Key, KeyHasher, Table};
use crate::record::{CHUNK, Column, Family, List, ListColumn, ListView, Pair};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Values after which lists are handed on, however few their keys are.
const VALUES_AT_ONCE: usize = 16 * CHUNK;

impl<K: Key, V: Family> DStream<Pair<K, V>> {
    /// Each key of the last `window` with all its values, at every `slide`: those of an older batch before those of a newer
    /// one. Every value of the window is kept; where values can be combined, `reduce_by_key_and_window` keeps less.
    #[track_caller]
    pub fn group_by_key_and_window(&self, window: Duration, slide: Duration) -> DStream<Pair<K, List<V>>> {
        let operator = operator("group_by_key_and_window");
        let span = self.span(window, slide, operator);
        let routed = Arc::new(RouteNode::new(self.node.clone(), &self.graph, self.partitions()));
        self.graph.schedule(routed.clone());
        let carried = Carried::new(
            Grouped { hasher: self.graph.hasher(), operator, records: PhantomData },
            span,
            routed.partitions(),
        );
        let node = Arc::new(GroupWindow { routed, carried });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }
}

/// Where a value is: which of all panes ever, and where in it.
type Place = (u32, u32);

/// Where the values of each key are, oldest first.
struct Places<K: Key> {
    keys: Table<K, VecDeque<Place>>,
    /// Panes that came and went.
    gone: u32,
    /// Panes that came.
    come: u32,
}

/// The records of one batch and one partition.
struct RoutedPart<K: Key, V: Family> {
    routed: Arc<Routed<Pair<K, V>>>,
    partition: usize,
}

impl<K: Key, V: Family> RoutedPart<K, V> {
    fn column(&self) -> &<Pair<K, V> as Family>::Column {
        &self.routed[self.partition]
    }

    /// The keys of all records with their places in the column.
    fn keys(&self) -> impl Iterator<Item = (K::View<'_>, u32)> {
        (0..self.column().len()).map(|index| {
            let place = u32::try_from(index).expect("blocks hold fewer than 2^32 records");
            (self.column().view(index).0, place)
        })
    }
}

/// How the records of one partition come and go.
struct Grouped<K, V> {
    hasher: KeyHasher,
    operator: Operator,
    records: PhantomData<fn() -> (K, V)>,
}

impl<K: Key, V: Family> Carry for Grouped<K, V> {
    type Pane = RoutedPart<K, V>;
    type State = Places<K>;

    fn start(&self) -> Places<K> {
        Places { keys: Table::new(self.hasher.clone()), gone: 0, come: 0 }
    }

    fn come(&self, state: &mut Places<K>, pane: &RoutedPart<K, V>) {
        self.operator.enter();
        let come = state.come;
        state.keys.change_each(pane.keys(), |index, places| {
            places.push_back((come, index));
            true
        });
        state.come = come.wrapping_add(1);
    }

    fn go(&self, state: &mut Places<K>, pane: &RoutedPart<K, V>) {
        self.operator.enter();
        state.keys.change_each(pane.keys(), |_, places| {
            // A key's oldest place is in the oldest pane.
            places.pop_front();
            !places.is_empty()
        });
        state.gone = state.gone.wrapping_add(1);
    }

    fn tidy(&self, state: &mut Places<K>) {
        if state.keys.is_hollow() {
            state.keys = state.keys.compacted();
        }
    }
}

struct GroupWindow<K: Key, V: Family> {
    routed: Arc<RouteNode<Pair<K, V>, ByKey>>,
    carried: Carried<Grouped<K, V>>,
}

impl<K: Key, V: Family> Scheduled for GroupWindow<K, V> {
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.carried.span.parent_slide_batches) {
            return Ok(());
        }
        let come = self.routed.prepare(run);
        let routed = self.routed.routed(run.batch);
        let records = come.as_ref().map_or(0, |come| come.records);
        let part = |partition| (partition < routed.len()).then(|| RoutedPart { routed: routed.clone(), partition });
        let slid = self.carried.slide(run, records, part);
        come.map(drop).and(slid)
    }

    fn release(&self, batch: u64) {
        self.carried.release(batch);
    }
}

impl<K: Key, V: Family> Node<Pair<K, List<V>>> for GroupWindow<K, V> {
    fn prepare(&self, _: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.carried.check()?;
        let panes = self.carried.panes();
        let records = panes.iter().flat_map(|pane| pane.iter().flatten()).map(|part| part.column().len() as u64).sum();
        Ok(Prepared { partitions: self.carried.partitions(), records })
    }

    fn push(&self, _: u64, partition: usize, sink: &mut dyn Sink<Pair<K, List<V>>>) -> Result<(), EngineError> {
        let state = self.carried.state(partition);
        let panes = self.carried.panes();
        // A batch that failed is a pane of nothing, which no place names.
        let parts: Vec<_> = panes.iter().filter_map(|pane| pane.get(partition)?.as_ref()).collect();
        let mut lists = ListColumn::<V>::default();
        let mut keys = K::Column::default();
        let mut values = 0;
        for (key, places) in state.keys.iter() {
            for (pane, index) in places {
                let part = parts[pane.wrapping_sub(state.gone) as usize];
                lists.push_record(part.column().values().view(*index as usize));
            }
            lists.close();
            keys.push(key);
            values += places.len();
            if keys.len() == CHUNK || values >= VALUES_AT_ONCE {
                push_lists::<K, V>(&keys, &lists, sink);
                keys.clear();
                lists.clear();
                values = 0;
            }
        }
        push_lists::<K, V>(&keys, &lists, sink);
        Ok(())
    }
}

/// Pushes keys, a chunk at most, with their lists.
fn push_lists<K: Key, V: Family>(keys: &K::Column, lists: &ListColumn<V>, sink: &mut dyn Sink<Pair<K, List<V>>>) {
    let pairs: Chunk<(K::View<'_>, ListView<'_, V>)> =
        (0..keys.len()).map(|index| (keys.view(index), lists.view(index))).collect();
    if !pairs.is_empty() {
        sink.accept(&pairs);
    }
}
