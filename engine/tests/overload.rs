//! Bounded memory, and what gives at the bound: blocked senders, growing batches, records that are shed; abandoned batches.

use downbeat_engine::metrics::BatchReport;
use downbeat_engine::record::Text;
use downbeat_engine::settings::Overload;
use downbeat_engine::source::QueueHandle;
use downbeat_engine::{Settings, StreamingContext};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A context whose first batch waits until the gate opens.
fn gated(
    settings: Settings,
) -> (StreamingContext, downbeat_engine::source::QueueHandle<Text>, Arc<AtomicBool>, Arc<crate::bench::Reports>) {
    let context = StreamingContext::new(settings.interval(Duration::from_millis(5))).expect("works");
    let (feed, lines) = context.queue_stream::<Text>();
    let (gate, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(crate::bench::Reports::default()));
    let opened = gate.clone();
    lines.for_each_batch(move |_| {
        while !opened.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    });
    context.add_listener(seen.clone());
    context.start().expect("starts");
    (context, feed, gate, seen)
}

#[test]
fn a_full_queue_blocks_the_sender_and_loses_nothing() {
    let (context, feed, gate, reports) = gated(Settings { queue_capacity: 2, ..Settings::default() });
    let sender = {
        let feed = feed.clone();
        std::thread::spawn(move || {
            (0..200)
                .take_while(|_| {
                    feed.push([&b"x"[..]]).is_ok() && {
                        std::thread::sleep(Duration::from_micros(500));
                        true
                    }
                })
                .count()
        })
    };
    std::thread::sleep(Duration::from_millis(60));
    assert!(!sender.is_finished(), "the sender should be waiting");
    gate.store(true, Ordering::Release);
    assert_eq!(sender.join().expect("no panic"), 200);
    let report = context.stop(Duration::from_secs(10)).expect("stops");
    assert_eq!((report.accepted, report.unfinished), (200, 0));
    let reports = reports.0.lock().expect("no panic");
    assert_eq!(reports.iter().map(|report| report.records).sum::<u64>(), 200);
    assert!(reports.iter().map(|report| report.blocked_ns).sum::<u64>() > 0, "the wait is on record");
    assert!(reports.iter().all(|report| report.queue_depth < 2));
}

#[test]
fn bytes_over_the_limit_block_the_sender() {
    let (context, feed, gate, reports) =
        gated(Settings { memory_limit_bytes: 1 << 20, queue_capacity: 1000, ..Settings::default() });
    let line = vec![b'x'; 400 << 10];
    let sender = {
        let feed = feed.clone();
        std::thread::spawn(move || (0..8).filter(|_| feed.push([&line[..]]).is_ok()).count())
    };
    std::thread::sleep(Duration::from_millis(60));
    assert!(!sender.is_finished(), "2 of 8 lines fit");
    gate.store(true, Ordering::Release);
    assert_eq!(sender.join().expect("no panic"), 8);
    context.stop(Duration::from_secs(10)).expect("stops");
    assert_eq!(reports.0.lock().expect("no panic").iter().map(|report| report.records).sum::<u64>(), 8);
}

#[test]
fn what_is_not_done_after_the_drain_is_counted_as_unfinished() {
    let (context, feed, gate, _) = gated(Settings::default());
    for _ in 0..4 {
        feed.push([&b"x"[..], b"y"]).expect("not stopped");
        std::thread::sleep(Duration::from_millis(8));
    }
    let opener = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        gate.store(true, Ordering::Release);
    });
    let report = context.stop(Duration::ZERO).expect("stops");
    assert_eq!((report.accepted, report.unfinished), (8, 8));
    opener.join().expect("no panic");
}

const INTERVAL: Duration = Duration::from_millis(5);

/// A context whose batches wait until the gate opens, and which keeps the numbers that each of them then saw.
struct Gated {
    context: StreamingContext,
    feed: QueueHandle<u64>,
    gate: Arc<AtomicBool>,
    reports: Arc<crate::bench::Reports>,
    seen: Arc<Mutex<BTreeMap<u64, Vec<u64>>>>,
    windows: Arc<Mutex<BTreeMap<u64, u64>>>,
}

impl Gated {
    fn new(overload: Overload, queue_capacity: usize, memory_limit_bytes: u64) -> Self {
        let settings = Settings { overload, queue_capacity, memory_limit_bytes, ..Settings::default() };
        let context = StreamingContext::new(settings.interval(INTERVAL)).expect("works");
        let (feed, numbers) = context.queue_stream::<u64>();
        let gated = Gated {
            context,
            feed,
            gate: Arc::default(),
            reports: Arc::default(),
            seen: Arc::default(),
            windows: Arc::default(),
        };
        let (gate, seen, windows) = (gated.gate.clone(), gated.seen.clone(), gated.windows.clone());
        numbers.for_each_batch(move |batch| {
            while !gate.load(Ordering::Acquire) {
                std::thread::sleep(Duration::from_millis(1));
            }
            let mut records = Vec::new();
            batch.for_each(|number| records.push(number));
            seen.lock().expect("no panic").insert(batch.index(), records);
        });
        numbers.window(3 * INTERVAL, INTERVAL).for_each_batch(move |batch| {
            windows.lock().expect("no panic").insert(batch.index(), batch.len());
        });
        gated.context.add_listener(gated.reports.clone());
        gated.context.start().expect("starts");
        gated
    }

