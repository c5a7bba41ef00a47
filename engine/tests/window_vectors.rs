//! The inputs and answers of Spark's WindowOperationsSuite (4.1), at one batch as its unit of time.

use crate::bench::{Bench, INTERVAL, collect};
use downbeat_engine::record::{Family, Pair, Text};
use downbeat_engine::{DStream, Settings};

type Pairs<V> = Vec<(String, V)>;

/// Feeds one list of records per batch through `job`; returns what each batch that fired gave, in sorted order.
fn fired<A, B, T>(
    batches: &[Vec<A::View<'_>>],
    job: impl FnOnce(&DStream<A>) -> DStream<B>,
    show: impl for<'v> Fn(B::View<'v>) -> T + Send + Sync + 'static,
) -> Vec<Vec<T>>
where
    A: Family,
    B: Family,
    T: Ord + Send + 'static,
{
    let mut bench = Bench::new(Settings { partitions: Some(2), ..Settings::default() });
    let (feed, stream) = bench.context.queue_stream::<A>();
    let seen = collect(&job(&stream), show);
    bench.context.start().expect("starts");
    for records in batches {
        feed.push(records.iter().copied()).expect("not stopped");
        bench.tick();
    }
    assert!(bench.reports().iter().all(|report| report.failure.is_none()));
    std::mem::take(&mut *seen.lock().expect("no panic"))
}

fn fired_pairs(
    batches: &[Vec<(&str, u64)>],
    job: impl FnOnce(&DStream<Pair<Text, u64>>) -> DStream<Pair<Text, u64>>,
) -> Vec<Pairs<u64>> {
    let batches: Vec<Vec<(&[u8], u64)>> =
        batches.iter().map(|pairs| pairs.iter().map(|(key, value)| (key.as_bytes(), *value)).collect()).collect();
    fired(&batches, job, |(key, value)| (text(key), value))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn pairs<V: Clone>(batches: &[&[(&str, V)]]) -> Vec<Pairs<V>> {
    batches.iter().map(|pairs| pairs.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect()).collect()
}

/// Both forms of `reduce_by_key_and_window` on the same input. Spark's inverse form without filter keeps dead keys; ours
/// gives what Spark gives with the filter for values other than 0.
fn assert_reduced(input: &[Vec<(&str, u64)>], expected: &[&[(&str, u64)]], length: u32, slide: u32) {
    let (length, slide) = (INTERVAL * length, INTERVAL * slide);
    let forward = fired_pairs(input, |stream| stream.reduce_by_key_and_window(|a, b| a + b, length, slide));
    assert_eq!(forward, pairs(expected));
    let inverse =
        fired_pairs(input, |stream| stream.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, length, slide));
    assert_eq!(inverse, pairs(expected));
}

#[test]
fn plain_windows_that_slide_tumble_overlap_and_leave_gaps() {
    let input: Vec<Vec<u64>> = (0..6).map(|number| vec![number]).collect();
    let windowed = |input: &[Vec<u64>], length: u32, slide: u32| {
        fired(input, |stream: &DStream<u64>| stream.window(INTERVAL * length, INTERVAL * slide), |number| number)
    };
    assert_eq!(windowed(&input, 2, 1), [vec![0], vec![0, 1], vec![1, 2], vec![2, 3], vec![3, 4], vec![4, 5]]);
    assert_eq!(windowed(&input, 2, 2), [[0, 1], [2, 3], [4, 5]]);
    let and_two_empty = [&input[..], &[vec![], vec![]]].concat();
    assert_eq!(windowed(&and_two_empty, 4, 2), [vec![0, 1], vec![0, 1, 2, 3], vec![2, 3, 4, 5], vec![4, 5]]);
    assert_eq!(windowed(&input, 2, 3), [[1, 2], [4, 5]]);
}

#[test]
fn keys_that_come_stay_and_go() {
    assert_reduced(&[vec![("a", 1), ("a", 3)]], &[&[("a", 4)]], 2, 1);
    assert_reduced(&[vec![("a", 1)], vec![("a", 1)]], &[&[("a", 1)], &[("a", 2)]], 2, 1);
    assert_reduced(&[vec![("a", 1)], vec![("a", 1), ("b", 1)]], &[&[("a", 1)], &[("a", 2), ("b", 1)]], 2, 1);
    let leaving = [vec![("a", 1)], vec![("a", 1)], vec![], vec![]];
    assert_reduced(&leaving, &[&[("a", 1)], &[("a", 2)], &[("a", 1)], &[]], 2, 1);
}

