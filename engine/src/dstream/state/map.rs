//! `map_with_state`: records through a function that keeps something of each key. What a batch costs follows its records and
//! the keys that time out, not the keys that are kept.

use super::super::per_batch::PerBatch;
use super::super::route::{ByKey, RouteNode};
use super::super::shuffle::push_groups;
use super::super::source::push_column;
use super::super::{BatchTime, DStream, Made, Node, Prepared, Scheduled, Sink, operator, room};
use super::ages::Ages;
use super::handle::{Change, State};
use super::{StateSpec, for_each_chunk, read, write};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::{Key, NOWHERE, Roster, Value};
use crate::metrics::Stage;
use crate::record::{Column, Family, Pair, PairColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::schedule::turns::Turns;
use std::ops::{Deref, Range};
use std::sync::{Arc, OnceLock, RwLock};

impl<K: Key, V: Family> DStream<Pair<K, V>> {
    /// What `function` emits for each record, with a state per key that it reads and changes:
    ///
    /// ```
    /// use downbeat_engine::dstream::StateSpec;
    /// # use downbeat_engine::{Settings, StreamingContext, record::{Pair, Text}};
    /// # let context = StreamingContext::new(Settings::default())?;
    /// # let (_feed, visits) = context.queue_stream::<Pair<Text, u64>>();
    /// let half_an_hour = StateSpec::new().timeout(std::time::Duration::from_secs(1_800));
    /// let sessions = visits.map_with_state::<u64, Pair<Text, u64>>(half_an_hour, |_time, user, visit, state, out| match visit {
    ///     Some(seconds) => state.update(state.get().unwrap_or(&0) + seconds),
    ///     None => out((user, *state.get().expect("what times out has a state"))),
    /// });
    /// sessions.for_each_batch(|ended| ended.for_each(|(_user, _seconds)| ()));
    /// sessions.snapshots().count().for_each_batch(|_| ());
    /// # context.check()?;
    /// # Ok::<(), downbeat_engine::EngineError>(())
    /// ```
    ///
    /// It is called once per record and, with a time-out set, once more without a value for each key that times out; that key
    /// is removed then. A key is refreshed by each call that leaves it with a state, and with records in a batch it does not time out
    /// in it. A batch in which `function` panics changes no state and emits nothing.
    #[track_caller]
    pub fn map_with_state<S: Value, E: Family>(
        &self,
        spec: StateSpec<K, S>,
        function: impl Fn(BatchTime, K::View<'_>, Option<V::View<'_>>, &mut State<'_, S>, &mut dyn FnMut(E::View<'_>))
        + Send
        + Sync
        + 'static,
    ) -> Mapped<K, S, E> {
        let operator = operator("map_with_state");
        self.graph.refuse_in_one_batch(operator);
        let routed = Arc::new(RouteNode::new(self.node.clone(), &self.graph, self.partitions()));
        let timeout_ms = spec.timeout_ms();
        let rosters = spec.spread(routed.partitions(), &self.graph.hasher(), |kept: &mut Kept<S::Owned>, state| {
            kept.state = Some(state)
        });
        let parts: Vec<_> =
            rosters.into_iter().map(|roster| RwLock::new(Part::of(roster, timeout_ms.is_some()))).collect();
        let node = Arc::new(MapNode {
            stored: Arc::new(Stored { parts, outcomes: PerBatch::default() }),
            routed: routed.clone(),
            function,
            operator,
            slide_batches: self.slide_batches,
            timeout_ms,
            first_ms: OnceLock::new(),
            turns: Turns::default(),
        });
        self.graph.schedule(routed);
        self.graph.schedule(node.clone());
        Mapped {
            emitted: self.derive(node.stored.clone()),
            snapshots: self.derive(Arc::new(SnapshotNode { stored: node.stored.clone() })),
        }
    }
}

/// What [`DStream::map_with_state`] gives: a stream of what the function emits, and beside it the states.
pub struct Mapped<K: Key, S: Value, E: Family> {
    emitted: DStream<E>,
    snapshots: DStream<Pair<K, S>>,
}

impl<K: Key, S: Value, E: Family> Mapped<K, S, E> {
    /// The state of every key after each batch. To look at all of them costs what there is.
    pub fn snapshots(&self) -> DStream<Pair<K, S>> {
        self.snapshots.clone()
    }
}

impl<K: Key, S: Value, E: Family> Deref for Mapped<K, S, E> {
    type Target = DStream<E>;

    fn deref(&self) -> &DStream<E> {
        &self.emitted
    }
}

/// The state of a key.
struct Kept<O> {
    /// There is one, except while a batch runs.
    state: Option<O>,
    /// The last batch that called for the key and left it with a state.
    touched_ms: i64,
    /// The time that the list of ages has it under.
    listed_ms: i64,
    /// Number of the key's change in this batch, if the change says so too: so nothing has to be reset after a batch.
    change: u32,
}

