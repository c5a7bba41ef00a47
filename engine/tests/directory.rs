//! Watched directories. Times of files are set by the tests: wall time on the manual clock is the clock's time.

use crate::bench::{Bench, Collected, INTERVAL_NS, START_NS, collect};
use crate::live::{Lines, Live, Messages, quick, wait_for};
use downbeat_engine::source::DirectoryOptions;
use downbeat_engine::{EngineError, Settings};
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, UNIX_EPOCH};

/// The clock's start in milliseconds; ticks come every 100 ms after it.
const START_MS: u64 = START_NS / 1_000_000;

/// A directory of this test alone, removed at its end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("downbeat-{}-{name}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir_all(&path).expect("a place for files");
        Directory(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A file that was modified at `modified_ms`, moved in whole.
    fn put(&self, name: &str, text: impl AsRef<[u8]>, modified_ms: u64) {
        let outside = self.0.with_extension("outside");
        let mut file = File::create(&outside).expect("a file");
        file.write_all(text.as_ref()).expect("room");
        file.set_modified(UNIX_EPOCH + Duration::from_millis(modified_ms)).expect("a time");
        fs::rename(outside, self.path(name)).expect("moved");
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

struct Watch {
    bench: Bench,
    messages: Arc<Messages>,
    seen: Collected<String>,
}

impl Watch {
    fn new(directory: &Path, options: DirectoryOptions) -> Self {
        let bench = Bench::new(Settings { line_limit_bytes: 2 << 20, ..Settings::default() });
        let messages = Arc::new(Messages::default());
        bench.context.add_listener(messages.clone());
        let stream = bench.context.text_file_stream_with(directory, options);
        let seen = collect(&stream, |line| String::from_utf8_lossy(line).into_owned());
        bench.context.start().expect("starts");
        Watch { bench, messages, seen }
    }

    /// The lines of the next batch; those of the last one that did not fail, if it fails.
    fn tick(&mut self) -> Vec<String> {
        self.bench.tick();
        self.seen.lock().expect("no panic").last().cloned().unwrap_or_default()
    }

    fn stop(self) -> std::collections::BTreeMap<&'static str, u64> {
        self.bench.context.stop(Duration::from_secs(5)).expect("stops").input.into_iter().collect()
    }
}

fn within(remember_ms: u64) -> DirectoryOptions {
    DirectoryOptions::default().remember(Duration::from_millis(remember_ms))
}

#[test]
fn a_file_belongs_to_the_batch_of_its_modification() {
    let directory = Directory::new("belongs");
    let mut watch = Watch::new(&directory.0, DirectoryOptions::default());
    directory.put("at the start", "never", START_MS);
    directory.put("just after", "1", START_MS + 1);
    directory.put("at the label", "2", START_MS + 100);
    directory.put("after the label", "3", START_MS + 101);
    directory.put(".hidden", "never", START_MS + 1);
    fs::create_dir(directory.path("directory")).expect("made");
    assert_eq!(watch.tick(), ["1", "2"]);
    directory.put("comes late", "4", START_MS + 1);
    assert_eq!(watch.tick(), ["3", "4"]);
    assert!(watch.tick().is_empty());
    let blocks: Vec<u64> = watch.bench.reports().iter().map(|report| report.blocks).collect();
    assert_eq!(blocks, [2, 2, 0]);
}

#[test]
fn names_are_remembered_for_the_window_and_no_longer() {
    let directory = Directory::new("remembered");
    // 250 ms are rounded up to 300.
    let mut watch = Watch::new(&directory.0, within(250));
    directory.put("a", "first", START_MS + 50);
    assert_eq!(watch.tick(), ["first"]);
    // The same name with other content: ignored as long as batch 1 is within the window, which it is at 1400.
    for tick in 2..=4 {
        directory.put("a", "again", START_MS + tick * 100);
        assert!(watch.tick().is_empty(), "tick {tick}");
    }
    assert_eq!(watch.tick(), ["again"]);
    assert!(watch.messages.all().is_empty(), "{:?}", watch.messages.all());
}

#[test]
fn a_file_that_is_too_old_when_first_seen_is_told_once() {
    let directory = Directory::new("too-old");
    directory.put("there before", "x", START_MS - 900);
    let mut watch = Watch::new(&directory.0, within(300));
    directory.put("in time", "yes", START_MS + 1);
    assert_eq!(watch.tick(), ["yes"]);
    // Moved in with the time of its modification long ago, as `mv` does.
    directory.put("older than the stream", "no", START_MS - 1);
    watch.tick();
    for _ in 0..5 {
        assert!(watch.tick().is_empty());
    }
    for name in ["b", "a", "c", "d"] {
        directory.put(name, "no", START_MS + 200);
    }
    watch.tick();
    watch.tick();
    assert_eq!(watch.messages.all().len(), 2, "{:?}", watch.messages.all());
    assert_eq!(watch.messages.count("never read: older than the stream (modified"), 1);
    assert_eq!(watch.messages.count(" and 1 more (modified before the start or more than 300ms ago"), 1);
    // Touched, it is within the window.
    directory.put("c", "now", START_MS + 950);
    assert_eq!(watch.tick(), ["now"]);
    assert_eq!(watch.stop()["too_old"], 5);
}

#[test]
fn old_files_are_told_when_all_files_were_asked_for() {
    let directory = Directory::new("all-files");
    directory.put("older", "no", START_MS - 500);
    directory.put("old", "yes", START_MS - 100);
    let mut watch = Watch::new(&directory.0, within(300).new_files_only(false));
    assert_eq!(watch.tick(), ["yes"]);
    assert_eq!(watch.stop()["too_old"], 1);
}

#[test]
fn names_are_filtered() {
    let directory = Directory::new("filtered");
    let mut watch = Watch::new(&directory.0, DirectoryOptions::default().names("*.log"));
    for name in ["a.log", "a.log.tmp", ".b.log", "c.txt"] {
        directory.put(name, name, START_MS + 50);
    }
    assert_eq!(watch.tick(), ["a.log"]);
    let mut watch = Watch::new(&directory.0, DirectoryOptions::default().filter(|name| name.starts_with('.')));
    assert_eq!(watch.tick(), [".b.log"]);
}

#[test]
fn a_filter_that_panics_is_a_trouble_of_its_directory_alone() {
    let directory = Directory::new("panics");
    directory.put("a", "x", START_MS + 50);
    let mut watch = Watch::new(&directory.0, DirectoryOptions::default().filter(|_| panic!("no taste")));
    assert!(watch.tick().is_empty());
    assert!(watch.tick().is_empty());
    assert_eq!(watch.messages.count("no taste"), 1);
    assert_eq!(watch.stop()["listing_failures"], 3);
}

#[test]
fn a_missing_directory_gives_empty_batches_and_is_read_when_it_comes() {
    let parent = Directory::new("missing");
    let inner = parent.path("inner");
    let mut watch = Watch::new(&inner, DirectoryOptions::default());
    assert!(watch.tick().is_empty() && watch.tick().is_empty());
    assert_eq!(watch.messages.count("cannot list"), 1, "told once: {:?}", watch.messages.all());
    let made = Directory(inner.clone());
    fs::create_dir(&inner).expect("made");
    made.put("a", "here", START_MS + 210);
    assert_eq!(watch.tick(), ["here"]);
    assert_eq!(watch.messages.count("can be listed again"), 1);
    fs::remove_dir_all(&inner).expect("removed");
    watch.tick();
    assert_eq!(watch.messages.count("cannot list"), 2, "told again");
    // Two at the beginning, one at the tick, one at the stop.
    assert_eq!(watch.stop()["listing_failures"], 4);
}

/// A stream of files and, before it, an output that removes or changes what was listed.
fn with_mischief(directory: &Directory, mischief: impl Fn(u64) + Send + Sync + 'static) -> Watch {
    let bench = Bench::new(Settings::default());
    let messages = Arc::new(Messages::default());
    bench.context.add_listener(messages.clone());
    let (_feed, other) = bench.context.queue_stream::<u64>();
    let batch_number = AtomicU64::new(0);
    other.for_each_batch(move |_| mischief(batch_number.fetch_add(1, Ordering::Relaxed)));
    let stream = bench.context.text_file_stream(&directory.0);
    let seen = collect(&stream, |line| String::from_utf8_lossy(line).into_owned());
    bench.context.start().expect("starts");
    Watch { bench, messages, seen }
}

#[test]
fn a_file_that_vanished_fails_its_batch_by_name_and_is_offered_again() {
    let directory = Directory::new("vanished");
    let (path, aside) = (directory.path("a"), directory.path(".aside"));
    let mut watch = with_mischief(&directory, move |batch| match batch {
        0 => fs::rename(&path, &aside).expect("moved away"),
        1 => fs::rename(&aside, &path).expect("moved back"),
        _ => {}
    });
    directory.put("a", "found", START_MS + 50);
    directory.put("b", "of the failed batch", START_MS + 50);
    assert!(watch.tick().is_empty());
    let Some(EngineError::Batch { time_ms: 1100, operator, problem }) = watch.bench.reports()[0].failure.clone() else {
        panic!("{:?}", watch.bench.reports()[0].failure)
    };
    assert!(operator.starts_with("text_file_stream at ") && operator.contains("directory.rs"), "{operator}");
    assert!(problem.contains("/a: ") && problem.contains("No such file"), "{problem}");
    assert!(watch.tick().is_empty(), "it is not there yet");
    assert_eq!(watch.tick(), ["found"]);
    assert!(watch.tick().is_empty());
    assert_eq!(watch.bench.reports().iter().filter(|report| report.failure.is_some()).count(), 1);
    assert_eq!(watch.stop()["unread_files"], 1);
}

#[test]
fn a_file_is_read_as_long_as_it_was_when_listed() {
    let directory = Directory::new("length");
    let (longer, shorter, pipe) = (directory.path("longer"), directory.path("shorter"), directory.path("pipe"));
    let mut watch = with_mischief(&directory, move |batch| match batch {
        0 => File::options().append(true).open(&longer).and_then(|mut file| file.write_all(b"more\n")).expect("room"),
        1 => File::options().write(true).open(&shorter).and_then(|file| file.set_len(3)).expect("cut"),
        2 => {
            fs::remove_file(&pipe).expect("removed");
            assert!(Command::new("mkfifo").arg(&pipe).status().expect("coreutils").success());
        }
        _ => {}
    });
    directory.put("longer", "one\n", START_MS + 50);
    assert_eq!(watch.tick(), ["one"]);
    fs::remove_file(directory.path("longer")).expect("removed");
    directory.put("shorter", "one\ntwo\n", START_MS + 150);
    directory.put("pipe", "", START_MS + 250);
    watch.tick();
    fs::remove_file(directory.path("shorter")).expect("removed");
    watch.tick();
    let failures: Vec<String> = watch.bench.reports().iter().map(|report| format!("{:?}", report.failure)).collect();
    assert_eq!(failures[0], "None");
    assert!(failures[1].contains("had 8 bytes when it was listed and has 3 now"), "{}", failures[1]);
    assert!(failures[2].contains("no plain file any more"), "{}", failures[2]);
}

#[test]
fn records_count_once_however_many_outputs_read_them() {
    let directory = Directory::new("books");
    let mut bench = Bench::new(Settings::default());
    let (feed, other) = bench.context.queue_stream::<u64>();
    let files = bench.context.text_file_stream(&directory.0);
    let seen = [collect(&files.count(), |count| count), collect(&files.count(), |count| count)];
    let failing = files.map::<u64>(|line| if line == b"bad" { panic!("bad") } else { 0 });
    collect(&failing, |zero| zero);
    collect(&other.count(), |count| count);
    bench.context.start().expect("starts");
    directory.put("a", "1\n22\n333", START_MS + 10);
    directory.put("b", "4\r\n", START_MS + 20);
    directory.put("empty", "", START_MS + 30);
    feed.push([7u64]).expect("not stopped");
    bench.tick();
    directory.put("c", "5\nbad", START_MS + 110);
    bench.tick();
    assert!(seen.iter().all(|seen| *seen.lock().expect("no panic") == [[4], [2]]));
    let (first, second) = (&bench.reports()[0], &bench.reports()[1]);
    assert_eq!((first.records, first.bytes, first.blocks), (5, 8 + 11, 4));
    assert_eq!((second.records, second.bytes, second.blocks), (2, 6, 1));
    assert!(second.failure.is_some());
    // Of the records of a file it is known when the file was modified.
    let mut stamps: Vec<_> = first.stamps.iter().map(|stamp| (stamp.records, stamp.last_ns - START_NS)).collect();
    stamps.sort_unstable();
    assert_eq!(stamps, [(1, 0), (1, 20_000_000), (3, 10_000_000)]);
    let stopped = bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!((stopped.accepted, stopped.unfinished), (7, 2));
    assert_eq!(stopped.input, [("crlf", 1)]);
}

#[test]
fn long_files_come_in_pieces_and_long_lines_are_counted() {
    let directory = Directory::new("pieces");
    let mut watch = Watch::new(&directory.0, DirectoryOptions::default());
    let mut expected: Vec<String> = (0..300_000).map(|number| format!("line {number}")).collect();
    expected.insert(100_000, "x".repeat(1_500_000));
    let mut text = expected.join("\n");
    text += &format!("\n{}\nlast", "y".repeat(3_000_000));
    expected.push("last".into());
    expected.sort();
    directory.put("long", &text, START_MS + 50);
    assert!(watch.tick() == expected, "the lines differ");
    assert_eq!(watch.stop()["too_long"], 1);
}

#[test]
fn files_that_are_moved_in_while_it_runs_are_read_once_each() {
    let directory = Directory::new("mv");
    let outside = Directory::new("mv-from");
    let live = Live::new(quick());
    let lines = Lines::of(&live.context.text_file_stream(&directory.0));
    live.context.start().expect("starts");
    // The file system's clock may lag behind by some milliseconds; a file of that time would be older than the stream.
    std::thread::sleep(Duration::from_millis(30));
    let mut expected = Vec::new();
    for number in 0..20 {
        let name = format!("part-{number:02}");
        fs::write(outside.path(&name), format!("{number}\n")).expect("written");
        let moved = Command::new("mv").arg(outside.path(&name)).arg(directory.path(&name)).status().expect("coreutils");
        assert!(moved.success());
        expected.push(number.to_string());
    }
    wait_for("all files", || lines.all().len() >= 20);
    live.stop();
    let mut seen = lines.all();
    seen.sort_by_key(|line| line.parse::<u64>().expect("a number"));
    assert_eq!(seen, expected);
    assert!(live.messages.all().is_empty(), "{:?}", live.messages.all());
}

#[test]
fn bytes_of_files_make_no_room_for_senders() {
    let directory = Directory::new("room");
    let bench = Bench::new(Settings { memory_limit_bytes: 1 << 20, ..Settings::default() });
    let (feed, others) = bench.context.queue_stream_one_at_a_time::<downbeat_engine::record::Text>();
    let files = bench.context.text_file_stream(&directory.0);
    let seen = collect(&files.count(), |count| count);
    collect(&others.count(), |count| count);
    directory.put("long", "line\n".repeat(400_000), START_MS + 50);
    let line = vec![b'x'; 300_000];
    // Three pushes fit; the first batch takes one of them, and 2 MB of lines.
    (0..3).for_each(|_| feed.push([&line[..]]).expect("not stopped"));
    bench.context.start().expect("starts");
    bench.clock.advance_to(START_NS + INTERVAL_NS);
    assert_eq!(*seen.lock().expect("no panic"), [[400_000]]);
    let pusher = std::thread::spawn(move || (0..2).filter(|_| feed.push([&line[..]]).is_ok()).count());
    std::thread::sleep(Duration::from_millis(60));
    assert!(!pusher.is_finished(), "one push fits, not two");
    bench.clock.advance_to(START_NS + 2 * INTERVAL_NS);
    assert_eq!(pusher.join().expect("no panic"), 2);
}
