//! Keyed operators: values, combining, groups, joins, datasets.

use crate::bench::{Bench, CODECS, Collected, INTERVAL_NS, START_NS, any_exchange, collect, refusal};
use downbeat_engine::dstream::Dataset;
use downbeat_engine::record::{List, ListView, Maybe, Own, Pair, Text};
use downbeat_engine::settings::CodecKind;
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

type Pairs = DStream<Pair<Text, u64>>;

/// Pairs as a test has them.
type Owned = (String, u64);

/// What a full outer join gives for a key.
type Row = (String, Option<u64>, Option<u64>);

/// The two lists of a cogroup, sorted.
type Lists = (String, Vec<u64>, Vec<u64>);

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn views(pairs: &[Owned]) -> impl Iterator<Item = (&[u8], u64)> {
    pairs.iter().map(|(key, value)| (key.as_bytes(), *value))
}

fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}

fn sorted_list(list: ListView<'_, u64>) -> Vec<u64> {
    sorted(list.iter().collect())
}

fn batches(count: u64) -> Duration {
    Duration::from_millis(100 * count)
}

/// Every join, as rows with what may be missing.
struct Joins {
    inner: Collected<Row>,
    left: Collected<Row>,
    right: Collected<Row>,
    full: Collected<Row>,
    both: Collected<Lists>,
}

impl Joins {
    fn of(left: &Pairs, right: &Pairs) -> Self {
        Joins {
            inner: collect(&left.join(right), |(key, (v, w))| (text(key), Some(v), Some(w))),
            left: collect(&left.left_outer_join(right), |(key, (v, w))| (text(key), Some(v), w)),
            right: collect(&left.right_outer_join(right), |(key, (v, w))| (text(key), v, Some(w))),
            full: collect(&left.full_outer_join(right), |(key, (v, w))| (text(key), v, w)),
            both: collect(&left.cogroup(right), |(key, (v, w))| (text(key), sorted_list(v), sorted_list(w))),
        }
    }

    /// Does the `at`th batch have what a plain computation gives?
    fn check(&self, at: usize, left: &[Owned], right: &[Owned]) {
        let full = plain_full_join(left, right);
        let only = |keep: fn(&Row) -> bool| full.iter().filter(|row| keep(row)).cloned().collect::<Vec<_>>();
        assert_eq!(batch(&self.full, at), full, "full_outer_join");
        assert_eq!(batch(&self.inner, at), only(|(_, v, w)| v.is_some() && w.is_some()), "join");
        assert_eq!(batch(&self.left, at), only(|(_, v, _)| v.is_some()), "left_outer_join");
        assert_eq!(batch(&self.right, at), only(|(_, _, w)| w.is_some()), "right_outer_join");
        assert_eq!(batch(&self.both, at), plain_cogroup(left, right), "cogroup");
    }
}

fn batch<T: Clone>(collected: &Collected<T>, at: usize) -> Vec<T> {
    collected.lock().expect("no panic")[at].clone()
}

fn plain_full_join(left: &[Owned], right: &[Owned]) -> Vec<Row> {
    let mut rows = Vec::new();
    for (key, v) in left {
        let partners = right.iter().filter(|(other, _)| other == key).map(|(_, w)| Some(*w));
        let partners: Vec<_> = partners.collect();
        let partners = if partners.is_empty() { vec![None] } else { partners };
        rows.extend(partners.into_iter().map(|w| (key.clone(), Some(*v), w)));
    }
    let lonely = right.iter().filter(|(key, _)| !left.iter().any(|(other, _)| other == key));
    rows.extend(lonely.map(|(key, w)| (key.clone(), None, Some(*w))));
    sorted(rows)
}

