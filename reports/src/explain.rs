//! Why a batch was late: what it did beside the median batch, and the causes by rule, ranked by the share of the excess that each explains.

pub mod pools;
mod rules;
mod text;

pub use rules::heads;
pub(crate) use text::figures;
pub use text::render_human;

use crate::judged;
use crate::record::{BatchRecord, TrialRecord};
use pools::{Functions, Pools};
use rules::Case;
use serde::Serialize;

/// What kind of cause it is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// It waited for the batches before it.
    Backlog,
    /// It waited for nobody and started late all the same.
    Start,
    /// It was submitted late, for no recorded reason.
    Submission,
    /// The sender was late.
    Generator,
    /// The host stood still.
    Host,
    /// The hypervisor gave the host's cores to others.
    Steal,
    /// One task was much longer than the others.
    Skew,
    /// An output or the commit was slow.
    Output,
    /// There were more records than usual.
    Records,
    /// Many more allocations than usual.
    Allocator,
    /// Memory was touched for the first time, or had to be read from a disk.
    PageFaults,
    /// A stage took much longer, for no recorded reason.
    Stage,
    /// No rule explains it.
    Unknown,
}

impl Kind {
    /// As it is written in JSON, CSV and on the page.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Backlog => "backlog",
            Kind::Start => "start",
            Kind::Submission => "submission",
            Kind::Generator => "generator",
            Kind::Host => "host",
            Kind::Steal => "steal",
            Kind::Skew => "skew",
            Kind::Output => "output",
            Kind::Records => "records",
            Kind::Allocator => "allocator",
            Kind::PageFaults => "page-faults",
            Kind::Stage => "stage",
            Kind::Unknown => "unknown",
        }
    }

    /// What to do about it. `None` where the reader knows best.
    pub fn advice(self) -> Option<&'static str> {
        match self {
            Kind::Backlog => Some("explain the batch at the head of the streak: the others are its victims"),
            Kind::Generator => Some("lower --rate, or send from another machine: downbeat load"),
            Kind::Host => Some("run on a quieter host; the job is not why"),
            Kind::Steal => Some("run on a host that shares its cores with nobody; the job is not why"),
            Kind::Skew => Some("spread the key, combine before the exchange, or take more partitions"),
            Kind::Output => Some("write in bulk, or to something faster"),
            Kind::Records => Some("limit the rate (--max-rate, --backpressure), or leave headroom for bursts"),
            Kind::Allocator => Some("compare --allocator and --records; the flamegraph names who allocates"),
            Kind::PageFaults => Some("reuse memory instead of new; let the allocator keep what is freed (--allocator)"),
            Kind::Stage => Some("the flamegraph names the functions of the stage"),
            Kind::Start | Kind::Submission | Kind::Unknown => None,
        }
    }
}

/// One cause.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cause {
    /// What kind.
    pub kind: Kind,
    /// Time of the excess that it explains.
    pub ns: u64,
    /// The same as a share of all that was explained, 0 to 1.
    pub share: f64,
    /// Whether it explains that much at most, because its time is not measured.
    pub at_most: bool,
    /// The first batch of the streak, for a backlog.
    pub head: Option<u64>,
    /// A few words with numbers, inert for terminals.
    pub text: String,
}

impl Cause {
    fn new(kind: Kind, ns: u64, text: String) -> Self {
        Cause { kind, ns, share: 0.0, at_most: false, head: None, text }
    }
}

/// A batch beside the median batch.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation<'r> {
    /// The batch.
    pub batch: &'r BatchRecord,
    /// The judged batch whose processing time is in the middle.
    pub median: Option<&'r BatchRecord>,
    /// Total delay beyond the interval.
    pub late_by_ns: u64,
    /// Total delay beyond the median batch's; where that one was late itself, beyond its processing time.
    pub excess_ns: u64,
    /// The causes, the one that explains most first; empty when nothing took longer.
    pub causes: Vec<Cause>,
    /// The functions that ran in it. `None` without samples of the trial.
    pub functions: Option<Functions>,
}

impl<'r> Explanation<'r> {
    /// Compares the batch with the record's median batch.
    pub fn of(record: &'r TrialRecord, batch: &'r BatchRecord) -> Self {
        Self::against(record, batch, judged::median_batch(record))
    }

    fn against(record: &'r TrialRecord, batch: &'r BatchRecord, median: Option<&'r BatchRecord>) -> Self {
        let case = Case { record, batch, median };
        let mut causes = case.causes();
        let all: f64 = causes.iter().map(|cause| cause.ns as f64).sum();
        for cause in &mut causes {
            cause.share = cause.ns as f64 / all.max(1.0);
        }
        Explanation {
            batch,
            median,
            late_by_ns: batch.total_delay_ns.saturating_sub(record.judging.interval_ns),
            excess_ns: case.excess_ns(),
            causes,
            functions: None,
        }
    }

    /// The same with the functions that ran in it.
    pub fn with_functions(mut self, pools: Option<&Pools<'_>>) -> Self {
        self.functions = pools.map(|pools| pools.of_batch(self.batch.index)).filter(|functions| functions.samples > 0);
        self
    }

    /// The cause that explains most, in a few words.
    pub fn cause(&self) -> &str {
        self.causes.first().map_or("unknown", |cause| &cause.text)
    }
}

/// The late judged batches, the longest delay first, at most so many.
pub fn late(record: &TrialRecord, limit: usize) -> Vec<Explanation<'_>> {
    let median = judged::median_batch(record);
    let worst = judged::late_worst_first(record).into_iter().take(limit);
    worst.map(|batch| Explanation::against(record, batch, median)).collect()
}
