//! Ticks, labels, priming, the life of a context.

use crate::bench::{Bench, INTERVAL, INTERVAL_NS, Meeting, START_NS, collect};
use downbeat_engine::clock::ManualClock;
use downbeat_engine::context::State;
use downbeat_engine::record::Text;
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
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
    assert!(bench.context.stop(Duration::ZERO).is_ok(), "stopping what is stopped does nothing");
}

#[test]
fn a_context_that_was_not_started_is_waited_for_in_vain() {
    let bench = Bench::new(Settings::default());
    assert_eq!(bench.context.await_termination_or_timeout(Duration::from_millis(1)), Ok(false));
}

#[test]
fn a_refused_start_can_be_mended() {
    let bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    assert!(matches!(bench.context.start(), Err(EngineError::Job { .. })));
    assert_eq!(bench.context.state(), State::Initialized);
    collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
}

/// What `await_termination` and a second `start` say of a job to which something was added after the start; batches go on.
fn told_of_what_came_late(late: impl FnOnce(&Bench, &DStream<Text>)) -> String {
    let mut bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    let seen = collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
    bench.tick();
    assert_eq!(bench.context.await_termination_or_timeout(Duration::ZERO), Ok(false));
    late(&bench, &lines);
    let error = bench.context.await_termination_or_timeout(Duration::from_secs(20)).expect_err("told");
    assert!(matches!(error, EngineError::Job { .. }));
    assert!(matches!(bench.context.start(), Err(EngineError::State { .. })));
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [[0], [0]]);
    assert!(bench.reports().iter().all(|report| report.failure.is_none()));
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!(bench.context.await_termination(), Err(error.clone()));
    error.to_string()
}

#[test]
fn the_graph_is_frozen_at_start() {
    let told = [
        ("print at ", told_of_what_came_late(|_, lines| lines.print(10))),
        ("for_each_batch at ", told_of_what_came_late(|_, lines| drop(collect(lines, |line| line.to_vec())))),
        ("a source at ", told_of_what_came_late(|bench, _| drop(bench.context.queue_stream::<Text>()))),
        ("an operator at ", told_of_what_came_late(|_, lines| drop(lines.count_by_value()))),
        ("window at ", told_of_what_came_late(|_, lines| drop(lines.window(INTERVAL / 2, INTERVAL)))),
    ];
    for (operator, text) in told {
        assert!(text.starts_with(operator) && text.contains(".rs:"), "{text}");
        assert!(text.contains("the graph is frozen at start") || operator == "window at ", "{text}");
    }
}

#[test]
fn the_graph_stays_frozen_after_the_stop() {
    let bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!(bench.context.await_termination(), Ok(()));
    lines.materialize();
    assert!(bench.context.await_termination().expect_err("told").to_string().contains("materialize at "));
}

#[test]
fn a_batch_cannot_wait_for_itself() {
    let (told, errors) = std::sync::mpsc::channel();
    let context: Arc<std::sync::OnceLock<Arc<StreamingContext>>> = Arc::default();
    let clock = Arc::new(ManualClock::new(START_NS));
    let settings = Settings::default().interval(INTERVAL).threads(2);
    let made = StreamingContext::with_clock(settings, clock.clone()).expect("works");
    let (feed, lines) = made.queue_stream::<Text>();
    let (inside, meeting) = (context.clone(), Meeting::of(2));
    lines.repartition(2).for_each_partition(move |_| {
        // So that each of the two threads is in a call.
        meeting.wait();
        let context = inside.get().expect("set before the start");
        told.send((context.stop(Duration::from_secs(20)).map(drop), context.await_termination())).expect("heard");
    });
    let made = context.get_or_init(|| Arc::new(made));
    made.start().expect("starts");
    feed.push([&b"a"[..]]).expect("not stopped");
    clock.advance_to(START_NS + INTERVAL_NS);
    for _ in 0..2 {
        let (stop, wait) = errors.try_recv().expect("called");
        assert!(matches!(stop, Err(EngineError::State { call: "stop", .. })));
        assert!(matches!(wait, Err(EngineError::State { call: "await_termination", .. })));
    }
    made.stop(Duration::from_secs(5)).expect("stops");
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
fn the_last_batch_of_a_stop_has_a_label_of_its_own() {
    let mut bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    let labels = Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = labels.clone();
    lines.for_each_batch(move |batch| into.lock().expect("no panic").push(batch.time().milliseconds()));
    bench.context.start().expect("starts");
    bench.tick();
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!(*labels.lock().expect("no panic"), [1100, 1101]);
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
