//! More load than a job can take: each discipline keeps the answers right and says what it cost.

use crate::command::{Place, TINY};
use serde_json::Value;

/// A run of a job whose batches take three times their interval.
fn crawling(flags: &str) -> Value {
    let place = Place::new();
    let mut command =
        place.example("faulty_jobs", &format!("run crawls {TINY} {flags} --no-profile --format json --out r"));
    let ended = crate::command::Ended::of(command.output().unwrap());
    let record = ended.json();
    assert_eq!(record["verdict"]["word"], "FALLS BEHIND", "{ended:?}");
    let of = |name: &str| record["integrity"][name].as_u64().unwrap();
    assert_eq!(of("accepted") + of("shed"), of("planned"));
    assert_eq!((of("lost"), of("doubled"), of("unfinished"), of("wrong_batches")), (0, 0, 0, 0));
    assert_eq!(of("committed"), of("accepted"));
    assert_eq!(record["integrity"]["sequence_errors"], serde_json::json!([]));
    let batches = record["batches"].as_array().unwrap();
    assert_eq!(of("checked_batches"), batches.len() as u64);
    let sum = |name: &str| batches.iter().map(|batch| batch[name].as_u64().unwrap()).sum::<u64>();
    assert_eq!((sum("records"), sum("shed")), (of("accepted"), of("shed")));
    assert!((0..).zip(batches).all(|(index, batch)| batch["index"] == index), "in order, whatever was done first");
    record
}

#[test]
fn shed_records_are_the_verdict_and_the_answers_are_those_of_the_others() {
    let record = crawling("--set overload=shed --queue-capacity 1");
    assert_eq!(record["verdict"]["because"], "records-shed");
    assert!(record["integrity"]["shed"].as_u64() > Some(500), "{}", record["integrity"]);
    assert_eq!(record["integrity"]["blocked_ns"], 0);
}

#[test]
fn merged_batches_grow_and_every_tick_has_one() {
    let record = crawling("--overload merge");
    assert_eq!(record["integrity"]["shed"], 0);
    let records = |batch: &Value| batch["records"].as_u64().unwrap();
    let batches = record["batches"].as_array().unwrap();
    assert!(batches.iter().any(|batch| records(batch) >= 200) && batches.iter().any(|batch| records(batch) == 0));
}

#[test]
fn a_blocked_sender_and_concurrent_jobs_lose_nothing() {
    let record = crawling("--overload block");
    assert_eq!(record["integrity"]["shed"], 0);
    assert!(record["integrity"]["blocked_ns"].as_u64() > Some(0));
    // Two jobs at a time are still not enough.
    crawling("--concurrent-jobs 2 --queue-capacity 2");
    crawling("--concurrent-jobs 2 --queue-capacity 2 --overload shed");
}

#[test]
fn a_rate_limit_is_told_from_a_full_engine() {
    let place = Place::new();
    let ended = place.run(&format!("run word-count {TINY} --max-rate 2k/s --no-profile --format json --out r"));
    let record = ended.json();
    assert_eq!(record["verdict"]["because"], "sender-blocked", "{ended:?}");
    assert!(record["verdict"]["text"].as_str().unwrap().contains("the limit on its rate"), "{ended:?}");
    assert!(record["batches"].as_array().unwrap().iter().all(|batch| batch["rate_limit_per_s"] == 2_000));
    let of = |name: &str| record["integrity"][name].as_u64().unwrap();
    assert_eq!((of("wrong_batches"), of("lost"), of("accepted")), (0, 0, of("planned")));
    assert!(of("throttled_ns") > 0 && of("throttled_ns") <= of("blocked_ns"));
}
