//! Every form of window against a plain computation over the batches: whatever the lengths, the settings, the failures.

use crate::bench::{Bench, Collected, INTERVAL, INTERVAL_NS, START_NS, any_exchange, collect};
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::settings::{CodecKind, WindowMethod};
use downbeat_engine::{DStream, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Records of one batch; `None` for one that fails.
type Input = Option<Vec<(String, u64)>>;

const POISON: u64 = u64::MAX;

/// What every form gave, per batch that fired. A whole window is a list of one or no record.
struct Seen {
    plain: Collected<(String, u64)>,
    grouped: Collected<(String, Vec<u64>)>,
    largest: Collected<(String, u64)>,
    whole_largest: Collected<u64>,
    inverse: Option<SeenInverse>,
}

/// The forms that cannot slide further than they are long.
struct SeenInverse {
    sums: Collected<(String, u64)>,
    whole_sum: Collected<u64>,
    count: Collected<u64>,
    values: Collected<((String, u64), u64)>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Every form of window on one stream, `length` and `slide` in batches.
fn every_form(stream: &DStream<Pair<Text, u64>>, length: u32, slide: u32) -> Seen {
    let (inverse, length, slide) = (slide <= length, INTERVAL * length, INTERVAL * slide);
    let show = |(key, value): (&[u8], u64)| (text(key), value);
    let values = stream.map::<u64>(|(_, value)| value);
    let add = |a: u64, b: u64| a.wrapping_add(b);
    let subtract = |a: u64, b: u64| a.wrapping_sub(b);
    Seen {
        plain: collect(&stream.window(length, slide), show),
        grouped: collect(&stream.group_by_key_and_window(length, slide), |(key, values)| {
            (text(key), values.iter().collect())
        }),
        largest: collect(&stream.reduce_by_key_and_window(u64::max, length, slide), show),
        whole_largest: collect(&values.reduce_by_window(u64::max, length, slide), |value| value),
        inverse: inverse.then(|| SeenInverse {
            sums: collect(&stream.reduce_by_key_and_inverse_window(add, subtract, length, slide), show),
            whole_sum: collect(&values.reduce_by_inverse_window(add, subtract, length, slide), |value| value),
            count: collect(&values.count_by_window(length, slide), |count| count),
            values: collect(&stream.count_by_value_and_window(length, slide), |((key, value), count)| {
                ((text(key), value), count)
            }),
        }),
    }
}

fn combined<'p>(pairs: impl Iterator<Item = &'p (String, u64)>, combine: fn(u64, u64) -> u64) -> Vec<(String, u64)> {
    let mut groups = BTreeMap::new();
    for (key, value) in pairs {
        groups.entry(key.clone()).and_modify(|there| *there = combine(*there, *value)).or_insert(*value);
    }
    groups.into_iter().collect()
}

/// Compares what one batch that fired gave with its window. `came`: a record came in this window or before it.
fn check(seen: &Seen, fire: usize, window: &[&(String, u64)], came: bool) -> Result<(), TestCaseError> {
    fn at<T: Clone>(collected: &Collected<T>, fire: usize) -> Vec<T> {
        collected.lock().expect("no panic")[fire].clone()
    }
    let pairs = || window.iter().copied();
    let mut plain: Vec<_> = pairs().cloned().collect();
    plain.sort();
    prop_assert_eq!(at(&seen.plain, fire), plain);
    prop_assert_eq!(at(&seen.largest, fire), combined(pairs(), u64::max));
    let whole =
        |combine: fn(u64, u64) -> u64| pairs().map(|pair| pair.1).reduce(combine).into_iter().collect::<Vec<u64>>();
    prop_assert_eq!(at(&seen.whole_largest, fire), whole(u64::max));
    let mut groups = BTreeMap::<String, Vec<u64>>::new();
    pairs().for_each(|(key, value)| groups.entry(key.clone()).or_default().push(*value));
    prop_assert_eq!(at(&seen.grouped, fire), groups.into_iter().collect::<Vec<_>>());
    let Some(inverse) = &seen.inverse else { return Ok(()) };
    prop_assert_eq!(at(&inverse.sums, fire), combined(pairs(), u64::wrapping_add));
    prop_assert_eq!(at(&inverse.whole_sum, fire), whole(u64::wrapping_add));
    prop_assert_eq!(at(&inverse.count, fire), if came { vec![window.len() as u64] } else { vec![] });
    let mut counts = BTreeMap::<(String, u64), u64>::new();
    pairs().for_each(|pair| *counts.entry(pair.clone()).or_default() += 1);
    prop_assert_eq!(at(&inverse.values, fire), counts.into_iter().collect::<Vec<_>>());
    Ok(())
}

/// Runs all batches through every form, over a parent that slides by `parent` batches, and compares each window.
fn agree(settings: Settings, input: &[Input], [length, slide, parent]: [u32; 3]) -> Result<(), TestCaseError> {
    let mut bench = Bench::new(settings);
    let (feed, pairs) = bench.context.queue_stream::<Pair<Text, u64>>();
    let checked = pairs.map::<Pair<Text, u64>>(|(key, value)| {
        assert_ne!(value, POISON, "poisoned");
        (key, value)
    });
    let stream = if parent == 1 { checked } else { checked.window(INTERVAL * parent, INTERVAL * parent) };
    let seen = every_form(&stream, length * parent, slide * parent);
    bench.context.start().expect("starts");
    for records in input {
        match records {
            Some(records) => feed.push(records.iter().map(|(key, value)| (key.as_bytes(), *value))),
            None => feed.push([(&b"k"[..], POISON)]),
        }
        .expect("not stopped");
        bench.tick();
    }
    let failed: Vec<bool> = bench.reports().iter().map(|report| report.failure.is_some()).collect();
    prop_assert_eq!(failed, input.iter().map(Option::is_none).collect::<Vec<_>>());
    let (length, slide) = ((length * parent) as usize, (slide * parent) as usize);
    for (fire, end) in (slide..=input.len()).step_by(slide).enumerate() {
        let window: Vec<_> = input[end.saturating_sub(length)..end].iter().flatten().flatten().collect();
        let came = input[..end].iter().flatten().any(|records| !records.is_empty());
        check(&seen, fire, &window, came)?;
    }
    Ok(())
}

fn settings() -> impl Strategy<Value = Settings> {
    // `inverse` is what `auto` does where there is one, and refused for the others.
    let methods = prop_oneof![Just(WindowMethod::Auto), Just(WindowMethod::Recompute), Just(WindowMethod::Daba)];
    (1usize..4, 1usize..6, any_exchange(), methods).prop_map(|(threads, partitions, exchange, window_method)| {
        Settings { threads, partitions: Some(partitions), window_method, ..exchange }
    })
}

fn input() -> impl Strategy<Value = Vec<Input>> {
    let pair = ("[a-e]|long key of more than sixteen bytes [xy]", 0u64..9);
    let batch = prop_oneof![
        8 => prop::collection::vec(pair, 0..8).prop_map(Some),
        2 => Just(Some(Vec::new())),
        1 => Just(None),
    ];
    prop::collection::vec(batch, 1..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(144))]
    #[test]
    fn every_form_agrees_with_a_plain_computation(
        settings in settings(),
        input in input(),
        length in 1u32..12,
        slide in 1u32..5,
        parent in 1u32..3,
    ) {
        agree(settings, &input, [length, slide, parent])?;
    }
}

