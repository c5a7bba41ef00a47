//! The operations of programs on the engine's streams.

use super::datum::{Datum, bracketed, joined, sorted_list};
use super::function::{
    FlatMapFunction, MapFunction, PartitionFunction, Predicate, ReduceFunction, StateFunction, TransformFunction,
    TransformWithFunction,
};
use super::program::{Op, Step};
use downbeat_engine::dstream::{BatchTime, Dataset, State, StateSpec};
use downbeat_engine::exchange::Key;
use downbeat_engine::record::{Family, List, ListView, Pair, Text};
use downbeat_engine::{DStream, StreamingContext};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// Labels are the same as Spark's manual clock gives: batch 1 is the one at 1000 ms.
pub(crate) const BATCH_MS: u64 = 1000;

pub(crate) fn batches(count: u64) -> Duration {
    Duration::from_millis(count * BATCH_MS)
}

/// A stream of any kind.
#[derive(Clone)]
pub(crate) enum Stream {
    Text(DStream<Text>),
    Number(DStream<i64>),
    Pair(DStream<Pair<Text, i64>>),
}

/// Does the same with the stream of whatever kind.
macro_rules! with {
    ($stream:expr, $inner:ident => $result:expr) => {
        match $stream {
            Stream::Text($inner) => $result,
            Stream::Number($inner) => $result,
            Stream::Pair($inner) => $result,
        }
    };
}

/// The same, giving a stream of the same kind.
macro_rules! same_kind {
    ($stream:expr, $inner:ident => $result:expr) => {
        match $stream {
            Stream::Text($inner) => Stream::Text($result),
            Stream::Number($inner) => Stream::Number($result),
            Stream::Pair($inner) => Stream::Pair($result),
        }
    };
}

/// A stream, and at every how many batches it has records.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) stream: Stream,
    pub(crate) slide: u64,
}

pub(crate) use with;

/// A dataset, and its contents at each batch.
type Changing = (Dataset<Text, i64>, Vec<Vec<Datum>>);

/// The streams of a program, by name, and the datasets that its joins look at.
#[derive(Default)]
pub(crate) struct Streams {
    pub(crate) made: BTreeMap<String, Made>,
    datasets: Vec<Changing>,
}

impl Streams {
    /// Each dataset becomes the one of this batch.
    pub(crate) fn replace_datasets(&self, batch: u64) {
        for (dataset, contents) in &self.datasets {
            let number = usize::try_from(batch).expect("few batches").min(contents.len());
            let records = contents[number - 1].iter().map(Datum::pair);
            dataset.replace(records.map(|(key, value)| (key.as_bytes(), value))).expect("small");
        }
    }

