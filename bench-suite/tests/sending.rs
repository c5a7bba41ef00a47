//! `downbeat load`: what it sends, and that it tells the truth about readers that are slow or gone.

use crate::command::{Ended, Place, is_a_verdict};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const SMALL: &str = "--ring 1MiB --format json --listen 127.0.0.1:0";

/// A sender that listens.
struct Sender {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    address: String,
}

impl Sender {
    fn start(place: &Place, arguments: &str) -> Self {
        let mut command = place.command(&format!("load {arguments} {SMALL}"));
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("{line}")).to_owned();
        Sender { child, stderr, address }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        // A sender that never ends is a failure, not a hang.
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    fn end(mut self) -> Ended {
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        let mut ended = Ended::of(self.child.wait_with_output().unwrap());
        ended.stderr = stderr;
        ended
    }
}

fn read_all(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).unwrap();
    bytes
}

fn number(summary: &Value, name: &str) -> u64 {
    summary[name].as_u64().unwrap_or_else(|| panic!("{name}: {summary}"))
}

#[test]
fn shards_together_send_the_lines_of_one() {
    let place = Place::new();
    let send = |shard: &str| {
        let sender = Sender::start(&place, &format!("word-count --rate 50k/s --count 3000 {shard}"));
        let bytes = read_all(sender.connect());
        let ended = sender.end();
        assert_eq!(ended.code, 0, "{ended:?}");
        let lines: Vec<String> = String::from_utf8(bytes.clone()).unwrap().lines().map(str::to_owned).collect();
        let summary = ended.json();
        assert_eq!(number(&summary, "records"), lines.len() as u64);
        assert_eq!((number(&summary, "bytes"), number(&summary, "undelivered_records")), (bytes.len() as u64, 0));
        assert_eq!(number(&summary, "planned_records"), lines.len() as u64);
        assert!(summary["finished"] == true && summary["read_to_end"] == true, "{summary}");
        (lines, summary["schedule_hash"].clone())
    };
    let (whole, hash) = send("");
    assert_eq!(whole.len(), 3000);
    for shard in 0..3 {
        let (lines, hash_of_shard) = send(&format!("--shard {}/3", shard + 1));
        let expected: Vec<&String> = whole.iter().skip(shard).step_by(3).collect();
        assert!(lines.iter().eq(expected), "shard {shard}");
        assert_eq!(hash_of_shard, hash, "the load is the same");
    }
}

#[test]
fn a_slow_reader_is_waited_for_and_the_time_is_told() {
    let place = Place::new();
    // 25 MB, more than both ends of a connection hold.
    let sender = Sender::start(&place, "word-count --rate 1M/s --count 400000");
    let stream = sender.connect();
    std::thread::sleep(Duration::from_millis(1500));
    let lines = read_all(stream).iter().filter(|byte| **byte == b'\n').count() as u64;
    let ended = sender.end();
    let summary = ended.json();
    assert_eq!((ended.code, lines), (0, 400_000), "{ended:?}");
    assert_eq!((number(&summary, "records"), number(&summary, "undelivered_records")), (400_000, 0));
    let blocked_ns = number(&summary, "blocked_ns");
    assert!(blocked_ns > 100_000_000, "{summary}");
    assert!(
        number(&summary["lateness_ns"], "max") >= blocked_ns / 2,
        "records were late, whoever was to blame: {summary}"
    );
    assert!(number(&summary["pacing_error_ns"], "max") < blocked_ns, "{summary}");
}

#[test]
fn what_comes_due_without_a_reader_is_counted_and_the_next_reader_gets_the_rest() {
    let place = Place::new();
    let sender = Sender::start(&place, "word-count --rate 20k/s --count 20000");
    let mut first = BufReader::new(sender.connect());
    let mut line = String::new();
    first.read_line(&mut line).unwrap();
    drop(first);
    std::thread::sleep(Duration::from_millis(200));
    let rest = read_all(sender.connect()).iter().filter(|byte| **byte == b'\n').count() as u64;
    let ended = sender.end();
    let summary = ended.json();
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.stderr.contains("the reader has gone") && ended.stderr.contains("were not delivered"), "{ended:?}");
    let (records, undelivered) = (number(&summary, "records"), number(&summary, "undelivered_records"));
    assert_eq!((records + undelivered, number(&summary, "connections")), (20_000, 2));
    assert!(undelivered > 0 && rest > 0 && rest < records, "{rest} of {summary}");
}

