//! Stored results shown again: explained, compared, and in every format; of runs and of searches. Nothing is measured.

use crate::command::{Ended, Place};
use std::path::{Path, PathBuf};

/// Results that are kept in the repository.
pub(crate) fn recorded(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../reports/recorded").join(name)
}

/// The command over a recorded result, `@name` standing for it.
pub(crate) fn run(arguments: &str) -> Ended {
    let place = Place::new();
    let words = arguments.split(' ').map(|word| match word.strip_prefix('@') {
        Some(name) => recorded(name).display().to_string(),
        None => word.to_owned(),
    });
    let ended = place.run(&words.collect::<Vec<_>>().join(" "));
    assert!(place.is_empty(), "{arguments} wrote something");
    ended
}

#[test]
fn a_late_batch_is_explained_beside_the_median_batch() {
    let ended = run("explain @falls-behind --batch 20");
    assert_eq!(ended.code, 0, "{ended:?}");
    for part in ["batch #20", "LATE by", "median", "cause", "waited", "behind #", "page     report.html#batch-20"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    assert!(ended.stdout.lines().all(|line| line.chars().count() <= 80), "{}", ended.stdout);
    let json = run("explain @falls-behind --batch 20 --format json").json();
    assert_eq!((json["batch"]["index"].as_u64(), json["causes"][0]["kind"].as_str()), (Some(20), Some("backlog")));
}

#[test]
fn without_a_number_the_worst_batch_is_explained() {
    let json = run("explain @not-judged --format json").json();
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(recorded("not-judged/result.json")).unwrap()).unwrap();
    let judged = record["batches"].as_array().unwrap().iter().filter(|batch| batch["warmup"] == false);
    let worst = judged.map(|batch| batch["total_delay_ns"].as_u64().unwrap()).max();
    assert_eq!(json["batch"]["total_delay_ns"].as_u64(), worst);
}

#[test]
fn a_batch_that_is_not_there_is_refused_with_those_that_are() {
    let ended = run("explain @holds --batch 1000");
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("no such batch") && ended.stderr.contains("0 to 59"), "{ended:?}");
}

#[test]
fn runs_are_compared_with_their_differences_first() {
    let ended = run("compare @holds @falls-behind");
    assert_eq!(ended.code, 0, "{ended:?}");
    let (differs, figures) =
        (ended.stdout.find("differs  setting rate").unwrap(), ended.stdout.find("median utilisation").unwrap());
    assert!(differs < figures && !ended.stdout.to_lowercase().contains("regress"), "{}", ended.stdout);
    let json = run("compare @holds @falls-behind @invalid --format json").json();
    assert_eq!(json["runs"].as_array().unwrap().len(), 3);
    assert!(json["metrics"].as_array().unwrap().iter().all(|metric| metric["changes"].as_array().unwrap().len() == 2));
    assert!(run("compare @holds @holds --format html").stdout.starts_with("<!DOCTYPE html>"));
    assert!(run("compare @holds @holds --format markdown").stdout.starts_with("### Comparison"));
    assert_eq!(run("compare @holds").code, 2);
    let mixed = run("compare @holds @max");
    assert!(mixed.code == 2 && mixed.stderr.contains("holds a search, not a run"), "{mixed:?}");
}

#[test]
fn runs_are_shown_in_every_format_with_the_exit_code_of_their_verdict() {
    for (name, code) in [("holds", 0), ("falls-behind", 0), ("not-judged", 125), ("invalid", 3), ("broken", 5)] {
        for format in [
            "human",
            "json",
            "html",
            "hgrm",
            "markdown",
            "csv",
            "ndjson",
            "junit",
            "github",
            "folded",
            "pprof",
            "speedscope",
        ] {
            let ended = run(&format!("report @{name} --format {format}"));
            assert!(
                ended.code == code && !ended.stdout.is_empty(),
                "{name} as {format}: {} {}",
                ended.code,
                ended.stderr
            );
        }
    }
}

#[test]
fn searches_are_shown_again_and_refuse_formats_of_runs() {
    for name in ["max", "sweep", "tune"] {
        for (format, start) in
            [("human", name.to_uppercase().as_str()), ("json", "{"), ("html", "<!DOCTYPE html>"), ("markdown", "###")]
        {
            let ended = run(&format!("report @{name} --format {format}"));
            assert!(ended.code == 0 && ended.stdout.starts_with(start), "{name} as {format}: {ended:?}");
        }
        let ended = run(&format!("report @{name} --format csv"));
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.stderr.contains("human, json, html, markdown"), "{ended:?}");
    }
    let place = Place::new();
    place.write("sweep.json", br#"{"schema":99}"#);
    let ended = place.run("report sweep.json --format html");
    assert!(ended.code == 7 && ended.stderr.contains("schema 99"), "{ended:?}");
}