    /// Makes the stream of a step.
    pub(crate) fn operate(&mut self, context: &StreamingContext, step: &Step) {
        let of: Vec<Made> = step.of.iter().map(|name| self.made[name].clone()).collect();
        let (first, slide) = (&of[0].stream, of[0].slide);
        let second = || &of[1].stream;
        let (stream, slide) = match &step.op {
            Op::Map { function } => (map(*function, first), slide),
            Op::Filter { function } => (filter(*function, first), slide),
            Op::FlatMap { function } => (flat_map(*function, first), slide),
            Op::MapPartitions { function } => (map_partitions(*function, first), slide),
            Op::Glom => {
                (with!(first, of => Stream::Text(shown_as(&of.glom(), |part| bracketed(all_shown(part))))), slide)
            }
            Op::Repartition { partitions } => (same_kind!(first, of => of.repartition(*partitions)), slide),
            Op::Union => (union(context, &of), slide),
            Op::Count => (with!(first, of => Stream::Number(of.count().map::<i64>(|count| count as i64))), slide),
            Op::Reduce { function } => (reduce(*function, first), slide),
            Op::CountByValue => (with!(first, of => counted(&of.count_by_value())), slide),
            Op::Transform { function } => (transform(*function, first), slide),
            Op::TransformWith { function } => (transform_with(*function, first, second()), slide),
            Op::MapValues { function } => (map_values(*function, pairs(first)), slide),
            Op::FlatMapValues { function } => (flat_map_values(*function, pairs(first)), slide),
            Op::GroupByKey => (Stream::Text(grouped(&pairs(first).group_by_key())), slide),
            Op::ReduceByKey { function } => {
                let function = *function;
                (Stream::Pair(pairs(first).reduce_by_key(move |a, b| function.numbers(a, b))), slide)
            }
            Op::CombineByKey => (combine_by_key(pairs(first)), slide),
            Op::Cogroup => (cogroup(pairs(first), pairs(second())), slide),
            Op::Join => {
                let joins = pairs(first).join(pairs(second()));
                (Stream::Text(shown_as(&joins, |(key, (a, b))| join_shown(key, Some(a), Some(b)))), slide)
            }
            Op::LeftOuterJoin => {
                let joins = pairs(first).left_outer_join(pairs(second()));
                (Stream::Text(shown_as(&joins, |(key, (a, b))| join_shown(key, Some(a), b))), slide)
            }
            Op::RightOuterJoin => {
                let joins = pairs(first).right_outer_join(pairs(second()));
                (Stream::Text(shown_as(&joins, |(key, (a, b))| join_shown(key, a, Some(b)))), slide)
            }
            Op::FullOuterJoin => {
                let joins = pairs(first).full_outer_join(pairs(second()));
                (Stream::Text(shown_as(&joins, |(key, (a, b))| join_shown(key, a, b))), slide)
            }
            Op::JoinDataset { dataset } => (self.join_dataset(pairs(first), dataset), slide),
            Op::Window { length, slide: between } => {
                let between = between.unwrap_or(slide);
                (same_kind!(first, of => of.window(batches(*length), batches(between))), between)
            }
            Op::ReduceByWindow { function, inverse, length, slide } => {
                (reduce_by_window(*function, *inverse, first, batches(*length), batches(*slide)), *slide)
            }
            Op::CountByWindow { length, slide } => {
                let counts = with!(first, of => of.count_by_window(batches(*length), batches(*slide)));
                (Stream::Number(counts.map::<i64>(|count| count as i64)), *slide)
            }
            Op::CountByValueAndWindow { length, slide } => {
                let (length, between) = (batches(*length), batches(*slide));
                (with!(first, of => counted(&of.count_by_value_and_window(length, between))), *slide)
            }
            Op::GroupByKeyAndWindow { length, slide } => {
                let groups = pairs(first).group_by_key_and_window(batches(*length), batches(*slide));
                (Stream::Text(grouped(&groups)), *slide)
            }
            Op::ReduceByKeyAndWindow { function, length, slide } => {
                let (function, length, between) = (*function, batches(*length), batches(*slide));
                let reduced =
                    pairs(first).reduce_by_key_and_window(move |a, b| function.numbers(a, b), length, between);
                (Stream::Pair(reduced), *slide)
            }
            Op::ReduceByKeyAndInverseWindow { filter: kept, length, slide } => {
                let (length, between) = (batches(*length), batches(*slide));
                let sums = pairs(first).reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, length, between);
                let sums = Stream::Pair(sums);
                (kept.map_or(sums.clone(), |kept| filter(kept, &sums)), *slide)
            }
            Op::UpdateStateByKey { function, initial } => {
                let function = *function;
                let spec = initial.as_deref().map_or_else(StateSpec::new, started);
                let states = pairs(first).update_state_by_key_with::<i64>(spec, move |_, _, values, state| {
                    function.apply(values, state.copied())
                });
                (Stream::Pair(states), slide)
            }
            Op::MapWithState { .. } => (self.map_with_state(pairs(first), slide, &step.op), slide),
        };
        self.made.insert(step.name.clone(), Made { stream, slide });
    }

    fn join_dataset(&mut self, stream: &DStream<Pair<Text, i64>>, contents: &[Vec<Datum>]) -> Stream {
        let dataset = Dataset::<Text, i64>::new([]).expect("small");
        let joins = stream.join_dataset(&dataset);
        self.datasets.push((dataset, contents.to_vec()));
        Stream::Text(shown_as(&joins, |(key, (a, b))| join_shown(key, Some(a), Some(b))))
    }

    fn map_with_state(&mut self, stream: &DStream<Pair<Text, i64>>, slide: u64, op: &Op) -> Stream {
        let Op::MapWithState { function, timeout, initial, snapshots, .. } = op else { panic!("has no state") };
        let spec = initial.as_deref().map_or_else(StateSpec::new, started);
        let spec = match timeout {
            Some(idle) => spec.timeout(batches(*idle)),
            None => spec,
        };
        let function = *function;
        let mapped = stream.map_with_state::<i64, Text>(spec, move |time, key, value, state, out| {
            let told = match value {
                Some(value) => state_call(time, &Text::shown(key), value, state),
                None => Some(last_call(function, &Text::shown(key), state)),
            };
            told.iter().for_each(|told| out(told.as_bytes()));
        });
        if let Some(name) = snapshots {
            self.made.insert(name.clone(), Made { stream: Stream::Pair(mapped.snapshots()), slide });
        }
        Stream::Text(DStream::clone(&mapped))
    }
}

