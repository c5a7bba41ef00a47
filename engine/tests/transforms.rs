//! Whole batches and whole partitions: reduce, glom, map_partitions, repartition, sort_by, take, transform, persist, remember.

use crate::bench::{Bench, CODECS, Collected, INTERVAL_NS, START_NS, collect, collect_counts, refusal};
use downbeat_engine::dstream::StorageLevel;
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::settings::{CodecKind, StorageForm};
use downbeat_engine::{DStream, EngineError, Settings};
use proptest::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const ORDER: Ordering = Ordering::SeqCst;

/// Runs batches of numbers through `job`, then one more tick a batch; returns what `seen` collected by then.
fn run_numbers<T: Clone>(
    settings: Settings,
    batches: &[&[u64]],
    job: impl FnOnce(&DStream<u64>) -> Collected<T>,
) -> (Vec<Vec<T>>, Bench) {
    let mut bench = Bench::new(settings);
    let (feed, numbers) = bench.context.queue_stream::<u64>();
    let seen = job(&numbers);
    bench.context.start().expect("starts");
    for batch in batches {
        feed.push(batch.iter().copied()).expect("not stopped");
        bench.tick();
    }
    let seen = seen.lock().expect("no panic").clone();
    (seen, bench)
}

fn numbers_of(stream: &DStream<u64>) -> Collected<u64> {
    collect(stream, |number| number)
}

#[test]
fn reduce_gives_one_record_and_none_for_an_empty_batch() {
    let input: [&[u64]; 3] = [&[1, 2, 3], &[], &[5]];
    let (seen, _) = run_numbers(Settings::default(), &input, |numbers| numbers_of(&numbers.reduce(|a, b| a + b)));
    assert_eq!(seen, [vec![6], vec![], vec![5]]);
}

#[test]
fn repartition_gives_exactly_so_many_partitions_and_map_partitions_sees_each_also_empty_ones() {
    for codec in CODECS {
        let input: [&[u64]; 3] = [&[1, 2, 3, 4, 5, 6], &[], &[7]];
        let settings = Settings { codec, ..Settings::default() };
        let (seen, _) = run_numbers(settings.clone(), &input, |numbers| {
            let sums = numbers.repartition(3).map_partitions::<u64>(|part, out| {
                out(part.iter().sum());
            });
            numbers_of(&sums)
        });
        let sums: Vec<(usize, u64)> = seen.iter().map(|batch| (batch.len(), batch.iter().sum())).collect();
        assert_eq!(sums, [(3, 21), (3, 0), (3, 7)]);
        let (seen, _) = run_numbers(settings, &input, |numbers| {
            collect(&numbers.repartition(3).glom(), |part| part.iter().collect::<Vec<u64>>())
        });
        let lengths = |batch: &Vec<Vec<u64>>| batch.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(seen.iter().map(lengths).collect::<Vec<_>>(), [vec![2, 2, 2], vec![0, 0, 0], vec![0, 0, 1]]);
    }
}

#[test]
fn numbers_of_partitions_that_cannot_be_are_refused() {
    let error = refusal(|lines| drop(collect(&lines.repartition(0), |line| line.to_vec())));
    assert!(error.to_string().contains("0 partitions cannot be"), "{error}");
}

#[test]
fn the_top_of_a_batch_is_sorted_and_taken() {
    let input: [&[u64]; 2] = [&[3, 9, 4, 9, 1, 7], &[2]];
    let tops: Arc<std::sync::Mutex<Vec<Vec<u64>>>> = Arc::default();
    let into = tops.clone();
    run_numbers(Settings::default(), &input, |numbers| {
        let top = numbers.repartition(2).sort_by(|a, b| b.cmp(&a)).take(3);
        // Not through `collect`, which sorts.
        top.for_each_batch(move |batch| {
            let mut records = Vec::new();
            batch.for_each(|number| records.push(number));
            into.lock().expect("no panic").push(records);
        });
        numbers_of(&top)
    });
    assert_eq!(*tops.lock().expect("no panic"), [vec![9, 9, 7], vec![2]]);
}

