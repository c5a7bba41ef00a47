//! What is typed wrongly is refused with what was meant, exit 2 or 7, and nothing is written.

use crate::command::Place;

/// Runs it, and gives its code and its message in one text.
fn refused(arguments: &str) -> String {
    let place = Place::new();
    let ended = place.run(arguments);
    assert!(ended.stdout.is_empty(), "{ended:?}");
    assert!(place.is_empty(), "something was written: {arguments}");
    format!("$ downbeat {arguments}\n{}[{}]\n", ended.stderr, ended.code)
}

#[test]
fn what_is_typed_wrongly_is_refused_with_what_was_meant() {
    let typed = [
        "",
        "rn word-count",
        "run word-cont",
        "run",
        "run word-count --inteval 1s",
        "run word-count --interval 200",
        "run word-count --interval 0ms",
        "run word-count --interval -5ms",
        "run word-count --interval 1500us",
        "run word-count --rate 5parsecs",
        "run word-count --rate 0/s",
        "run word-count --codec rkvy",
        "run word-count --set codc=rkyv",
        "run word-count --set codec",
        "run word-count --rate 1k/s --set rate=2k/s",
        "run word-count --batches 5 --duration 5s",
        "run word-count --profile-hz 250",
        "run word-count --allocator mimaloc",
        "run word-count --source localhost:9999",
        "run word-count --source tcp://localhost",
        "run word-count --loop",
        "run word-count --input a --source tcp://a:1",
        "run word-count --format jsn",
        "run hashtags --window 3s --interval 7ms",
        "list workload",
    ];
    let all: Vec<String> = typed.into_iter().map(refused).collect();
    // Where in its file a job calls an operator is no part of the promise.
    insta::with_settings!({ filters => [(r"\.rs:\d+", ".rs:LINE")] }, { insta::assert_snapshot!(all.join("\n")) });
}

#[test]
fn surroundings_that_fail_are_named_before_anything_is_measured() {
    let typed = [
        "run word-count --input missing.txt",
        "run word-count --input .",
        "run word-count --answer missing/answer.txt",
        "run word-count --config missing.toml",
        "run word-count --out /proc/downbeat",
        "report missing",
    ];
    let all: Vec<String> = typed.into_iter().map(refused).collect();
    insta::assert_snapshot!(all.join("\n"));
}

#[test]
fn the_weaker_layers_are_checked_too() {
    let place = Place::new();
    place.write("x.toml", "interval = \"20ms\"\nrat = \"5k/s\"\n");
    let ended = place.run("run word-count --config x.toml");
    assert_eq!(ended.code, 2);
    assert_eq!(
        ended.stderr,
        "error: x.toml:2: unknown setting `rat`; did you mean `rate`?\nhelp: downbeat list knobs\n"
    );
    let mut command = place.command("run word-count");
    let output = command.env("DOWNBEAT_RATE", "5000").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "error: DOWNBEAT_RATE: `5000` has no unit: write for example `5000/s`\n");
}

#[test]
fn flag_beats_environment_beats_file_beats_default() {
    let place = Place::new();
    place.write("x.toml", "interval = \"30ms\"\nthreads = 3\npartitions = 7\n");
    let mut command = place.command("run word-count --dry-run --config x.toml --interval 50ms");
    let output = command.env("DOWNBEAT_INTERVAL", "40ms").env("DOWNBEAT_THREADS", "4").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let plan = String::from_utf8(output.stdout).unwrap();
    let line = |name: &str| {
        let line = plan.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        [line("interval"), line("threads"), line("partitions"), line("batches")],
        ["interval 50ms flag", "threads 4 environment", "partitions 7 file", "batches 100 default"]
    );
}

#[test]
fn help_fits_on_a_screen_and_names_examples_and_exit_codes() {
    let place = Place::new();
    let help = place.run("--help").stdout;
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() >= 16 && commands.contains(&"doctor"), "{commands:?}");
    for command in commands.iter().chain(&[""]) {
        let ended = place.run(&format!("{command} --help"));
        assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{command}");
        let (lines, columns) =
            (ended.stdout.lines().count(), ended.stdout.lines().map(|line| line.chars().count()).max());
        assert!(lines <= 40 && columns <= Some(100), "{command}: {lines} lines, {columns:?} columns");
        assert!(ended.stdout.contains(&format!("  downbeat {command}")), "{command}: no example");
    }
    for needle in ["Examples:", "downbeat run word-count", "Exit codes (", "130", "125"] {
        assert!(help.contains(needle), "{needle} is missing");
    }
    assert!(!help.contains("trial "), "the trial protocol is not for people");
}

#[test]
fn lists_have_a_json_twin() {
    let place = Place::new();
    let workloads = place.run("list workloads --format json").json();
    assert_eq!((&workloads[0]["name"], &workloads[0]["payload"]), (&"word-count".into(), &"words-1".into()));
    let codes = place.run("list exit-codes --format json").json();
    assert_eq!(codes[10]["code"], 125);
    assert!(place.run("list exit-codes").stdout.contains("\n125  not-judged"));
    let shown = place.run("list workloads").stdout;
    for workload in workloads.as_array().unwrap() {
        for value in ["name", "about", "payload"] {
            assert!(shown.contains(workload[value].as_str().unwrap()), "{value} of {workload} is missing of {shown}");
        }
    }
    let knobs = place.run("list knobs --format json").json();
    let names: Vec<&str> = knobs.as_array().unwrap().iter().map(|knob| knob["name"].as_str().unwrap()).collect();
    for name in ["interval", "rate", "batches", "codec", "allocator"] {
        assert!(names.contains(&name), "{name} is missing");
        assert!(place.run("list knobs").stdout.contains(name));
    }
    assert_eq!(place.run("list runs --format json").json(), serde_json::json!([]));
}