fn plain_cogroup(left: &[Owned], right: &[Owned]) -> Vec<Lists> {
    let mut lists = BTreeMap::<&str, (Vec<u64>, Vec<u64>)>::new();
    left.iter().for_each(|(key, value)| lists.entry(key).or_default().0.push(*value));
    right.iter().for_each(|(key, value)| lists.entry(key).or_default().1.push(*value));
    lists.into_iter().map(|(key, (v, w))| (key.to_owned(), sorted(v), sorted(w))).collect()
}

fn plain_groups(pairs: &[Owned]) -> Vec<(String, Vec<u64>)> {
    plain_cogroup(pairs, &[]).into_iter().map(|(key, values, _)| (key, values)).collect()
}

fn pairs() -> impl Strategy<Value = Vec<Owned>> {
    prop::collection::vec(("[a-d]{0,2}|[ab]{17}", 0u64..5), 0..25)
}

fn settings() -> impl Strategy<Value = Settings> {
    (1usize..3, 1usize..5, any_exchange()).prop_map(|(threads, partitions, exchange)| Settings {
        threads,
        partitions: Some(partitions),
        ..exchange
    })
}

/// The last `length` of the first `number` batches of one side as one.
fn windowed(
    sides: impl DoubleEndedIterator<Item = Vec<Owned>> + ExactSizeIterator,
    number: u64,
    length: u64,
) -> Vec<Owned> {
    let skipped = number.saturating_sub(length) as usize;
    sides.take(number as usize).skip(skipped).flatten().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn joins_agree_with_a_plain_computation_batch_by_batch(input in prop::collection::vec((pairs(), pairs()), 1..5), settings in settings()) {
        let mut bench = Bench::new(settings);
        let (left_feed, left) = bench.context.queue_stream::<Pair<Text, u64>>();
        let (right_feed, right) = bench.context.queue_stream::<Pair<Text, u64>>();
        let joins = Joins::of(&left, &right);
        let itself = collect(&left.join(&left), |(key, (v, w))| (text(key), Some(v), Some(w)));
        bench.context.start().expect("starts");
        for (at, (left, right)) in input.iter().enumerate() {
            left_feed.push(views(left)).expect("not stopped");
            right_feed.push(views(right)).expect("not stopped");
            bench.tick();
            joins.check(at, left, right);
            prop_assert_eq!(batch(&itself, at), plain_full_join(left, left), "a stream joined with itself");
        }
    }

    #[test]
    fn windowed_sides_join_over_their_windows(input in prop::collection::vec((pairs(), pairs()), 1..7), lengths in (1u64..4, 1u64..4), slide in 1u64..3, settings in settings()) {
        let mut bench = Bench::new(settings);
        let (left_feed, left) = bench.context.queue_stream::<Pair<Text, u64>>();
        let (right_feed, right) = bench.context.queue_stream::<Pair<Text, u64>>();
        let slide_length = batches(slide);
        let joins = Joins::of(&left.window(batches(lengths.0), slide_length), &right.window(batches(lengths.1), slide_length));
        bench.context.start().expect("starts");
        for (left, right) in &input {
            left_feed.push(views(left)).expect("not stopped");
            right_feed.push(views(right)).expect("not stopped");
            bench.tick();
        }
        let fires = (1..=input.len() as u64).filter(|number| number.is_multiple_of(slide));
        for (at, number) in fires.enumerate() {
            let left = windowed(input.iter().map(|(left, _)| left.clone()), number, lengths.0);
            let right = windowed(input.iter().map(|(_, right)| right.clone()), number, lengths.1);
            joins.check(at, &left, &right);
        }
    }

    #[test]
    fn values_combined_and_grouped_agree_with_a_plain_computation(input in prop::collection::vec(pairs(), 1..4), settings in settings()) {
        let mut bench = Bench::new(settings);
        let (feed, stream) = bench.context.queue_stream::<Pair<Text, u64>>();
        let mapped = collect(&stream.map_values::<i64>(|value| -(value as i64)), |(key, value)| (text(key), value));
        let repeated = stream.flat_map_values::<u32>(|value, out| (0..value as u32).for_each(out));
        let repeated = collect(&repeated, |(key, value)| (text(key), value));
        // The smallest value, how many there were, and their sum: not what it is combined from.
        let combined = stream.combine_by_key::<Pair<Pair<u64, u64>, i64>>(
            |value| ((value, 1), value as i64),
            |((least, count), sum), value| ((least.min(value), count + 1), sum + value as i64),
            |(a, a_sum), (b, b_sum)| ((a.0.min(b.0), a.1 + b.1), a_sum + b_sum),
        );
        let combined = collect(&combined, |(key, value)| (text(key), value));
        let grouped = collect(&stream.group_by_key(), |(key, values)| (text(key), sorted_list(values)));
        bench.context.start().expect("starts");
        for (at, pairs) in input.iter().enumerate() {
            feed.push(views(pairs)).expect("not stopped");
            bench.tick();
            let negated = pairs.iter().map(|(key, value)| (key.clone(), -(*value as i64))).collect();
            prop_assert_eq!(batch(&mapped, at), sorted(negated));
            let counted = pairs.iter().flat_map(|(key, value)| (0..*value as u32).map(|step| (key.clone(), step))).collect();
            prop_assert_eq!(batch(&repeated, at), sorted(counted));
            let groups = plain_groups(pairs);
            let totals: Vec<_> = groups.iter().map(|(key, values)| (key.clone(), ((values[0], values.len() as u64), values.iter().sum::<u64>() as i64))).collect();
            prop_assert_eq!(batch(&combined, at), totals);
            prop_assert_eq!(batch(&grouped, at), groups);
        }
    }

    #[test]
    fn a_dataset_is_joined_as_it_is_at_each_batch(input in prop::collection::vec((pairs(), pairs()), 1..5), settings in settings()) {
        let mut bench = Bench::new(settings);
        let (feed, stream) = bench.context.queue_stream::<Pair<Text, u64>>();
        let dataset = Dataset::<Text, u64>::new([]).expect("small");
        let inner = collect(&stream.join_dataset(&dataset), |(key, (v, w))| (text(key), Some(v), Some(w)));
        let outer = collect(&stream.left_outer_join_dataset(&dataset), |(key, (v, w))| (text(key), Some(v), w));
        bench.context.start().expect("starts");
        for (at, (pairs, reference)) in input.iter().enumerate() {
            dataset.replace(views(reference)).expect("small");
            feed.push(views(pairs)).expect("not stopped");
            bench.tick();
            let mut rows = plain_full_join(pairs, reference);
            rows.retain(|(_, v, _)| v.is_some());
            prop_assert_eq!(batch(&outer, at), rows.clone());
            rows.retain(|(_, _, w)| w.is_some());
            prop_assert_eq!(batch(&inner, at), rows);
        }
    }
}

