//! `update_state_by_key`: at every batch, the new state of every key from its old one and its new values.

use super::super::per_batch::PerBatch;
use super::super::route::{ByKey, RouteNode};
use super::super::shuffle::push_groups;
use super::super::{BatchTime, DStream, Node, Prepared, Scheduled, Sink, operator};
use super::{StateSpec, for_each_chunk, read, write};
use crate::error::EngineError;
use crate::exchange::{Key, NOWHERE, Roster, Value};
use crate::metrics::Stage;
use crate::record::{Column, Pair, PairColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::schedule::turns::Turns;
use std::sync::{Arc, RwLock};

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The state of every key after each batch. `update` is called for each key that has a state or new values, with these values
    /// (none for most keys) and the state; what it returns is the new state, and `None` removes the key:
    /// `ones.update_state_by_key::<u64>(|values, state| Some(state.unwrap_or(&0) + values.iter().sum::<u64>()))`.
    ///
    /// The values of a key are in no order that means anything. A batch whose `update` panics changes no state.
    #[track_caller]
    pub fn update_state_by_key<S: Value>(
        &self,
        update: impl Fn(&[V::Owned], Option<&S::Owned>) -> Option<S::Owned> + Send + Sync + 'static,
    ) -> DStream<Pair<K, S>> {
        let operator = operator("update_state_by_key");
        self.updated(StateSpec::new(), move |_, _, values, state| update(values, state), operator)
    }

    /// The same for an `update` that also sees the batch's time and the key, and with states to begin with.
    #[track_caller]
    pub fn update_state_by_key_with<S: Value>(
        &self,
        spec: StateSpec<K, S>,
        update: impl Fn(BatchTime, K::View<'_>, &[V::Owned], Option<&S::Owned>) -> Option<S::Owned> + Send + Sync + 'static,
    ) -> DStream<Pair<K, S>> {
        self.updated(spec, update, operator("update_state_by_key_with"))
    }

    fn updated<S: Value>(
        &self,
        spec: StateSpec<K, S>,
        update: impl Fn(BatchTime, K::View<'_>, &[V::Owned], Option<&S::Owned>) -> Option<S::Owned> + Send + Sync + 'static,
        operator: Operator,
    ) -> DStream<Pair<K, S>> {
        self.graph.refuse_in_one_batch(operator);
        if spec.timeout_ms().is_some() {
            let problem = "there are no time-outs here: the function sees every key at every batch and removes those it returns `None` for; or use `map_with_state`";
            self.graph.refuse(operator, problem.into());
        }
        let routed = Arc::new(RouteNode::new(self.node.clone(), &self.graph, self.partitions()));
        let rosters =
            spec.spread(routed.partitions(), &self.graph.hasher(), |[current, _]: &mut Versions<S>, state| {
                *current = Some(state)
            });
        let node = Arc::new(UpdateNode {
            parts: rosters.into_iter().map(|roster| RwLock::new(Part::of(roster))).collect(),
            routed: routed.clone(),
            update,
            operator,
            slide_batches: self.slide_batches,
            outcomes: PerBatch::default(),
            turns: Turns::default(),
        });
        self.graph.schedule(routed);
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// The state of a key after the last batch and, while one runs, after this one. Which is which, the partition knows.
type Versions<S> = [Option<<S as Value>::Owned>; 2];

struct UpdateNode<K: Key, V: Value, S: Value, F> {
    routed: Arc<RouteNode<Pair<K, V>, ByKey>>,
    update: F,
    operator: Operator,
    slide_batches: u64,
    parts: Vec<RwLock<Part<K, S>>>,
    /// Keys after the batch, or why it failed.
    outcomes: PerBatch<Result<u64, EngineError>>,
    turns: Turns,
}

/// The state of one partition.
struct Part<K: Key, S: Value> {
    roster: Roster<K, Versions<S>>,
    /// Which version is that of the last batch that went well.
    current: usize,
    /// For each place, the last record of its key in this batch; then from record to record of the same key.
    last_records: Vec<u32>,
    previous_records: Vec<u32>,
}

impl<K: Key, S: Value> Part<K, S> {
    fn of(roster: Roster<K, Versions<S>>) -> Self {
        Part { roster, current: 0, last_records: Vec::new(), previous_records: Vec::new() }
    }

    /// Links the records of each key; keys that are new get a place.
    fn link<V: Value>(&mut self, records: &PairColumn<K, V>) {
        let Part { roster, last_records, previous_records, .. } = self;
        last_records.clear();
        last_records.resize(roster.places(), NOWHERE);
        previous_records.clear();
        for_each_chunk::<Pair<K, V>>(records, |first, chunk| {
            let mut number = u32::try_from(first).expect("a batch has fewer than 2^32 records in a partition");
            roster.place_each(
                chunk,
                |pair| pair.0,
                |_, place, _| {
                    let place = place as usize;
                    if place >= last_records.len() {
                        last_records.resize(place + 1, NOWHERE);
                    }
                    previous_records.push(std::mem::replace(&mut last_records[place], number));
                    number += 1;
                },
            );
        });
    }

    /// Makes the next version of every state; returns how many keys have one. Keys without state and records leave.
    fn update<V: Value>(
        &mut self,
        values: &V::Column,
        mut update: impl FnMut(K::View<'_>, &[V::Owned], Option<&S::Owned>) -> Option<S::Owned>,
    ) -> u64 {
        let Part { roster, current, last_records, previous_records } = self;
        let (mut keys, mut of_key) = (0, Vec::new());
        roster.retain(|place, key, versions| {
            of_key.clear();
            let mut number = last_records[place as usize];
            while number != NOWHERE {
                of_key.push(V::own(values.view(number as usize)));
                number = previous_records[number as usize];
            }
            of_key.reverse();
            let state = versions[*current].as_ref();
            if state.is_none() && of_key.is_empty() {
                return false;
            }
            let next = update(key, &of_key, state);
            keys += u64::from(next.is_some());
            versions[1 - *current] = next;
            true
        });
        keys
    }
}

impl<K, V, S, F> UpdateNode<K, V, S, F>
where
    K: Key,
    V: Value,
    S: Value,
    F: Fn(BatchTime, K::View<'_>, &[V::Owned], Option<&S::Owned>) -> Option<S::Owned> + Send + Sync,
{
    /// The next version of every partition; it becomes the current one when all have it.
    fn advance(&self, run: &mut JobRun<'_>) -> Result<u64, EngineError> {
        let routed = self.routed.route(run)?;
        self.turns.wait_for(run.batch);
        let time = BatchTime::of_milliseconds(run.time_ms);
        let records: usize = routed.iter().map(|column| column.len()).sum();
        let keys: usize = self.parts.iter().map(|part| read(part).roster.len()).sum();
        let counts = run.stage(
            Stage::State,
            self.parts.len(),
            (keys + records) as u64,
            || 0,
            |keys, partition| {
                let part = &mut *write(&self.parts[partition]);
                let records = &routed[partition];
                // The order of the places changes, the states do not.
                part.roster.tidy();
                part.link(records);
                self.operator.enter();
                *keys +=
                    part.update::<V>(records.values(), |key, values, state| (self.update)(time, key, values, state));
                Ok(())
            },
        )?;
        for part in &self.parts {
            let part = &mut *write(part);
            part.current = 1 - part.current;
        }
        Ok(counts.into_iter().sum())
    }
}

impl<K, V, S, F> Scheduled for UpdateNode<K, V, S, F>
where
    K: Key,
    V: Value,
    S: Value,
    F: Fn(BatchTime, K::View<'_>, &[V::Owned], Option<&S::Owned>) -> Option<S::Owned> + Send + Sync,
{
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.slide_batches) {
            return Ok(());
        }
        self.outcomes.get_or_make(run, |run| Ok(self.advance(run)))?.map(drop)
    }

    fn release(&self, batch: u64) {
        self.outcomes.take(batch);
        self.turns.pass(batch);
    }
}

impl<K, V, S, F> Node<Pair<K, S>> for UpdateNode<K, V, S, F>
where
    K: Key,
    V: Value,
    S: Value,
    F: Fn(BatchTime, K::View<'_>, &[V::Owned], Option<&S::Owned>) -> Option<S::Owned> + Send + Sync,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let Some(outcome) = self.outcomes.get(run.batch) else { return Ok(Prepared::default()) };
        Ok(Prepared { partitions: self.parts.len(), records: outcome? })
    }

    fn push(&self, _: u64, partition: usize, sink: &mut dyn Sink<Pair<K, S>>) -> Result<(), EngineError> {
        let part = read(&self.parts[partition]);
        let states = part.roster.iter().filter_map(|(key, versions)| Some((key, versions[part.current].as_ref()?)));
        push_groups::<K, S>(states, sink);
        Ok(())
    }
}
