//! A cause is planted in a real run: `explain` names it, and the page leads from the verdict to it.

use crate::command::{Ended, Place, TINY, signal, until};
use serde_json::Value;
use std::process::Stdio;
use std::time::Duration;

/// A run of one of the jobs that go wrong, stored as `r`.
fn run(job: &str, flags: &str) -> Place {
    let place = Place::new();
    let arguments = format!("run {job} {TINY} --partitions 8 --no-profile --format json --out r {flags}");
    let ended = Ended::of(place.example("faulty_jobs", &arguments).output().unwrap());
    assert!(place.path("r/report.html").is_file(), "{ended:?}");
    place
}

/// Why a batch was late, or the one with the longest delay.
fn explained(place: &Place, batch: &str) -> Value {
    place.run(&format!("explain r {batch} --format json")).json()
}

/// The worst batch has this cause first, and the header of the page has a link to the batch that shows it.
fn assert_named(place: &Place, kind: &str) -> Value {
    let explained = explained(place, "");
    let cause = &explained["causes"][0];
    assert_eq!(cause["kind"], kind, "{explained}");
    assert!(cause["share"].as_f64().unwrap() > 0.5, "{}", explained["causes"]);
    let page = std::fs::read_to_string(place.path("r/report.html")).unwrap();
    let (index, text) = (&explained["batch"]["index"], cause["text"].as_str().unwrap());
    let header = page.split("</header>").next().unwrap();
    assert!(header.contains(&format!("Worst batch: <a href=\"#batch-{index}\">#{index}</a>, {text}")), "{header}");
    let (_, details) = page.split_once(&format!("<details class=\"batch\" id=\"batch-{index}\">")).unwrap();
    let details = details.split("</details>").next().unwrap();
    assert!(details.contains(&format!("<td>{kind}</td><td>{text}</td>")), "{details}");
    explained
}

/// The output sleeps inside batch 15, fifteen times the interval: it is named, and those behind it are its victims.
#[test]
fn a_slow_output_is_named_and_its_victims_lead_to_it() {
    let place = run("dawdles", "");
    assert_eq!(assert_named(&place, "output")["batch"]["index"], 15);
    let victim = explained(&place, "--batch 17")["causes"][0].clone();
    assert_eq!((victim["kind"].as_str(), victim["head"].as_u64()), (Some("backlog"), Some(15)), "{victim}");
}

#[test]
fn a_skewed_key_is_named() {
    let place = run("skews", "--threads 2");
    assert_eq!(assert_named(&place, "skew")["batch"]["index"], 15);
}

#[test]
fn a_storm_of_allocations_is_named() {
    let place = run("allocates", "");
    assert_eq!(assert_named(&place, "allocator")["batch"]["index"], 15);
}

/// With the allocator of the system, which gives large blocks back at once, so that each comes anew from the kernel.
#[test]
fn page_faults_are_named() {
    let place = run("faults", "--allocator system");
    assert_eq!(assert_named(&place, "page-faults")["batch"]["index"], 15);
}

/// The text of record 1,024 takes 300 ms to make; it belongs to batch 10.
#[test]
fn a_late_generator_is_named() {
    let place = run("stalls", "--text live");
    let explained = assert_named(&place, "generator");
    assert_eq!(explained["batch"]["index"], 10);
    assert!(explained["batch"]["generator_lag_ns"].as_u64().unwrap() >= 290_000_000, "{explained}");
    let record = place.run("report r --format json").json();
    assert_eq!(record["verdict"]["because"], "generator-late");
}

/// The process that measures, started by the one given.
fn trial_of(parent: u32) -> Option<u32> {
    let all = procfs::process::all_processes().unwrap();
    let child = all.flatten().find(|process| process.stat().is_ok_and(|stat| stat.ppid == parent as i32))?;
    Some(child.pid as u32)
}

/// The process that measures does not run for fifteen intervals, as if its host had given its cores to somebody else.
#[test]
fn a_stolen_cpu_is_named() {
    let place = Place::new();
    let flags = "--interval 20ms --batches 60 --warmup 5 --rate 5k/s --ring 1MiB";
    let mut command = place.command(&format!("run word-count {flags} --no-profile --format json --out r"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = place.path("r/.trial/trial.status.json");
    until("the first judged batch", || {
        std::fs::read_to_string(&status).is_ok_and(|json| json.contains("\"measuring\""))
    });
    let trial = trial_of(child.id()).expect("a trial runs");
    signal(trial, "-STOP");
    std::thread::sleep(Duration::from_millis(300));
    signal(trial, "-CONT");
    let ended = Ended::of(child.wait_with_output().unwrap());
    assert!(place.path("r/report.html").is_file(), "{ended:?}");
    let explained = assert_named(&place, "host");
    let paused = explained["causes"][0]["ns"].as_u64().unwrap();
    assert!(paused >= 200_000_000, "{explained}");
}
