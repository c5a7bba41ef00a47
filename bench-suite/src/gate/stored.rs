//! A gate's record on disk, shown again: it is judged anew, and nothing is measured.

pub(crate) use super::run::RECORD;
use crate::failure::Failure;
use downbeat_reports::exit::Exit;
use downbeat_reports::format::Options;
use downbeat_reports::gate::format::FORMATS;
use downbeat_reports::gate::record::{GateRecord, SCHEMA};
use downbeat_reports::gate::rule;
use std::path::{Path, PathBuf};

/// Where the record of a gate is: in a result directory, or the path itself. `None` when there is none.
pub(crate) fn file(path: &Path) -> Option<PathBuf> {
    let file = if path.is_dir() { path.join(RECORD) } else { path.to_owned() };
    (file.file_name().is_some_and(|name| name == RECORD) && file.is_file()).then_some(file)
}

/// The record in a result directory, or in a file of its name. `None` when it is none of a gate's.
///
/// # Errors
/// It cannot be read, or is one of another version (exit 7).
pub(crate) fn find(path: &Path) -> Result<Option<GateRecord>, Failure> {
    let Some(file) = file(path) else { return Ok(None) };
    let unreadable = |why: String| {
        Failure::environment(format!("cannot read {}: {why}", file.display())).help("give a gate's result directory")
    };
    let bytes = std::fs::read(&file).map_err(|error| unreadable(error.to_string()))?;
    let probe: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if probe["schema"] != SCHEMA {
        return Err(unreadable(format!("it has schema {}, this build reads {SCHEMA}", probe["schema"])));
    }
    serde_json::from_value(probe).map(Some).map_err(|error| unreadable(error.to_string()))
}

/// Judges it and renders it in the format of that name.
///
/// # Errors
/// Gates have no such format (exit 2).
pub(crate) fn render(record: &GateRecord, name: &str, options: &Options) -> Result<(String, Exit), Failure> {
    let Some(format) = FORMATS.iter().find(|format| format.name == name) else {
        let names: Vec<&str> = FORMATS.iter().map(|format| format.name).collect();
        let message = format!("a gate cannot be shown as {name}");
        return Err(Failure::usage(message).help(format!("its formats are {}", names.join(", "))));
    };
    let judgement = rule::judge(record);
    Ok(((format.render)(record, &judgement, options), judgement.verdict.exit()))
}
