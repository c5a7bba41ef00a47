//! What a batch gets from an input: how much, which records by number, and what it cost their senders.

use crate::block::Stamp;
use std::ops::Range;

/// What a batch got from one input.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allotment {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// Bytes that its blocks take in memory.
    pub(crate) held_bytes: u64,
    pub(crate) blocks: u64,
    /// Sequence numbers of its records: ascending, with a gap wherever records were shed.
    pub(crate) ranges: Vec<Range<u64>>,
    /// One past the last sequence number that this batch or one before it has.
    pub(crate) end_sequence: u64,
    /// Records that were dropped in its interval.
    pub(crate) shed: u64,
    pub(crate) blocked_ns: u64,
    /// Time of `blocked_ns` for which a rate limit was the reason.
    pub(crate) throttled_ns: u64,
    /// Records per second that were let in at most when it was cut.
    pub(crate) rate_limit_per_s: Option<u64>,
    pub(crate) stamps: Vec<Stamp>,
}

/// What is known of a batch's input only when its outputs have run, because they read it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settled {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) stamps: Vec<Stamp>,
}

impl Allotment {
    /// Moves the records of an earlier batch here, before our own. What happened in its interval stays with it.
    pub(crate) fn take_records_of(&mut self, earlier: &mut Allotment) {
        earlier.end_sequence = earlier.ranges.first().map_or(earlier.end_sequence, |range| range.start);
        self.records += std::mem::take(&mut earlier.records);
        self.bytes += std::mem::take(&mut earlier.bytes);
        self.held_bytes += std::mem::take(&mut earlier.held_bytes);
        self.blocks += std::mem::take(&mut earlier.blocks);
        let mut ranges = std::mem::take(&mut earlier.ranges);
        self.ranges.drain(..).for_each(|range| push_range(&mut ranges, range));
        self.ranges = ranges;
        let mut stamps = std::mem::take(&mut earlier.stamps);
        stamps.append(&mut self.stamps);
        self.stamps = stamps;
    }
}

/// Appends a range; one that continues the last extends it.
pub(super) fn push_range(ranges: &mut Vec<Range<u64>>, range: Range<u64>) {
    match ranges.last_mut().filter(|last| last.end == range.start) {
        Some(last) => last.end = range.end,
        None => ranges.push(range),
    }
}
