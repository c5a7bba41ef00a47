//! The scripts of `downbeat completions` are such that their shells accept them and complete what there is.

use crate::command::Place;
use std::process::Command;

/// What bash offers for the last of these words, by the script in the file `script` of this place.
fn offered(place: &Place, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let typed = format!(
        "source ./script; COMP_WORDS=({}); COMP_CWORD={last}; _downbeat downbeat '{}' '{}'; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        words[last],
        words[last - 1],
    );
    let shell = ["--norc", "--noprofile", "-c", &typed];
    let output = Command::new("bash").args(shell).current_dir(place.path("")).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().split_whitespace().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_of_knobs_workloads_and_values() {
    let place = Place::new();
    let written = place.run("completions bash");
    assert_eq!((written.code, written.stderr.as_str()), (0, ""));
    let script = place.write("script", &written.stdout);
    let checked = Command::new("bash").arg("-n").arg(script).output().unwrap();
    assert!(checked.status.success() && checked.stderr.is_empty(), "{checked:?}");

    assert_eq!(offered(&place, &["downbeat", "do"]), ["doctor"]);
    assert_eq!(offered(&place, &["downbeat", "tri"]), Vec::<String>::new(), "the trial protocol is not for people");
    assert_eq!(offered(&place, &["downbeat", "run", "word-"]), ["word-count"]);
    assert_eq!(offered(&place, &["downbeat", "run", "word-count", "--cod"]), ["--codec"]);
    assert_eq!(offered(&place, &["downbeat", "tune", "--block-int"]), ["--block-interval"], "no flag of its help");
    assert_eq!(offered(&place, &["downbeat", "run", "--codec", "bit"]), ["bitcode"]);
    assert_eq!(offered(&place, &["downbeat", "report", "--format", "ju"]), ["junit"]);
    assert_eq!(offered(&place, &["downbeat", "completions", "f"]), ["fish"]);
}

#[test]
fn other_shells_accept_their_scripts_where_they_are_there() {
    let place = Place::new();
    for (shell, check) in [("zsh", "-n"), ("fish", "--no-execute")] {
        let written = place.run(&format!("completions {shell}"));
        assert_eq!((written.code, written.stderr.as_str()), (0, ""));
        assert!(written.stdout.contains("word-count") && written.stdout.contains("doctor"), "{shell}");
        let script = place.write(shell, &written.stdout);
        if let Ok(checked) = Command::new(shell).arg(check).arg(script).output() {
            assert!(checked.status.success() && checked.stderr.is_empty(), "{shell}: {checked:?}");
        }
    }
}

#[test]
fn other_words_are_refused() {
    let ended = Place::new().run("completions tcsh");
    assert_eq!(ended.code, 2);
    assert!(ended.stderr.contains("tcsh") && ended.stderr.contains("bash, zsh, fish"), "{ended:?}");
}
