//! `downbeat report`: a stored result shown again; nothing is measured.

use crate::cli::ReportRequest;
use crate::failure::Failure;
use downbeat_reports::exit::Exit;
use downbeat_reports::format::Options;
use downbeat_reports::store;
use downbeat_reports::summary::Summary;

/// The result in the format that was asked for, and the exit code that belongs to its verdict.
///
/// # Errors
/// There is no result that this build can read.
pub(crate) fn report(request: &ReportRequest) -> Result<(String, Exit), Failure> {
    let record = store::load(&request.run)?;
    let summary = Summary::new(&record, request.output.must_hold)
        .map_err(|error| Failure::environment(format!("{}: {error}", request.run.display())))?;
    let options = Options { colour: request.output.colour, report: None };
    Ok(((request.output.format.render)(&summary, &options), summary.exit))
}
