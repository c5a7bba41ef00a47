//! Whole runs: what the record says holds together, and everything that was promised is stored.

use crate::command::{Place, TINY, is_a_verdict};
use serde_json::Value;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn sum(object: &Value) -> u64 {
    object.as_object().unwrap().values().map(number).sum()
}

/// The identities of every batch: delays telescope, phases and busy times add up.
fn check_identities(record: &Value) {
    let threads = number(&record["judging"]["threads"]);
    let interval_ns = number(&record["judging"]["interval_ns"]);
    for batch in record["batches"].as_array().unwrap() {
        let of = |name: &str| number(&batch[name]);
        let parts = of("generation_delay_ns") + of("scheduling_delay_ns") + of("processing_ns");
        assert_eq!(parts, of("total_delay_ns"), "{batch}");
        assert_eq!(sum(&batch["phases"]), of("processing_ns"), "{batch}");
        assert_eq!(sum(&batch["busy"]) + of("idle_ns"), threads * of("processing_ns"), "{batch}");
        assert_eq!(batch["late"], of("total_delay_ns") > interval_ns);
        assert_eq!(of("end_sequence") - of("first_sequence"), of("records"));
    }
}

fn check_integrity(record: &Value) {
    let of = |name: &str| number(&record["integrity"][name]);
    assert_eq!((of("lost"), of("doubled"), of("shed"), of("unfinished"), of("wrong_batches")), (0, 0, 0, 0, 0));
    assert_eq!(of("planned"), of("accepted"));
    assert_eq!(of("accepted"), of("committed"));
    assert_eq!(record["integrity"]["sequence_errors"], serde_json::json!([]));
}

