//! Limits on how fast receivers bring records, and backpressure.

use crate::bench::{Bench, INTERVAL_NS, Reports, START_NS};
use downbeat_engine::metrics::BatchReport;
use downbeat_engine::record::{Column, Text, TextColumn};
use downbeat_engine::source::{Receiver, Store};
use downbeat_engine::{EngineError, Settings, StreamingContext};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What a test's receiver does with its store, on a thread of its own that has joined the clock.
struct Threaded<F> {
    body: Option<F>,
    thread: Option<JoinHandle<()>>,
}

impl<F: FnOnce(&Store<Text>) + Send + 'static> Receiver<Text> for Threaded<F> {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        let body = self.body.take();
        store.clock().join();
        self.thread = Some(std::thread::spawn(move || {
            if let Some(body) = body {
                body(&store);
            }
            store.clock().leave();
        }));
        Ok(())
    }

    fn on_stop(&mut self) {
        self.thread.take().map(JoinHandle::join);
    }
}

fn threaded<F: FnOnce(&Store<Text>) + Send + 'static>(body: F) -> Threaded<F> {
    Threaded { body: Some(body), thread: None }
}

fn limited(max_rate_per_s: f64) -> Settings {
    Settings {
        max_rate_per_s: Some(max_rate_per_s),
        block_interval_ns: Some(INTERVAL_NS / 10),
        threads: 1,
        ..Settings::default()
    }
}

/// Waits until a thread that is not on the manual clock has come so far.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn sum(reports: &[BatchReport], part: impl Fn(&BatchReport) -> u64) -> u64 {
    reports.iter().map(part).sum()
}

/// Pushes some records from a thread that has nothing to do with the clock, and ticks until all are in.
fn pushed(
    settings: Settings,
    push: impl FnOnce(&downbeat_engine::source::QueueHandle<Text>) + Send + 'static,
) -> Vec<BatchReport> {
    let mut bench = Bench::new(settings);
    let (feed, lines) = bench.context.queue_stream::<Text>();
    lines.for_each_batch(|_| ());
    bench.context.start().expect("starts");
    let sender = std::thread::spawn(move || push(&feed));
    let begun = Instant::now();
    while !sender.is_finished() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the sender never ends");
        // In small steps, and only now and then: the sender needs real time between its waits.
        (0..100).for_each(|step| {
            bench.clock.advance_to(START_NS + bench.batches_done * INTERVAL_NS + step * INTERVAL_NS / 100)
        });
        bench.tick();
        std::thread::sleep(Duration::from_micros(200));
    }
    sender.join().expect("no panic");
    bench.tick();
    bench.reports()
}

#[test]
fn a_bulk_store_comes_in_pieces_at_the_rate() {
    // 1,000 records a second, 100 a batch, 10 a block interval.
    let reports =
        pushed(limited(1_000.0), |feed| feed.push(std::iter::repeat_n(&b"x"[..], 1_000)).expect("not stopped"));
    assert_eq!(sum(&reports, |report| report.records), 1_000);
    assert!(reports.iter().all(|report| report.records <= 110), "one interval and one saved block interval");
    assert!(reports.iter().filter(|report| report.records > 0).count() >= 10);
    assert!(reports.iter().all(|report| report.blocked_ns == report.throttled_ns));
    // Of the first second, all but the saved block interval was spent waiting, in steps that each batch tells.
    assert_eq!(sum(&reports, |report| report.throttled_ns), 99 * INTERVAL_NS / 10);
    assert!(reports.iter().all(|report| report.throttled_ns <= INTERVAL_NS + INTERVAL_NS / 10));
    assert!(reports.iter().all(|report| report.rate_limit_per_s == Some(1_000)));
}

#[test]
fn single_records_are_limited_alike() {
    let reports = pushed(limited(100.0), |feed| {
        (0..40).for_each(|_| feed.push([&b"x"[..]]).expect("not stopped"));
    });
    assert_eq!(sum(&reports, |report| report.records), 40);
    assert!(reports.iter().all(|report| report.records <= 11));
}

#[test]
fn without_a_limit_nothing_waits_and_none_is_told() {
    let reports =
        pushed(Settings::default(), |feed| feed.push(std::iter::repeat_n(&b"x"[..], 50_000)).expect("not stopped"));
    assert_eq!(sum(&reports, |report| report.records), 50_000);
    assert_eq!(sum(&reports, |report| report.throttled_ns + report.blocked_ns), 0);
    assert!(reports.iter().all(|report| report.rate_limit_per_s.is_none()));
}

