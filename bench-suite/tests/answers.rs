//! Final answers equal an independent count, whatever way the lines came.

use crate::command::{Ended, Place, is_a_verdict};
use std::collections::BTreeMap;
use std::io::Write;
use std::net::TcpListener;

/// `count<TAB>word` lines, by count descending, then word, as `tr | sort | uniq -c` would have them.
fn counted(text: &[u8]) -> Vec<u8> {
    let mut counts: BTreeMap<&[u8], u64> = BTreeMap::new();
    let words = text.split(|byte| matches!(byte, b'\t'..=b'\r' | b' ')).filter(|word| !word.is_empty());
    words.for_each(|word| *counts.entry(word).or_default() += 1);
    let mut rows: Vec<(&[u8], u64)> = counts.into_iter().collect();
    rows.sort_by_key(|(word, count)| (std::cmp::Reverse(*count), *word));
    rows.iter().flat_map(|(word, count)| [count.to_string().as_bytes(), b"\t", word, b"\n"].concat()).collect()
}

/// Lines with every oddity that text can have.
fn odd_text() -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..2_000_u32 {
        text.extend(format!("word{} the {} x\n", line % 37, line % 5).bytes());
    }
    text.extend(
        b"carriage return\r\nlone\rreturn\n\n\n  \t spaced \x0b out \n\xff\xfe broken utf-8 \xc3\nnul\0inside\nno end",
    );
    text
}

#[test]
fn a_file_is_counted_whole() {
    let place = Place::new();
    place.write("in.txt", odd_text());
    let ended = place
        .run("run word-count --input in.txt --answer out.txt --interval 20ms --rate 20k/s --no-profile --format json");
    assert!(is_a_verdict(ended.code), "{ended:?}");
    assert_eq!(std::fs::read(place.path("out.txt")).unwrap(), counted(&odd_text()));
    let record = ended.json();
    assert_eq!(record["integrity"]["wrong_batches"], 0);
    let input = &record["integrity"]["input"];
    for kind in ["crlf", "lone_cr", "empty", "invalid_utf8", "nul"] {
        assert!(input[kind].as_u64() > Some(0), "{kind} is missing of {input}");
    }
    assert!(record["schedule"]["source"].as_str().unwrap().ends_with("in.txt"));
}

#[test]
fn a_file_is_replayed_again_and_again() {
    let place = Place::new();
    place.write("in.txt", "a b\nc\n");
    let flags = "--interval 20ms --rate 1k/s --batches 20 --warmup 0 --no-profile -q";
    let ended = place.run(&format!("run word-count --input in.txt --loop --answer out.txt {flags}"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    assert_eq!(std::fs::read_to_string(place.path("out.txt")).unwrap(), "200\ta\n200\tb\n200\tc\n");
}

/// Sends the text to whoever connects first, in pieces of this size.
fn serve(text: Vec<u8>, piece: usize) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut peer, _) = listener.accept().unwrap();
        for bytes in text.chunks(piece) {
            peer.write_all(bytes).unwrap();
        }
        drop(peer);
        // Keeps the port, so that the reconnect finds silence and no refusal.
        drop(listener.accept());
    });
    port
}

fn count_tcp(place: &Place, piece: usize) -> Ended {
    let port = serve(odd_text(), piece);
    let flags = "--interval 20ms --batches 40 --warmup 5 --no-profile --format json -q";
    place.run(&format!("run word-count --source tcp://127.0.0.1:{port} --answer out{piece}.txt --out r{piece} {flags}"))
}

#[test]
fn lines_from_tcp_count_the_same_however_they_are_cut() {
    let place = Place::new();
    for piece in [7, 100_000] {
        let ended = count_tcp(&place, piece);
        assert!(is_a_verdict(ended.code), "{ended:?}");
        assert_eq!(std::fs::read(place.path(&format!("out{piece}.txt"))).unwrap(), counted(&odd_text()));
        let record = ended.json();
        assert_eq!(record["integrity"]["lost"], 0);
        assert_eq!(record["integrity"]["planned"], serde_json::Value::Null);
        assert_eq!(record["schedule"]["arrivals"], "external");
        assert!(record["integrity"]["unchecked"].is_string());
    }
}

#[test]
fn nobody_listening_is_told_and_ends_by_max_time() {
    let place = Place::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let flags = "--max-time 1s --restart-delay 200ms --format json";
    let ended = place.run(&format!("run word-count --source tcp://127.0.0.1:{port} {flags}"));
    assert_eq!(ended.code, 7, "{ended:?}");
    assert!(ended.stderr.contains("no line came from tcp://127.0.0.1"), "{ended:?}");
    assert!(ended.stderr.contains("cannot connect"), "{ended:?}");
    let object = ended.json();
    assert_eq!(object["verdict"]["word"], "NOT JUDGED");
    assert_eq!(object["exit"]["code"], 7);
}
