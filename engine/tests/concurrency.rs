//! Several batches at a time: none loses its records, its order of cutting or its turn, and the sum of all answers stays.

use crate::bench::{Bench, INTERVAL_NS, Reports, START_NS};
use downbeat_engine::metrics::BatchReport;
use downbeat_engine::record::Text;
use downbeat_engine::settings::{Overload, PoolKind};
use downbeat_engine::{Settings, StreamingContext};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Waits until something is so; a test that would wait for ever fails instead.
fn until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn sorted(reports: &Reports) -> Vec<BatchReport> {
    let mut reports = reports.0.lock().expect("no panic").clone();
    reports.sort_by_key(|report| report.index);
    reports
}

#[test]
fn a_younger_batch_overtakes_an_older_one_and_leaves_it_its_records() {
    let settings = Settings { concurrent_jobs: 2, threads: 2, ..Settings::default() };
    let context = StreamingContext::new(settings.interval(Duration::from_millis(5))).expect("works");
    let (feed, lines) = context.queue_stream::<Text>();
    let (gate, reports) = (Arc::new(AtomicBool::new(false)), Arc::new(Reports::default()));
    let seen = Arc::new(Mutex::new(BTreeMap::new()));
    let (opened, into) = (gate.clone(), seen.clone());
    lines.for_each_batch(move |batch| {
        // Only the batch that has the records waits.
        let waits = !batch.is_empty();
        while waits && !opened.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
        let mut records = Vec::new();
        batch.for_each(|line| records.push(line.to_vec()));
        into.lock().expect("no panic").insert(batch.index(), records);
    });
    context.add_listener(reports.clone());
    feed.push([&b"first"[..], b"batch"]).expect("not stopped");
    context.start().expect("starts");
    until("a third batch", || reports.0.lock().expect("no panic").len() >= 3);
    assert!(reports.0.lock().expect("no panic").iter().all(|report| report.records == 0), "the older one still runs");
    gate.store(true, Ordering::Release);
    let stopped = context.stop(Duration::from_secs(10)).expect("stops");
    assert_eq!((stopped.accepted, stopped.unfinished), (2, 0));
    let reports = sorted(&reports);
    assert_eq!(reports[0].records, 2);
    assert!((0..).zip(&reports).all(|(index, report)| report.index == index));
    assert_eq!(seen.lock().expect("no panic")[&0], [b"first", b"batch"]);
}

#[test]
fn as_many_batches_run_at_a_time_as_are_allowed_and_no_more() {
    for concurrent_jobs in [1, 3] {
        let settings = Settings { concurrent_jobs, threads: 2, queue_capacity: 20, ..Settings::default() };
        let context = StreamingContext::new(settings.interval(Duration::from_millis(2))).expect("works");
        let (_feed, lines) = context.queue_stream::<Text>();
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (now, highest) = (running.clone(), most.clone());
        lines.for_each_batch(move |_| {
            highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::sleep(Duration::from_millis(15));
            now.fetch_sub(1, Ordering::SeqCst);
        });
        context.start().expect("starts");
        until("all jobs at once", || most.load(Ordering::SeqCst) == concurrent_jobs);
        std::thread::sleep(Duration::from_millis(40));
        context.stop(Duration::from_secs(10)).expect("stops");
        assert_eq!(most.load(Ordering::SeqCst), concurrent_jobs);
        assert_eq!(running.load(Ordering::SeqCst), 0);
    }
}

#[test]
fn a_batch_that_panics_fails_alone() {
    let mut bench = Bench::new(Settings { concurrent_jobs: 3, threads: 2, ..Settings::default() });
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let counts = lines.map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    counts.for_each_batch(|batch| batch.for_each(|(word, _)| assert_ne!(word, b"bad", "planted")));
    bench.context.start().expect("starts");
    for line in ["good", "bad", "good", "bad", "good"] {
        feed.push([line.as_bytes()]).expect("not stopped");
        bench.tick();
    }
    let failed: Vec<bool> = sorted(&bench.reports).iter().map(|report| report.failure.is_some()).collect();
    assert_eq!(failed, [false, true, false, true, false]);
    let stopped = bench.context.stop(Duration::from_secs(10)).expect("stops");
    assert_eq!((stopped.accepted, stopped.unfinished), (5, 2));
}

