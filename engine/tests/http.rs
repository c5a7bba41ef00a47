//! Lines over HTTP from real servers on loopback: good ones, and ones that drop, stall, refuse and talk nonsense.

use crate::live::{Lines, Live, quick, wait_for};
use downbeat_engine::source::{Backoff, HttpOptions};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const TOKEN: &str = "AAAAt0ps3cret%3D";
const OK: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// A server that answers each connection with the next of its answers, and drops it then.
struct Server {
    address: String,
    /// Heads of requests, in order.
    requests: Arc<Mutex<Vec<String>>>,
    thread: JoinHandle<()>,
}

/// What a server does with a connection once it has read the request.
type Answer = Box<dyn FnOnce(&mut TcpStream) + Send>;

fn say(text: impl AsRef<[u8]> + Send + 'static) -> Answer {
    Box::new(move |peer| drop(peer.write_all(text.as_ref())))
}

/// Says something and holds the connection open until the peer closes it.
fn say_and_hold(text: impl AsRef<[u8]> + Send + 'static) -> Answer {
    Box::new(move |peer| {
        drop(peer.write_all(text.as_ref()));
        hold(peer);
    })
}

fn hold(peer: &mut TcpStream) {
    drop(std::io::copy(peer, &mut std::io::sink()));
}

impl Server {
    fn new(answers: Vec<Answer>) -> Self {
        Server::at("127.0.0.1:0", answers)
    }

    fn at(address: &str, answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind(address).expect("a free port");
        let address = listener.local_addr().expect("bound").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let into = requests.clone();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut peer, _) = listener.accept().expect("a peer");
                into.lock().expect("no panic").push(read_request(&peer));
                answer(&mut peer);
            }
        });
        Server { address, requests, thread }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests, after all answers were given.
    fn finish(self) -> Vec<String> {
        self.thread.join().expect("no panic");
        std::mem::take(&mut *self.requests.lock().expect("no panic"))
    }
}

fn read_request(peer: &TcpStream) -> String {
    let lines = BufReader::new(peer).lines().map(|line| line.expect("a request"));
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn chunk(text: &str) -> String {
    format!("{:x}\r\n{text}\r\n", text.len())
}

/// Pauses of a few milliseconds.
fn hasty() -> HttpOptions {
    let (first, most) = (Duration::from_millis(2), Duration::from_millis(20));
    HttpOptions {
        backoff: Backoff {
            network_step: first,
            network_most: most,
            http_first: first,
            http_most: most,
            rate_limited_first: first,
            rate_limited_most: most,
        },
        ..HttpOptions::default()
    }
}

struct Stream {
    live: Live,
    lines: Lines,
}

impl Stream {
    fn new(url: &str, options: HttpOptions) -> Self {
        let live = Live::new(quick());
        let lines = Lines::of(&live.context.http_lines_stream(url, options));
        live.context.start().expect("starts");
        Stream { live, lines }
    }

    fn stop(self) -> BTreeMap<&'static str, u64> {
        self.live.stop()
    }
}

#[test]
fn a_dropped_connection_loses_the_broken_line_alone() {
    let server = Server::new(vec![
        // Byte by byte, so that reads cut it anywhere.
        Box::new(|peer| {
            peer.set_nodelay(true).expect("a socket");
            let body =
                [chunk("{\"n\":1}\r\n"), chunk("\r\n"), chunk("{\"n\""), chunk(":2}\r\n{\"n\":"), "5\r\n3}".into()];
            for byte in [OK, &body.concat()].concat().bytes() {
                peer.write_all(&[byte]).expect("connected");
            }
        }),
        say([OK, &chunk("\r\n\r\n"), &chunk("{\"n\":4}\n{\"n\":5}"), "0\r\n\r\n"].concat()),
        say_and_hold([OK, &chunk("{\"n\":6}\n"), &chunk("this line has more than twenty bytes\n{\"n\":7}\n")].concat()),
    ]);
    let options =
        HttpOptions { bearer_token: Some(TOKEN.into()), headers: vec![("X-Rules".into(), "all".into())], ..hasty() };
    let stream = Stream::new(&server.url("/2/tweets?expansions=x"), options);
    let expected = [1, 2, 4, 5, 6, 7].map(|number| format!("{{\"n\":{number}}}"));
    stream.lines.wait_for(&expected.each_ref().map(String::as_str));
    let messages = stream.live.messages.clone();
    let counts = stream.stop();
    let expected = [("connections", 3), ("crlf", 5), ("keep_alives", 3), ("too_long", 1), ("truncated", 1)];
    assert_eq!(counts, BTreeMap::from(expected));
    assert_eq!(messages.count("the peer closed the connection within the response; connecting again in 2ms"), 1);
    assert_eq!(messages.count("the response has ended; connecting again in 2ms"), 1);
    let address = server.address.clone();
    for request in server.finish() {
        assert!(request.starts_with("GET /2/tweets?expansions=x HTTP/1.1\n"), "{request}");
        for header in [format!("Host: {address}"), format!("Authorization: Bearer {TOKEN}"), "X-Rules: all".into()] {
            assert!(request.lines().any(|line| line == header), "{header} in {request}");
        }
    }
    assert_eq!(messages.count(TOKEN) + messages.count("expansions"), 0, "{:?}", messages.all());
}

