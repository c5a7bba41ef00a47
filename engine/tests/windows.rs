//! Windows with and without inverse.

use crate::bench::{Bench, collect, plain_counts, refusal, run_lines};
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::{DStream, EngineError, Settings};
use proptest::prelude::*;
use std::time::Duration;

fn ones(lines: &DStream<Text>) -> DStream<Pair<Text, u64>> {
    lines.words().map_to_pair::<Text, u64>(|word| (word, 1))
}

fn batches(count: u64) -> Duration {
    Duration::from_millis(100 * count)
}

#[test]
fn a_window_holds_the_last_batches_and_slides() {
    let input: [&[&str]; 6] = [&["a"], &["b"], &[], &["a c"], &["d"], &["e"]];
    let seen = run_lines(Settings::default(), &input, |lines| {
        ones(&lines.window(batches(3), batches(2))).reduce_by_key(|a, b| a + b)
    });
    let expected = [plain_counts(["a", "b"]), plain_counts(["b", "a c"]), plain_counts(["a c", "d", "e"])];
    assert_eq!(seen[..3], expected);
}

#[test]
fn keys_leave_an_inverse_window_with_their_last_pane() {
    let input: [&[&str]; 5] = [&["a a b"], &["a"], &[], &[], &[]];
    let seen = run_lines(Settings::default(), &input, |lines| {
        ones(lines).reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, batches(2), batches(1))
    });
    let pair = |word: &str, count| (word.to_owned(), count);
    assert_eq!(
        seen,
        [vec![pair("a", 2), pair("b", 1)], vec![pair("a", 3), pair("b", 1)], vec![pair("a", 1)], vec![], vec![]]
    );
}

#[test]
fn lengths_that_are_no_multiples_are_refused_by_name() {
    let odd = Duration::from_millis(250);
    let error = refusal(|lines| drop(collect(&lines.window(odd, batches(1)), |_| 0)));
    let EngineError::Job { operator, problem } = &error else { panic!("{error}") };
    assert!(operator.starts_with("window at ") && operator.contains("windows.rs"), "{operator}");
    assert!(problem.contains("250ms") && problem.contains("100ms"), "{problem}");
    let error = refusal(|lines| {
        drop(collect(&ones(lines).reduce_by_key_and_window(|a, b| a + b, batches(2), odd), |_| 0));
    });
    assert!(error.to_string().contains("slide of 250ms"), "{error}");
    let zero = refusal(|lines| drop(collect(&lines.window(Duration::ZERO, batches(1)), |_| 0)));
    assert!(matches!(zero, EngineError::Job { .. }));
}

#[test]
fn an_inverse_window_shorter_than_its_slide_is_refused() {
    let error = refusal(|lines| {
        let windowed = ones(lines).reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, batches(2), batches(3));
        drop(collect(&windowed, |_| 0));
    });
    assert!(error.to_string().contains("longer than the window"), "{error}");
}

#[test]
fn a_window_of_a_window_counts_in_slides_of_the_inner_one() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let inner = ones(&lines).reduce_by_key_and_window(|a, b| a + b, batches(2), batches(2));
    let outer = crate::bench::collect_counts(&inner.reduce_by_key_and_window(|a, b| a + b, batches(4), batches(2)));
    bench.context.start().expect("starts");
    for line in ["a", "a", "b", "a", "c", "c"] {
        feed.push([line.as_bytes()]).expect("not stopped");
        bench.tick();
    }
    let pair = |word: &str, count| (word.to_owned(), count);
    let expected =
        [vec![pair("a", 2)], vec![pair("a", 3), pair("b", 1)], vec![pair("a", 1), pair("b", 1), pair("c", 2)]];
    assert_eq!(*outer.lock().expect("no panic"), expected);
}

#[test]
fn batches_between_two_slides_have_no_job_and_are_reported_all_the_same() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    collect(&lines.window(batches(2), batches(2)), |line| line.to_vec());
    bench.context.start().expect("starts");
    for _ in 0..4 {
        feed.push([&b"x"[..]]).expect("not stopped");
        bench.tick();
    }
    let jobs: Vec<(bool, u64)> = bench.reports().iter().map(|report| (report.has_job, report.records)).collect();
    assert_eq!(jobs, [(false, 1), (true, 1), (false, 1), (true, 1)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn both_windows_agree_with_a_plain_count(input in prop::collection::vec(prop::collection::vec("[a-d]{1,2}( [a-d]{1,18}){0,6}", 0..6), 1..12), length in 1u64..6, slide in 1u64..4, threads in 1usize..3) {
        let borrowed: Vec<Vec<&str>> = input.iter().map(|lines| lines.iter().map(String::as_str).collect()).collect();
        let slices: Vec<&[&str]> = borrowed.iter().map(Vec::as_slice).collect();
        let settings = Settings { threads, ..Settings::default() };
        let fires: Vec<usize> = (1..=slices.len()).filter(|number| (*number as u64).is_multiple_of(slide)).collect();
        let expected: Vec<_> = fires.iter().map(|number| {
            let from = number.saturating_sub(length as usize);
            plain_counts(borrowed[from..*number].iter().flatten().copied())
        }).collect();
        let recomputed = run_lines(settings.clone(), &slices, |lines| {
            ones(lines).reduce_by_key_and_window(|a, b| a + b, batches(length), batches(slide))
        });
        prop_assert_eq!(&recomputed[..fires.len()], &expected[..]);
        if slide <= length {
            let incremental = run_lines(settings, &slices, |lines| {
                ones(lines).reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, batches(length), batches(slide))
            });
            prop_assert_eq!(&incremental[..fires.len()], &expected[..]);
        }
    }
}
