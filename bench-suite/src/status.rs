//! How far a trial is: a small file that its process rewrites twice a second and its parent reads.

use serde::{Deserialize, Serialize};
use std::path::Path;

/// What a trial's process is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    /// Makes or reads the lines.
    #[default]
    Loading,
    /// Fills windows and state.
    Priming,
    /// Waits for the first line of a TCP source.
    Waiting,
    /// Runs batches that are not judged.
    WarmUp,
    /// Runs batches that are judged.
    Measuring,
    /// Runs what is left, takes nothing new.
    Draining,
    /// Computes the right answer.
    Checking,
    /// Runs the batches unpaced under the profiler.
    Profiling,
}

impl Stage {
    /// The word for people.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stage::Loading => "loading",
            Stage::Priming => "priming",
            Stage::Waiting => "waiting",
            Stage::WarmUp => "warm-up",
            Stage::Measuring => "judging",
            Stage::Draining => "draining",
            Stage::Checking => "checking",
            Stage::Profiling => "profiling",
        }
    }
}

/// How far a trial is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Status {
    /// What its process is doing.
    pub(crate) stage: Stage,
    /// Batches done, warm-up included.
    pub(crate) done: u64,
    /// Batches planned, warm-up included. `None` when the input decides.
    pub(crate) planned: Option<u64>,
    /// Late ones among those that are judged.
    pub(crate) late: u64,
    /// Processing time of the last batch, nanoseconds.
    pub(crate) processing_ns: u64,
    /// Total delay of the last batch, nanoseconds.
    pub(crate) total_delay_ns: u64,
    /// Batches that were waiting.
    pub(crate) backlog: u64,
    /// What a source says about its trouble.
    pub(crate) trouble: Option<String>,
}

impl Status {
    /// Rewrites the file. A failure is not worth more than a missing line of progress.
    pub(crate) fn write(&self, path: &Path) {
        if let Ok(json) = serde_json::to_vec(self) {
            let _ = std::fs::write(path, json);
        }
    }

    /// The last status written, if there is one and it is whole.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(path).ok()?).ok()
    }
}