#[test]
fn refusals_are_told_with_their_reason_and_back_off_by_kind() {
    let body = format!("\n{{\"title\":\"Unauthorized\", \"token\":\"{TOKEN}\"}}\nmore");
    let server = Server::new(vec![
        say(format!("HTTP/1.1 401 Unauthorized\r\nContent-Length: {}\r\n\r\n{body}", body.len())),
        say("HTTP/1.1 503 Service\x1b[31m Unavailable\r\n\r\n"),
        say("HTTP/1.1 503 Service Unavailable\r\n\r\nbusy\x07"),
        say(format!("HTTP/1.1 429 Too Many Requests\r\n{}", &OK["HTTP/1.1 200 OK\r\n".len()..])
            + &chunk("slow down")
            + "0\r\n\r\n"),
        say("HTTP/1.1 420 Enhance Your Calm\r\n\r\n"),
        say("HTTP/1.1 301 Moved\r\nLocation: http://other/\r\n\r\n"),
        say("HTTP/1.1 204 No Content\r\n\r\n"),
        say_and_hold("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\nat last\n"),
    ]);
    let mut options = HttpOptions { bearer_token: Some(TOKEN.into()), ..hasty() };
    options.backoff.rate_limited_first = Duration::from_millis(7);
    let stream = Stream::new(&server.url("/"), options);
    stream.lines.wait_for(&["at last"]);
    let (messages, url) = (stream.live.messages.clone(), server.url("/"));
    let counts = stream.stop();
    // The second 503 has the byte 0x1b in its reason, which no reason may have.
    assert_eq!((counts["http_errors"], counts["malformed"], counts["connections"]), (6, 1, 1));
    let again = "; connecting again in ";
    let expected = [
        format!(
            "the server answered 401 Unauthorized: {{\"title\":\"Unauthorized\", \"token\":\"…\"}} (is the bearer token right, and may it read this?){again}2ms"
        ),
        format!("the answer is no HTTP response: invalid response status{again}4ms"),
        format!("the server answered 503 Service Unavailable: busy\\u{{7}}{again}8ms"),
        format!(
            "the server answered 429 Too Many Requests: slow down (too many connections: is another program using this token?){again}7ms"
        ),
        format!(
            "the server answered 420 Enhance Your Calm (too many connections: is another program using this token?){again}14ms"
        ),
        format!("the server answered 301 Moved (redirections are not followed: give the URL they lead to){again}2ms"),
        format!("the server answered 204 No Content{again}4ms"),
        "connected".to_owned(),
    ];
    assert_eq!(messages.all(), expected.map(|message| format!("{url}: {message}")));
    server.finish();
}

#[test]
fn nonsense_is_counted_and_the_next_connection_is_tried() {
    let endless_head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(100_000));
    let many_interim = "HTTP/1.1 100 Continue\r\n\r\n".repeat(1000);
    let server = Server::new(vec![
        say(b"\x16\x03\x01\x02\x00\x01\x00".as_slice()),
        say("SSH-2.0-OpenSSH_9.9\r\n"),
        say(endless_head),
        say(many_interim),
        say("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n"),
        say([OK, &chunk("a\n"), "zz\r\nb\n\r\n"].concat()),
        say([OK, "3\r\nb\nhalf\r\n"].concat()),
        say([OK, "ffffffffffffffff\r\n"].concat()),
        say(""),
        say_and_hold([OK, &chunk("c\n")].concat()),
    ]);
    let stream = Stream::new(&server.url("/"), hasty());
    stream.lines.wait_for(&["a", "b", "c"]);
    let messages = stream.live.messages.clone();
    let counts = stream.stop();
    assert_eq!((counts["malformed"], counts["connections"], counts["truncated"]), (8, 4, 1));
    for (told, times) in [
        ("the answer is no HTTP response", 2),
        ("the head of the answer has more than 16384 bytes", 2),
        ("encoded as \"gzip\"", 1),
        ("the framing of the body is broken", 3),
        ("the peer closed the connection before it answered", 1),
    ] {
        assert_eq!(messages.count(told), times, "{told}: {:?}", messages.all());
    }
    server.finish();
}