#[test]
fn what_runs_and_waits_at_a_hard_stop_is_unfinished() {
    let settings = Settings { concurrent_jobs: 2, ..Settings::default() };
    let context = StreamingContext::new(settings.interval(Duration::from_millis(5))).expect("works");
    let (feed, lines) = context.queue_stream::<Text>();
    let gate = Arc::new(AtomicBool::new(false));
    let opened = gate.clone();
    lines.for_each_batch(move |_| {
        while !opened.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    context.start().expect("starts");
    for _ in 0..4 {
        feed.push([&b"x"[..], b"y"]).expect("not stopped");
        std::thread::sleep(Duration::from_millis(8));
    }
    let report = context.stop(Duration::ZERO).expect("stops");
    gate.store(true, Ordering::Release);
    assert_eq!((report.accepted, report.unfinished), (8, 8), "two run, the others wait");
}

#[test]
fn the_identities_hold_for_batches_that_run_at_the_same_time() {
    let settings = Settings { concurrent_jobs: 3, threads: 2, queue_capacity: 50, ..Settings::default() };
    let context = StreamingContext::new(settings.interval(Duration::from_millis(2))).expect("works");
    let (feed, lines) = context.queue_stream::<Text>();
    let reports = Arc::new(Reports::default());
    context.add_listener(reports.clone());
    lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).for_each_batch(|batch| {
        std::thread::sleep(Duration::from_millis(4));
        batch.for_each(|_| ());
    });
    context.start().expect("starts");
    let lines: Vec<String> = (0..3_000).map(|number| format!("some words and number {number}")).collect();
    for _ in 0..10 {
        feed.push(lines.iter().map(|line| line.as_bytes())).expect("not stopped");
        std::thread::sleep(Duration::from_millis(3));
    }
    context.stop(Duration::from_secs(10)).expect("stops");
    let reports = sorted(&reports);
    assert!(reports.windows(2).any(|pair| pair[1].started_ns < pair[0].done_ns), "they run at the same time");
    for report in &reports {
        let processing_ns = report.done_ns - report.started_ns;
        assert_eq!(report.phases.iter().map(|(_, ns)| ns).sum::<u64>(), processing_ns);
        assert_eq!(report.busy.iter().map(|(_, ns)| ns).sum::<u64>() + report.idle_ns, 2 * processing_ns);
    }
}

/// Words of a batch by how often they are there.
type Counts = BTreeMap<String, u64>;

fn counts<'w>(words: impl IntoIterator<Item = &'w String>) -> Counts {
    let mut counts = Counts::new();
    words.into_iter().for_each(|word| *counts.entry(word.clone()).or_default() += 1);
    counts
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// However batches wait, overtake and merge: each answer is that of the batch's own records, and no record is in two.
    #[test]
    fn neither_merging_nor_concurrency_changes_the_sum_of_the_answers(
        overload in prop_oneof![Just(Overload::Queue), Just(Overload::Merge)],
        pool in prop_oneof![Just(PoolKind::Rayon), Just(PoolKind::Pinned), Just(PoolKind::Sequential)],
        concurrent_jobs in 1usize..5,
        queue_capacity in 1usize..6,
        pushes in proptest::collection::vec((proptest::collection::vec("[a-d]", 0..40), 0u64..7), 1..8),
    ) {
        let settings = Settings { overload, pool, concurrent_jobs, queue_capacity, threads: 2, ..Settings::default() };
        let bench = Bench::new(settings);
        let (feed, lines) = bench.context.queue_stream::<Text>();
        let seen: Arc<Mutex<BTreeMap<u64, Counts>>> = Arc::default();
        let into = seen.clone();
        lines.map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).for_each_batch(move |batch| {
            // Long enough for the next ticks to come.
            std::thread::sleep(Duration::from_micros(300));
            let mut counts = Counts::new();
            batch.for_each(|(word, count)| *counts.entry(String::from_utf8_lossy(word).into_owned()).or_default() += count);
            into.lock().expect("no panic").insert(batch.index(), counts);
        });
        bench.context.start().expect("starts");
        let (mut sent, mut now_ns) = (Vec::new(), START_NS);
        for (words, ticks) in &pushes {
            feed.push(words.iter().map(|word| word.as_bytes())).expect("not stopped");
            sent.extend(words.iter().cloned());
            now_ns += ticks * INTERVAL_NS;
            // Over many ticks at once: their batches are cut back to back.
            bench.clock.advance_to(now_ns);
        }
        let stopped = bench.context.stop(Duration::from_secs(20)).expect("stops");
        prop_assert_eq!((stopped.accepted, stopped.shed, stopped.unfinished), (sent.len() as u64, 0, 0));
        let (reports, seen) = (sorted(&bench.reports), seen.lock().expect("no panic"));
        let mut position = 0;
        for (index, report) in (0..).zip(&reports) {
            prop_assert_eq!(report.index, index);
            prop_assert_eq!((report.first_sequence, report.end_sequence), (position, position + report.records));
            position = report.end_sequence;
            let own = &sent[report.first_sequence as usize..report.end_sequence as usize];
            prop_assert_eq!(&seen[&index], &counts(own));
        }
        prop_assert_eq!(position, sent.len() as u64);
    }
}
