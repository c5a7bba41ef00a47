//! `print`, `for_each_batch`, `for_each_partition`, `materialize`.

use crate::bench::{Bench, Meeting};
use downbeat_engine::record::Text;
use downbeat_engine::{DStream, Settings};
use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
        Err(std::io::Error::new(std::io::ErrorKind::StorageFull, "no space left on device"))
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn print_writes_exactly_what_spark_writes() {
    let mut bench = Bench::new(Settings { partitions: Some(1), ..Settings::default() });
    let (feed, lines) = bench.context.queue_stream::<Text>();
    lines.map_to_pair::<Text, u64>(|line| (line, 1)).print(2);
    let page = Page::default();
    bench.context.print_to(Box::new(page.clone()));
    bench.context.start().expect("starts");
    feed.push([&b"a"[..], b"\xff"]).expect("not stopped");
    bench.tick();
    feed.push([&b"a"[..], b"b", b"c"]).expect("not stopped");
    bench.tick();
    bench.tick();
    let rule = "-".repeat(43);
    let head = |ms: u64| format!("{rule}\nTime: {ms} ms\n{rule}\n");
    let expected = format!("{}(a,1)\n(\u{FFFD},1)\n\n{}(a,1)\n(b,1)\n...\n\n{}\n", head(1100), head(1200), head(1300));
    assert_eq!(String::from_utf8(page.0.lock().expect("no panic").clone()).expect("text"), expected);
}

#[test]
fn print_without_a_sink_is_refused() {
    let error = crate::bench::refusal(|lines| lines.print(10));
    assert!(error.to_string().contains("call `print_to`"), "{error}");
}

#[test]
fn a_sink_that_is_full_fails_the_batch_by_name() {
    let mut bench = Bench::new(Settings::default());
    let (_feed, lines) = bench.context.queue_stream::<Text>();
    lines.print(1);
    bench.context.print_to(Box::new(Full));
    bench.context.start().expect("starts");
    bench.tick();
    let failure = bench.reports()[0].failure.clone().expect("failed").to_string();
    assert!(failure.contains("print at") && failure.contains("no space left"), "{failure}");
}

/// What one batch of these lines prints.
fn printed(lines: &[&str], partitions: usize, records: usize) -> String {
    let mut bench = Bench::new(Settings::default());
    let (feed, stream) = bench.context.queue_stream::<Text>();
    stream.repartition(partitions).print(records);
    let page = Page::default();
    bench.context.print_to(Box::new(page.clone()));
    bench.context.start().expect("starts");
    feed.push(lines.iter().map(|line| line.as_bytes())).expect("not stopped");
    bench.tick();
    let bytes = page.0.lock().expect("no panic").clone();
    String::from_utf8(bytes).expect("text")
}

#[test]
fn dots_come_when_there_is_more_than_was_asked_for_in_any_partition() {
    let head = format!("{rule}\nTime: 1100 ms\n{rule}\n", rule = "-".repeat(43));
    assert_eq!(printed(&["a", "b", "c"], 1, 3), format!("{head}a\nb\nc\n\n"));
    assert_eq!(printed(&["a", "b", "c"], 1, 2), format!("{head}a\nb\n...\n\n"));
    assert_eq!(printed(&["a", "b", "c"], 3, 2), format!("{head}a\nb\n...\n\n"));
    assert_eq!(printed(&["a", "b", "c"], 3, 3), format!("{head}a\nb\nc\n\n"));
    assert_eq!(printed(&["a"], 2, 0), format!("{head}...\n\n"));
    assert_eq!(printed(&[], 2, 0), format!("{head}\n"));
    assert_eq!(printed(&["a"], 2, usize::MAX), format!("{head}a\n\n"));
}

fn first_failure(bench: &Bench) -> String {
    bench.reports()[0].failure.as_ref().map_or("no failure".into(), ToString::to_string)
}

#[test]
fn partitions_are_called_at_once_with_their_number_and_time() {
    let mut bench = Bench::new(Settings::default().threads(2));
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let meeting = Meeting::of(2);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let into = seen.clone();
    lines.repartition(2).for_each_partition(move |partition| {
        // One after another, the first call would wait in vain.
        meeting.wait();
        let mut records = Vec::new();
        partition.for_each(|line| records.push(line.to_vec()));
        into.lock().expect("no panic").push((partition.number(), partition.time().to_string(), records));
    });
    bench.context.start().expect("starts");
    feed.push([&b"a"[..]]).expect("not stopped");
    bench.tick();
    assert_eq!(first_failure(&bench), "no failure");
    let mut seen = std::mem::take(&mut *seen.lock().expect("no panic"));
    seen.sort();
    let time = || "1100 ms".to_owned();
    assert_eq!(seen, [(0, time(), vec![b"a".to_vec()]), (1, time(), vec![])]);
}

#[test]
fn an_output_that_says_it_failed_fails_its_batch_by_name() {
    type Job = fn(&DStream<Text>);
    let jobs: [(Job, &str); 4] = [
        (|lines| lines.for_each_batch(|_| Err::<(), _>("no room")), "for_each_batch at"),
        (
            |lines| {
                lines.for_each_batch(|batch| {
                    batch.try_for_each(|line| if line == b"b" { Err("no room") } else { Ok(()) })
                })
            },
            "for_each_batch at",
        ),
        (|lines| lines.for_each_partition(|_| Err::<(), _>("no room")), "for_each_partition at"),
        (
            |lines| {
                lines.repartition(3).for_each_partition(|part| if part.number() == 2 { Err("no room") } else { Ok(()) })
            },
            "partition 2: no room",
        ),
    ];
    for (job, expected) in jobs {
        let mut bench = Bench::new(Settings::default());
        let (feed, lines) = bench.context.queue_stream::<Text>();
        job(&lines);
        bench.context.start().expect("starts");
        feed.push([&b"a"[..], b"b"]).expect("not stopped");
        bench.tick();
        let failure = first_failure(&bench);
        assert!(
            failure.contains(expected) && failure.contains("outputs.rs") && failure.contains("no room"),
            "{failure}"
        );
        assert!(bench.context.await_termination().is_err());
        assert_eq!(bench.context.stop(Duration::from_secs(5)).expect("stops").unfinished, 2);
    }
}

#[test]
fn a_panic_before_an_output_of_partitions_is_named_by_its_operator() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let broken = lines.map::<Text>(|line| if line == b"b" { panic!("cannot digest") } else { line });
    broken.for_each_partition(|partition| partition.for_each(|_| ()));
    bench.context.start().expect("starts");
    feed.push([&b"a"[..], b"b"]).expect("not stopped");
    bench.tick();
    let failure = first_failure(&bench);
    assert!(failure.contains("map at") && failure.contains("cannot digest"), "{failure}");
}

#[test]
fn materialize_computes_every_record_and_print_does_not() {
    let mut bench = Bench::new(Settings::default().threads(2));
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let counted = |calls: &Arc<AtomicU64>| {
        let calls = calls.clone();
        lines.repartition(4).map::<Text>(move |line| {
            calls.fetch_add(1, Ordering::Relaxed);
            line
        })
    };
    let (all, some) = (Arc::default(), Arc::default());
    counted(&all).materialize();
    counted(&some).print(10);
    bench.context.print_to(Box::new(std::io::sink()));
    bench.context.start().expect("starts");
    feed.push((0..5000).map(|_| &b"x"[..])).expect("not stopped");
    bench.tick();
    assert_eq!(first_failure(&bench), "no failure");
    assert_eq!(all.load(Ordering::Relaxed), 5000);
    assert_eq!(some.load(Ordering::Relaxed), 1250, "one partition of four has more than is shown");
}
