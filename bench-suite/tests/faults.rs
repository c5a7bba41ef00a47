//! Things that go wrong while it is measured: told by name, saved, never hung.

use crate::command::{Ended, Place, TINY, signal, until};
use std::process::Stdio;

fn faulty(place: &Place, job: &str) -> Ended {
    Ended::of(
        place.example("faulty_jobs", &format!("run {job} {TINY} --no-profile --format json --out r")).output().unwrap(),
    )
}

#[test]
fn a_panic_in_a_job_is_a_broken_batch() {
    let place = Place::new();
    let ended = faulty(&place, "panics");
    assert_eq!(ended.code, 5, "{ended:?}");
    let record = ended.json();
    assert_eq!(record["verdict"]["word"], "BROKEN");
    assert_eq!(record["verdict"]["because"], "batch-failed");
    let failed = record["batches"].as_array().unwrap().iter().find(|batch| batch["failure"].is_string()).unwrap();
    assert_eq!(failed["index"], 5);
    assert!(failed["failure"].as_str().unwrap().contains("a planted panic"), "{failed}");
}

#[test]
fn a_wrong_answer_is_broken() {
    let place = Place::new();
    let ended = faulty(&place, "miscounts");
    assert_eq!(ended.code, 5, "{ended:?}");
    let record = ended.json();
    assert_eq!(record["verdict"]["because"], "wrong-output");
    assert_eq!(record["integrity"]["wrong_batches"], 1);
    let wrong = record["batches"].as_array().unwrap().iter().find(|batch| batch["wrong"].is_string()).unwrap();
    assert_eq!(wrong["index"], 5);
}

#[test]
fn a_trial_that_dies_is_told_with_its_evidence() {
    let place = Place::new();
    let ended = faulty(&place, "aborts");
    assert_eq!(ended.code, 70, "{ended:?}");
    assert!(ended.stderr.contains("was killed by signal 6"), "{ended:?}");
    assert!(ended.stderr.contains("evidence: ") && place.path("r/.trial").is_dir(), "{ended:?}");
    assert_eq!(ended.json()["verdict"]["word"], "BROKEN");
}

/// Starts a run that would take minutes, and sends it a signal once batches are judged.
fn interrupted(place: &Place, name: &str) -> Ended {
    let flags = "--interval 20ms --rate 1k/s --ring 1MiB --warmup 2 --batches 10000 --no-profile --format json --out r";
    let mut command = place.command(&format!("run word-count {flags}"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = place.path("r/.trial/trial.status.json");
    until("the first judged batch", || {
        std::fs::read_to_string(&status).is_ok_and(|json| json.contains("\"measuring\""))
    });
    signal(child.id(), name);
    Ended::of(child.wait_with_output().unwrap())
}

#[test]
fn ctrl_c_saves_what_was_measured() {
    let place = Place::new();
    let ended = interrupted(&place, "-INT");
    assert_eq!(ended.code, 130, "{ended:?}");
    let record = ended.json();
    assert_eq!(record["interrupted"], true);
    assert_eq!(record["exit"]["name"], "interrupted");
    assert!(!record["batches"].as_array().unwrap().is_empty());
    assert_eq!(record["integrity"]["lost"], 0);
    assert!(place.path("r/result.json").is_file());
}

#[test]
fn termination_saves_too_and_has_its_own_code() {
    let place = Place::new();
    let ended = interrupted(&place, "-TERM");
    assert_eq!(ended.code, 143, "{ended:?}");
    assert_eq!(ended.json()["interrupted"], true);
}

#[test]
fn max_time_ends_a_trial_and_says_so() {
    let place = Place::new();
    let flags =
        "--interval 20ms --rate 1k/s --ring 1MiB --warmup 2 --batches 10000 --max-time 1s --no-profile --format json";
    let record = place.run(&format!("run word-count {flags}")).json();
    assert_eq!(record["interrupted"], true);
    assert!(record["warnings"][0].as_str().unwrap().contains("max_time"), "{}", record["warnings"]);
}
