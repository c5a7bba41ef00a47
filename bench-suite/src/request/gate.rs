//! What `gate`, `history` and `bisect` are asked for.

use crate::settings::Resolved;
use downbeat_reports::gate::format::Format;
use std::path::PathBuf;

/// `downbeat gate`.
pub struct GateRequest {
    /// What is compared with: a revision, a binary or a directory.
    pub base: String,
    /// What is judged.
    pub head: String,
    /// Names of the jobs.
    pub workloads: Vec<String>,
    /// All settings and where they came from.
    pub resolved: Resolved,
    /// How long it may take, builds excluded, nanoseconds.
    pub budget_ns: Option<u64>,
    /// The result directory; `None` means `results/<run>`.
    pub out: Option<PathBuf>,
    /// Where the page goes; `None` means into the result directory.
    pub report: Option<PathBuf>,
    /// Where builds of revisions are kept; `None` means in the user's cache.
    pub cache: Option<PathBuf>,
    /// The file to which a line is added.
    pub history: PathBuf,
    /// How stdout is rendered.
    pub format: &'static Format,
    /// Colour the verdict.
    pub colour: bool,
    /// This program against itself, for the first look only.
    pub self_test: bool,
    /// End with 0 where nothing but the host kept it from judging.
    pub forgive_host: bool,
    /// Show the plan only.
    pub dry_run: bool,
    /// No progress on stderr.
    pub quiet: bool,
}

/// `downbeat history`.
#[derive(Debug)]
pub struct HistoryRequest {
    /// The file with the lines.
    pub file: PathBuf,
}

/// `downbeat bisect`.
#[derive(Debug)]
pub struct BisectRequest {
    /// A revision that is fast enough: all others are compared with it.
    pub good: String,
    /// A later one that is not.
    pub bad: String,
    /// Flags of each gate.
    pub gate: Vec<String>,
}

impl std::fmt::Debug for GateRequest {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let GateRequest { base, head, workloads, format, .. } = self;
        let shown = (base, head, workloads, format.name);
        write!(formatter, "GateRequest {shown:?}")
    }
}