#[test]
fn large_sides_on_many_threads_join_like_small_ones() {
    let pair = |number: u64, step: u64| (format!("{}-long-key-of-more-than-sixteen", number * step % 3_001), number);
    let left: Vec<Owned> = (0..6_000).map(|number| pair(number, 7)).collect();
    let right: Vec<Owned> = (0..4_000).map(|number| pair(number, 2)).collect();
    for codec in CODECS {
        let mut bench = Bench::new(Settings { codec, threads: 3, partitions: Some(4), ..Settings::default() });
        let (left_feed, left_stream) = bench.context.queue_stream::<Pair<Text, u64>>();
        let (right_feed, right_stream) = bench.context.queue_stream::<Pair<Text, u64>>();
        let joins = Joins::of(&left_stream, &right_stream);
        let sums = left_stream.combine_by_key::<i64>(|v| v as i64, |sum, v| sum + v as i64, |a, b| a + b);
        let sums = collect(&sums, |(key, sum)| (text(key), sum));
        bench.context.start().expect("starts");
        for round in 0..2 {
            // Several blocks a batch, so that several lanes work: the clock moves between the pushes.
            for (piece, (left, right)) in left.chunks(1_500).zip(right.chunks(1_000)).enumerate() {
                bench.clock.advance_to(START_NS + round * INTERVAL_NS + piece as u64 * 20_000_000);
                left_feed.push(views(left)).expect("not stopped");
                right_feed.push(views(right)).expect("not stopped");
            }
            bench.tick();
            let expected: Vec<_> =
                plain_groups(&left).into_iter().map(|(key, v)| (key, v.iter().sum::<u64>() as i64)).collect();
            assert_eq!(batch(&sums, round as usize), expected);
            joins.check(round as usize, &left, &right);
        }
    }
}

