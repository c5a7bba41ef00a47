//! Oracles: the right answer of each batch, computed independently, one thread, straight from the records that were sent.
//!
//! They share nothing with the engine but the bytes: a tokenizer of their own, ids instead of hash tables of words.

mod ads;
mod distinct_users;
mod enrich;
mod hashtags;
mod json;
mod log_errors;
mod log_fields;
mod nexmark;
mod null;
mod parsed;
mod sensors;
mod sessions;
mod tokens;
mod word_count;

pub use ads::AdsOracle;
pub use distinct_users::DistinctUsersOracle;
pub use enrich::EnrichOracle;
pub use hashtags::HashtagsOracle;
pub use log_errors::LogErrorsOracle;
pub use nexmark::{
    NexmarkQ0Oracle, NexmarkQ1Oracle, NexmarkQ2Oracle, NexmarkQ3Oracle, NexmarkQ5Oracle, NexmarkQ8Oracle,
};
pub use null::NullOracle;
pub use sensors::SensorsOracle;
pub use sessions::SessionsOracle;
pub use word_count::WordCountOracle;

use crate::answers::{Answers, BatchAnswer, BatchKey, Row};
use crate::payload::Payload;
use std::ops::Range;

/// The records of a batch: ranges of sequence numbers, which are the numbers of the records in the schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRanges {
    /// Which batch.
    pub batch: BatchKey,
    /// Numbers of its records, ascending; between two ranges are records that were shed.
    pub ranges: Vec<Range<u64>>,
}

impl BatchRanges {
    /// How many records.
    fn records(&self) -> u64 {
        self.ranges.iter().map(|range| range.end - range.start).sum()
    }
}

/// An answer that is not right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongAnswer {
    /// Of which batch; `None`: the final answer.
    pub batch: Option<BatchKey>,
    /// What was expected and what was there.
    pub what: String,
}

/// Computes what a job should have answered.
pub trait Oracle: Send {
    /// Checks the answers of these batches, in the order in which they ran, and the final answer if it was kept. Ranges may
    /// have gaps and overlaps, which are not the oracle's concern.
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer>;
}

/// Compares the answer of one batch.
pub fn check_batch(batch: BatchKey, expected: BatchAnswer, answers: &Answers, wrong: &mut Vec<WrongAnswer>) {
    let what = match answers.of_batch(batch) {
        None => format!("expected {expected}, but the output was never called"),
        Some(found) if found != expected => format!("expected {expected}, found {found}"),
        Some(_) => return,
    };
    wrong.push(WrongAnswer { batch: Some(batch), what });
}

/// Batches that were answered more than once have no right answer.
pub fn check_repeated(batches: &[BatchRanges], answers: &Answers, wrong: &mut Vec<WrongAnswer>) {
    for batch in answers.repeated() {
        if batches.iter().any(|range| range.batch == batch) {
            wrong.push(WrongAnswer { batch: Some(batch), what: "the output was called more than once".into() });
        }
    }
}

/// Compares the final answer, if it was kept; `expected` is ordered as [`sort_rows`](crate::answers::sort_rows) does it.
pub fn check_final(expected: &[Row], answers: &Answers, wrong: &mut Vec<WrongAnswer>) {
    let Some(found) = answers.final_rows() else { return };
    let rows = expected.len().max(found.len());
    let Some(row) = (0..rows).find(|row| expected.get(*row) != found.get(*row)) else { return };
    let shown = |rows: &[Row]| rows.get(row).map_or_else(|| "no row".to_owned(), Row::to_string);
    let what = format!("row {}: expected {}, found {}", row + 1, shown(expected), shown(&found));
    wrong.push(WrongAnswer { batch: None, what });
}

#[cfg(test)]
mod tests;
