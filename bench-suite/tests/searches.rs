//! Searches from the outside: plans, refusals, results that hold together, and sweeps that survive being killed.

use crate::command::{Ended, Place};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Settings under which a paced trial takes less than a second.
const QUICK: &str = "--interval 10ms --warmup 2 --ring 1MiB --threads 1 --seed 7";

fn stored(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_search_for_the_rate_leaves_a_bracket_that_its_trials_support() {
    let place = Place::new();
    let ended = place.run(&format!("max null {QUICK} --batches 20 --max-time 15s --width 50% --format json --out r"));
    // On a busy machine the time may be over first; what was found is there all the same.
    assert!(matches!(ended.code, 0 | 12 | 125), "{ended:?}");
    let record = ended.json();
    assert_eq!(record["schema"], 1);
    assert_eq!(record["limits"], serde_json::json!(["late<1%"]));
    assert_eq!(stored(&place.path("r/max.json")), record, "stored as printed");
    let tried = record["tried"].as_array().unwrap();
    assert!(!tried.is_empty(), "{ended:?}");
    let ceiling = number(&record["ceiling_per_s"]);
    assert!(tried.iter().all(|trial| number(&trial["rate_per_s"]) <= ceiling));
    let knee: f64 = record["knee"].as_array().unwrap().iter().map(|point| number(&point["trials"])).sum();
    assert_eq!(knee as usize, tried.len());
    if ended.code == 0 && record["stop"] == "narrow" {
        let max = &record["max"];
        assert!(
            number(&max["lower"]) <= number(&max["rate_per_s"]) && number(&max["rate_per_s"]) <= number(&max["upper"])
        );
    }
    let records = std::fs::read_dir(place.path("r/trials")).unwrap().count();
    assert!(records > tried.len(), "each trial's record is kept, and the unpaced one");
}

#[test]
fn plans_are_shown_before_anything_is_measured() {
    let place = Place::new();
    let shown = |arguments: &str| {
        let ended = place.run(arguments);
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
        ended.stdout
    };
    insta::assert_snapshot!(shown("max hashtags --interval 200ms --window 10s --dry-run --max-time 10m"));
    let sweep = shown(
        "sweep word-count,null --threads 1 --vary codec=none,rkyv --vary compression=none,lz4 --repeat 2 --seed 7 --dry-run",
    );
    let hash = sweep.lines().find(|line| line.starts_with("hash")).unwrap().to_owned();
    insta::assert_snapshot!(sweep.replace(&hash, "hash     [HASH]"));
    insta::assert_snapshot!(shown(
        "tune hashtags --threads 1 --window 10s --interval 200ms --dry-run --vary pool=rayon,pinned --vary combine=*"
    ));
    assert!(place.is_empty(), "a plan writes nothing");
}

#[test]
fn what_cannot_work_is_refused_before_anything_runs() {
    let place = Place::new();
    let refused = |arguments: &str, why: &str| {
        let ended = place.run(arguments);
        assert_eq!(ended.code, 2, "{arguments}: {ended:?}");
        assert!(ended.stderr.contains(why), "{arguments}: {ended:?}");
        assert!(place.is_empty(), "{arguments} wrote something");
    };
    refused("max word-count --limit late", "no `<`");
    refused("max word-count --limit p99<0s", "more than zero");
    refused("max word-count --resolution 0%", "--resolution");
    refused("max word-count --source tcp://localhost:1", "unknown flag");
    refused("max word-cuont", "did you mean `word-count`?");
    refused("max word-count --interval 0s", "--interval");
    refused("sweep word-count --vary codek=none", "did you mean `codec`?");
    refused("sweep word-count --vary codec=none --repeat 0", "--repeat 0");
    refused("sweep word-count --vary batches=10,20", "how to measure");
    refused("sweep word-count --vary compression=lz4", "no cell can be run");
    refused("sweep word-count --vary codec=rkyv --one-at-a-time", "leaves out today's value none");
    refused("tune word-count --goal faster", "no goal");
    refused("run distinct-users --window-method inverse", "inverse");
    refused("max distinct-users --window-method inverse", "inverse");
    refused("tune distinct-users --window-method inverse", "inverse");
    refused("tune word-count --vary window_method=inverse,daba --goal p99", "no goal");
    let ended = Ended::of(
        place.command("tune word-count --interval 1s").args(["--goal", "max rate, p99<900ms"]).output().unwrap(),
    );
    assert_eq!(ended.code, 2, "{ended:?}");
    assert!(ended.stderr.contains("cannot be reached") && place.is_empty(), "{ended:?}");
}

const SWEEP: &str = "sweep null --measure p99 --rate 1k/s --batches 20 --interval 10ms --warmup 2 --ring 1MiB --seed 7 \
                     --vary threads=1,2 --vary pool=rayon,sequential --repeat 2 --format json --out s";

/// Results of a sweep by name, with the time of their last change.
fn results(place: &Place) -> BTreeMap<PathBuf, std::time::SystemTime> {
    let Ok(entries) = std::fs::read_dir(place.path("s/trials")) else { return BTreeMap::new() };
    let results =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.to_string_lossy().ends_with(".result.json"));
    results.map(|path| (path.clone(), std::fs::metadata(path).unwrap().modified().unwrap())).collect()
}

