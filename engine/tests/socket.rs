//! Lines from a real TCP peer.

use crate::bench::{Reports, collect_counts, plain_counts};
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::Text;
use downbeat_engine::{Settings, StreamingContext};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

#[derive(Default)]
struct Messages(Mutex<Vec<String>>);

impl BatchListener for Messages {
    fn batch_completed(&self, _: &BatchReport) {}
    fn source_reported(&self, source: &str, message: &str) {
        self.0.lock().expect("no panic").push(format!("{source}: {message}"));
    }
}

fn quick() -> Settings {
    Settings { restart_delay_ns: 5_000_000, line_limit_bytes: 20, ..Settings::default() }
        .interval(Duration::from_millis(5))
}

fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn lines_are_counted_over_reconnections_and_ugly_input() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound").to_string();
    let context = StreamingContext::new(quick()).expect("works");
    let lines = context.socket_text_stream(&address);
    let seen = collect_counts(&lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b));
    let (reports, messages) = (Arc::new(Reports::default()), Arc::new(Messages::default()));
    context.add_listener(reports.clone());
    context.add_listener(messages.clone());
    context.start().expect("starts");
    let pieces: [&[u8]; 2] = [b"one two\r\nthree\rfo", b"ur\n\nthis line is longer than twenty bytes\nlast \xff"];
    for piece in pieces {
        let (mut peer, _) = listener.accept().expect("connects again");
        // In the smallest pieces that TCP can make of it.
        peer.set_nodelay(true).expect("a socket");
        for byte in piece {
            peer.write_all(&[*byte]).expect("connected");
        }
    }
    let records = || reports.0.lock().expect("no panic").iter().map(|report| report.records).sum::<u64>();
    wait_for("all lines", || records() == 6);
    let report = context.stop(Duration::from_secs(5)).expect("stops");
    let mut input: BTreeMap<_, _> = report.input.into_iter().collect();
    // The backlog of the listener may take one more.
    assert!(input.remove("connections").is_some_and(|connections| connections >= 2));
    let expected = [("crlf", 1), ("empty", 1), ("invalid_utf8", 1), ("lone_cr", 1), ("too_long", 1)];
    assert_eq!(input, BTreeMap::from(expected));
    let mut totals = BTreeMap::new();
    for (word, count) in seen.lock().expect("no panic").iter().flatten() {
        *totals.entry(word.clone()).or_insert(0) += count;
    }
    let words: Vec<(String, u64)> = totals.into_iter().collect();
    assert_eq!(words, plain_counts(["one two three fo ur last \u{FFFD}"]));
    assert!(
        messages
            .0
            .lock()
            .expect("no panic")
            .iter()
            .any(|message| message.contains("closed the connection; connecting again"))
    );
}

#[test]
fn nobody_listening_is_said_and_tried_again() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("bound")
    };
    let context = StreamingContext::new(quick()).expect("works");
    let seen = collect_counts(&context.socket_text_stream(&address.to_string()).count_by_value());
    let messages = Arc::new(Messages::default());
    context.add_listener(messages.clone());
    context.start().expect("starts");
    let refused =
        || messages.0.lock().expect("no panic").iter().filter(|message| message.contains("cannot connect")).count();
    wait_for("a second try", || refused() >= 2);
    let listener = TcpListener::bind(address).expect("still free");
    let (mut peer, _) = listener.accept().expect("connects at last");
    peer.write_all(b"here\n").expect("connected");
    wait_for("the line", || seen.lock().expect("no panic").iter().flatten().count() == 1);
    context.stop(Duration::from_secs(5)).expect("stops");
}