#[test]
fn one_key_gives_every_pair_of_its_records() {
    let mut bench = Bench::new(Settings::default());
    let (left_feed, left) = bench.context.queue_stream::<Pair<u64, u64>>();
    let (right_feed, right) = bench.context.queue_stream::<Pair<u64, u64>>();
    let joined = collect(&left.join(&right), |(key, values)| (key, values));
    bench.context.start().expect("starts");
    left_feed.push((0..300).map(|v| (7, v))).expect("not stopped");
    right_feed.push((0..700).map(|w| (7, w))).expect("not stopped");
    bench.tick();
    let expected: Vec<_> = (0..300).flat_map(|v| (0..700).map(move |w| (7, (v, w)))).collect();
    assert!(batch(&joined, 0) == expected, "all 210,000 pairs, once each");
}

#[test]
fn the_next_exchange_has_the_partitions_that_were_asked_for() {
    let mut bench = Bench::new(Settings { partitions: Some(2), ..Settings::default() });
    let (feed, stream) = bench.context.queue_stream::<Pair<u64, u64>>();
    let seen = Arc::new(Mutex::new(Vec::new()));
    fn note<R: downbeat_engine::record::Family>(stream: &DStream<R>, seen: &Arc<Mutex<Vec<usize>>>) {
        let seen = seen.clone();
        stream.for_each_batch(move |batch| seen.lock().expect("no panic").push(batch.partitions()));
    }
    let wide = stream.with_partitions(5);
    note(&wide.group_by_key(), &seen);
    note(&wide.cogroup(&stream), &seen);
    note(&wide.join(&stream), &seen);
    note(&stream.join(&wide), &seen);
    note(&wide.combine_by_key::<u64>(|v| v, |a, b| a + b, |a, b| a + b), &seen);
    bench.context.start().expect("starts");
    feed.push([(1, 1)]).expect("not stopped");
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [5, 5, 5, 2, 5]);
}

#[test]
fn a_dataset_join_keeps_the_partitions_of_its_stream() {
    let mut bench = Bench::new(Settings { partitions: Some(4), ..Settings::default() });
    let (feed, stream) = bench.context.queue_stream::<Pair<u64, u64>>();
    let dataset = Dataset::<u64, u64>::new([(1, 10)]).expect("small");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    stream.join_dataset(&dataset).for_each_batch(move |batch| {
        into.lock().expect("no panic").push((batch.partitions(), batch.len()));
    });
    bench.context.start().expect("starts");
    for piece in 0..2 {
        bench.clock.advance_to(START_NS + piece * 60_000_000);
        feed.push([(1, 1), (2, 2)]).expect("not stopped");
    }
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [(2, 2)], "two blocks, a match in each");
}

