//! User code that panics, jobs that cannot work.

use crate::bench::{Bench, collect};
use downbeat_engine::clock::ManualClock;
use downbeat_engine::record::Text;
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

#[test]
fn a_panic_fails_its_batch_by_name_and_later_batches_go_on() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let checked = lines.map::<Text>(|line| if line == b"poison" { panic!("cannot digest") } else { line });
    let seen = collect(&checked.words().count_by_value(), |(word, count)| (word.to_vec(), count));
    bench.context.start().expect("starts");
    for line in ["fine", "poison", "well"] {
        feed.push([line.as_bytes()]).expect("not stopped");
        bench.tick();
    }
    let reports = bench.reports();
    assert!(reports[0].failure.is_none() && reports[2].failure.is_none());
    let Some(EngineError::Batch { time_ms: 1200, operator, problem }) = &reports[1].failure else {
        panic!("{:?}", reports[1].failure)
    };
    assert!(operator.starts_with("map at ") && operator.contains("failures.rs"), "{operator}");
    assert!(problem.contains("cannot digest"), "{problem}");
    assert_eq!(*seen.lock().expect("no panic"), [vec![(b"fine".to_vec(), 1)], vec![(b"well".to_vec(), 1)]]);
    assert!(matches!(bench.context.await_termination(), Err(EngineError::Batch { .. })));
    let stopped = bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!((stopped.accepted, stopped.unfinished), (3, 1));
}

#[test]
fn panics_in_combine_and_in_outputs_are_named_too() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let summed = lines
        .words()
        .map_to_pair::<Text, u64>(|word| (word, 1))
        .reduce_by_key(|a, b| if a + b > 2 { panic!("over two") } else { a + b });
    summed.for_each_batch(|batch| assert!(batch.len() < 2, "too many groups"));
    bench.context.start().expect("starts");
    for line in ["a a a", "b c", "d"] {
        feed.push([line.as_bytes()]).expect("not stopped");
        bench.tick();
    }
    let failures: Vec<String> = bench
        .reports()
        .iter()
        .map(|report| report.failure.as_ref().map_or(String::new(), ToString::to_string))
        .collect();
    assert!(failures[0].contains("reduce_by_key at") && failures[0].contains("over two"), "{}", failures[0]);
    assert!(failures[1].contains("for_each_batch at") && failures[1].contains("too many groups"), "{}", failures[1]);
    assert_eq!(failures[2], "");
}

#[test]
fn a_job_without_output_is_refused() {
    let error = crate::bench::refusal(|lines| drop(lines.words()));
    assert!(error.to_string().contains("no output operation"), "{error}");
}

#[test]
fn streams_of_two_contexts_are_not_mixed() {
    let other = StreamingContext::with_clock(Settings::default(), Arc::new(ManualClock::new(0))).expect("works");
    let (_, foreign) = other.queue_stream::<Text>();
    let error = crate::bench::refusal(|lines| drop(collect(&lines.union(&foreign), |line| line.to_vec())));
    assert!(error.to_string().contains("same context"), "{error}");
}

#[test]
fn outputs_added_after_the_start_are_refused() {
    let bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    collect(&lines, |line| line.to_vec());
    bench.context.start().expect("starts");
    collect(&lines, |line| line.to_vec());
    assert!(bench.context.check().expect_err("refused").to_string().contains("frozen"));
}

#[test]
fn a_failed_batch_is_an_empty_pane_of_every_window() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let checked = lines.map::<Text>(|line| if line == b"poison" { panic!("cannot digest") } else { line });
    let (two, one) = (Duration::from_millis(200), Duration::from_millis(100));
    let ones = checked.words().map_to_pair::<Text, u64>(|word| (word, 1));
    let inverse =
        crate::bench::collect_counts(&ones.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, two, one));
    let recomputed = crate::bench::collect_counts(&ones.reduce_by_key_and_window(|a, b| a + b, two, one));
    let raw = collect(&checked.window(two, one).count(), |count| count);
    bench.context.start().expect("starts");
    for line in ["a", "poison", "b", "c"] {
        feed.push([line.as_bytes()]).expect("not stopped");
        bench.tick();
    }
    let pair = |word: &str| (word.to_owned(), 1);
    let expected = [vec![pair("a")], vec![pair("a")], vec![pair("b")], vec![pair("b"), pair("c")]];
    assert_eq!(*inverse.lock().expect("no panic"), expected);
    assert_eq!(*recomputed.lock().expect("no panic"), expected);
    assert_eq!(*raw.lock().expect("no panic"), [vec![1], vec![1], vec![1], vec![2]]);
}