/// States to begin with.
fn started(initial: &[Datum]) -> StateSpec<Text, i64> {
    StateSpec::new().initial(initial.iter().map(Datum::pair).map(|(key, state)| (key.as_bytes(), state)))
}

/// Any stream as text.
fn shown_as<R: Family>(
    of: &DStream<R>,
    show: impl for<'a> Fn(R::View<'a>) -> String + Send + Sync + 'static,
) -> DStream<Text> {
    of.flat_map_copied::<Text>(move |view, out| out(show(view).as_bytes()))
}

fn all_shown<R: Shown>(list: ListView<'_, R>) -> Vec<String> {
    list.iter().map(R::shown).collect()
}

fn join_shown(key: &[u8], left: Option<i64>, right: Option<i64>) -> String {
    joined(&Text::shown(key), left, right).text().to_owned()
}

fn counted<K: Shown>(counts: &DStream<Pair<K, u64>>) -> Stream {
    Stream::Pair(counts.flat_map_copied::<Pair<Text, i64>>(|(value, count), out| {
        out((K::shown(value).as_bytes(), count as i64));
    }))
}

fn values(list: ListView<'_, i64>) -> String {
    sorted_list(&list.iter().collect::<Vec<_>>())
}

fn grouped(groups: &DStream<Pair<Text, List<i64>>>) -> DStream<Text> {
    shown_as(groups, |(key, list)| format!("{}:{}", Text::shown(key), values(list)))
}

fn union(context: &StreamingContext, of: &[Made]) -> Stream {
    if let [left, right] = of {
        return match (&left.stream, &right.stream) {
            (Stream::Text(left), Stream::Text(right)) => Stream::Text(left.union(right)),
            (Stream::Number(left), Stream::Number(right)) => Stream::Number(left.union(right)),
            (Stream::Pair(left), Stream::Pair(right)) => Stream::Pair(left.union(right)),
            _ => panic!("a union is of streams of one kind"),
        };
    }
    match of[0].stream {
        Stream::Text(_) => Stream::Text(context.union(&all(of, Stream::texts))),
        Stream::Number(_) => Stream::Number(context.union(&all(of, Stream::numbers))),
        Stream::Pair(_) => Stream::Pair(context.union(&all(of, pairs))),
    }
}

fn all<R: Family>(of: &[Made], kind: impl Fn(&Stream) -> &DStream<R>) -> Vec<DStream<R>> {
    of.iter().map(|made| kind(&made.stream).clone()).collect()
}

impl Stream {
    fn texts(&self) -> &DStream<Text> {
        let Stream::Text(texts) = self else { panic!("not texts") };
        texts
    }

    fn numbers(&self) -> &DStream<i64> {
        let Stream::Number(numbers) = self else { panic!("not numbers") };
        numbers
    }
}

fn map_partitions(function: PartitionFunction, stream: &Stream) -> Stream {
    match function {
        PartitionFunction::Size => {
            with!(stream, of => Stream::Number(of.map_partitions::<i64>(|part, out| out(part.len() as i64))))
        }
        PartitionFunction::First => {
            same_kind!(stream, of => of.map_partitions(|part, out| part.iter().next().into_iter().for_each(out)))
        }
    }
}

