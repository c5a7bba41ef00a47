//! The allocator of a trial and its options: in force as asked, proved by the allocator itself, and in the record.

use crate::command::{Place, TINY, is_a_verdict};
use crate::protocol;
use serde_json::{Value, json};
use std::process::Stdio;

/// Runs a trial with these flags; its record.
fn record(place: &Place, flags: &str, environment: &[(&str, &str)]) -> Value {
    let mut command = place.command(&format!("run word-count {TINY} --no-profile -q --format json --out out {flags}"));
    let ended = crate::command::Ended::of(command.envs(environment.iter().copied()).output().unwrap());
    assert!(is_a_verdict(ended.code), "{flags}: {ended:?}");
    ended.json()
}

/// What is in force by default, and with these flags.
fn in_force(allocator: &str, flags: &str) -> [Value; 2] {
    [format!("--allocator {allocator}"), format!("--allocator {allocator} {flags}")].map(|flags| {
        let record = record(&Place::new(), &flags, &[]);
        assert_eq!(record["resources"]["allocator"], allocator);
        record["resources"]["allocator_options"].clone()
    })
}

#[test]
fn options_of_jemalloc_take() {
    let flags = "--allocator-decay 1234ms --allocator-arenas 3 --allocator-background-thread on";
    let [before, after] = in_force("jemalloc", flags);
    let asked =
        [("dirty_decay_ms", "1234"), ("muzzy_decay_ms", "1234"), ("narenas", "3"), ("background_thread", "true")];
    for (name, value) in asked {
        assert!(before[name].is_string() && before[name] != value, "{name} is so by itself: {before}");
        assert_eq!(after[name], value, "{name}");
    }
}

#[test]
fn huge_pages_and_arenas_per_core_of_jemalloc_take() {
    if !std::path::Path::new("/sys/kernel/mm/transparent_hugepage/enabled").exists() {
        return; // Such a kernel has none, and the trial says so.
    }
    let [before, after] = in_force("jemalloc", "--allocator-huge-pages on --allocator-arenas per_core");
    for (name, value) in [("thp", "always"), ("metadata_thp", "auto"), ("percpu_arena", "percpu")] {
        assert!(before[name].is_string() && before[name] != value, "{name} is so by itself: {before}");
        assert_eq!(after[name], value, "{name}");
    }
}

#[test]
fn options_of_mimalloc_take() {
    let [before, after] = in_force("mimalloc", "--allocator-decay 77ms --allocator-huge-pages off");
    assert_eq!(before, json!({"purge_delay": "1000", "allow_thp": "1", "allow_large_os_pages": "0"}));
    assert_eq!(after, json!({"purge_delay": "77", "allow_thp": "0", "allow_large_os_pages": "0"}));
}

#[test]
fn the_arenas_of_the_system_are_as_many_as_asked_for() {
    let [before, after] = in_force("system", "--allocator-arenas 2");
    assert_ne!(before["arenas"], "2", "so by itself");
    assert_eq!(after["arenas"], "2");
}

#[test]
fn options_that_the_caller_happens_to_have_do_not_reach_the_trial() {
    let environment = [("MIMALLOC_PURGE_DELAY", "7"), ("_RJEM_MALLOC_CONF", "narenas:1"), ("MALLOC_ARENA_MAX", "1")];
    let record = record(&Place::new(), "--allocator mimalloc", &environment);
    assert_eq!(record["resources"]["allocator_options"]["purge_delay"], "1000");
}

#[test]
fn an_option_that_did_not_take_ends_the_trial_with_what_is_in_force() {
    let place = Place::new();
    let mut spec = protocol::spec(&place);
    spec["settings"]["allocator"] = "jemalloc".into();
    spec["settings"]["allocator_decay"] = "500ms".into();
    place.write("spec.json", spec.to_string());
    let mut command = place.command("trial --spec spec.json --record record.json");
    // The parent that forgot the options.
    let output = command.env("DOWNBEAT_ALLOCATOR", "jemalloc").stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(7), "{output:?}");
    assert!(!place.path("record.json").exists());
    let failure = std::fs::read_to_string(place.path("record.failure")).unwrap();
    let said = "jemalloc was asked for dirty_decay_ms = 500, in force is dirty_decay_ms = 10000";
    assert!(failure.contains(said) && failure.contains("_RJEM_MALLOC_CONF=dirty_decay_ms:500"), "{failure}");
}

#[test]
fn contradictory_options_are_refused_before_anything_runs() {
    for flags in [
        "--allocator mimalloc --allocator-arenas 4",
        "--allocator system --allocator-decay 1s",
        "--allocator system,uncounted --allocator-huge-pages on",
        "--allocator-background-thread on",
    ] {
        let place = Place::new();
        let ended = place.run(&format!("run word-count {flags}"));
        assert_eq!(ended.code, 2, "{flags}: {ended:?}");
        assert!(ended.stderr.starts_with("error: allocator_"), "{flags}: {}", ended.stderr);
        assert!(place.is_empty(), "{flags}");
    }
}

#[test]
fn allocations_are_counted_per_batch_unless_they_are_not() {
    for allocator in ["system", "mimalloc", "jemalloc"] {
        let counted = record(&Place::new(), &format!("--allocator {allocator}"), &[]);
        for batch in counted["batches"].as_array().unwrap() {
            // A batch of records makes at least its answer.
            assert!(batch["allocations"].as_u64() > Some(0) && batch["allocated_bytes"].as_u64() > Some(0), "{batch}");
        }
        let uncounted = record(&Place::new(), &format!("--allocator {allocator},uncounted"), &[]);
        assert!(uncounted["resources"]["allocations"].is_null());
        assert!(uncounted["batches"].as_array().unwrap().iter().all(|batch| batch["allocations"].is_null()));
    }
}
