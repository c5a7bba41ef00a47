//! Colour and progress by what the surroundings say: a terminal or none, `NO_COLOR`, `CLICOLOR_FORCE`, `TERM=dumb`, `CI`.

use crate::command::{Place, TINY};
use crate::stored::recorded;
use std::process::Command;

const ESCAPE: char = '\u{1b}';

/// What the command writes on a terminal of its own, stdout and stderr together, with these variables.
fn on_a_terminal(arguments: &str, variables: &[(&str, &str)]) -> String {
    let place = Place::new();
    let command = place.command(arguments);
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let line = words.map(|word| format!("'{}'", word.display())).collect::<Vec<_>>().join(" ");
    // `script` of util-linux gives its command a terminal and copies what comes from there.
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &line, "/dev/null"]).current_dir(place.path("."));
    let of_this_test = ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "CI"];
    let set = std::env::vars_os().map(|(name, _)| name);
    let settings = set.filter(|name| name.to_string_lossy().starts_with("DOWNBEAT_"));
    settings.chain(of_this_test.map(Into::into)).for_each(|name| {
        script.env_remove(name);
    });
    let output = script.env("TERM", "xterm").envs(variables.iter().copied()).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

fn report() -> String {
    format!("report {}", recorded("holds").display())
}

#[test]
fn colour_is_for_terminals_that_want_it() {
    let has_colour = |variables: &[(&str, &str)]| on_a_terminal(&report(), variables).contains("\u{1b}[1;32mHOLDS");
    assert!(has_colour(&[]));
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let text = on_a_terminal(&report(), &[variable]);
        assert!(text.starts_with("HOLDS ") && !text.contains(ESCAPE), "{variable:?}: {text}");
    }
    assert!(has_colour(&[("NO_COLOR", "")]), "an empty one is none");
    assert!(!has_colour(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
    assert!(!on_a_terminal(&format!("{} --color never", report()), &[]).contains(ESCAPE));
}

#[test]
fn pipes_have_colour_only_where_it_is_forced() {
    let place = Place::new();
    let shown = |flags: &str, variables: &[(&str, &str)]| {
        let mut command = place.command(&format!("{}{flags}", report()));
        String::from_utf8(command.envs(variables.iter().copied()).output().unwrap().stdout).unwrap()
    };
    assert!(!shown("", &[]).contains(ESCAPE));
    assert!(shown("", &[("CLICOLOR_FORCE", "1")]).contains(ESCAPE));
    assert!(!shown("", &[("CLICOLOR_FORCE", "0")]).contains(ESCAPE));
    assert!(shown(" --color always", &[("NO_COLOR", "1")]).contains(ESCAPE), "a flag beats a variable");
}

#[test]
fn a_live_line_is_drawn_only_on_a_terminal_that_can_and_not_in_ci() {
    // How far it is is read twice a second: it must not be over before that.
    let long = TINY.replace("--batches 20", "--batches 100");
    let run = format!("run word-count {long} --no-profile --out r");
    assert!(on_a_terminal(&run, &[]).contains("\r\u{1b}[2K"), "a live line is drawn over itself");
    for variable in [("CI", "true"), ("TERM", "dumb")] {
        let text = on_a_terminal(&format!("{run} --color never"), &[variable]);
        assert!(!text.contains(ESCAPE), "{variable:?}: {text:?}");
        assert!(text.lines().any(|line| line.trim_end() == "judging …"), "{variable:?}: plain lines: {text:?}");
    }
}