/// The time of what is in no list.
const UNLISTED: i64 = i64::MIN;

impl<O> Default for Kept<O> {
    fn default() -> Self {
        Kept { state: None, touched_ms: UNLISTED, listed_ms: UNLISTED, change: NOWHERE }
    }
}

/// The state of one partition.
struct Part<K: Key, S: Value> {
    roster: Roster<K, Kept<S::Owned>>,
    /// One for each key for which a call was made in this batch.
    changes: Vec<Change<S::Owned>>,
    /// Only with a time-out.
    ages: Option<Ages>,
    /// The initial states are in the list of ages.
    has_begun: bool,
}

impl<K: Key, S: Value> Part<K, S> {
    fn of(roster: Roster<K, Kept<S::Owned>>, times_out: bool) -> Self {
        Part { roster, changes: Vec::new(), ages: times_out.then(Ages::default), has_begun: false }
    }

    /// Gives memory back, and counts the idle time of the initial states from the first batch on, as Spark does.
    fn make_ready(&mut self, first_ms: i64) {
        let Part { roster, ages, has_begun, .. } = self;
        let moved = roster.tidy();
        let Some(ages) = ages else { return };
        if let Some(places) = moved {
            ages.renew(|_, place| Some(places[place as usize]).filter(|place| *place != NOWHERE));
        }
        if ages.is_hollow(roster.len()) {
            ages.renew(|time_ms, place| listed(roster, time_ms, place).map(|_| place));
        }
        if !std::mem::replace(has_begun, true) {
            roster.retain(|place, _, kept| {
                (kept.touched_ms, kept.listed_ms) = (first_ms, first_ms);
                ages.list(first_ms, place);
                true
            });
        }
    }

    /// One call for each record.
    fn call_each<V: Family>(
        &mut self,
        records: &PairColumn<K, V>,
        time_ms: i64,
        mut call: impl FnMut(K::View<'_>, V::View<'_>, &mut State<'_, S>),
    ) {
        let Part { roster, changes, .. } = self;
        for_each_chunk::<Pair<K, V>>(records, |_, chunk| {
            roster.place_each(
                chunk,
                |pair| pair.0,
                |(key, value), place, kept| {
                    let change = change_of(changes, place, kept);
                    call(*key, *value, &mut State::new(&mut kept.state, change, false));
                    match kept.state {
                        Some(_) => kept.touched_ms = time_ms,
                        None => change.came_or_left = true,
                    }
                },
            );
        });
    }

    /// One last call for each key that was touched before `threshold_ms`; records of this batch keep a key from timing out.
    fn expire(&mut self, threshold_ms: i64, mut call: impl FnMut(K::View<'_>, &mut State<'_, S>)) {
        let Part { roster, changes, ages: Some(ages), .. } = self else { return };
        for (time_ms, places) in ages.before(threshold_ms) {
            for group in places.chunks(GROUP) {
                roster.prefetch(group);
                for place in group {
                    let Some((key, kept)) = listed(roster, time_ms, *place) else { continue };
                    if kept.touched_ms >= threshold_ms || is_changed(changes, *place, kept) {
                        continue;
                    }
                    let change = change_of(changes, *place, kept);
                    call(key, &mut State::new(&mut kept.state, change, true));
                    change.keep(kept.state.take());
                    change.came_or_left = true;
                }
            }
        }
    }

    /// The batch has gone well. Keys without state leave; those that came, and those whose time in the list is over, are listed.
    fn commit(&mut self, threshold_ms: i64) {
        let Part { roster, changes, ages, .. } = self;
        for change in changes.drain(..).filter(|change| change.came_or_left) {
            let Some((_, kept)) = roster.at(change.place) else { continue };
            if kept.state.is_none() {
                roster.remove(change.place);
            } else if let Some(ages) = ages
                && kept.listed_ms == UNLISTED
            {
                kept.listed_ms = kept.touched_ms;
                ages.list(kept.listed_ms, change.place);
            }
        }
        let Some(ages) = ages else { return };
        for (time_ms, places) in ages.take_before(threshold_ms) {
            for place in places {
                if let Some((_, kept)) = listed(roster, time_ms, place) {
                    kept.listed_ms = kept.touched_ms;
                    ages.list(kept.listed_ms, place);
                }
            }
        }
    }

    /// The batch has failed: everything is as it was before.
    fn undo(&mut self) {
        for change in self.changes.drain(..) {
            let place = change.place;
            let Some((_, kept)) = self.roster.at(place) else { continue };
            kept.touched_ms = change.touched_before_ms;
            change.undo(&mut kept.state);
            if kept.state.is_none() {
                self.roster.remove(place);
            }
        }
    }
}

/// Places that are looked at together when keys time out, so that their cache misses overlap.
const GROUP: usize = 32;

/// The key that the list of ages has under this time; none if it left since.
fn listed<K: Key, O>(roster: &mut Roster<K, Kept<O>>, time_ms: i64, place: u32) -> Option<(K::View<'_>, &mut Kept<O>)> {
    roster.at(place).filter(|(_, kept)| kept.listed_ms == time_ms)
}

/// Was a call made for this key in this batch?
fn is_changed<O>(changes: &[Change<O>], place: u32, kept: &Kept<O>) -> bool {
    changes.get(kept.change as usize).is_some_and(|change| change.place == place)
}

/// The change of a key in this batch.
fn change_of<'c, O>(changes: &'c mut Vec<Change<O>>, place: u32, kept: &mut Kept<O>) -> &'c mut Change<O> {
    if !is_changed(changes, place, kept) {
        // There are no more changes than places, which a `u32` counts.
        kept.change = changes.len() as u32;
        changes.push(Change::none(place, kept.state.is_none(), kept.touched_ms));
    }
    &mut changes[kept.change as usize]
}

