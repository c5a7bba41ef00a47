//! Lines from a real TCP peer.

use crate::bench::{Reports, collect_counts, plain_counts};
use crate::live::{Lines, Live, Messages, quick, wait_for};
use downbeat_engine::StreamingContext;
use downbeat_engine::record::Text;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

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
    assert!(messages.count("closed the connection; connecting again") > 0);
}

#[test]
fn several_peers_are_one_source_and_each_keeps_its_order() {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    let addresses = listeners.each_ref().map(|listener| listener.local_addr().expect("bound").to_string());
    let context = StreamingContext::new(quick()).expect("works");
    let lines = context.socket_text_stream_of(&addresses.each_ref().map(String::as_str));
    let seen: Arc<std::sync::Mutex<Vec<Vec<u8>>>> = Arc::default();
    let all = seen.clone();
    lines.for_each_batch(move |batch| batch.for_each(|line| all.lock().expect("no panic").push(line.to_vec())));
    context.start().expect("starts");
    let mut peers = listeners.each_ref().map(|listener| listener.accept().expect("connects").0);
    for number in 0..50 {
        for (peer, stream) in peers.iter_mut().enumerate() {
            writeln!(stream, "{peer} {number}").expect("connected");
        }
    }
    wait_for("all lines", || seen.lock().expect("no panic").len() == 150);
    let report = context.stop(Duration::from_secs(5)).expect("stops");
    assert!(report.accepted == 150 && report.input.contains(&("connections", 3)), "{report:?}");
    for peer in 0..3 {
        let seen = seen.lock().expect("no panic");
        let of_peer = seen.iter().filter(|line| line.starts_with(format!("{peer} ").as_bytes()));
        assert!(of_peer.eq((0..50).map(|number| format!("{peer} {number}").into_bytes()).collect::<Vec<_>>().iter()));
    }
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
    wait_for("a second try", || messages.count("cannot connect") >= 2);
    let listener = TcpListener::bind(address).expect("still free");
    let (mut peer, _) = listener.accept().expect("connects at last");
    peer.write_all(b"here\n").expect("connected");
    wait_for("the line", || seen.lock().expect("no panic").iter().flatten().count() == 1);
    context.stop(Duration::from_secs(5)).expect("stops");
}

/// `nc -lk`, which serves one peer after another and sends it what this process writes.
struct Netcat {
    process: Child,
    address: String,
}

impl Netcat {
    fn new() -> Self {
        let mut command = Command::new("nc");
        command.args(["-v", "-n", "-l", "-k", "127.0.0.1", "0"]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut process = command.spawn().expect("nc is installed (Debian: netcat-openbsd)");
        let mut told = String::new();
        let mut errors = BufReader::new(process.stderr.take().expect("piped"));
        errors.read_line(&mut told).expect("it says where it listens");
        let port = told.trim().rsplit(' ').next().and_then(|port| port.parse::<u16>().ok());
        let address = format!("127.0.0.1:{}", port.unwrap_or_else(|| panic!("no port in {told:?}")));
        // It says more with each connection; unread it would fill the pipe and block.
        std::thread::spawn(move || errors.lines().count());
        Netcat { process, address }
    }

    fn send(&mut self, text: &str) {
        self.process.stdin.as_mut().expect("piped").write_all(text.as_bytes()).expect("nc takes it");
    }
}

impl Drop for Netcat {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

#[test]
fn netcat_sends_lines_and_its_death_is_told() {
    let mut netcat = Netcat::new();
    let live = Live::new(quick());
    let lines = Lines::of(&live.context.socket_text_stream(&netcat.address));
    live.context.start().expect("starts");
    wait_for("the connection", || live.messages.count("connected to") == 1);
    netcat.send("to be\nor not\n");
    lines.wait_for(&["to be", "or not"]);
    netcat.send("to b");
    drop(netcat);
    wait_for("the end of nc", || live.messages.count("connecting again") == 1);
    wait_for("another try", || live.messages.count("cannot connect") >= 1);
    // As Spark's reader does: what is left without a line end is a line.
    let all = lines.all();
    assert!(all == ["to be", "or not"] || all == ["to be", "or not", "to b"], "{all:?}");
    live.stop();
}

#[test]
fn a_name_without_address_is_told_and_tried_again() {
    let live = Live::new(quick());
    Lines::of(&live.context.socket_text_stream("no..such.name.invalid:9"));
    live.context.start().expect("starts");
    wait_for("the second try", || live.messages.count("cannot connect to no..such.name.invalid:9") >= 2);
    live.stop();
}

#[test]
fn lines_over_ip_version_6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let live = Live::new(quick());
    let address = listener.local_addr().expect("bound").to_string();
    let lines = Lines::of(&live.context.socket_text_stream(&address));
    live.context.start().expect("starts");
    let (mut peer, _) = listener.accept().expect("connects");
    peer.write_all(b"six\n").expect("connected");
    lines.wait_for(&["six"]);
    live.stop();
}