#[test]
fn the_initial_rate_is_in_force_without_backpressure_too_and_capped() {
    let initial = |max_rate_per_s, backpressure_initial_rate_per_s| {
        let settings = Settings { max_rate_per_s, backpressure_initial_rate_per_s, ..limited(1.0) };
        let reports = pushed(settings, |_| ());
        reports[0].rate_limit_per_s
    };
    assert_eq!(initial(None, Some(300.0)), Some(300));
    assert_eq!(initial(Some(200.0), Some(300.0)), Some(200));
    assert_eq!(initial(Some(400.0), Some(300.0)), Some(300));
    assert_eq!(initial(None, None), None);
}

#[test]
fn a_stop_ends_the_wait_for_the_limit() {
    let settings = limited(1.0).interval(Duration::from_millis(5));
    let context = StreamingContext::new(Settings { block_interval_ns: None, ..settings }).expect("works");
    let (feed, lines) = context.queue_stream::<Text>();
    lines.for_each_batch(|_| ());
    context.start().expect("starts");
    let sender = std::thread::spawn(move || feed.push(std::iter::repeat_n(&b"x"[..], 1_000)));
    std::thread::sleep(Duration::from_millis(30));
    let stopped = context.stop(Duration::from_secs(5)).expect("stops");
    assert!(sender.join().expect("no panic").is_err());
    assert!(stopped.accepted <= 1 && stopped.unfinished == 0, "{stopped:?}");
}

/// Hands over 100 records a batch as soon as they are due.
fn planned(store: &Store<Text>, batches: u64) {
    let timeline = store.timeline().expect("not stopped");
    let mut column = TextColumn::default();
    (0..100).for_each(|_| column.push(b"x"));
    let column = Arc::new(column);
    let mut blocked_ns = 0;
    for batch in 0..batches {
        let is_primed = batch < timeline.primed_batches;
        let start_ns = match is_primed {
            true => timeline.prime_start_ns + batch * INTERVAL_NS,
            false => store.live_start_ns().expect("not stopped") + (batch - timeline.primed_batches) * INTERVAL_NS,
        };
        if !is_primed {
            store.clock().sleep_until(start_ns + INTERVAL_NS, store.wake());
        }
        for block in 0..10u64 {
            let (first_ns, range) =
                (start_ns + block * INTERVAL_NS / 10, block as usize * 10..block as usize * 10 + 10);
            let Ok(handover) = store.store_planned(&column, range, first_ns, first_ns + 9 * INTERVAL_NS / 100) else {
                return;
            };
            assert!(handover.blocked_ns == 0 || !is_primed, "history is not limited");
            blocked_ns += handover.blocked_ns;
        }
        store.advance_watermark(start_ns + INTERVAL_NS);
    }
    assert!(blocked_ns > 0, "the sender is told");
    store.finish();
}

#[test]
fn a_planned_source_is_limited_and_still_every_record_is_in_its_batch() {
    // 1,000 a second are intended, 500 are let in.
    let bench = Bench::new(limited(500.0));
    let lines = bench.context.planned_stream("planned", threaded(|store| planned(store, 6)));
    lines.for_each_batch(|_| ());
    bench.context.prime(2);
    bench.context.start().expect("starts");
    for step in 0..400 {
        bench.clock.advance_to(START_NS + step * INTERVAL_NS / 20);
    }
    assert_eq!(bench.context.await_termination(), Ok(()));
    let reports = bench.reports();
    assert_eq!(reports.iter().map(|report| report.records).collect::<Vec<_>>()[..6], [100; 6]);
    let live: Vec<&BatchReport> = reports.iter().filter(|report| !report.primed && report.records > 0).collect();
    // Each of the four batches takes two intervals, so that each is cut another interval later.
    let delays: Vec<u64> =
        live.iter().map(|report| (report.submitted_ns - report.due_ns) / (INTERVAL_NS / 2)).collect();
    assert_eq!(delays.len(), 4);
    assert!(delays.windows(2).all(|pair| pair[1] > pair[0]), "{delays:?}");
    let stamps: Vec<_> = live.iter().flat_map(|report| &report.stamps).collect();
    assert!(stamps.windows(2).all(|pair| pair[0].last_ns < pair[1].first_ns), "intended times are kept");
    assert!(live.iter().all(|report| report.throttled_ns == report.blocked_ns));
}