struct MapNode<K: Key, V: Family, S: Value, E: Family, F> {
    routed: Arc<RouteNode<Pair<K, V>, ByKey>>,
    function: F,
    operator: Operator,
    slide_batches: u64,
    timeout_ms: Option<i64>,
    /// Time of the first batch, even if that failed.
    first_ms: OnceLock<i64>,
    stored: Arc<Stored<K, S, E>>,
    turns: Turns,
}

/// The states, and what was emitted: all that those who read of a batch have to know.
struct Stored<K: Key, S: Value, E: Family> {
    parts: Vec<RwLock<Part<K, S>>>,
    outcomes: PerBatch<Outcome<E>>,
}

/// What was emitted by each partition, or why the batch failed.
type Outcome<E> = Result<Arc<Vec<<E as Family>::Column>>, EngineError>;

impl<K, V, S, E, F> MapNode<K, V, S, E, F>
where
    K: Key,
    V: Family,
    S: Value,
    E: Family,
    F: Fn(BatchTime, K::View<'_>, Option<V::View<'_>>, &mut State<'_, S>, &mut dyn FnMut(E::View<'_>)) + Send + Sync,
{
    /// Runs the batch through every partition; all of them keep what it did, or none.
    fn advance(&self, run: &mut JobRun<'_>) -> Outcome<E> {
        let routed = self.routed.route(run)?;
        self.turns.wait_for(run.batch);
        let (parts, time_ms) = (&self.stored.parts, run.time_ms);
        // Before this a key must have been touched to time out.
        let threshold_ms = self.timeout_ms.map_or(i64::MIN, |timeout_ms| time_ms.saturating_sub(timeout_ms));
        let records: u64 = routed.iter().map(|column| column.len() as u64).sum();
        let emitted: Made<E::Column> = room(parts.len());
        let called = run.stage(
            Stage::State,
            parts.len(),
            records,
            || (),
            |(), partition| {
                let part = &mut *write(&parts[partition]);
                *lock(&emitted[partition]) = Some(self.call_all(part, &routed[partition], time_ms, threshold_ms));
                Ok(())
            },
        );
        if let Err(error) = called {
            parts.iter().for_each(|part| write(part).undo());
            return Err(error);
        }
        run.stage(
            Stage::State,
            parts.len(),
            records,
            || (),
            |(), partition| {
                write(&parts[partition]).commit(threshold_ms);
                Ok(())
            },
        )?;
        Ok(Arc::new(emitted.into_iter().filter_map(|column| lock(&column).take()).collect()))
    }

    /// All calls of one partition; returns what they emitted.
    fn call_all(
        &self,
        part: &mut Part<K, S>,
        records: &PairColumn<K, V>,
        time_ms: i64,
        threshold_ms: i64,
    ) -> E::Column {
        let time = BatchTime::of_milliseconds(time_ms);
        let mut emitted = E::Column::default();
        let mut out = |view: E::View<'_>| emitted.push(view);
        part.make_ready(*self.first_ms.get_or_init(|| time_ms));
        self.operator.enter();
        part.call_each::<V>(records, time_ms, |key, value, state| {
            (self.function)(time, key, Some(value), state, &mut out);
        });
        part.expire(threshold_ms, |key, state| (self.function)(time, key, None, state, &mut out));
        emitted
    }
}

impl<K, V, S, E, F> Scheduled for MapNode<K, V, S, E, F>
where
    K: Key,
    V: Family,
    S: Value,
    E: Family,
    F: Fn(BatchTime, K::View<'_>, Option<V::View<'_>>, &mut State<'_, S>, &mut dyn FnMut(E::View<'_>)) + Send + Sync,
{
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.slide_batches) {
            return Ok(());
        }
        self.stored.outcomes.get_or_make(run, |run| Ok(self.advance(run)))?.map(drop)
    }

    fn release(&self, batch: u64) {
        self.stored.outcomes.take(batch);
        self.turns.pass(batch);
    }
}