#[test]
fn a_killed_sweep_goes_on_where_it_was_and_has_each_setting_and_round_once() {
    let place = Place::new();
    let mut child = place.command(SWEEP).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while results(&place).len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(120), "no trial was done");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = results(&place);
    assert!(before.len() < 8, "it was killed in the middle");
    std::fs::write(place.path("s/trials/0123456789abcdef-0.result.json"), "{ damaged").unwrap();

    let ended = place.run("resume s");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.stderr.contains(&format!("{} of 8 trials are there", before.len())), "{ended:?}");
    let mut after = results(&place);
    after.remove(&place.path("s/trials/0123456789abcdef-0.result.json"));
    assert_eq!(after.len(), 8, "each setting in each round once");
    assert!(before.iter().all(|(path, time)| after.get(path) == Some(time)), "what was there was not made again");
    let record = ended.json();
    assert!(record["skipped"][0].as_str().unwrap().contains("damaged"), "{record}");
    let cells = record["workloads"][0]["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    for cell in cells {
        let responses = cell["responses"].as_array().unwrap();
        let given =
            responses.iter().filter(|response| response.as_f64().is_some_and(|response| response > 0.0)).count();
        // A host that was too busy to send in time leaves a reason instead.
        let failures = cell["failures"].as_array().unwrap().len();
        assert_eq!((responses.len(), given + failures), (2, 2), "{cell}");
    }

    let again = place.run(SWEEP);
    assert_eq!((again.code, results(&place).len()), (0, 9));
    // The ceiling is proved anew by each command.
    let cells = &record["workloads"][0]["cells"];
    assert_eq!(&again.json()["workloads"][0]["cells"], cells, "nothing was measured again");
    let other = place.run(&SWEEP.replace("1k/s", "2k/s"));
    assert_eq!(other.code, 2, "{other:?}");
    assert!(other.stderr.contains("it holds the sweep"), "{other:?}");
}

#[test]
fn a_sweep_names_the_trials_that_fail_and_goes_on() {
    let place = Place::new();
    let arguments = format!(
        "sweep aborts,panics {QUICK} --vary pool=rayon,sequential --repeat 1 --measure p99 --batches 20 --rate 1k/s --format json --out s"
    );
    let ended = Ended::of(place.example("faulty_jobs", &arguments).output().unwrap());
    assert_eq!(ended.code, 0, "{ended:?}");
    let record = ended.json();
    let of = |index: usize| record["workloads"][index]["cells"].as_array().unwrap().clone();
    for (index, why) in [(0, "killed by signal 6"), (1, "a planted panic")] {
        assert_eq!(of(index).len(), 2);
        assert!(of(index).iter().all(|cell| cell["failures"][0].as_str().unwrap().contains(why)), "{record}");
    }
}

#[test]
fn searches_whose_trials_die_end_each_by_itself_and_name_them() {
    let place = Place::new();
    let arguments = format!("max aborts {QUICK} --batches 20 --repeat 2 --rate 1k/s --format json --out r");
    let ended = Ended::of(place.example("faulty_jobs", &arguments).output().unwrap());
    assert_eq!(ended.code, 125, "{ended:?}");
    let record = ended.json();
    let searches = record["repeats"].as_array().unwrap();
    assert_eq!(searches.len(), 2, "the second went on when the first had ended: {record}");
    assert!(searches.iter().all(|search| search["stop"] == "said-nothing" && search["max"].is_null()), "{record}");
    let spoiled: Vec<&str> = record["spoiled"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(spoiled.len(), 2 * 4, "each trial and its three repeats: {record}");
    assert!(spoiled.iter().all(|why| why.contains("killed by signal 6")), "{record}");
    assert_eq!(stored(&place.path("r/max.json")), record, "stored as printed");
}

#[test]
fn a_trial_that_hangs_is_killed_soon_after_the_budget() {
    let place = Place::new();
    let arguments = format!("max hangs {QUICK} --batches 20 --rate 1k/s --max-time 5s --format json --out r");
    let begun = Instant::now();
    let ended = Ended::of(place.example("faulty_jobs", &arguments).output().unwrap());
    assert!(begun.elapsed() < Duration::from_secs(120), "it hung");
    assert_eq!(ended.code, 12, "{ended:?}");
    assert!(ended.stderr.contains("no guess from draining"), "{ended:?}");
    assert_eq!(ended.json()["max"], Value::Null);
}

#[test]
fn a_tuning_ends_in_a_file_of_settings_that_a_run_takes() {
    let place = Place::new();
    let arguments =
        format!("tune null {QUICK} --batches 20 --max-time 25s --vary pool=rayon,sequential --format json --out t");
    let ended = place.run(&arguments);
    assert!(matches!(ended.code, 0 | 12), "{ended:?}");
    let record = ended.json();
    assert_eq!(stored(&place.path("t/tune.json")), record, "stored as printed");
    assert_eq!(record["goal"], "max rate, late<1%");
    assert!(record["unpaced_trials"].as_u64().unwrap() >= 2, "{ended:?}");
    if ended.code == 0 {
        assert!(record["refuted_by"].as_str().unwrap().contains("--config"));
        let run = place.run("run null --config t/best.toml --rate 1k/s --dry-run");
        assert_eq!(run.code, 0, "{run:?}");
        assert!(run.stdout.contains("interval         10ms"), "{run:?}");
    }
}
