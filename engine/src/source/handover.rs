//! What a source and its input tell each other: when the schedule begins, how a hand-over went, and that it is over.

/// The context is stopping: nothing more is taken, the receiver's thread should end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// How a planned hand-over went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handover {
    /// Time for which the engine made the sender wait, because it was full or to limit its rate.
    pub blocked_ns: u64,
    /// When the records were taken.
    pub at_ns: u64,
}

/// When a planned source's schedule begins.
///
/// An offset below `primed_batches × interval_ns` stands for the time `prime_start_ns + offset`, in the past: such records
/// are handed over as fast as they are taken. Later ones belong to [`super::Store::live_start_ns`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeline {
    /// Intended time of offset 0 while priming.
    pub prime_start_ns: u64,
    /// How many batches are primed.
    pub primed_batches: u64,
    /// Batch interval.
    pub interval_ns: u64,
}