#[test]
fn large_batches_on_many_threads_agree_too() {
    for codec in [CodecKind::None, CodecKind::Rkyv] {
        let settings = Settings { codec, threads: 3, partitions: Some(4), ..Settings::default() };
        let mut bench = Bench::new(settings);
        let (feed, pairs) = bench.context.queue_stream::<Pair<Text, u64>>();
        let (length, slide) = (INTERVAL * 3, INTERVAL);
        let largest =
            collect(&pairs.reduce_by_key_and_window(u64::max, length, slide), |(key, value)| (text(key), value));
        let grouped = collect(&pairs.group_by_key_and_window(length, slide), |(key, values)| {
            // Lanes take blocks in any order, but no batch before an older one.
            let batches = values.iter().map(|value| value / 1_000_000);
            (text(key), values.len() as u64, batches.is_sorted_by(|a, b| a <= b), values.iter().max().unwrap_or(0))
        });
        bench.context.start().expect("starts");
        let batches: Vec<Vec<(String, u64)>> = (0..5u64)
            .map(|batch| {
                let pair = |n| (format!("key {}", (n + batch * 700) % 2_300), batch * 1_000_000 + n * 37 % 9_973);
                (0..8_000).map(pair).collect()
            })
            .collect();
        for (number, records) in batches.iter().enumerate() {
            // Several blocks a batch, so that several lanes work: the clock moves between the pushes.
            for (piece, some) in records.chunks(2_000).enumerate() {
                bench.clock.advance_to(START_NS + number as u64 * INTERVAL_NS + piece as u64 * 20_000_000);
                feed.push(some.iter().map(|(key, value)| (key.as_bytes(), *value))).expect("not stopped");
            }
            bench.tick();
            let window = || batches[number.saturating_sub(2)..=number].iter().flatten();
            let expected = combined(window(), u64::max);
            assert_eq!(largest.lock().expect("no panic")[number], expected, "{codec:?}");
            let ones: Vec<_> = window().map(|(key, _)| (key.clone(), 1)).collect();
            let counts = combined(ones.iter(), |a, b| a + b);
            let expected: Vec<_> = std::iter::zip(counts, expected)
                .map(|((key, count), (_, largest))| (key, count, true, largest))
                .collect();
            assert_eq!(grouped.lock().expect("no panic")[number], expected, "{codec:?}");
        }
    }
}