/// The greater or the lesser of two; sums are for numbers alone.
fn better<T: Ord>(function: ReduceFunction, a: T, b: T) -> T {
    match function {
        ReduceFunction::Max => a.max(b),
        ReduceFunction::Min => a.min(b),
        ReduceFunction::Sum => misfit(&function),
    }
}

fn reduce(function: ReduceFunction, stream: &Stream) -> Stream {
    match stream {
        Stream::Text(of) => Stream::Text(of.reduce(move |a, b| better(function, a, b))),
        Stream::Number(of) => Stream::Number(of.reduce(move |a, b| function.numbers(a, b))),
        Stream::Pair(of) => Stream::Pair(of.reduce(move |a, b| better(function, a, b))),
    }
}

fn reduce_by_window(
    function: ReduceFunction,
    inverse: bool,
    stream: &Stream,
    length: Duration,
    slide: Duration,
) -> Stream {
    match stream {
        Stream::Number(of) if inverse => {
            Stream::Number(of.reduce_by_inverse_window(|a, b| a + b, |a, b| a - b, length, slide))
        }
        Stream::Number(of) => Stream::Number(of.reduce_by_window(move |a, b| function.numbers(a, b), length, slide)),
        Stream::Text(of) => Stream::Text(of.reduce_by_window(move |a, b| better(function, a, b), length, slide)),
        Stream::Pair(of) => Stream::Pair(of.reduce_by_window(move |a, b| better(function, a, b), length, slide)),
    }
}

fn number_of(time: BatchTime) -> u64 {
    time.milliseconds() as u64 / BATCH_MS
}

fn transform(function: TransformFunction, stream: &Stream) -> Stream {
    fn distinct<K: Key>(batch: &DStream<K>) -> DStream<K> {
        batch.count_by_value().map::<K>(|(value, _)| value)
    }
    fn greatest<R: Shown>(batch: &DStream<R>) -> DStream<R> {
        batch.sort_by(|a, b| Reverse(R::shown(a)).cmp(&Reverse(R::shown(b)))).take(2)
    }
    match function {
        TransformFunction::Distinct => same_kind!(stream, of => of.transform(|batch, _| distinct(batch))),
        TransformFunction::Label => with!(stream, of => Stream::Text(of.transform(|batch, time| {
            fn label<R: Shown>(batch: &DStream<R>, number: u64) -> DStream<Text> {
                shown_as(batch, move |view| format!("{number}:{}", R::shown(view)))
            }
            label(batch, number_of(time))
        }))),
        TransformFunction::EmptyOnEven => same_kind!(stream, of => of.transform(|batch, time| {
            let odd = !number_of(time).is_multiple_of(2);
            batch.filter(move |_| odd)
        })),
        TransformFunction::GreatestTwo => same_kind!(stream, of => of.transform(|batch, _| greatest(batch))),
    }
}

fn transform_with(function: TransformWithFunction, left: &Stream, right: &Stream) -> Stream {
    fn subtracted<K: Key>(left: &DStream<K>, right: &DStream<K>) -> DStream<K> {
        let keyed = |side: &DStream<K>| side.map_to_pair::<K, u64>(|value| (value, 1));
        keyed(left).cogroup(&keyed(right)).flat_map::<K>(|(value, (mine, theirs)), out| {
            (0..if theirs.is_empty() { mine.len() } else { 0 }).for_each(|_| out(value));
        })
    }
    fn both<K: Key>(function: TransformWithFunction, left: &DStream<K>, right: &DStream<K>) -> DStream<K> {
        left.transform_with(right, move |left, right, time| match function {
            TransformWithFunction::Subtract => subtracted(left, right),
            TransformWithFunction::Alternate if number_of(time).is_multiple_of(2) => right.clone(),
            TransformWithFunction::Alternate => left.clone(),
        })
    }
    match (left, right) {
        (Stream::Text(left), Stream::Text(right)) => Stream::Text(both(function, left, right)),
        (Stream::Number(left), Stream::Number(right)) => Stream::Number(both(function, left, right)),
        (Stream::Pair(left), Stream::Pair(right)) => Stream::Pair(both(function, left, right)),
        _ => panic!("both sides are of one kind"),
    }
}

