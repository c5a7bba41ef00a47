//! The trial protocol: a child does what its spec says, and leaves a record or a failure.

use crate::command::{Place, TINY};
use serde_json::Value;
use std::process::{Output, Stdio};

/// A spec as the parent writes it: kept by a trial that dies, and given a life of its own here.
pub(crate) fn spec(place: &Place) -> Value {
    let flags = format!("run aborts {TINY} --no-profile -q --out seed");
    place.example("faulty_jobs", &flags).output().unwrap();
    let bytes = std::fs::read(place.path("seed/.trial/trial.spec.json")).unwrap();
    let mut spec: Value = serde_json::from_slice(&bytes).unwrap();
    spec["workload"] = "word-count".into();
    spec["status"] = place.path("status.json").to_str().unwrap().into();
    spec
}

/// Runs the trial with its stdin open, as a parent does.
fn trial(place: &Place, spec: &Value) -> Output {
    place.write("spec.json", spec.to_string());
    let mut command = place.command("trial --spec spec.json --record record.json");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let stdin = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    output
}

#[test]
fn a_trial_leaves_its_record_and_nothing_on_stdout() {
    let place = Place::new();
    let output = trial(&place, &spec(&place));
    assert!(output.status.success(), "{output:?}");
    assert!(output.stdout.is_empty(), "stdout is free for the job's own prints");
    let record: Value = serde_json::from_slice(&std::fs::read(place.path("record.json")).unwrap()).unwrap();
    assert_eq!(record["schema"], 1);
    assert_eq!(record["batches"].as_array().unwrap().len(), 25);
    assert!(!place.path("record.partial").exists());
}

#[test]
fn another_version_of_the_protocol_cannot_be_judged() {
    let place = Place::new();
    let mut spec = spec(&place);
    spec["protocol"] = 99.into();
    let output = trial(&place, &spec);
    assert_eq!(output.status.code(), Some(125));
    assert!(!place.path("record.json").exists());
    let failure = std::fs::read_to_string(place.path("record.failure")).unwrap();
    assert!(failure.contains("protocol 99"), "{failure}");
}

#[test]
fn a_trial_whose_parent_is_gone_ends_and_saves() {
    let place = Place::new();
    let mut spec = spec(&place);
    spec["batches"] = 100_000.into();
    place.write("spec.json", spec.to_string());
    let mut command = place.command("trial --spec spec.json --record record.json");
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let record: Value = serde_json::from_slice(&std::fs::read(place.path("record.json")).unwrap()).unwrap();
    assert_eq!(record["interrupted"], true);
}