/// Feeds one line a batch to a word count over the last batches, with inverse or without; `combine` may panic.
fn windowed_counts(
    lines: &[&str],
    panes: u32,
    has_inverse: bool,
    combine: impl Fn(u64, u64) -> u64 + Send + Sync + 'static,
    mut before: impl FnMut(usize),
) -> (Vec<bool>, Vec<Vec<(String, u64)>>) {
    let mut bench = Bench::new(Settings::default());
    let (feed, stream) = bench.context.queue_stream::<Text>();
    let (window, slide) = (Duration::from_millis(100) * panes, Duration::from_millis(100));
    let ones = stream.words().map_to_pair::<Text, u64>(|word| (word, 1));
    let windowed = if has_inverse {
        ones.reduce_by_key_and_inverse_window(combine, |a, b| a - b, window, slide)
    } else {
        ones.reduce_by_key_and_window(combine, window, slide)
    };
    let seen = crate::bench::collect_counts(&windowed);
    bench.context.start().expect("starts");
    for (number, line) in lines.iter().enumerate() {
        before(number);
        feed.push([line.as_bytes()]).expect("not stopped");
        bench.tick();
    }
    let failed = bench.reports().iter().map(|report| report.failure.is_some()).collect();
    (failed, std::mem::take(&mut *seen.lock().expect("no panic")))
}

fn pair(word: &str, count: u64) -> (String, u64) {
    (word.to_owned(), count)
}

#[test]
fn a_panic_in_a_slide_leaves_no_trace_in_later_windows() {
    for has_inverse in [true, false] {
        // Six of a word never come in one batch, but in two: once, in the second batch.
        let combine = |a, b| if a + b == 6 { panic!("six") } else { a + b };
        let lines = ["a a b", "a a a a b", "a", "a c", "c"];
        let (failed, seen) = windowed_counts(&lines, 2, has_inverse, combine, |_| ());
        assert_eq!(failed, [false, true, false, false, false]);
        let first = vec![pair("a", 2), pair("b", 1)];
        let last = [vec![pair("a", 1)], vec![pair("a", 2), pair("c", 1)], vec![pair("a", 1), pair("c", 2)]];
        // The batch that failed is an empty pane already when its own outputs run.
        assert_eq!(seen, [&[first.clone(), first], &last[..]].concat(), "inverse: {has_inverse}");
    }
}

#[test]
fn a_window_that_cannot_be_mended_gives_nothing_until_it_can() {
    for has_inverse in [true, false] {
        let broken = Arc::new(AtomicBool::new(false));
        let breaks = broken.clone();
        let combine = move |a, b| if breaks.load(Ordering::Relaxed) { panic!("broken") } else { a + b };
        let lines = ["a b", "a", "a b", "a", "b", "b"];
        let is_broken = |number| broken.store((2..=3).contains(&number), Ordering::Relaxed);
        let (failed, seen) = windowed_counts(&lines, 5, has_inverse, combine, is_broken);
        assert_eq!(failed, [false, false, true, true, false, false]);
        let expected = [
            vec![pair("a", 1), pair("b", 1)],
            vec![pair("a", 2), pair("b", 1)],
            vec![pair("a", 2), pair("b", 2)],
            vec![pair("a", 1), pair("b", 2)],
        ];
        assert_eq!(seen, expected, "inverse: {has_inverse}");
    }
}

#[test]
fn a_panic_in_an_output_is_not_blamed_on_an_operator_before_it() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    lines.map::<u64>(|line| line.len() as u64).for_each_batch(|batch| assert!(batch.len() < 2, "too many"));
    bench.context.start().expect("starts");
    feed.push([&b"a"[..], b"b"]).expect("not stopped");
    bench.tick();
    let failure = bench.reports()[0].failure.clone().expect("failed").to_string();
    assert!(failure.contains("for_each_batch at"), "{failure}");
}

#[test]
fn a_listener_that_panics_ends_nothing_and_is_told() {
    struct Broken;
    impl downbeat_engine::metrics::BatchListener for Broken {
        fn batch_completed(&self, _: &downbeat_engine::metrics::BatchReport) {
            panic!("not listening");
        }
    }
    let mut bench = Bench::new(Settings::default());
    let (_feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collect(&lines.count(), |count| count);
    bench.context.add_listener(Arc::new(Broken));
    bench.context.start().expect("starts");
    bench.tick();
    bench.tick();
    assert_eq!(seen.lock().expect("no panic").len(), 2);
    assert!(bench.context.await_termination().expect_err("told").to_string().contains("not listening"));
    bench.context.stop(Duration::MAX).expect("stops");
}
