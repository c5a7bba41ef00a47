//! `downbeat report` and `downbeat compare`: stored results shown again; nothing is measured.

use crate::failure::Failure;
use crate::gate;
use crate::request::{CompareRequest, ReportRequest};
use downbeat_reports::compare::{self, Comparison};
use downbeat_reports::exit::Exit;
use downbeat_reports::format::{self, Options, html, json};
use downbeat_reports::record::TrialRecord;
use downbeat_reports::search::found::Found;
use downbeat_reports::store::{self, RESULT_FILE};
use downbeat_reports::summary::Summary;
use std::path::{Path, PathBuf};

/// The result in the format that was asked for, and the exit code that belongs to its verdict. Searches have no verdict.
///
/// # Errors
/// There is no result that this build can read, or a search has no such format.
pub(crate) fn report(request: &ReportRequest) -> Result<(Vec<u8>, Exit), Failure> {
    let options = Options { colour: request.output.colour, ..Options::default() };
    if let Some(record) = gate::stored::find(&request.run)? {
        let rendered = gate::stored::render(&record, request.output.format.name, &options)?;
        return Ok((rendered.0.into_bytes(), rendered.1));
    }
    if let Some(file) = search_file(&request.run) {
        let format = request.output.format.name;
        let rendered = search(&file)?.render(format);
        return rendered.map(|text| (text.into_bytes(), Exit::Ok)).ok_or_else(|| {
            Failure::usage(format!("--format {format}: {} holds a search, not a run", request.run.display()))
                .help(format!("a search has the formats {}", format::search::FORMATS.join(", ")))
        });
    }
    let record = store::load(&request.run)?;
    let samples = store::load_samples(&request.run, &record)?;
    let summary = summary(&record, &request.run, request.output.must_hold)?.with_samples(samples.as_ref());
    Ok((request.output.format.write(&summary, &options), summary.exit))
}

/// The record of a run, for what reads runs only.
///
/// # Errors
/// It is a search or a gate (exit 2), or no result that this build can read.
pub(crate) fn run_record(path: &Path) -> Result<TrialRecord, Failure> {
    let is_gate = gate::stored::file(path).is_some();
    let kind = if is_gate { Some("a gate") } else { search_file(path).map(|_| "a search") };
    match kind {
        None => Ok(store::load(path)?),
        Some(kind) => {
            let place = path.display();
            Err(Failure::usage(format!("{place} holds {kind}, not a run"))
                .help(format!("downbeat report {place} shows it")))
        }
    }
}

/// Runs beside one another.
///
/// # Errors
/// One of them is no result that this build can read.
pub(crate) fn compare(request: &CompareRequest) -> Result<String, Failure> {
    let records = request.runs.iter().map(|run| run_record(run)).collect::<Result<Vec<TrialRecord>, Failure>>()?;
    let named = records.iter().zip(&request.runs);
    let summaries = named.map(|(record, run)| summary(record, run, false)).collect::<Result<Vec<_>, _>>()?;
    let comparison = Comparison::of(&summaries);
    Ok(match request.format.as_str() {
        "json" => json::write(&comparison),
        "html" => html::comparison(&comparison, &summaries),
        "markdown" => compare::render_markdown(&comparison),
        _ => compare::render_human(&comparison),
    })
}

fn summary<'r>(record: &'r TrialRecord, run: &Path, must_hold: bool) -> Result<Summary<'r>, Failure> {
    Summary::new(record, must_hold).map_err(|error| Failure::environment(format!("{}: {error}", run.display())))
}

/// The record of a search in a result directory, or the path itself if it is one.
pub(crate) fn search_file(path: &Path) -> Option<PathBuf> {
    if path.is_dir() {
        let there = Found::FILES.iter().map(|name| path.join(name)).find(|file| file.is_file());
        return there.filter(|_| !path.join(RESULT_FILE).is_file());
    }
    let name = path.file_name()?.to_str()?;
    Found::FILES.contains(&name).then(|| path.to_owned())
}

/// Reads the record of a search.
///
/// # Errors
/// It is not one that this build can read (exit 7).
pub(crate) fn search(file: &Path) -> Result<Found, Failure> {
    let unreadable = |why: String| Failure::environment(format!("cannot read {}: {why}", file.display()));
    let bytes = std::fs::read(file).map_err(|error| unreadable(error.to_string()))?;
    let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    Found::parse(name, &bytes).map_err(unreadable)
}
