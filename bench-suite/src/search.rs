//! Searches: the rate that holds, and the settings that make it hold.

pub mod duel;
pub mod goal;
pub mod grid;
mod laboratory;
pub(crate) mod max;
pub mod rate;
pub mod simulated;
pub mod surrogate;
pub(crate) mod sweep;
pub mod threshold;
pub(crate) mod tune;

use crate::failure::Failure;
use crate::plan::Length;
use crate::settings::Resolved;
use crate::source::Source;
use serde::Serialize;

/// A search sets the rate itself.
fn refuse_tcp(source: &Source) -> Result<(), Failure> {
    match source {
        Source::Tcp { .. } => {
            let message = "a search sets the rate, but with --source the sender does";
            Err(Failure::usage(message).help("leave --source out, or search by hand with downbeat run"))
        }
        Source::Generator | Source::File { .. } => Ok(()),
    }
}

/// Judged batches of a decisive trial: what `batches` or `duration` say.
fn long_batches(resolved: &Resolved) -> u64 {
    Length::of(resolved, &Source::Generator).batches.unwrap_or(resolved.settings.run.batches)
}

/// A search's text, and where its page is.
fn with_report(text: String, report: &std::path::Path) -> String {
    format!("{}\nreport   {}\n", text.trim_end(), report.display())
}

/// A record as it is stored and printed.
fn json(record: &impl Serialize) -> Result<String, Failure> {
    let json = serde_json::to_string_pretty(record);
    json.map(|json| json + "\n").map_err(|error| Failure::internal(format!("cannot write the result: {error}")))
}
