//! Reports of batches for tests: all times 0, records by their sequence numbers.

use downbeat_engine::metrics::{BatchReport, Exchanged};

/// A live batch with a job, and these records.
pub(super) fn report(index: u64, first_sequence: u64, end_sequence: u64) -> BatchReport {
    BatchReport {
        index,
        time_ns: 0,
        due_ns: 0,
        submitted_ns: 0,
        started_ns: 0,
        done_ns: 0,
        primed: false,
        has_job: true,
        records: end_sequence - first_sequence,
        bytes: 0,
        held_bytes: 0,
        blocks: 0,
        first_sequence,
        end_sequence,
        ranges: (first_sequence < end_sequence).then_some(first_sequence..end_sequence).into_iter().collect(),
        shed: 0,
        phases: Vec::new(),
        milestones: Vec::new(),
        busy: Vec::new(),
        idle_ns: 0,
        skew: None,
        queue_depth: 0,
        blocked_ns: 0,
        throttled_ns: 0,
        rate_limit_per_s: None,
        stamps: Vec::new(),
        failure: None,
        exchanged: Exchanged::default(),
        allocations: None,
        allocated_bytes: None,
    }
}
