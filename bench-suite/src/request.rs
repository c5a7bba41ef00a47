//! What the user wants done, whoever says it: the types between the command line and what carries it out.

mod gate;
mod search;

pub use gate::{BisectRequest, GateRequest, HistoryRequest};
pub use search::{SearchOutput, SearchRequest, SweepRequest, TuneRequest};

use crate::settings::Resolved;
use crate::shard::Shard;
use crate::source::Source;
use clap_complete::Shell;
use downbeat_reports::format::Format;
use std::path::PathBuf;

/// The format for people.
const HUMAN: &str = "human";

/// What the user wants done.
#[derive(Debug)]
pub enum Request {
    /// Text that was asked for: help or the version.
    Show(String),
    /// Measure one setting.
    Run(Box<RunRequest>),
    /// Find the highest rate that holds.
    Max(Box<SearchRequest>),
    /// Measure many settings.
    Sweep(Box<SweepRequest>),
    /// Find the settings that serve a goal best.
    Tune(Box<TuneRequest>),
    /// Go on with a sweep that was stopped.
    Resume(PathBuf),
    /// Compare two builds.
    Gate(Box<GateRequest>),
    /// Find the commit that made it slower.
    Bisect(BisectRequest),
    /// Show what gates found so far.
    History(HistoryRequest),
    /// Send a load over TCP.
    Load(Box<LoadRequest>),
    /// List something.
    List(ListRequest),
    /// Render a stored result again.
    Report(ReportRequest),
    /// Show stored runs beside one another.
    Compare(CompareRequest),
    /// Say why a batch was late.
    Explain(ExplainRequest),
    /// Write a project for a job of one's own.
    Init(InitRequest),
    /// Look at what of this host makes figures worse.
    Doctor(DoctorRequest),
    /// Write a script that completes what is typed.
    Completions(Shell),
    /// Be the process of one trial.
    Trial {
        /// What to measure.
        spec: PathBuf,
        /// Where the record goes.
        record: PathBuf,
    },
}

impl Request {
    /// Whether stdout is text for people, not a format for programs or a script.
    pub(crate) fn is_for_people(&self) -> bool {
        match self {
            Request::Run(request) => request.dry_run || request.output.format.name == HUMAN,
            Request::Report(request) => request.output.format.name == HUMAN,
            Request::Gate(request) => request.dry_run || request.format.name == HUMAN,
            Request::Compare(request) => request.format == HUMAN,
            Request::Max(request) => !request.output.json,
            Request::Sweep(request) => !request.output.json,
            Request::Tune(request) => !request.output.json,
            Request::Load(request) => !request.json,
            Request::List(request) => !request.json,
            Request::Explain(request) => !request.json,
            Request::Doctor(request) => !request.json,
            Request::Show(_) | Request::Init(_) | Request::History(_) | Request::Bisect(_) => true,
            // The command that is resumed knows.
            Request::Resume(_) | Request::Completions(_) | Request::Trial { .. } => false,
        }
    }
}

/// `downbeat run`.
#[derive(Debug)]
pub struct RunRequest {
    /// Name of the job.
    pub workload: String,
    /// All settings and where they came from.
    pub resolved: Resolved,
    /// Where the lines come from.
    pub source: Source,
    /// Where the job's final answer goes.
    pub answer: Option<PathBuf>,
    /// The result directory; `None` means `results/<run>`.
    pub out: Option<PathBuf>,
    /// How stdout is rendered.
    pub output: Output,
    /// Take a profile after the trial, and samples in it if the settings want them.
    pub profile: bool,
    /// Replay the trial for the profile.
    pub replay: bool,
    /// Show the plan only.
    pub dry_run: bool,
    /// No progress on stderr.
    pub quiet: bool,
}

/// `downbeat load`.
#[derive(Debug)]
pub struct LoadRequest {
    /// Name of the job whose text is sent.
    pub workload: String,
    /// All settings and where they came from.
    pub resolved: Resolved,
    /// The generator or a file.
    pub source: Source,
    /// `HOST:PORT` to listen on.
    pub listen: String,
    /// Which of the records this process sends.
    pub shard: Shard,
    /// The whole load ends after so many records.
    pub records: Option<u64>,
    /// The summary as JSON.
    pub json: bool,
    /// Nothing on stderr but errors.
    pub quiet: bool,
}

/// How the result is shown on stdout.
#[derive(Clone, Copy, Debug)]
pub struct Output {
    /// The format.
    pub format: &'static Format,
    /// FALLS BEHIND ends with its own exit code.
    pub must_hold: bool,
    /// Colour the verdict.
    pub colour: bool,
}

/// `downbeat list`.
#[derive(Debug)]
pub struct ListRequest {
    /// What to list.
    pub what: Listed,
    /// Where runs are stored.
    pub root: PathBuf,
    /// JSON instead of text.
    pub json: bool,
}

/// What can be listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Jobs of the catalog.
    Workloads,
    /// Everything that can be tuned.
    Knobs,
    /// Stored results.
    Runs,
    /// The exit codes and what they mean.
    ExitCodes,
}

/// `downbeat report`.
#[derive(Debug)]
pub struct ReportRequest {
    /// A result directory or a file with a record, of a run or a search.
    pub run: PathBuf,
    /// How stdout is rendered.
    pub output: Output,
}

/// `downbeat compare`.
#[derive(Debug)]
pub struct CompareRequest {
    /// Result directories or files with records, two or more.
    pub runs: Vec<PathBuf>,
    /// `human`, `json`, `html` or `markdown`.
    pub format: String,
}

/// `downbeat explain`.
#[derive(Debug)]
pub struct ExplainRequest {
    /// A result directory or a file with a record.
    pub run: PathBuf,
    /// The batch; `None` means the one with the longest delay.
    pub batch: Option<u64>,
    /// JSON instead of text.
    pub json: bool,
}

/// `downbeat init`.
#[derive(Debug)]
pub struct InitRequest {
    /// Where the project goes.
    pub directory: PathBuf,
    /// The source tree of downbeat; `None` means the one that this program was built from.
    pub downbeat_path: Option<PathBuf>,
}

/// `downbeat doctor`.
#[derive(Debug)]
pub struct DoctorRequest {
    /// JSON instead of text.
    pub json: bool,
}
