//! What the process of an arm leaves: the times of its batches, or counts of them. Written by one build, read by another, which may
//! be newer.

use serde::{Deserialize, Serialize};

/// Processing times of one process, in the order of its batches.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BlocksRecord {
    /// Name of the workload.
    pub(crate) workload: String,
    /// Records in each of the small batches.
    pub(crate) batch_records: u64,
    /// Processing time of each of them after those that warmed up, nanoseconds.
    pub(crate) processing_ns: Vec<u64>,
    /// Records in each of the large batches.
    pub(crate) large_records: u64,
    /// Processing time of each of them after those that warmed up, nanoseconds.
    pub(crate) large_processing_ns: Vec<u64>,
    /// Hash of the answers of all batches, hexadecimal: the same lines and settings give the same.
    pub(crate) answer_hash: String,
    /// How often the code was moved to other pages of memory meanwhile.
    pub(crate) code_moves: u64,
}

/// What one process took for its batches, all of them together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CountsRecord {
    /// Name of the workload.
    pub(crate) workload: String,
    /// Batches that ran.
    pub(crate) batches: u64,
    /// Records in each.
    pub(crate) batch_records: u64,
    /// Allocations of the whole process while they ran. `None` when they are not counted.
    pub(crate) allocations: Option<u64>,
    /// Their bytes.
    pub(crate) allocated_bytes: Option<u64>,
}
