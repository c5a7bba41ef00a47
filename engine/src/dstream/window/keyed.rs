//! Windows of pairs whose values are combined per key. A slide touches the keys that come and those that go, no others.

use super::carried::{Carried, Carry};
use super::per_key::PerKey;
use super::sliding::Sliding;
use super::span::Span;
use crate::dstream::shuffle::{ShuffleNode, push_groups};
use crate::dstream::{DStream, Node, Prepared, Scheduled, Sink};
use crate::error::EngineError;
use crate::exchange::{Dense, Key, KeyHasher, Table, Value};
use crate::record::Pair;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::settings::WindowMethod;
use std::marker::PhantomData;
use std::sync::Arc;

const NO_INVERSE: &str = "window_method = inverse, but this reduction has no inverse function; \
                          use the operator that takes one, or set window_method to auto, recompute or daba";

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The pairs of the window, combined by key: as `per_key` does, unless `window_method` says otherwise.
    pub(super) fn combined_window<P: PerKey<V::Owned>>(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        per_key: P,
        span: Span,
        operator: Operator,
    ) -> DStream<Pair<K, V>> {
        self.graph.note_window_reduction();
        let keys_stay = per_key.keys_stay();
        match self.graph.settings().window_method {
            WindowMethod::Recompute => return self.recomputed_window(combine, keys_stay, span, operator),
            WindowMethod::Daba => return self.carried_window(combine, Sliding { keys_stay }, span, operator),
            WindowMethod::Inverse if !P::UNDOES => self.graph.refuse(operator, NO_INVERSE.into()),
            WindowMethod::Inverse | WindowMethod::Auto => {}
        }
        self.carried_window(combine, per_key, span, operator)
    }

    fn carried_window<P: PerKey<V::Owned>>(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        per_key: P,
        span: Span,
        operator: Operator,
    ) -> DStream<Pair<K, V>> {
        let reduced = self.shuffled(combine, operator);
        let partitions = reduced.partitions();
        let keyed = Keyed { reduced, per_key, hasher: self.graph.hasher(), operator, keys: PhantomData };
        let node = Arc::new(KeyedWindow { carried: Carried::new(keyed, span, partitions) });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }
}

/// How the groups of one partition come and go.
struct Keyed<K: Key, V: Value, F, P> {
    reduced: Arc<ShuffleNode<K, V, F>>,
    per_key: P,
    hasher: KeyHasher,
    operator: Operator,
    keys: PhantomData<fn() -> K>,
}

impl<K, V, F, P> Carry for Keyed<K, V, F, P>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
    P: PerKey<V::Owned>,
{
    type Pane = Dense<K, V::Owned>;
    type State = Table<K, P::State>;

    fn start(&self) -> Self::State {
        Table::new(self.hasher.clone())
    }

    fn come(&self, state: &mut Self::State, pane: &Self::Pane) {
        self.operator.enter();
        state.change_each(pane.iter(), |value, known| {
            self.per_key.come(known, value, self.reduced.combine());
            true
        });
    }

    fn go(&self, state: &mut Self::State, pane: &Self::Pane) {
        self.operator.enter();
        state.change_each(pane.iter(), |value, known| self.per_key.go(known, value, self.reduced.combine()));
    }

    fn tidy(&self, state: &mut Self::State) {
        if state.is_hollow() {
            *state = state.compacted();
        }
    }
}

struct KeyedWindow<K: Key, V: Value, F, P: PerKey<V::Owned>>
where
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
{
    carried: Carried<Keyed<K, V, F, P>>,
}

impl<K, V, F, P> Scheduled for KeyedWindow<K, V, F, P>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
    P: PerKey<V::Owned>,
{
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.carried.span.parent_slide_batches) {
            return Ok(());
        }
        let reduced = &self.carried.carry.reduced;
        let come = reduced.prepare(run);
        let groups = reduced.groups(run.batch);
        let keys = come.as_ref().map_or(0, |come| come.records);
        let slid = self.carried.slide(run, keys, |partition| groups.get(partition).map(Table::to_dense));
        come.map(drop).and(slid)
    }

    fn release(&self, batch: u64) {
        self.carried.release(batch);
    }
}

impl<K, V, F, P> Node<Pair<K, V>> for KeyedWindow<K, V, F, P>
where
    K: Key,
    V: Value,
    F: Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
    P: PerKey<V::Owned>,
{
    fn prepare(&self, _: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.carried.check()?;
        let partitions = self.carried.partitions();
        let records = (0..partitions).map(|partition| self.carried.state(partition).len() as u64).sum();
        Ok(Prepared { partitions, records })
    }

    fn push(&self, _: u64, partition: usize, sink: &mut dyn Sink<Pair<K, V>>) -> Result<(), EngineError> {
        let state = self.carried.state(partition);
        push_groups::<K, V>(state.iter().map(|(key, known)| (key, P::total(known))), sink);
        Ok(())
    }
}
