//! What the engine tells about each batch: when it went through which stage, and what it used.

use crate::block::Stamp;
use crate::error::EngineError;
use std::ops::Range;

/// The closed list of stages that a batch's processing time is split into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Narrow operators that feed no exchange directly, and their materialisation.
    Map,
    /// Narrow operators fused with the combining of records per thread.
    Combine,
    /// Bringing records to their partition: routing, and encoding for the way.
    Exchange,
    /// Merging of the groups of each partition, decoding included.
    Reduce,
    /// Grouping and joining of the records of each partition.
    Group,
    /// Updating of windows.
    Window,
    /// Updating of state.
    State,
    /// Output operations, narrow operators right before them included.
    Output,
    /// What makes the batch count as done.
    Commit,
}

impl Stage {
    /// All stages in order of execution.
    pub const ALL: [Stage; 9] = [
        Stage::Map,
        Stage::Combine,
        Stage::Exchange,
        Stage::Reduce,
        Stage::Group,
        Stage::Window,
        Stage::State,
        Stage::Output,
        Stage::Commit,
    ];

    /// Its name in records and reports.
    pub fn name(self) -> &'static str {
        match self {
            Stage::Map => "map",
            Stage::Combine => "combine",
            Stage::Exchange => "exchange",
            Stage::Reduce => "reduce",
            Stage::Group => "group",
            Stage::Window => "window",
            Stage::State => "state",
            Stage::Output => "output",
            Stage::Commit => "commit",
        }
    }
}

/// What went through the exchanges of a batch, all of them together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exchanged {
    /// Records that came to an exchange.
    pub records_in: u64,
    /// Records that crossed it; fewer where they were combined before.
    pub records: u64,
    /// Bytes of the blocks that the codec made of them; 0 without a codec.
    pub encoded_bytes: u64,
    /// Bytes of these blocks on the wire, after compression.
    pub wire_bytes: u64,
}

/// One batch, done. Times are monotonic nanoseconds.
///
/// The phases add up to `done_ns − started_ns` exactly; busy times and `idle_ns` add up to threads × that exactly.
#[derive(Clone, Debug)]
pub struct BatchReport {
    /// Counts live batches from 0; primed ones count on their own.
    pub index: u64,
    /// Label: wall time of the end of the interval, nanoseconds since 1970.
    pub time_ns: i64,
    /// The same moment on the monotonic clock: when the batch was due. The last batch of a stop was due when it was cut.
    pub due_ns: u64,
    /// When it joined the queue.
    pub submitted_ns: u64,
    /// When its processing began.
    pub started_ns: u64,
    /// When its outputs were committed.
    pub done_ns: u64,
    /// Run back to back to fill windows and state.
    pub primed: bool,
    /// Did any output operation have something to do?
    pub has_job: bool,
    /// Records from all inputs.
    pub records: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Bytes that its blocks took in memory: as many, unless `storage` keeps them encoded.
    pub held_bytes: u64,
    /// Blocks: the tasks of the first stage.
    pub blocks: u64,
    /// Sequence number of the first record (of the first input).
    pub first_sequence: u64,
    /// One past that of the last.
    pub end_sequence: u64,
    /// The sequence numbers of its records (of the first input): ascending, with a gap wherever records were shed.
    pub ranges: Vec<Range<u64>>,
    /// Records of all inputs that were dropped in its interval because there was no room.
    pub shed: u64,
    /// Time that each stage added to the processing time.
    pub phases: Vec<(Stage, u64)>,
    /// The milestones behind the phases, in order: which stage ended, and when. Stages may come again; the last one ends at `done_ns`.
    /// What ran between two of them, on any thread that worked on the batch, is the later one's.
    pub milestones: Vec<(Stage, u64)>,
    /// Worker time per stage; empty when metrics are off.
    pub busy: Vec<(Stage, u64)>,
    /// Worker time that no stage used.
    pub idle_ns: u64,
    /// Longest ÷ median task of the stage with the longest task; `None` below three tasks or when metrics are off.
    pub skew: Option<f64>,
    /// Batches that were waiting when it joined the queue.
    pub queue_depth: u64,
    /// Time for which senders were blocked since the batch before was cut.
    pub blocked_ns: u64,
    /// Time of it for which a limit on their rate was the reason.
    pub throttled_ns: u64,
    /// Records per second that the limited input (the first, if several are) let in at most when the batch was cut, without the
    /// fraction. `None` while nothing is limited.
    pub rate_limit_per_s: Option<u64>,
    /// When its records were meant to be sent, or arrived.
    pub stamps: Vec<Stamp>,
    /// Why it failed, the first reason; it does not count as committed then, even if other outputs of it ran.
    pub failure: Option<EngineError>,
    /// What went through its exchanges.
    pub exchanged: Exchanged,
    /// Allocations of the whole process while it was processed. `None` when they are not counted.
    pub allocations: Option<u64>,
    /// Their bytes.
    pub allocated_bytes: Option<u64>,
}

/// Hears of batches and sources. Called on the engine's threads, from several of them at a time when jobs are concurrent: be
/// quick.
pub trait BatchListener: Send + Sync {
    /// A batch is done, or has failed. Called on its job thread, after the commit. With concurrent jobs a later batch may be done
    /// before an earlier one.
    fn batch_completed(&self, report: &BatchReport);

    /// A source has a trouble that it will try to mend itself, or is fine again.
    fn source_reported(&self, source: &str, message: &str) {
        let _ = (source, message);
    }
}
