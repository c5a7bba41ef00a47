//! Windows: lengths, slides, gaps, windows of windows.

use crate::bench::{Bench, collect, plain_counts, refusal, run_lines};
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::settings::WindowMethod;
use downbeat_engine::{DStream, EngineError, Settings};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
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
    type Job = fn(&DStream<Text>);
    let jobs: [(&str, Job); 4] = [
        ("reduce_by_key_and_inverse_window", |lines| {
            let pairs = ones(lines);
            drop(pairs.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, batches(2), batches(3)));
        }),
        ("reduce_by_inverse_window", |lines| {
            drop(lines.count().reduce_by_inverse_window(|a, b| a + b, |a, b| a - b, batches(2), batches(3)));
        }),
        ("count_by_window", |lines| drop(lines.count_by_window(batches(2), batches(3)))),
        ("count_by_value_and_window", |lines| drop(lines.count_by_value_and_window(batches(2), batches(3)))),
    ];
    for (name, job) in jobs {
        let error = refusal(job);
        let EngineError::Job { operator, problem } = &error else { panic!("{error}") };
        assert!(operator.starts_with(&format!("{name} at ")) && operator.contains("windows.rs"), "{operator}");
        assert!(problem.contains("longer than the window"), "{problem}");
    }
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
fn an_output_may_look_at_its_window_while_it_looks_at_its_window() {
    let mut bench = Bench::new(Settings { threads: 1, ..Settings::default() });
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let pairs = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let counted = pairs.clone();
    ones(&lines).reduce_by_key_and_window(|a, b| a + b, batches(2), batches(1)).for_each_batch(move |batch| {
        batch.for_each(|_| {
            counted.fetch_add(batch.len(), std::sync::atomic::Ordering::Relaxed);
        });
    });
    bench.context.start().expect("starts");
    feed.push([&b"a"[..], b"b", b"c"]).expect("not stopped");
    bench.tick();
    assert_eq!(pairs.load(std::sync::atomic::Ordering::Relaxed), 9);
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

/// How often a window of 8 batches that slides by `slide` combines and undoes, and what it says, over 40 batches of one key.
fn effort(window_method: WindowMethod, slide: u64) -> (u64, u64, Vec<Vec<(String, u64)>>) {
    let counters: [Arc<AtomicU64>; 2] = Default::default();
    let [combines, inverses] = counters.clone();
    let input: [&[&str]; 40] = [&["a"]; 40];
    let seen = run_lines(Settings { window_method, ..Settings::default() }, &input, |lines| {
        let combine = move |a, b| {
            combines.fetch_add(1, Ordering::Relaxed);
            a + b
        };
        let inverse = move |a, b| {
            inverses.fetch_add(1, Ordering::Relaxed);
            a - b
        };
        ones(lines).reduce_by_key_and_inverse_window(combine, inverse, batches(8), batches(slide))
    });
    let [combines, inverses] = counters.map(|counter| counter.load(Ordering::Relaxed));
    (combines, inverses, seen)
}

#[test]
fn the_window_method_says_what_a_slide_costs_and_not_what_it_gives() {
    let slides_of_one = |method| effort(method, 1);
    let (combines, inverses, expected) = slides_of_one(WindowMethod::Inverse);
    // The first pane is taken as it is; each other one is combined once, and undone once when it goes, the last of them when
    // the stop cuts one more batch.
    assert_eq!((combines, inverses), (39, 33));
    assert_eq!(slides_of_one(WindowMethod::Auto), (combines, inverses, expected.clone()));
    let (recomputed, inverses, seen) = slides_of_one(WindowMethod::Recompute);
    // Each slide combines all panes that there are: 0, 1, … 7, then 7 at each of the other 32, and 6 at the stop's.
    assert_eq!((recomputed, inverses), (28 + 32 * 7 + 6, 0));
    assert_eq!(seen, expected);
    let (queued, inverses, seen) = slides_of_one(WindowMethod::Daba);
    assert_eq!(inverses, 0);
    assert!(queued > combines && queued < recomputed, "{queued}");
    assert_eq!(seen, expected);
    // Where the window slides by its whole length, there is nothing to carry.
    let [(recomputed, _, seen), (carried, undone, expected)] =
        [WindowMethod::Recompute, WindowMethod::Inverse].map(|method| effort(method, 8));
    assert!(recomputed < carried + undone, "{recomputed} {carried} {undone}");
    assert_eq!(seen, expected);
}

#[test]
fn a_window_method_that_the_job_cannot_follow_is_refused() {
    let check = |window_method, build: fn(&DStream<Text>)| {
        let bench = Bench::new(Settings { window_method, ..Settings::default() });
        build(&bench.context.queue_stream::<Text>().1);
        bench.context.check()
    };
    let largest = |lines: &DStream<Text>| {
        drop(collect(&ones(lines).reduce_by_key_and_window(u64::max, batches(2), batches(1)), |_| 0));
    };
    let Err(EngineError::Job { operator, problem }) = check(WindowMethod::Inverse, largest) else {
        panic!("a largest value cannot be undone");
    };
    assert!(operator.starts_with("reduce_by_key_and_window at "), "{operator}");
    assert!(problem.contains("no inverse function") && problem.contains("recompute or daba"), "{problem}");
    for method in [WindowMethod::Auto, WindowMethod::Daba, WindowMethod::Recompute] {
        assert_eq!(check(method, largest), Ok(()));
    }
    let no_reduction = |lines: &DStream<Text>| drop(collect(&lines.window(batches(2), batches(1)), |_| 0));
    assert_eq!(check(WindowMethod::Auto, no_reduction), Ok(()));
    let refused = check(WindowMethod::Daba, no_reduction);
    assert!(matches!(refused, Err(EngineError::Setting { knob: "window_method", .. })), "{refused:?}");
}