#[test]
fn a_silent_connection_is_given_up_and_signs_of_life_keep_it() {
    let idle = Duration::from_millis(500);
    let server = Server::new(vec![
        say_and_hold(""),
        say_and_hold([OK, &chunk("a\nhalf")].concat()),
        Box::new(|peer| {
            peer.write_all(OK.as_bytes()).expect("connected");
            // Far longer than the idle time, but never silent for so long.
            for _ in 0..25 {
                std::thread::sleep(Duration::from_millis(30));
                peer.write_all(chunk("\r\n").as_bytes()).expect("still connected");
            }
            peer.write_all(chunk("b\n").as_bytes()).expect("still connected");
            hold(peer);
        }),
    ]);
    let stream = Stream::new(&server.url("/"), HttpOptions { idle_timeout: idle, ..hasty() });
    stream.lines.wait_for(&["a", "b"]);
    let messages = stream.live.messages.clone();
    let counts = stream.stop();
    assert_eq!((counts["stalls"], counts["keep_alives"], counts["truncated"]), (2, 25, 1));
    assert_eq!(messages.count("no byte came for 500ms, so the connection has stalled"), 2);
    server.finish();
}

#[test]
fn counted_bodies_and_bodies_that_end_with_the_connection() {
    let server = Server::new(vec![
        say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\na\nb\r\nnot part of it\n"),
        say("HTTP/1.0 200 OK\r\n\r\nc\nd"),
        say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ne\nhalf"),
        say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        say_and_hold("HTTP/1.1 200 OK\r\n\r\nf\n"),
    ]);
    let stream = Stream::new(&server.url("/"), hasty());
    stream.lines.wait_for(&["a", "b", "c", "d", "e", "f"]);
    assert_eq!(stream.stop()["truncated"], 1);
    server.finish();
}

#[test]
fn a_stop_waits_neither_for_a_silent_server_nor_for_a_pause() {
    let server =
        Server::new(vec![say_and_hold([OK, &chunk("a\n")].concat()), say("HTTP/1.1 429 Too Many Requests\r\n\r\n")]);
    let url = server.url("/");
    for (wanted, options) in [("connected", hasty()), ("connecting again in 60s", HttpOptions::default())] {
        let stream = Stream::new(&url, options);
        wait_for(wanted, || stream.live.messages.count(wanted) == 1);
        let began = Instant::now();
        stream.stop();
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    }
    server.finish();
}

#[test]
fn what_cannot_be_asked_for_is_refused_at_the_start() {
    let bad_token = HttpOptions { bearer_token: Some("secret\n".into()), ..HttpOptions::default() };
    for (url, options, says) in [
        ("https://api.example.com/stream", HttpOptions::default(), "a proxy on this machine that ends TLS"),
        ("http://user:secret@h/", HttpOptions::default(), "user name"),
        ("localhost:80", HttpOptions::default(), "no scheme"),
        ("http://h/", bad_token, "bearer token"),
    ] {
        let live = Live::new(quick());
        Lines::of(&live.context.http_lines_stream(url, options));
        let error = live.context.start().expect_err("refused").to_string();
        assert!(error.starts_with("http_lines_stream at ") && error.contains(says), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

#[test]
fn a_name_without_address_and_a_closed_port_are_told_and_harm_no_other_stream() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let live = Live::new(quick());
    let nowhere = Lines::of(&live.context.http_lines_stream("http://no..such.name.invalid/", hasty()));
    Lines::of(&live.context.http_lines_stream(&format!("http://{closed}/"), hasty()));
    let (feed, others) = live.context.queue_stream::<downbeat_engine::record::Text>();
    let others = Lines::of(&others);
    live.context.start().expect("starts");
    wait_for("three tries of both", || {
        live.messages.count("no..such.name.invalid/: cannot connect") >= 3
            && live.messages.count(&format!("http://{closed}/: cannot connect")) >= 3
    });
    feed.push([&b"fine"[..]]).expect("not stopped");
    others.wait_for(&["fine"]);
    assert!(!live.context.await_termination_or_timeout(Duration::ZERO).expect("nothing failed"));
    live.stop();
    assert!(nowhere.all().is_empty());
}

#[test]
fn http_over_ip_version_6() {
    if TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let server = Server::at("[::1]:0", vec![say_and_hold([OK, &chunk("six\n")].concat())]);
    let stream = Stream::new(&server.url("/"), hasty());
    stream.lines.wait_for(&["six"]);
    stream.stop();
    assert!(server.address.starts_with("[::1]:"));
    server.finish();
}
