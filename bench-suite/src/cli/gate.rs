//! The flags of `gate`, `history` and `bisect`.

use super::{colour, path, resolved, string};
use crate::failure::Failure;
use crate::gate::history::FILE;
use crate::request::{BisectRequest, GateRequest, HistoryRequest};
use crate::settings::Resolved;
use clap::ArgMatches;
use downbeat_engine::settings::parse_duration_ns;
use downbeat_reports::gate::format::FORMATS;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(super) fn gate(matches: &ArgMatches, environment: &BTreeMap<String, String>) -> Result<GateRequest, Failure> {
    let resolved = resolved(matches, environment)?;
    let self_test = matches.get_flag("self-test");
    let name = string(matches, "format");
    let (base, head) = match self_test {
        true => own_program()?,
        false => (string(matches, "base"), string(matches, "head")),
    };
    Ok(GateRequest {
        base,
        head,
        workloads: workloads(&string(matches, "workloads"))?,
        budget_ns: budget_ns(matches, &resolved)?,
        resolved,
        out: path(matches, "out"),
        report: path(matches, "report"),
        cache: path(matches, "cache"),
        history: history_file(matches),
        // clap takes no other name than those of the table.
        format: FORMATS.iter().find(|format| format.name == name).unwrap_or(&FORMATS[0]),
        colour: colour(matches),
        self_test,
        forgive_host: matches.get_flag("forgive-host"),
        dry_run: matches.get_flag("dry-run"),
        quiet: matches.get_flag("quiet"),
    })
}

pub(super) fn history(matches: &ArgMatches) -> HistoryRequest {
    HistoryRequest { file: history_file(matches) }
}

pub(super) fn bisect(matches: &ArgMatches) -> BisectRequest {
    let gate = matches.get_many::<String>("flags").into_iter().flatten().cloned().collect();
    BisectRequest { good: string(matches, "good"), bad: string(matches, "bad"), gate }
}

fn history_file(matches: &ArgMatches) -> PathBuf {
    path(matches, "history").unwrap_or_else(|| PathBuf::from("results").join(FILE))
}

fn own_program() -> Result<(String, String), Failure> {
    let program =
        std::env::current_exe().map_err(|error| Failure::internal(format!("cannot find this program: {error}")))?;
    let program = program.to_string_lossy().into_owned();
    Ok((program.clone(), program))
}

/// Each once, in the order given.
fn workloads(text: &str) -> Result<Vec<String>, Failure> {
    let mut names: Vec<String> = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    if names.is_empty() {
        return Err(Failure::usage("--workloads names none").help("give names of jobs, separated by commas"));
    }
    Ok(names)
}

fn budget_ns(matches: &ArgMatches, resolved: &Resolved) -> Result<Option<u64>, Failure> {
    let Some(text) = matches.get_one::<String>("budget") else { return Ok(resolved.settings.run.max_time_ns) };
    if resolved.is_given("max_time") {
        return Err(Failure::usage("--budget and max_time both say how long it may take").help("give one of them"));
    }
    parse_duration_ns(text).map(Some).map_err(|error| Failure::usage(format!("--budget: {error}")))
}
