//! What `max`, `sweep` and `tune` are asked for.

use crate::search::goal::Goal;
use crate::search::grid::Axis;
use crate::settings::Resolved;
use crate::source::Source;
use downbeat_reports::limit::Limit;
use downbeat_reports::search::sweep::Response;
use std::path::PathBuf;

/// What a search shows, and where it keeps what it found.
#[derive(Debug)]
pub struct SearchOutput {
    /// The result directory; `None` means one of its own below `results`.
    pub out: Option<PathBuf>,
    /// JSON on stdout instead of text.
    pub json: bool,
    /// Show the plan only.
    pub dry_run: bool,
    /// No progress on stderr.
    pub quiet: bool,
}

/// `downbeat max`.
#[derive(Debug)]
pub struct SearchRequest {
    /// Name of the job.
    pub workload: String,
    /// All settings and where they came from; `max_time` is the budget of the whole search.
    pub resolved: Resolved,
    /// Where the lines come from.
    pub source: Source,
    /// What a trial must keep.
    pub limits: Vec<Limit>,
    /// Rungs lie this share of the rate apart.
    pub resolution: f64,
    /// Enough is known when the 95 % interval is no wider than this share.
    pub width: f64,
    /// Searches that take turns, each with a seed of its own.
    pub searches: u64,
    /// What is shown and where it is kept.
    pub output: SearchOutput,
}

/// `downbeat sweep`.
#[derive(Debug)]
pub struct SweepRequest {
    /// Names of the jobs.
    pub workloads: Vec<String>,
    /// All settings and where they came from; `max_time` is the budget of the whole sweep.
    pub resolved: Resolved,
    /// Where the lines come from.
    pub source: Source,
    /// What varies.
    pub axes: Vec<Axis>,
    /// Each change alone instead of every combination.
    pub one_at_a_time: bool,
    /// How often each cell is measured.
    pub rounds: u64,
    /// What is measured.
    pub response: Response,
    /// What is shown and where it is kept.
    pub output: SearchOutput,
}

/// `downbeat tune`.
#[derive(Debug)]
pub struct TuneRequest {
    /// Name of the job.
    pub workload: String,
    /// Today's settings and where they came from; `max_time` is the budget of the whole tuning.
    pub resolved: Resolved,
    /// Where the lines come from.
    pub source: Source,
    /// What it is for.
    pub goal: Goal,
    /// What varies; empty for the knobs that can matter.
    pub axes: Vec<Axis>,
    /// What is shown and where it is kept.
    pub output: SearchOutput,
}