impl<K: Key, S: Value, E: Family> Stored<K, S, E> {
    /// What a partition emitted in a batch.
    fn emitted(&self, batch: u64) -> Arc<Vec<E::Column>> {
        self.outcomes.get(batch).and_then(Result::ok).unwrap_or_default()
    }
}

/// What was emitted.
impl<K: Key, S: Value, E: Family> Node<E> for Stored<K, S, E> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let Some(outcome) = self.outcomes.get(run.batch) else { return Ok(Prepared::default()) };
        let columns = outcome?;
        Ok(Prepared { partitions: columns.len(), records: columns.iter().map(|column| column.len() as u64).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<E>) -> Result<(), EngineError> {
        let columns = self.emitted(batch);
        push_column::<E>(&columns[partition], 0..columns[partition].len(), sink);
        Ok(())
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&E::Column, Range<usize>)) -> bool {
        let columns = self.emitted(batch);
        visit(&columns[partition], 0..columns[partition].len());
        true
    }
}

/// The states after the batch.
struct SnapshotNode<K: Key, S: Value, E: Family> {
    stored: Arc<Stored<K, S, E>>,
}

impl<K: Key, S: Value, E: Family> Node<Pair<K, S>> for SnapshotNode<K, S, E> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let Some(outcome) = self.stored.outcomes.get(run.batch) else { return Ok(Prepared::default()) };
        outcome?;
        let parts = &self.stored.parts;
        Ok(Prepared { partitions: parts.len(), records: parts.iter().map(|part| read(part).roster.len() as u64).sum() })
    }

    fn push(&self, _: u64, partition: usize, sink: &mut dyn Sink<Pair<K, S>>) -> Result<(), EngineError> {
        let part = read(&self.stored.parts[partition]);
        let states = part.roster.iter().filter_map(|(key, kept)| Some((key, kept.state.as_ref()?)));
        push_groups::<K, S>(states, sink);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One batch of keys through a part: even numbers as values set the state, odd ones remove it.
    fn batch(part: &mut Part<u64, u64>, time_ms: i64, threshold_ms: i64, records: &[(u64, u64)]) -> Vec<u64> {
        let mut column = PairColumn::<u64, u64>::default();
        records.iter().for_each(|record| column.push(*record));
        let mut timed_out = Vec::new();
        part.make_ready(time_ms);
        part.call_each::<u64>(&column, time_ms, |_, value, state| match value % 2 {
            0 => state.update(value),
            _ => state.remove(),
        });
        part.expire(threshold_ms, |key, _| timed_out.push(key));
        part.commit(threshold_ms);
        timed_out
    }

    fn part() -> Part<u64, u64> {
        Part::of(Roster::new(Default::default()), true)
    }

    #[test]
    fn keys_that_come_and_go_leave_nothing_behind_until_their_time_is_over() {
        let mut part = part();
        batch(&mut part, 0, i64::MIN, &[(0, 2)]);
        for time_ms in 1..2_000 {
            let first = time_ms as u64 * 10;
            let come: Vec<(u64, u64)> = (first..first + 10).map(|key| (key, 2)).collect();
            let go: Vec<(u64, u64)> = (first - 10..first).filter(|key| *key > 0).map(|key| (key, 1)).collect();
            batch(&mut part, time_ms, i64::MIN, &[come, go].concat());
            assert_eq!(part.roster.len(), 11);
        }
        assert!(part.roster.places() < 100, "{} places", part.roster.places());
        let listed: usize =
            part.ages.iter().flat_map(|ages| ages.before(i64::MAX)).map(|(_, places)| places.len()).sum();
        assert!(listed < 1_200, "{listed} places are listed for 11 keys");
        let mut gone = batch(&mut part, 10_000, 5_000, &[]);
        gone.sort_unstable();
        assert_eq!(gone, [&[0][..], &(19_990..20_000).collect::<Vec<u64>>()].concat());
        assert_eq!(part.roster.len(), 0);
    }

    #[test]
    fn a_key_that_is_touched_is_looked_at_once_per_time_out() {
        let mut part = part();
        let keys: Vec<(u64, u64)> = (0..100).map(|key| (key, 2)).collect();
        for time_ms in 0..35 {
            assert_eq!(batch(&mut part, time_ms, time_ms - 10, &keys), [0u64; 0]);
            let listed: Vec<i64> = part.ages.iter().flat_map(|ages| ages.before(i64::MAX)).map(|(at, _)| at).collect();
            assert_eq!(listed, [time_ms / 11 * 11], "at {time_ms}");
        }
    }
}