#[test]
fn a_batch_sees_one_version_of_a_dataset_wherever_it_looks() {
    let mut bench = Bench::new(Settings::default());
    let (feed, stream) = bench.context.queue_stream::<Pair<u64, u64>>();
    let dataset = Dataset::<u64, u64>::new([(1, 0)]).expect("small");
    let replacing = dataset.clone();
    // The first output replaces it in the middle of each batch.
    stream.join_dataset(&dataset).for_each_batch(move |batch| {
        batch.for_each(|(_, (_, version))| replacing.replace([(1, version + 1)]).expect("small"));
    });
    let again = collect(&stream.join_dataset(&dataset), |(_, (_, version))| version);
    let inside = dataset.clone();
    let transformed = stream.transform(move |batch, _| batch.left_outer_join_dataset(&inside));
    let transformed = collect(&transformed, |(_, (_, version))| version);
    bench.context.start().expect("starts");
    for _ in 0..3 {
        feed.push([(1, 5)]).expect("not stopped");
        bench.tick();
    }
    assert_eq!(*again.lock().expect("no panic"), [[0], [1], [2]]);
    assert_eq!(*transformed.lock().expect("no panic"), [[Some(0)], [Some(1)], [Some(2)]]);
}

#[test]
fn a_dataset_can_be_replaced_from_any_thread_at_any_time() {
    let mut bench = Bench::new(Settings::default());
    let (feed, stream) = bench.context.queue_stream::<Pair<u64, u64>>();
    let dataset = Dataset::<u64, u64>::new((0..50).map(|key| (key, 0))).expect("small");
    let seen = collect(&stream.join_dataset(&dataset), |(_, (_, version))| version);
    bench.context.start().expect("starts");
    std::thread::scope(|scope| {
        let (sender, replaced) = std::sync::mpsc::channel();
        let replacing = &dataset;
        scope.spawn(move || {
            for version in 1.. {
                replacing.replace((0..50).map(|key| (key, version))).expect("small");
                if sender.send(()).is_err() {
                    break;
                }
            }
        });
        for round in 0..50 {
            replaced.try_iter().for_each(drop);
            replaced.recv().expect("replaced again");
            // Two blocks, which are looked up one after the other.
            for piece in 0..2 {
                bench.clock.advance_to(START_NS + round * INTERVAL_NS + piece * 60_000_000);
                feed.push((0..25).map(|key| (key + 25 * piece, key))).expect("not stopped");
            }
            bench.tick();
        }
    });
    let seen = seen.lock().expect("no panic");
    assert!(seen.iter().all(|batch| batch.len() == 50 && batch[0] == batch[49]), "all records saw one version");
    assert!(seen[0][0] > 0 && seen.windows(2).all(|two| two[0][0] < two[1][0]), "each batch sees a newer one");
}

#[test]
fn union_and_transform_take_any_number_of_streams() {
    let mut bench = Bench::new(Settings::default());
    let (feeds, streams): (Vec<_>, Vec<_>) = (0..3).map(|_| bench.context.queue_stream::<u64>()).unzip();
    let union = collect(&bench.context.union(&streams), |number| number);
    let one = collect(&bench.context.union(&streams[..1]), |number| number);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let times = seen.clone();
    let picked = bench.context.transform(&streams, move |batch, time| {
        times.lock().expect("no panic").push(time.milliseconds());
        batch[2].union(&batch[0])
    });
    let picked = collect(&picked, |number| number);
    bench.context.start().expect("starts");
    feeds.iter().enumerate().for_each(|(at, feed)| feed.push([at as u64, 7]).expect("not stopped"));
    bench.tick();
    assert_eq!(batch(&union, 0), [0, 1, 2, 7, 7, 7]);
    assert_eq!(batch(&one, 0), [0, 7]);
    assert_eq!(batch(&picked, 0), [0, 2, 7, 7]);
    assert_eq!(*seen.lock().expect("no panic"), [1_100]);
}

#[test]
fn joins_inside_a_transform_see_the_batch() {
    let mut bench = Bench::new(Settings::default());
    let (left_feed, left) = bench.context.queue_stream::<Pair<u64, u64>>();
    let (right_feed, right) = bench.context.queue_stream::<Pair<u64, u64>>();
    let joined = left.transform_with(&right, |left, right, _| left.full_outer_join(right));
    let joined = collect(&joined, |row| row);
    bench.context.start().expect("starts");
    for step in 0..2 {
        left_feed.push([(step, 1), (9, 2)]).expect("not stopped");
        right_feed.push([(9, 3)]).expect("not stopped");
        bench.tick();
    }
    assert_eq!(
        *joined.lock().expect("no panic"),
        [0, 1].map(|step| vec![(step, (Some(1), None)), (9, (Some(2), Some(3)))])
    );
}