#[test]
fn a_run_of_word_count_holds_together_and_is_stored() {
    let place = Place::new();
    let ended = place.run(&format!("run word-count {TINY} --no-profile --format json --out r"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    let record = ended.json();
    check_identities(&record);
    check_integrity(&record);
    let batches = record["batches"].as_array().unwrap();
    assert_eq!(batches.iter().filter(|batch| batch["warmup"] == true).count(), 5);
    assert_eq!(batches.len(), 25);
    assert!(batches.iter().all(|batch| batch["records"] == 100), "5k/s in 20 ms");
    assert_eq!(record["schedule"]["records"], 2_500);
    assert_eq!(record["integrity"]["checked_batches"], 25);
    assert_eq!(record["exit"]["code"], ended.code);
    assert_eq!(record["settings"]["interval"], "20ms");
    assert_eq!(record["origins"]["interval"], "flag");
    assert_eq!(record["origins"]["threads"], "default");
    assert_eq!(record["profile"]["unavailable"], "--no-profile was given");
    let command = record["command"].as_str().unwrap();
    assert!(command.starts_with("downbeat run word-count") && command.contains("--seed"), "{command}");
    for name in ["p50", "p99", "max"] {
        assert!(number(&record["latency_ns"][name]) > 0);
    }
    assert!(number(&record["resources"]["cpu_ns"]) > 0 && number(&record["resources"]["peak_rss_bytes"]) > 0);
    assert!(record["environment"]["kernel"].is_string());
    for name in ["result.json", "latency.hgrm", "report.html"] {
        assert!(place.path("r").join(name).is_file(), "{name} is missing");
    }
    assert_eq!(std::fs::read_to_string(place.path("r/result.json")).unwrap(), ended.stdout, "stored as printed");
    assert!(!place.path("r/.trial").exists());
}

#[test]
fn a_stored_run_is_listed_and_shown_again() {
    let place = Place::new();
    let ended = place.run(&format!("run word-count {TINY} --no-profile --format json --out results/r -q"));
    let again = place.run("report results/r --format json");
    assert_eq!((again.code, again.stdout), (ended.code, ended.stdout));
    let word = again.stderr;
    assert!(word.is_empty());
    assert!(place.run("list runs").stdout.contains("results/r"));
    let occupied = place.run(&format!("run word-count {TINY} --out results/r"));
    assert_eq!(occupied.code, 2);
    assert!(occupied.stderr.contains("never overwritten"), "{occupied:?}");
}

#[test]
fn the_same_seed_sends_the_same_under_other_settings() {
    let place = Place::new();
    let hash = |flags: &str| {
        let ended = place.run(&format!("run word-count {TINY} --no-profile --format json -q {flags}"));
        assert!(is_a_verdict(ended.code), "{ended:?}");
        check_integrity(&ended.json());
        ended.json()["schedule"]["hash"].as_str().unwrap().to_owned()
    };
    let plain = hash("--out a");
    assert_eq!(plain, hash("--out b --threads 1 --codec json --pool sequential --allocator system"));
    assert_ne!(plain, hash("--out c --seed 7"));
}

#[test]
fn hashtags_are_primed_and_right() {
    let place = Place::new();
    let ended = place.run(&format!("run hashtags {TINY} --window 1s --no-profile --format json"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    let record = ended.json();
    check_identities(&record);
    check_integrity(&record);
    assert_eq!(record["primed_batches"], 50);
    assert_eq!(record["integrity"]["checked_batches"], 75);
}

#[test]
fn a_profile_comes_with_flamegraph_and_protobuf() {
    let place = Place::new();
    let ended = place.run(&format!("run word-count {TINY} --format json --out r"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    let profile = &ended.json()["profile"];
    // The sampler may die; then the reason is told, and the run is as good.
    if profile["unavailable"].is_null() {
        assert!(number(&profile["samples"]) > 0);
        assert!(place.path("r/flamegraph.svg").is_file() && place.path("r/profile.pb").is_file());
        let folded = profile["folded"].as_array().unwrap();
        assert!(folded.iter().all(|line| line.as_str().unwrap().contains(';')));
    }
}

#[test]
fn a_sampled_trial_says_what_ran_in_which_batch_or_why_it_cannot() {
    let place = Place::new();
    let load = "--interval 50ms --batches 30 --warmup 2 --rate 400k/s --ring 64MiB --profile-hz 249";
    let ended = place.run(&format!("run word-count {load} --trial-samples on --no-replay --format json --out r"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    let record = ended.json();
    let sampling = &record["sampling"];
    assert_eq!(record["profile"]["unavailable"], "--no-replay was given");
    assert_eq!(sampling["frequency_hz"], 249);
    let stored = std::fs::read(place.path("r/samples.json")).ok();
    // Containers and hardened kernels refuse perf_event_open; then the reason is told, and the run is as good.
    if let Some(reason) = sampling["unavailable"].as_str() {
        assert!(reason.contains("perf") && stored.is_none(), "{reason}");
        assert!(place.run("report r --format folded").stdout.contains(reason));
        return;
    }
    let samples: Value = serde_json::from_slice(&stored.expect("samples.json is stored")).unwrap();
    let seen = samples["seen"].as_array().unwrap();
    let count = |one: &Value| one["stacks"].as_array().unwrap().iter().map(|pair| number(&pair[1])).sum::<u64>();
    let (in_batches, others): (Vec<&Value>, Vec<&Value>) = seen.iter().partition(|one| !one["batch"].is_null());
    let (in_batches, others) = [in_batches, others].map(|part| part.into_iter().map(count).sum::<u64>()).into();
    assert_eq!((in_batches, in_batches + others), (number(&sampling["in_batches"]), number(&sampling["samples"])));
    assert!(in_batches > 0, "nothing was seen in any batch: {sampling}");
    for one in seen.iter().filter(|one| !one["batch"].is_null()) {
        let batch = record["batches"].as_array().unwrap().iter().find(|batch| batch["index"] == one["batch"]);
        let phases = batch.expect("samples are of recorded batches")["phases"].as_object().unwrap();
        assert!(phases.contains_key(one["stage"].as_str().unwrap()), "{one}");
    }
    let page = std::fs::read_to_string(place.path("r/report.html")).unwrap();
    assert!(page.contains("Late batches, in the measured trial") && page.contains("Flamegraph of the stage"));
    let total =
        |text: &str| -> u64 { text.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum() };
    assert_eq!(total(&place.run("report r --format folded").stdout), in_batches + others);
    let speedscope = place.run("report r --format speedscope").json();
    let whole = speedscope["profiles"].as_array().unwrap().last().unwrap();
    assert_eq!((&whole["name"], number(&whole["endValue"])), (&"the whole trial".into(), in_batches + others));
    let pprof = place.run("report r --format pprof").stdout;
    assert!(["samples", "nanoseconds", "batch", "stage", "db-jobs"].iter().all(|text| pprof.contains(text)));
    assert!(place.run("explain r").stdout.lines().any(|line| line.starts_with("cpu ")));
}

#[test]
fn a_trial_is_sampled_only_where_that_is_asked_for() {
    let place = Place::new();
    let reason = |flags: &str, out: &str| {
        let ended = place.run(&format!("run word-count {TINY} --format json {flags} --out {out}"));
        assert!(is_a_verdict(ended.code), "{ended:?}");
        assert!(!place.path(out).join("samples.json").exists());
        ended.json()["sampling"]["unavailable"].as_str().unwrap().to_owned()
    };
    assert_eq!(reason("--no-replay", "a"), "trial_samples is off");
    assert_eq!(reason("--no-profile --trial-samples on", "b"), "none were asked for");
}

#[test]
fn human_output_is_the_verdict_and_fits_eighty_columns() {
    let place = Place::new();
    let ended = place.run(&format!("run word-count {TINY} --no-profile --out r -q"));
    assert!(is_a_verdict(ended.code), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
    let shown = |line: &&str| !line.starts_with("report") && !line.starts_with("next");
    assert!(ended.stdout.lines().filter(shown).all(|line| line.chars().count() <= 80), "{}", ended.stdout);
    assert!(!ended.stdout.contains('\u{1b}'));
}