    /// Sends the numbers from 0 on, one after another, over some time.
    fn send(&self, records: u64) -> std::thread::JoinHandle<u64> {
        let feed = self.feed.clone();
        std::thread::spawn(move || {
            let sent = |number: &u64| {
                std::thread::sleep(Duration::from_micros(500));
                feed.push([*number]).is_ok()
            };
            (0..records).take_while(sent).count() as u64
        })
    }

    fn open(&self) {
        self.gate.store(true, Ordering::Release);
    }

    /// Stops, and checks what holds whatever the discipline. Returns accepted and shed records, and the reports.
    fn finish(self) -> (u64, u64, Vec<BatchReport>) {
        let stopped = self.context.stop(Duration::from_secs(10)).expect("stops");
        let reports = std::mem::take(&mut *self.reports.0.lock().expect("no panic"));
        let (seen, windows) = (self.seen.lock().expect("no panic"), self.windows.lock().expect("no panic"));
        let mut position = 0;
        for (index, report) in (0..).zip(&reports) {
            assert_eq!(report.index, index, "every tick has its batch");
            let by_ranges: Vec<u64> = report.ranges.iter().cloned().flatten().collect();
            assert_eq!(seen[&index], by_ranges, "a record's number is its sequence number");
            assert_eq!(report.records, by_ranges.len() as u64);
            let end = position + report.records + report.shed;
            assert!(by_ranges.iter().all(|number| (position..end).contains(number)), "gaps are what was shed");
            position = end;
            let window: u64 = reports[..=index as usize].iter().rev().take(3).map(|report| report.records).sum();
            assert_eq!(windows[&index], window);
        }
        let sum = |part: fn(&BatchReport) -> u64| reports.iter().map(part).sum::<u64>();
        assert_eq!((sum(|report| report.records), stopped.unfinished), (stopped.accepted, 0));
        assert_eq!(sum(|report| report.shed), stopped.shed);
        (stopped.accepted, stopped.shed, reports)
    }
}

#[test]
fn block_lets_nobody_in_while_a_batch_waits() {
    let gated = Gated::new(Overload::Block, 100, 1 << 30);
    let sender = gated.send(200);
    std::thread::sleep(Duration::from_millis(60));
    assert!(!sender.is_finished(), "the sender should be waiting");
    gated.open();
    assert_eq!(sender.join().expect("no panic"), 200);
    let (accepted, shed, reports) = gated.finish();
    assert_eq!((accepted, shed), (200, 0));
    assert!(reports.iter().any(|report| report.queue_depth >= 2), "ticks go on");
    assert!(reports.iter().filter(|report| report.queue_depth >= 2).all(|report| report.records == 0));
    assert!(reports.iter().map(|report| report.blocked_ns).sum::<u64>() > 0);
}

#[test]
fn merge_makes_one_growing_batch_of_what_waits_and_blocks_nobody() {
    let gated = Gated::new(Overload::Merge, 4, 1 << 30);
    let sender = gated.send(200);
    // The gate is still closed: with any other discipline this would never return.
    assert_eq!(sender.join().expect("no panic"), 200);
    gated.open();
    let (accepted, shed, reports) = gated.finish();
    assert_eq!((accepted, shed), (200, 0));
    assert!(reports.iter().all(|report| report.ranges.len() <= 1 && report.queue_depth < 4));
    // One ran, up to four waited as one, one was being cut; what came while the first of these ran is in the last.
    let full = reports.iter().filter(|report| report.records > 0).count();
    assert!(full <= 4, "{full} batches have records");
    assert!(reports.len() > full, "those that were overtaken are there all the same");
    assert_eq!(reports.iter().map(|report| report.blocked_ns).sum::<u64>(), 0);
}

#[test]
fn merge_is_bounded_by_memory() {
    let gated = Gated::new(Overload::Merge, 4, 1 << 20);
    let feed = gated.feed.clone();
    let sender = std::thread::spawn(move || {
        (0..4u64).filter(|part| feed.push(part * 100_000..(part + 1) * 100_000).is_ok()).count()
    });
    std::thread::sleep(Duration::from_millis(60));
    assert!(!sender.is_finished(), "one of 800 kB fits");
    gated.open();
    assert_eq!(sender.join().expect("no panic"), 4);
    assert_eq!(gated.finish().0, 400_000);
}

#[test]
fn shed_drops_at_the_bound_and_counts_exactly() {
    let gated = Gated::new(Overload::Shed, 2, 1 << 30);
    let sender = gated.send(200);
    assert_eq!(sender.join().expect("no panic"), 200, "nobody is blocked, though the gate is closed");
    gated.open();
    std::thread::sleep(Duration::from_millis(20));
    gated.feed.push([200, 201]).expect("not stopped");
    let (accepted, shed, reports) = gated.finish();
    assert_eq!(accepted + shed, 202);
    assert!(shed > 100, "{shed}");
    assert!(accepted >= 2, "{accepted}: there is room again");
    assert_eq!(reports.iter().map(|report| report.blocked_ns).sum::<u64>(), 0);
}

#[test]
fn shed_drops_what_does_not_fit_into_memory() {
    let gated = Gated::new(Overload::Shed, 1000, 1 << 20);
    for number in 0..8 {
        gated.feed.push(number * 100_000..(number + 1) * 100_000).expect("not stopped");
    }
    // 800 kB were taken; these still fit.
    gated.feed.push(800_000..800_010).expect("not stopped");
    gated.open();
    let (accepted, shed, reports) = gated.finish();
    assert_eq!((accepted, shed), (100_010, 700_000));
    let ranges: Vec<_> = reports.iter().flat_map(|report| report.ranges.iter().cloned()).collect();
    assert_eq!(ranges, [0..100_000, 800_000..800_010]);
}
