//! `downbeat doctor` looks at any host and never fails because of what it sees.

use crate::command::Place;

#[test]
fn whatever_the_host_is_like_each_thing_is_told_with_why_and_what_to_do() {
    let place = Place::new();
    let ended = place.run("doctor --format json");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""));
    let found = ended.json();
    let checks = found["checks"].as_array().unwrap();
    for check in checks {
        for text in ["name", "value", "why", "advice"] {
            assert!(!check[text].as_str().unwrap().is_empty(), "{text} of {check}");
        }
        assert!(["ok", "warn", "unknown"].contains(&check["state"].as_str().unwrap()), "{check}");
    }
    let names: Vec<&str> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
    for name in ["cores", "steal", "timer", "clock", "memory", "disk", "valgrind"] {
        assert!(names.contains(&name), "{name} is missing of {names:?}");
    }
    let warnings = checks.iter().filter(|check| check["state"] == "warn").count();
    assert_eq!(found["warnings"], warnings);
    assert!(place.is_empty(), "something was written");
}

#[test]
fn what_is_found_is_told_within_eighty_columns() {
    let place = Place::new();
    // Without a PATH there is no valgrind, whatever this machine has.
    let output = place.command("doctor").env("PATH", "").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("warn     valgrind: not found\n  why    a gate counts instructions by it"), "{text}");
    assert!(text.contains("  do     apt-get install valgrind"), "{text}");
    let is_wide = |line: &&str| line.chars().count() > 80 && line.split_whitespace().count() > 2;
    assert_eq!(text.lines().find(is_wide), None);
}
