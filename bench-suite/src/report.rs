//! `downbeat report`: a stored result shown again; nothing is measured.

use crate::cli::ReportRequest;
use crate::failure::Failure;
use crate::gate;
use downbeat_reports::exit::Exit;
use downbeat_reports::format::{self, Options};
use downbeat_reports::store;
use downbeat_reports::summary::Summary;

/// The result in the format that was asked for, and the exit code that belongs to its verdict.
///
/// # Errors
/// There is no result that this build can read.
pub(crate) fn report(request: &ReportRequest) -> Result<(String, Exit), Failure> {
    if let Some(record) = gate::stored::find(&request.run)? {
        return gate::stored::render(&record, &request.format);
    }
    if !format::FORMATS.iter().any(|format| format.name == request.format) {
        let names: Vec<&str> = format::FORMATS.iter().map(|format| format.name).collect();
        let message = format!("a run cannot be shown as {}", request.format);
        return Err(Failure::usage(message).help(format!("its formats are {}", names.join(", "))));
    }
    let record = store::load(&request.run)?;
    let summary = Summary::new(&record, request.output.must_hold)
        .map_err(|error| Failure::environment(format!("{}: {error}", request.run.display())))?;
    let options = Options { colour: request.output.colour, report: None };
    Ok(((request.output.format.render)(&summary, &options), summary.exit))
}