#[test]
fn transform_is_called_once_per_batch_with_its_time_and_any_operator() {
    let calls = Arc::new(AtomicU64::new(0));
    let counted = calls.clone();
    let mut bench = Bench::new(Settings::default());
    let (feed, words) = bench.context.queue_stream::<Text>();
    let counts = words.transform::<Pair<Text, u64>>(move |batch, time| {
        counted.fetch_add(1, ORDER);
        let batch_number = (time.milliseconds() - (START_NS / 1_000_000) as i64) as u64 / 100;
        batch
            .filter(|word| word != b"drop")
            .map_to_pair::<Text, u64>(move |word| (word, batch_number))
            .reduce_by_key(|a, b| a + b)
    });
    let (one, other) = (collect_counts(&counts), collect_counts(&counts));
    bench.context.start().expect("starts");
    for line in [&["a", "drop", "a"][..], &["b", "a"]] {
        feed.push(line.iter().map(|word| word.as_bytes())).expect("not stopped");
        bench.tick();
    }
    let pair = |word: &str, count| (word.to_owned(), count);
    assert_eq!(*one.lock().expect("no panic"), [vec![pair("a", 2)], vec![pair("a", 2), pair("b", 2)]]);
    assert_eq!(*one.lock().expect("no panic"), *other.lock().expect("no panic"));
    assert_eq!(calls.load(ORDER), 2, "two outputs, one call a batch");
}

#[test]
fn transform_with_sees_both_batches_of_the_same_time() {
    let mut bench = Bench::new(Settings::default());
    let (feed, numbers) = bench.context.queue_stream::<u64>();
    let even = numbers.filter(|number| number % 2 == 0);
    let both =
        even.transform_with::<u64, u64>(&numbers, |even, all, _| even.map::<u64>(|number| number * 100).union(all));
    let seen = numbers_of(&both);
    bench.context.start().expect("starts");
    feed.push([1, 2]).expect("not stopped");
    bench.tick();
    feed.push([3]).expect("not stopped");
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [vec![1, 2, 200], vec![3]]);
}

#[test]
fn inside_transform_what_looks_beyond_the_batch_fails_the_batch_by_name() {
    let window = Duration::from_millis(200);
    let (seen, bench) = run_numbers(Settings::default(), &[&[1]], |numbers| {
        numbers_of(&numbers.transform::<u64>(move |batch, _| batch.window(window, window)))
    });
    assert!(seen.is_empty());
    let error = bench.context.await_termination_or_timeout(Duration::ZERO).expect_err("the batch failed");
    let EngineError::Batch { operator, problem, .. } = &error else { panic!("{error}") };
    assert!(operator.starts_with("transform at") && problem.contains("window at"), "{error}");
}

#[test]
fn a_transform_that_returns_a_stream_of_elsewhere_fails_the_batch() {
    let (_, bench) = run_numbers(Settings::default(), &[&[1]], |numbers| {
        let outer = numbers.clone();
        numbers_of(&numbers.transform::<u64>(move |_, _| outer.clone()))
    });
    let error = bench.context.await_termination_or_timeout(Duration::ZERO).expect_err("the batch failed");
    assert!(error.to_string().contains("not made from the batch"), "{error}");
}

#[test]
fn a_panic_inside_transform_names_the_operator_that_panicked() {
    let (_, bench) =
        run_numbers(Settings::default(), &[&[1], &[2]], |numbers| {
            numbers_of(&numbers.transform::<u64>(|batch, _| {
                batch.map::<u64>(|number| if number == 1 { panic!("one") } else { number })
            }))
        });
    let error = bench.context.await_termination_or_timeout(Duration::ZERO).expect_err("the batch failed");
    assert!(error.to_string().contains("in map at") && error.to_string().contains("one"), "{error}");
    let failed: Vec<bool> = bench.reports().iter().map(|report| report.failure.is_some()).collect();
    assert_eq!(failed, [true, false], "later batches go on");
}

#[test]
fn what_a_transform_made_goes_with_its_batch_and_the_rest_with_the_context() {
    let token = Arc::new(());
    let held = token.clone();
    let (seen, bench) = run_numbers(Settings::default(), &[&[1], &[2], &[3], &[4]], move |numbers| {
        let twice = numbers.transform::<u64>(move |batch, _| {
            let held = held.clone();
            batch.transform::<u64>(move |batch, _| {
                let held = held.clone();
                batch.filter(move |_| Arc::strong_count(&held) > 0).reduce(|a, b| a + b)
            })
        });
        numbers_of(&twice)
    });
    assert_eq!(seen, [vec![1], vec![2], vec![3], vec![4]]);
    assert!(Arc::strong_count(&token) <= 2, "{} hold what batches made", Arc::strong_count(&token) - 1);
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    drop(bench);
    assert_eq!(Arc::strong_count(&token), 1, "the job is gone with its context");
}