/// Spark's formula, from what the reports tell.
#[derive(Default)]
struct Estimator {
    latest: Option<(f64, f64)>,
}

impl Estimator {
    fn rate(&mut self, report: &BatchReport, settings: &Settings) -> Option<u64> {
        let ms = |ns: u64| ns as f64 / 1e6;
        let (time, processing) = (ms(report.done_ns), ms(report.done_ns - report.started_ns));
        if report.records == 0 || processing == 0.0 || self.latest.is_some_and(|(latest, _)| time <= latest) {
            return None;
        }
        let processing_rate = report.records as f64 / processing * 1000.0;
        let Some((_, rate)) = self.latest else {
            self.latest = Some((time, processing_rate));
            return None;
        };
        let waits = ms(report.started_ns - report.submitted_ns) * processing_rate / ms(settings.interval_ns);
        let rate = rate - (rate - processing_rate) - settings.pid_integral * waits;
        let rate = rate.max(settings.pid_min_rate_per_s);
        self.latest = Some((time, rate));
        Some((rate as u64).min(settings.max_rate_per_s.map_or(u64::MAX, |most| most as u64)))
    }
}

#[test]
fn backpressure_limits_to_what_the_estimator_says() {
    let settings = Settings {
        backpressure: true,
        max_rate_per_s: Some(50_000.0),
        pid_min_rate_per_s: 20.0,
        threads: 1,
        ..Settings::default()
    };
    let settings = settings.interval(Duration::from_millis(10));
    let context = StreamingContext::new(settings.clone()).expect("works");
    let reports = Arc::new(Reports::default());
    context.add_listener(reports.clone());
    let (feed, lines) = context.queue_stream::<Text>();
    lines.for_each_batch(|batch| std::thread::sleep(Duration::from_micros(50 * batch.len())));
    context.start().expect("starts");
    let sender = std::thread::spawn(move || while feed.push([&b"x"[..]; 20]).is_ok() {});
    until("30 batches", || reports.0.lock().expect("no panic").len() >= 30);
    context.stop(Duration::from_secs(10)).expect("stops");
    sender.join().expect("no panic");
    let reports = reports.0.lock().expect("no panic");
    // A batch is cut with the limit that one of the batches done until then had set, and never goes back to an older one.
    let (mut estimator, mut published) = (Estimator::default(), vec![Some(50_000)]);
    published.extend(reports.iter().filter_map(|report| estimator.rate(report, &settings)).map(Some));
    let mut at = 0;
    for report in reports.iter() {
        let found = published[at..].iter().position(|rate| *rate == report.rate_limit_per_s);
        at += found.unwrap_or_else(|| panic!("{:?} is none of {:?}", report.rate_limit_per_s, &published[at..]));
    }
    assert!(at > 5, "limits follow the estimates");
    assert!(reports.iter().any(|report| report.throttled_ns > 0));
    // 50 µs a record is 20,000 a second at most.
    assert!(reports.last().expect("some").rate_limit_per_s < Some(25_000));
}

#[test]
fn each_input_has_its_own_estimate() {
    let settings = Settings { backpressure: true, pid_min_rate_per_s: 30.0, threads: 1, ..Settings::default() };
    let context = StreamingContext::new(settings.interval(Duration::from_millis(10))).expect("works");
    let reports = Arc::new(Reports::default());
    context.add_listener(reports.clone());
    let (_idle, first) = context.queue_stream::<Text>();
    let (feed, second) = context.queue_stream::<Text>();
    first.for_each_batch(|_| ());
    // 20,000 records a second at most, of ten times as many.
    second.for_each_batch(|batch| std::thread::sleep(Duration::from_micros(50 * batch.len())));
    context.start().expect("starts");
    let sender = std::thread::spawn(move || {
        while feed.push([&b"x"[..]; 20]).is_ok() {
            std::thread::sleep(Duration::from_micros(100));
        }
    });
    until("throttling", || reports.0.lock().expect("no panic").iter().any(|report| report.throttled_ns > 0));
    context.stop(Duration::from_secs(10)).expect("stops");
    sender.join().expect("no panic");
    let reports = reports.0.lock().expect("no panic");
    let limits: Vec<_> = reports.iter().filter_map(|report| report.rate_limit_per_s).collect();
    // Only the second is limited: the first never had a record. So all that is told is the second's.
    assert!(!limits.is_empty() && limits.iter().all(|limit| *limit >= 30), "{limits:?}");
    assert!(reports[0].rate_limit_per_s.is_none(), "no limit before the second batch with records is done");
}