#[test]
fn streams_that_do_not_fit_together_are_refused_by_name() {
    type Job = fn(&Pairs, &Pairs);
    let jobs: [(&str, Job); 6] = [
        ("join", |a, b| drop(a.join(b))),
        ("left_outer_join", |a, b| drop(a.left_outer_join(b))),
        ("right_outer_join", |a, b| drop(a.right_outer_join(b))),
        ("full_outer_join", |a, b| drop(a.full_outer_join(b))),
        ("cogroup", |a, b| drop(a.cogroup(b))),
        ("union", |a, b| drop(a.union(b))),
    ];
    let other = StreamingContext::new(Settings::default()).expect("settings that work");
    let (_, foreign) = other.queue_stream::<Pair<Text, u64>>();
    for (name, job) in jobs {
        let refused = |other: Option<&Pairs>| {
            let error = refusal(|lines| {
                let pairs = lines.map_to_pair::<Text, u64>(|line| (line, 1));
                job(&pairs, other.unwrap_or(&pairs.window(batches(2), batches(2))));
            });
            let EngineError::Job { operator, problem } = error else { panic!("{error}") };
            assert!(operator.starts_with(&format!("{name} at ")) && operator.contains("joins.rs"), "{operator}");
            problem
        };
        assert!(refused(None).contains("slide alike"));
        assert!(refused(Some(&foreign)).contains("same context"));
    }
}

#[test]
fn unions_of_nothing_and_of_strangers_are_refused() {
    let refused = |job: fn(&StreamingContext, &DStream<u64>)| {
        let (mine, other) = (Bench::new(Settings::default()).context, Bench::new(Settings::default()).context);
        let (_, foreign) = other.queue_stream::<u64>();
        job(&mine, &foreign);
        mine.check().expect_err("refused").to_string()
    };
    let union = refused(|context, _| drop(context.union::<u64>(&[])));
    assert!(union.starts_with("union at ") && union.contains("at least one stream"), "{union}");
    let transform = refused(|context, _| drop(context.transform::<u64, u64>(&[], |batch, _| batch[0].clone())));
    assert!(transform.starts_with("transform at ") && transform.contains("at least one stream"), "{transform}");
    let union = refused(|context, foreign| drop(context.union(std::slice::from_ref(foreign))));
    assert!(union.contains("belong to this context"), "{union}");
}

/// Runs one batch with a poisoned record between two good ones; returns what the three batches failed with.
fn failures(job: impl FnOnce(&Pairs)) -> Vec<Option<String>> {
    let mut bench = Bench::new(Settings { partitions: Some(2), ..Settings::default() });
    let (feed, stream) = bench.context.queue_stream::<Pair<Text, u64>>();
    job(&stream);
    bench.context.start().expect("starts");
    for value in [1, 666, 2] {
        feed.push([(&b"key"[..], 1), (b"key", value)]).expect("not stopped");
        bench.tick();
    }
    bench.reports().iter().map(|report| report.failure.as_ref().map(ToString::to_string)).collect()
}

fn poisoned(value: u64) -> bool {
    value == 666
}