fn map_values(function: MapFunction, of: &DStream<Pair<Text, i64>>) -> Stream {
    Stream::Pair(of.map_values::<i64>(move |value| function.apply(&Datum::Number(value)).number()))
}

fn flat_map_values(function: FlatMapFunction, of: &DStream<Pair<Text, i64>>) -> Stream {
    Stream::Pair(of.flat_map_values::<i64>(move |value, out| {
        function.apply(&Datum::Number(value)).iter().map(Datum::number).for_each(out);
    }))
}

fn combine_by_key(of: &DStream<Pair<Text, i64>>) -> Stream {
    let means = of.combine_by_key::<Pair<i64, i64>>(
        |value| (value, 1),
        |(sum, number), value| (sum + value, number + 1),
        |a, b| (a.0 + b.0, a.1 + b.1),
    );
    Stream::Text(shown_as(&means, |(key, (sum, number))| format!("{}:{sum}/{number}", Text::shown(key))))
}

fn cogroup(left: &DStream<Pair<Text, i64>>, right: &DStream<Pair<Text, i64>>) -> Stream {
    let groups = left.cogroup(right);
    Stream::Text(shown_as(&groups, |(key, (left, right))| {
        format!("{}:{}|{}", Text::shown(key), values(left), values(right))
    }))
}

/// `taken` or `refused`: whether a call on a state is allowed.
fn allowed(call: impl FnOnce()) -> &'static str {
    if catch_unwind(AssertUnwindSafe(call)).is_ok() { "taken" } else { "refused" }
}

/// What a record does to the state of its key, and what it gives.
fn state_call(time: BatchTime, key: &str, value: i64, state: &mut State<'_, i64>) -> Option<String> {
    let before = state.get().copied();
    match value {
        1.. => {
            let sum = before.unwrap_or(0) + value;
            state.update(sum);
            Some(format!("{key}={sum}"))
        }
        0 => {
            state.remove();
            Some(format!("{key} {}", if before.is_some() { "removed" } else { "absent" }))
        }
        -2 => None,
        -3 => {
            state.remove();
            Some(format!("{key} remove, update: {}", allowed(|| state.update(1))))
        }
        -4 => {
            state.remove();
            Some(format!("{key} remove, remove: {}", allowed(|| state.remove())))
        }
        -5 => Some(format!("{key} get: {}", if before.is_some() { "taken" } else { "refused" })),
        -6 => Some(format!("{key} remove: {}", allowed(|| state.remove()))),
        _ => {
            let is = before.map_or("is not".to_owned(), |state| format!("is {state}"));
            Some(format!("{key} {is} at {}", number_of(time)))
        }
    }
}

/// The last call for a key that is timing out.
fn last_call(function: StateFunction, key: &str, state: &mut State<'_, i64>) -> String {
    let last = format!("{key} times out at {}", state.get().expect("what times out has a state"));
    match function {
        StateFunction::Script => last,
        StateFunction::Stubborn => {
            let (update, remove) = (allowed(|| state.update(1)), allowed(|| state.remove()));
            format!("{last}, update: {update}, remove: {remove}")
        }
    }
}

