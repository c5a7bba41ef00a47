//! Golden files of what people read that no other test has whole: help, lists, `compare`, `doctor`, `history`.

use crate::command::Place;
use crate::stored;

/// What a command prints where it is well.
fn shown(arguments: &str) -> String {
    let ended = Place::new().run(arguments);
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{arguments}: {ended:?}");
    ended.stdout
}

#[test]
fn help_of_every_command() {
    let all = shown("--help");
    let listed = all.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let commands = listed.filter_map(|line| line.split_whitespace().next());
    let help: Vec<String> = commands
        .map(|command| format!("$ downbeat {command} --help\n{}", shown(&format!("{command} --help"))))
        .collect();
    insta::assert_snapshot!(format!("$ downbeat --help\n{all}\n{}", help.join("\n")));
}

#[test]
fn lists() {
    let list = |what: &str| format!("$ downbeat list {what}\n{}", shown(&format!("list {what}")));
    insta::assert_snapshot!(["workloads", "knobs", "exit-codes"].map(list).join("\n"));
}

#[test]
fn runs_beside_one_another() {
    let ended = stored::run("compare @holds @falls-behind @invalid");
    assert_eq!(ended.code, 0, "{ended:?}");
    insta::assert_snapshot!(ended.stdout);
}

/// What is looked at, why, and what to do about it; what this host is like is no part of it.
#[test]
fn checks_of_the_doctor() {
    let found = Place::new().run("doctor --format json").json();
    let line = |check: &serde_json::Value| {
        let text = |name: &str| check[name].as_str().unwrap().to_owned();
        format!("{}\n  why  {}\n  do   {}\n", text("name"), text("why"), text("advice"))
    };
    let checks: Vec<String> = found["checks"].as_array().unwrap().iter().map(line).collect();
    insta::assert_snapshot!(checks.concat());
}

#[test]
fn trends_of_a_history() {
    let place = Place::new();
    let line = |day: u32, head_ns: f64, verdict: &str| {
        format!(
            "{{\"schema\":1,\"at\":\"2026-11-{day:02}T10:00:00Z\",\"run\":\"r{day}\",\"host\":\"00c0ffee00c0ffee\",\
             \"facts\":{{\"cores\":\"2\",\"cpu\":\"AMD EPYC 7B13\"}},\"base\":\"4be21c0000000000\",\
             \"head\":\"9af310000000000{day}\",\"verdict\":\"{verdict}\",\"figures\":{{\"ads\":{{\
             \"median\":{{\"base\":2000000.0,\"head\":{head_ns:.1}}},\"capacity\":{{\"base\":1e6,\"head\":{:.1}}}}}}}}}\n",
            2e12 / head_ns
        )
    };
    let lines = [line(7, 2.0e6, "ok"), line(8, 2.02e6, "ok"), line(9, 2.2e6, "regressed"), "{\"half\n".to_owned()];
    let history = place.write("history.jsonl", lines.concat());
    let ended = place.run(&format!("history --history {}", history.display()));
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    insta::assert_snapshot!(ended.stdout);
}