#[test]
fn panics_of_keyed_closures_fail_their_batch_by_name_and_later_ones_go_on() {
    fn use_all<R: downbeat_engine::record::Family>(stream: &DStream<R>) {
        stream.for_each_batch(|batch| assert!(batch.len() < 10_000));
    }
    let check = |value: u64| if poisoned(value) { panic!("cannot digest") } else { value };
    type Job = Box<dyn Fn(&Pairs)>;
    let jobs: [(&str, Job); 5] = [
        ("map_values", Box::new(move |pairs| use_all(&pairs.map_values::<u64>(check)))),
        (
            "flat_map_values",
            Box::new(move |pairs| use_all(&pairs.flat_map_values::<u64>(move |value, out| out(check(value))))),
        ),
        (
            "combine_by_key",
            Box::new(move |pairs| {
                use_all(&pairs.filter(|(_, value)| value != 1).combine_by_key::<u64>(
                    check,
                    |a, b| a + b,
                    |a, b| a + b,
                ));
            }),
        ),
        (
            "combine_by_key",
            Box::new(move |pairs| {
                use_all(&pairs.combine_by_key::<u64>(|value| value, move |a, b| a + check(b), |a, b| a + b));
            }),
        ),
        ("reduce_by_key", Box::new(move |pairs| use_all(&pairs.reduce_by_key(move |a, b| a + check(b))))),
    ];
    for (name, job) in jobs {
        let failed = failures(job);
        let [None, Some(failure), None] = &failed[..] else { panic!("{name}: {failed:?}") };
        assert!(failure.contains(&format!("{name} at ")) && failure.contains("joins.rs"), "{failure}");
        assert!(failure.contains("cannot digest"), "{failure}");
    }
}

#[test]
fn a_panic_while_combiners_are_merged_is_named_too() {
    for codec in [CodecKind::None, CodecKind::Rkyv] {
        let mut bench = Bench::new(Settings { codec, threads: 2, partitions: Some(1), ..Settings::default() });
        let (feed, stream) = bench.context.queue_stream::<Pair<u64, u64>>();
        // Each of the two lanes waits for the other, so that both have groups to merge.
        let both = Arc::new(std::sync::Barrier::new(2));
        let waiting = stream.map_partitions::<Pair<u64, u64>>(move |pairs, out| {
            both.wait();
            pairs.iter().for_each(out);
        });
        let merged = waiting.combine_by_key::<u64>(|v| v, |a, b| a + b, |_, _| panic!("do not mix"));
        merged.for_each_batch(|batch| assert!(batch.len() < 10_000));
        bench.context.start().expect("starts");
        for piece in 0..2 {
            bench.clock.advance_to(START_NS + piece * 60_000_000);
            feed.push((0..2_000).map(|key| (key, 1))).expect("not stopped");
        }
        bench.tick();
        let failure = bench.reports()[0].failure.as_ref().map(ToString::to_string).unwrap_or_default();
        assert!(failure.contains("combine_by_key at ") && failure.contains("do not mix"), "{codec:?}: {failure}");
    }
}

downbeat_engine::record! {
    /// A key whose comparison can fail.
    #[derive(Debug)]
    struct Touchy {
        name: String,
    }
}

impl PartialEq for Touchy {
    fn eq(&self, other: &Self) -> bool {
        assert!(self.name != "poison", "do not compare me");
        self.name == other.name
    }
}

impl Eq for Touchy {}

impl std::hash::Hash for Touchy {
    fn hash<H: std::hash::Hasher>(&self, hasher: &mut H) {
        self.name.hash(hasher);
    }
}

