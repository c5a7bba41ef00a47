//! Bounded memory: blocked senders, abandoned batches.

use downbeat_engine::record::Text;
use downbeat_engine::{Settings, StreamingContext};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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
