//! Knobs that change what a batch allocates, and no answer.

use crate::command::{Place, TINY, is_a_verdict};
use serde_json::Value;

/// The allocations of a batch, in the middle of all that were judged, and the run's record.
fn allocations(job: &str, knob: &str, value: &str) -> (u64, Value) {
    let place = Place::new();
    let ended = place.run(&format!("run {job} {TINY} --no-profile --format json --set {knob}={value} --out r"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    let record = ended.json();
    assert_eq!(record["settings"][knob], value);
    let judged = record["batches"].as_array().unwrap().iter().filter(|batch| batch["warmup"] == false);
    let mut counts: Vec<u64> = judged.map(|batch| batch["allocations"].as_u64().expect("counted")).collect();
    counts.sort_unstable();
    (counts[counts.len() / 2], record)
}

#[test]
fn owned_records_are_one_allocation_each() {
    let (borrowed, record) = allocations("nexmark-q0", "records", "borrowed");
    let (owned, other) = allocations("nexmark-q0", "records", "owned");
    assert!(borrowed < 50, "no allocation a record: {borrowed} for 100");
    // Other threads allocate now and then; a second allocation per record would be a hundred more.
    assert!((borrowed + 100..borrowed + 150).contains(&owned), "{borrowed} and {owned} for 100 records");
    assert_eq!(record["schedule"]["hash"], other["schedule"]["hash"], "the same text");
    assert_eq!(other["integrity"]["wrong_batches"], 0);
}

#[test]
fn buffers_that_are_not_used_again_are_allocated_by_each_batch() {
    let (used_again, record) = allocations("word-count", "buffer_reuse", "on");
    let (made_anew, other) = allocations("word-count", "buffer_reuse", "off");
    assert!(made_anew >= used_again + 3, "{used_again} and {made_anew} a batch");
    assert_eq!(record["schedule"]["hash"], other["schedule"]["hash"], "the same text");
    assert_eq!(other["integrity"]["wrong_batches"], 0);
}