#[test]
fn a_key_that_panics_when_compared_fails_the_join_or_the_group_by_name() {
    fn failure(job: impl Fn(&DStream<Pair<Own<Touchy>, u64>>, &Dataset<Own<Touchy>, u64>)) -> String {
        let mut bench = Bench::new(Settings::default());
        let (feed, stream) = bench.context.queue_stream::<Pair<Own<Touchy>, u64>>();
        let poison = Touchy { name: "poison".to_owned() };
        job(&stream, &Dataset::new([(&poison, 1)]).expect("small"));
        bench.context.start().expect("starts");
        feed.push([(&poison, 1), (&poison, 2)]).expect("not stopped");
        bench.tick();
        bench.reports()[0].failure.as_ref().map(ToString::to_string).unwrap_or_default()
    }
    let count = |batch: u64| assert!(batch < 100);
    let failures = [
        ("join at", failure(|pairs, _| pairs.join(pairs).for_each_batch(move |batch| count(batch.len())))),
        ("cogroup at", failure(|pairs, _| pairs.cogroup(pairs).for_each_batch(move |batch| count(batch.len())))),
        ("group_by_key at", failure(|pairs, _| pairs.group_by_key().for_each_batch(move |batch| count(batch.len())))),
        (
            "join_dataset at",
            failure(|pairs, data| pairs.join_dataset(data).for_each_batch(move |batch| count(batch.len()))),
        ),
    ];
    for (name, failure) in failures {
        assert!(failure.contains(name) && failure.contains("do not compare me"), "{failure}");
    }
}

#[test]
fn lists_and_missing_records_print_as_in_spark() {
    let mut bench = Bench::new(Settings { partitions: Some(1), ..Settings::default() });
    let (left_feed, left) = bench.context.queue_stream::<Pair<Text, u64>>();
    let (right_feed, right) = bench.context.queue_stream::<Pair<Text, u64>>();
    left.group_by_key().print(10);
    left.cogroup(&right).filter(|(key, _)| key == b"b").print(10);
    left.full_outer_join(&right).sort_by(|a, b| a.0.cmp(b.0)).print(10);
    let printed = Printed::default();
    bench.context.print_to(Box::new(printed.clone()));
    bench.context.start().expect("starts");
    left_feed.push([(&b"a"[..], 1), (b"a", 2), (b"a", 3)]).expect("not stopped");
    right_feed.push([(&b"b"[..], 9)]).expect("not stopped");
    bench.tick();
    let header = format!("{rule}\nTime: 1100 ms\n{rule}\n", rule = "-".repeat(43));
    let expected = [
        "(a,CompactBuffer(1, 2, 3))\n",
        "(b,(CompactBuffer(),CompactBuffer(9)))\n",
        "(a,(Some(1),None))\n(a,(Some(2),None))\n(a,(Some(3),None))\n(b,(None,Some(9)))\n",
    ]
    .map(|records| format!("{header}{records}\n"));
    assert_eq!(String::from_utf8_lossy(&printed.0.lock().expect("no panic")), expected.concat());
}

/// What was printed.
#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn lists_and_missing_records_cross_exchanges_and_can_be_kept() {
    for codec in CODECS {
        let mut bench = Bench::new(Settings { codec, partitions: Some(3), ..Settings::default() });
        let (left_feed, left) = bench.context.queue_stream::<Pair<Text, u64>>();
        let (right_feed, right) = bench.context.queue_stream::<Pair<Text, u64>>();
        let lists: DStream<Pair<Text, List<u64>>> = left.group_by_key();
        let rows: DStream<Pair<Text, Pair<u64, Maybe<u64>>>> = left.left_outer_join(&right);
        let both = lists
            .join(&rows)
            .window(batches(2), batches(1))
            .persist(downbeat_engine::dstream::StorageLevel::Serialized);
        let both = collect(&both, |(key, (list, (v, w)))| (text(key), sorted_list(list), v, w));
        bench.context.start().expect("starts");
        left_feed.push([(&b"a"[..], 1), (b"b", 2), (b"a", 3)]).expect("not stopped");
        right_feed.push([(&b"a"[..], 10)]).expect("not stopped");
        bench.tick();
        bench.tick();
        let row = |key: &str, list: &[u64], v, w| (key.to_owned(), list.to_vec(), v, w);
        let expected = [row("a", &[1, 3], 1, Some(10)), row("a", &[1, 3], 3, Some(10)), row("b", &[2], 2, None)];
        assert_eq!(*both.lock().expect("no panic"), [&expected[..], &expected[..]], "{codec:?}");
    }
}