/// A family whose records programs know.
pub(crate) trait Shown: Family {
    fn shown(view: Self::View<'_>) -> String;
}

impl Shown for Text {
    fn shown(view: &[u8]) -> String {
        String::from_utf8_lossy(view).into_owned()
    }
}

impl Shown for i64 {
    fn shown(view: i64) -> String {
        view.to_string()
    }
}

impl Shown for Pair<Text, i64> {
    fn shown((key, value): (&[u8], i64)) -> String {
        format!("({},{value})", Text::shown(key))
    }
}

fn pairs(stream: &Stream) -> &DStream<Pair<Text, i64>> {
    match stream {
        Stream::Pair(pairs) => pairs,
        _ => panic!("a keyed operation needs pairs"),
    }
}

/// A program asks for a function that its records are not made for.
fn misfit(function: &dyn std::fmt::Debug) -> ! {
    panic!("{function:?} is not for records of this kind")
}

/// As the definitions of `MapFunction` say, in the engine's own terms: nothing is copied where a view can be borrowed.
fn map(function: MapFunction, stream: &Stream) -> Stream {
    match (function, stream) {
        (MapFunction::Same, Stream::Text(of)) => Stream::Text(of.map::<Text>(|text| text)),
        (MapFunction::Same, Stream::Number(of)) => Stream::Number(of.map::<i64>(|number| number)),
        (MapFunction::Same, Stream::Pair(of)) => Stream::Pair(of.map::<Pair<Text, i64>>(|pair| pair)),
        (MapFunction::Head, Stream::Text(of)) => {
            Stream::Text(of.map::<Text>(|text| &text[..first_character_bytes(text)]))
        }
        (MapFunction::Length, Stream::Text(of)) => Stream::Number(of.map::<i64>(characters)),
        (MapFunction::One, Stream::Text(of)) => Stream::Pair(of.map_to_pair::<Text, i64>(|text| (text, 1))),
        (MapFunction::Increment, Stream::Number(of)) => Stream::Number(of.map::<i64>(|number| number + 1)),
        (MapFunction::Negate, Stream::Number(of)) => Stream::Number(of.map::<i64>(|number| -number)),
        (MapFunction::ByParity, Stream::Number(of)) => Stream::Pair(
            of.map_to_pair::<Text, i64>(|number| (if number % 2 == 0 { &b"even"[..] } else { &b"odd"[..] }, number)),
        ),
        (MapFunction::Key, Stream::Pair(of)) => Stream::Text(of.map::<Text>(|(key, _)| key)),
        (MapFunction::Value, Stream::Pair(of)) => Stream::Number(of.map::<i64>(|(_, value)| value)),
        (MapFunction::ToX, Stream::Pair(of)) => {
            Stream::Pair(of.map_to_pair::<Text, i64>(|(_, value)| (&b"x"[..], value)))
        }
        _ => misfit(&function),
    }
}

/// The first byte of each character: all but continuations of UTF-8.
fn is_boundary(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

fn first_character_bytes(text: &[u8]) -> usize {
    text.iter().skip(1).position(|byte| is_boundary(*byte)).map_or(text.len(), |continuations| continuations + 1)
}

fn characters(text: &[u8]) -> i64 {
    text.iter().filter(|byte| is_boundary(**byte)).count() as i64
}

fn filter(predicate: Predicate, stream: &Stream) -> Stream {
    match stream {
        Stream::Text(of) => Stream::Text(of.filter(move |text| match predicate {
            Predicate::All => true,
            Predicate::None => false,
            Predicate::Long => characters(text) > 1,
            _ => misfit(&predicate),
        })),
        Stream::Number(of) => Stream::Number(of.filter(move |number| predicate.keeps(&Datum::Number(number)))),
        Stream::Pair(of) => Stream::Pair(of.filter(move |(_, value)| predicate.keeps(&Datum::Number(value)))),
    }
}

fn flat_map(function: FlatMapFunction, stream: &Stream) -> Stream {
    match (function, stream) {
        (FlatMapFunction::Words, Stream::Text(of)) => Stream::Text(of.flat_map::<Text>(|text, out| {
            text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).for_each(out)
        })),
        (FlatMapFunction::Countdown, Stream::Number(of)) => {
            Stream::Number(of.flat_map::<i64>(|number, out| (1..=number).rev().for_each(out)))
        }
        (FlatMapFunction::Spell, Stream::Pair(of)) => {
            Stream::Text(of.flat_map::<Text>(|(key, times), out| (0..times).for_each(|_| out(key))))
        }
        (FlatMapFunction::Twice, Stream::Text(of)) => {
            Stream::Text(of.flat_map::<Text>(|text, out| [text, text].into_iter().for_each(out)))
        }
        (FlatMapFunction::Twice, Stream::Number(of)) => {
            Stream::Number(of.flat_map::<i64>(|number, out| [number, number].into_iter().for_each(out)))
        }
        (FlatMapFunction::Twice, Stream::Pair(of)) => {
            Stream::Pair(of.flat_map::<Pair<Text, i64>>(|pair, out| [pair, pair].into_iter().for_each(out)))
        }
        _ => misfit(&function),
    }
}
