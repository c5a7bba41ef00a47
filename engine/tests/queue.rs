//! Queue streams: all at once, one push a batch, partitions, what is pushed before the start.

use crate::bench::{Bench, Collected, collect};
use downbeat_engine::record::Text;
use downbeat_engine::{DStream, Settings};
use std::time::Duration;

fn collected(stream: &DStream<Text>) -> Collected<String> {
    collect(stream, |line| String::from_utf8_lossy(line).into_owned())
}

fn blocks(bench: &Bench) -> Vec<u64> {
    bench.reports().iter().map(|report| report.blocks).collect()
}

#[test]
fn a_batch_takes_all_pushes_and_blocks_stay_apart() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collected(&lines);
    feed.push([&b"a"[..]]).expect("not stopped");
    feed.push_block([&b"b"[..], b"c"]).expect("not stopped");
    bench.context.start().expect("starts");
    feed.push_block([&b"d"[..]]).expect("not stopped");
    feed.push_partitions([vec![&b"e"[..]], vec![], vec![&b"f"[..]]]).expect("not stopped");
    for line in [&b"g"[..], b"h"] {
        feed.push([line]).expect("not stopped");
    }
    bench.tick();
    bench.tick();
    // [a] [b c] [d] [e] [] [f] [g h]
    assert_eq!(blocks(&bench), [7, 0]);
    assert_eq!(*seen.lock().expect("no panic"), [vec!["a", "b", "c", "d", "e", "f", "g", "h"], vec![]]);
}

#[test]
fn one_at_a_time_is_one_push_a_batch_empty_ones_too() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream_one_at_a_time::<Text>();
    let seen = collected(&lines);
    feed.push([&b"a"[..]]).expect("not stopped");
    feed.push([]).expect("not stopped");
    bench.context.start().expect("starts");
    feed.push_partitions([vec![&b"b"[..]], vec![&b"c"[..]]]).expect("not stopped");
    feed.push([&b"d"[..]]).expect("not stopped");
    for _ in 0..5 {
        bench.tick();
    }
    assert_eq!(blocks(&bench), [1, 1, 2, 1, 0]);
    assert_eq!(*seen.lock().expect("no panic"), [vec!["a"], vec![], vec!["b", "c"], vec!["d"], vec![]]);
    let records: Vec<(u64, u64)> =
        bench.reports().iter().map(|report| (report.first_sequence, report.end_sequence)).collect();
    assert_eq!(records, [(0, 1), (1, 1), (1, 3), (3, 4), (4, 4)]);
}

#[test]
fn a_default_fills_batches_without_a_push() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream_one_at_a_time_or::<Text>([&b"nothing new"[..]]);
    let seen = collected(&lines);
    bench.context.start().expect("starts");
    bench.tick();
    feed.push([&b"news"[..]]).expect("not stopped");
    bench.tick();
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [["nothing new"], ["news"], ["nothing new"]]);
}

#[test]
fn pushes_that_no_batch_took_are_unfinished() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream_one_at_a_time::<Text>();
    let seen = collected(&lines);
    bench.context.start().expect("starts");
    for _ in 0..4 {
        feed.push([&b"a"[..], b"b"]).expect("not stopped");
    }
    bench.tick();
    let report = bench.context.stop(Duration::from_secs(5)).expect("stops");
    // One batch at the tick, one at the stop.
    assert_eq!(seen.lock().expect("no panic").len(), 2);
    assert_eq!((report.accepted, report.unfinished), (8, 4));
    assert!(feed.push([&b"late"[..]]).is_err());
}

#[test]
fn pushes_before_the_start_are_let_in_whatever_their_size() {
    let settings = || Settings { memory_limit_bytes: 1 << 20, ..Settings::default() };
    let line = vec![b'x'; 400 << 10];
    let mut bench = Bench::new(settings());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collect(&lines.count(), |count| count);
    (0..8).for_each(|_| feed.push([&line[..]]).expect("not stopped"));
    bench.context.start().expect("starts");
    bench.tick();
    // The room is free again, so this does not wait.
    feed.push([&line[..], &line]).expect("not stopped");
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [[8], [2]]);

    let mut bench = Bench::new(settings());
    let (feed, lines) = bench.context.queue_stream_one_at_a_time::<Text>();
    let seen = collect(&lines.count(), |count| count);
    (0..8).for_each(|_| feed.push([&line[..]]).expect("not stopped"));
    bench.context.start().expect("starts");
    (0..8).for_each(|_| bench.tick());
    feed.push([&line[..], &line]).expect("not stopped");
    bench.tick();
    assert_eq!(seen.lock().expect("no panic").concat(), [1, 1, 1, 1, 1, 1, 1, 1, 2]);
}

#[test]
fn one_at_a_time_blocks_the_pusher_at_the_memory_limit() {
    let mut bench = Bench::new(Settings { memory_limit_bytes: 1 << 20, ..Settings::default() });
    let (feed, lines) = bench.context.queue_stream_one_at_a_time::<Text>();
    let seen = collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
    let pusher = std::thread::spawn(move || {
        let line = vec![b'x'; 400 << 10];
        (0..5).filter(|_| feed.push([&line[..]]).is_ok()).count()
    });
    std::thread::sleep(Duration::from_millis(60));
    assert!(!pusher.is_finished(), "2 of 5 pushes fit");
    while !pusher.is_finished() {
        bench.tick();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(pusher.join().expect("no panic"), 5);
    (0..5).for_each(|_| bench.tick());
    assert_eq!(seen.lock().expect("no panic").concat().iter().sum::<u64>(), 5);
}
