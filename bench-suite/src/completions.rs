//! `downbeat completions`: a script that completes commands, flags, workloads and the values that a flag has.

use crate::cli;
use crate::settings::knobs;
use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::Shell;
use downbeat_engine::settings::KnobKind;
use downbeat_workloads::catalog::Job;
use std::ffi::OsStr;
use std::fmt::Write;
use std::path::Path;

/// The argument whose values are names of jobs.
const WORKLOAD: &str = "workload";

/// What the program is called when its name would be no name in a script.
const PROGRAM: &str = "downbeat";

/// The script for a shell, over these jobs, for a program that is called like this.
pub(crate) fn script(shell: Shell, program: Option<&OsStr>, jobs: &[&dyn Job]) -> String {
    let program = name(program);
    let mut command = completed(jobs);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, program, &mut script);
    let mut script = String::from_utf8_lossy(&script).into_owned();
    if shell == Shell::Fish {
        add_arguments_for_fish(&mut script, &command, program);
    }
    script
}

/// The last part of the path that was typed, where it can stand in a script as it is.
fn name(program: Option<&OsStr>) -> &str {
    let name = program.and_then(|program| Path::new(program).file_name()).and_then(OsStr::to_str);
    let is_plain = |name: &&str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
    };
    name.filter(is_plain).unwrap_or(PROGRAM)
}

/// The command with everything that can be completed.
fn completed(jobs: &[&dyn Job]) -> Command {
    let names: Vec<&'static str> = jobs.iter().map(|job| job.name()).collect();
    cli::visible_command().mut_subcommands(|verb| {
        verb.mut_args(|argument| {
            let id = argument.get_id().as_str().to_owned();
            let choices = knobs().into_iter().find(|knob| knob.name == id).map(|knob| knob.kind);
            match (id.as_str(), choices) {
                (WORKLOAD, _) => argument.value_parser(PossibleValuesParser::new(names.clone())),
                (_, Some(KnobKind::Choice(words))) => {
                    argument.value_parser(PossibleValuesParser::new(words.iter().copied()))
                }
                _ => argument,
            }
        })
    })
}

/// clap's script for fish knows nothing of arguments without a flag.
fn add_arguments_for_fish(script: &mut String, command: &Command, program: &str) {
    let function = format!("__fish_{}_using_subcommand", program.replace('-', "_"));
    for verb in command.get_subcommands() {
        for argument in verb.get_positionals() {
            let values = argument.get_possible_values();
            let values: Vec<&str> = values.iter().map(|value| value.get_name()).collect();
            if !values.is_empty() {
                let (verb, values) = (verb.get_name(), values.join(" "));
                // Writing to a string cannot fail.
                let _ = writeln!(script, "complete -c {program} -n \"{function} {verb}\" -f -a \"{values}\"");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_workloads::catalog::CATALOG;

    #[test]
    fn the_program_may_be_called_otherwise_but_not_just_anything() {
        let called = |program: &'static str| name(Some(OsStr::new(program)));
        assert_eq!(called("/usr/bin/own-job"), "own-job");
        assert_eq!([called("$(reboot)"), called("a b"), called(""), called("-x")], [PROGRAM; 4]);
        assert_eq!(name(None), PROGRAM);
    }

    #[test]
    fn zsh_and_fish_know_workloads_knobs_and_choices_and_no_hidden_command() {
        for shell in [Shell::Zsh, Shell::Fish, Shell::Bash] {
            let script = script(shell, None, CATALOG);
            for word in ["tune", "word-count", "hashtags", "block-interval", "postcard", "exit-codes"] {
                assert!(script.contains(word), "{shell}: {word} is missing");
            }
            assert!(!script.contains("trial --spec") && !script.contains("-a \"trial\""), "{shell}");
        }
    }
}