#[test]
fn a_persisted_stream_is_computed_once_whatever_reads_it() {
    for (level, codec, storage) in [
        (StorageLevel::Deserialized, CodecKind::None, StorageForm::Serialized),
        (StorageLevel::Serialized, CodecKind::None, StorageForm::Deserialized),
        (StorageLevel::Serialized, CodecKind::Json, StorageForm::Deserialized),
        (StorageLevel::AsSet, CodecKind::None, StorageForm::Deserialized),
        (StorageLevel::AsSet, CodecKind::None, StorageForm::Serialized),
    ] {
        let calls = Arc::new(AtomicU64::new(0));
        let counted = calls.clone();
        let mut bench = Bench::new(Settings { codec, storage, ..Settings::default() });
        let (feed, numbers) = bench.context.queue_stream::<u64>();
        let doubled = numbers.map::<u64>(move |number| {
            counted.fetch_add(1, ORDER);
            number * 2
        });
        let kept = doubled.persist(level);
        let (one, other) = (numbers_of(&kept), numbers_of(&kept.union(&kept)));
        bench.context.start().expect("starts");
        feed.push([1, 2, 3]).expect("not stopped");
        bench.tick();
        assert_eq!(calls.load(ORDER), 3, "{level:?}");
        assert_eq!(*one.lock().expect("no panic"), [vec![2, 4, 6]]);
        assert_eq!(*other.lock().expect("no panic"), [vec![2, 2, 4, 4, 6, 6]]);
    }
}

#[test]
fn slices_are_closed_ranges_of_labels_floored_and_bounded_by_what_is_remembered() {
    let mut bench = Bench::new(Settings::default());
    let (feed, numbers) = bench.context.queue_stream::<u64>();
    let remembered = numbers.map::<u64>(|number| number * 10).remember(Duration::from_millis(300));
    numbers_of(&numbers);
    bench.context.start().expect("starts");
    for number in 1..=5 {
        feed.push([number]).expect("not stopped");
        bench.tick();
    }
    let label = |batch: u64| ((START_NS + batch * INTERVAL_NS) / 1_000_000) as i64;
    let slice = |from, to| {
        let slices = remembered.slice(from, to)?;
        let mut records = Vec::new();
        slices.iter().for_each(|slice| slice.for_each(|number| records.push((slice.time_ms(), number))));
        Ok::<_, EngineError>(records)
    };
    assert_eq!(slice(label(4), label(5)), Ok(vec![(label(4), 40), (label(5), 50)]));
    assert_eq!(slice(label(4) + 30, label(5) - 1), Ok(vec![(label(4), 40)]), "both ends are floored");
    assert_eq!(slice(label(6), label(9)), Ok(vec![]));
    assert!(slice(label(2), label(5)).expect_err("forgotten").to_string().contains("remember a longer duration"));
    assert!(slice(label(5), label(4)).is_err());
    let error = refusal(|lines| drop(lines.remember(Duration::from_millis(50))));
    assert!(error.to_string().contains("shorter than the slide"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn whole_batch_operators_agree_with_plain_lists(batches in prop::collection::vec(prop::collection::vec(0u64..50, 0..40), 1..4), threads in 1usize..3, partitions in 1usize..5, parts in 1usize..5, wanted in 0usize..6) {
        let settings = Settings { threads, partitions: Some(partitions), ..Settings::default() };
        let slices: Vec<&[u64]> = batches.iter().map(Vec::as_slice).collect();
        let (top, _) = run_numbers(settings.clone(), &slices, |numbers| numbers_of(&numbers.repartition(parts).sort_by(|a, b| a.cmp(&b)).take(wanted)));
        let (sum, _) = run_numbers(settings, &slices, |numbers| numbers_of(&numbers.repartition(parts).reduce(|a, b| a + b)));
        for (index, batch) in batches.iter().enumerate() {
            let mut sorted = batch.clone();
            sorted.sort_unstable();
            sorted.truncate(wanted);
            prop_assert_eq!(&top[index], &sorted);
            prop_assert_eq!(&sum[index], &if batch.is_empty() { vec![] } else { vec![batch.iter().sum::<u64>()] });
        }
    }
}