#[test]
fn a_slide_of_half_a_window() {
    let mut input: Vec<Vec<(&str, u64)>> = (1..=6).map(|number| vec![("a", number)]).collect();
    input.extend([vec![], vec![]]);
    assert_reduced(&input, &[&[("a", 3)], &[("a", 10)], &[("a", 18)], &[("a", 11)]], 4, 2);
}

/// Two rounds of keys that come and go, one after another.
fn big_input() -> Vec<Vec<(&'static str, u64)>> {
    let keys: [&[&str]; 6] = [&["a"], &["a", "b"], &["a", "b", "c"], &["a", "b"], &["a"], &[]];
    let round = keys.map(|keys| keys.iter().map(|key| (*key, 1)).collect());
    [round.clone(), round].concat()
}

#[test]
fn the_big_input_reduced() {
    let first: [&[(&str, u64)]; 6] = [
        &[("a", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 2), ("c", 1)],
        &[("a", 2), ("b", 1)],
        &[("a", 1)],
    ];
    assert_reduced(&big_input(), &[first, first].concat(), 2, 1);
}

#[test]
fn the_big_input_grouped() {
    let input: Vec<Vec<(&[u8], u64)>> = big_input()
        .into_iter()
        .map(|pairs| pairs.into_iter().map(|(key, value)| (key.as_bytes(), value)).collect())
        .collect();
    let grouped = fired(
        &input,
        |stream: &DStream<Pair<Text, u64>>| stream.group_by_key_and_window(INTERVAL * 2, INTERVAL),
        |(key, values)| (text(key), values.iter().collect::<Vec<u64>>()),
    );
    let (one, two) = (vec![1], vec![1, 1]);
    let first: [&[(&str, Vec<u64>)]; 6] = [
        &[("a", one.clone())],
        &[("a", two.clone()), ("b", one.clone())],
        &[("a", two.clone()), ("b", two.clone()), ("c", one.clone())],
        &[("a", two.clone()), ("b", two.clone()), ("c", one.clone())],
        &[("a", two), ("b", one.clone())],
        &[("a", one)],
    ];
    assert_eq!(grouped, pairs(&[first, first].concat()));
}

#[test]
fn a_count_is_there_from_the_first_record_on() {
    let input = [vec![1], vec![1], vec![1, 2], vec![0], vec![], vec![]];
    let counted = |input: &[Vec<u64>]| {
        fired(input, |stream: &DStream<u64>| stream.count_by_window(INTERVAL * 2, INTERVAL), |count| count)
    };
    assert_eq!(counted(&input), [[1], [2], [3], [3], [1], [0]]);
    assert_eq!(
        counted(&[vec![], vec![], vec![7], vec![], vec![], vec![]]),
        [vec![], vec![], vec![1], vec![1], vec![0], vec![0]]
    );
}

#[test]
fn values_are_counted_while_they_are_there() {
    let input: [Vec<&[u8]>; 5] = [vec![b"a"], vec![b"b", b"b"], vec![b"a", b"b"], vec![], vec![]];
    let counted = fired(
        &input,
        |stream: &DStream<Text>| stream.count_by_value_and_window(INTERVAL * 2, INTERVAL),
        |(value, count)| (text(value), count),
    );
    let expected: [&[(&str, u64)]; 5] =
        [&[("a", 1)], &[("a", 1), ("b", 2)], &[("a", 1), ("b", 3)], &[("a", 1), ("b", 1)], &[]];
    assert_eq!(counted, pairs(&expected));
}

#[test]
fn a_whole_window_is_one_record_and_an_empty_one_none() {
    let input = [vec![], vec![3], vec![1, 5], vec![], vec![], vec![2]];
    let (two, one) = (INTERVAL * 2, INTERVAL);
    let largest = fired(&input, |stream: &DStream<u64>| stream.reduce_by_window(u64::max, two, one), |number| number);
    assert_eq!(largest, [vec![], vec![3], vec![5], vec![5], vec![], vec![2]]);
    let sums = fired(
        &input,
        |stream: &DStream<u64>| stream.reduce_by_inverse_window(|a, b| a + b, |a, b| a - b, two, one),
        |number| number,
    );
    assert_eq!(sums, [vec![], vec![3], vec![9], vec![6], vec![], vec![2]]);
}