#[test]
fn ctrl_c_ends_it_with_the_summary() {
    let place = Place::new();
    let sender = Sender::start(&place, "hashtags --rate 10k/s --arrivals poisson");
    let mut stream = BufReader::new(sender.connect());
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    sender.interrupt();
    let rest = read_all(stream.into_inner());
    let ended = sender.end();
    let summary = ended.json();
    assert_eq!(
        (ended.code, &summary["finished"], &summary["planned_records"]),
        (130, &Value::Bool(false), &Value::Null)
    );
    assert!(number(&summary, "records") > 0 && number(&summary, "bytes") >= rest.len() as u64, "{summary}");
    let idle = Sender::start(&place, "null");
    idle.interrupt();
    let ended = idle.end();
    assert_eq!((ended.code, number(&ended.json(), "records")), (130, 0), "nobody ever connected");
}

#[test]
fn a_run_reads_what_several_loads_send() {
    let place = Place::new();
    let load = "word-count --rate 5k/s --duration 400ms --arrivals ramp(0,2,over=200ms)";
    let senders = [1, 2].map(|shard| Sender::start(&place, &format!("{load} --shard {shard}/2")));
    let sources = senders.each_ref().map(|sender| format!("--source tcp://{}", sender.address)).join(" ");
    // Longer than the load, so that all of it is read.
    let run = "--interval 20ms --batches 75 --warmup 5 --no-profile --format json --out r";
    let ended = place.run(&format!("run word-count {sources} {run}"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    let record = ended.json();
    assert_eq!(record["schedule"]["arrivals"], "external");
    let sent: Vec<Value> = senders.map(Sender::end).iter().map(Ended::json).collect();
    let records: u64 = sent.iter().map(|summary| number(summary, "records")).sum();
    assert_eq!(
        (records, &record["integrity"]["accepted"], &record["integrity"]["committed"]),
        (2000, &records.into(), &records.into())
    );
    assert!(sent.iter().all(|summary| summary["read_to_end"] == true), "{sent:?}");
}

#[test]
fn a_rate_above_the_ceiling_is_refused_before_anything_is_measured() {
    let place = Place::new();
    let ended = place.run("run null --rate 1000000M/s --ring 1MiB --out r");
    assert!(ended.code == 2 && ended.stdout.is_empty() && place.is_empty(), "{ended:?}");
    assert!(ended.stderr.contains("1,000,000,000,000 rec/s is more than the generator itself can send"), "{ended:?}");
    let record = place.run("run null --rate 1k/s --ring 1MiB --interval 20ms --batches 20 --warmup 0 --no-profile --format json --out r").json();
    let ceiling_per_s = record["schedule"]["ceiling_per_s"].as_f64().unwrap();
    assert!(ceiling_per_s > 1000.0 && ceiling_per_s < 1e12, "{ceiling_per_s}");
}

#[test]
fn what_cannot_be_sent_is_refused() {
    let place = Place::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for (arguments, code, named) in [
        (format!("load null --listen {address}"), 7, "--listen"),
        ("load null --listen nowhere".into(), 7, "cannot listen on nowhere"),
        ("load nul".into(), 2, "did you mean `null`"),
        ("load null --shard 4/3".into(), 2, "K/N"),
        ("load null --count 0".into(), 2, "--count"),
        ("load null --set threads=2".into(), 2, "threads is given"),
        ("load null --rate 0/s".into(), 2, "more than zero"),
        ("load null --arrivals ramp(1)".into(), 2, "ramp(FROM,TO)"),
        ("load null --arrivals replay(missing)".into(), 7, "missing"),
        ("load null --keys growing(1,2,3)".into(), 2, "text = live"),
        ("load null --input missing".into(), 7, "missing"),
        ("load null --threads 2".into(), 2, "unknown flag"),
        ("run null --source tcp://a:1 --source tcp://a:1".into(), 2, "given twice"),
    ] {
        let ended = place.run(&arguments);
        assert!(ended.code == code && ended.stderr.contains(named), "{arguments}: {ended:?}");
        assert!(ended.stdout.is_empty() && place.is_empty());
    }
}
