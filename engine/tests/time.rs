//! Ticks, labels, priming, the life of a context.

use crate::bench::{Bench, INTERVAL, INTERVAL_NS, START_NS, collect};
use downbeat_engine::clock::ManualClock;
use downbeat_engine::context::State;
use downbeat_engine::record::Text;
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn batches_are_labelled_by_aligned_ends_of_intervals() {
    let clock = Arc::new(ManualClock::new(START_NS + 37_000_000));
    let context = StreamingContext::with_clock(Settings::default().interval(INTERVAL), clock.clone()).expect("works");
    let (_feed, lines) = context.queue_stream::<Text>();
    let labels = Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = labels.clone();
    lines.for_each_batch(move |batch| into.lock().expect("no panic").push(batch.time_ns()));
    context.start().expect("starts");
    clock.advance_to(START_NS + 2 * INTERVAL_NS);
    assert_eq!(*labels.lock().expect("no panic"), [1_100_000_000, 1_200_000_000]);
}

#[test]
fn no_tick_is_skipped_when_the_clock_jumps_over_many() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
    bench.tick();
    feed.push([&b"a"[..], b"b"]).expect("not stopped");
    bench.clock.advance_to(START_NS + 7 * INTERVAL_NS);
    assert_eq!(*seen.lock().expect("no panic"), [vec![0], vec![2], vec![0], vec![0], vec![0], vec![0], vec![0]]);
    let reports = bench.reports();
    assert!(reports.iter().enumerate().all(|(index, report)| report.index == index as u64));
    assert!(reports.iter().all(|report| report.due_ns == START_NS + (report.index + 1) * INTERVAL_NS));
}

#[test]
fn a_record_belongs_to_the_tick_after_its_arrival() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collect(&lines, |line| String::from_utf8_lossy(line).into_owned());
    feed.push([&b"before the start"[..]]).expect("not stopped");
    bench.context.start().expect("starts");
    bench.tick();
    bench.tick();
    feed.push([&b"third"[..]]).expect("not stopped");
    bench.tick();
    assert_eq!(
        *seen.lock().expect("no panic"),
        [vec!["before the start".to_owned()], vec![], vec!["third".to_owned()]]
    );
}

#[test]
fn a_context_lives_once() {
    let bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    collect(&lines.count(), |count| count);
    assert_eq!(bench.context.state(), State::Initialized);
    assert!(matches!(bench.context.stop(Duration::ZERO), Err(EngineError::State { call: "stop", .. })));
    bench.context.start().expect("starts");
    assert_eq!(bench.context.state(), State::Active);
    assert!(matches!(bench.context.start(), Err(EngineError::State { call: "start", .. })));
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!(bench.context.state(), State::Stopped);
    assert!(matches!(bench.context.start(), Err(EngineError::State { call: "start", .. })));
    assert_eq!(bench.context.await_termination(), Ok(()));
}

#[test]
fn a_graceful_stop_runs_what_was_received() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
    bench.tick();
    feed.push([&b"late"[..]]).expect("not stopped");
    let report = bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!((report.accepted, report.unfinished), (1, 0));
    assert_eq!(*seen.lock().expect("no panic"), [vec![0], vec![1]]);
    assert!(feed.push([&b"too late"[..]]).is_err());
}

#[test]
fn a_clock_in_its_first_interval_is_no_trouble() {
    let clock = Arc::new(ManualClock::new(3_000_000));
    let context = StreamingContext::with_clock(Settings::default().interval(INTERVAL), clock.clone()).expect("works");
    let (feed, lines) = context.queue_stream::<Text>();
    let seen = collect(&lines.count(), |count| count);
    context.start().expect("starts");
    feed.push([&b"x"[..]]).expect("not stopped");
    clock.advance_to(2 * INTERVAL_NS);
    assert_eq!(*seen.lock().expect("no panic"), [vec![1], vec![0]]);
}
