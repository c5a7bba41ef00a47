//! Were the answers right? Each batch's sequence numbers tell the oracle what it had to count.

use super::collector::Collected;
use crate::load::{Built, Load};
use downbeat_workloads::answers::BatchKey;
use downbeat_workloads::catalog::Job;
use downbeat_workloads::oracle::BatchRanges;
use std::collections::BTreeMap;

/// What the oracle found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Checked {
    /// What computed the right answers.
    pub(super) oracle: Option<String>,
    /// Why nothing was checked.
    pub(super) unchecked: Option<String>,
    /// Batches compared.
    pub(super) batches: u64,
    /// What is wrong with a batch's answer.
    wrong: BTreeMap<BatchKey, String>,
    /// What is wrong with the final answer.
    pub(super) of_the_end: Option<String>,
}

impl Checked {
    /// Nothing was checked, and why.
    pub(super) fn not(why: impl Into<String>) -> Self {
        Checked { unchecked: Some(why.into()), ..Checked::default() }
    }

    /// Wrong answers; a wrong final one counts too.
    pub(super) fn wrong_batches(&self) -> u64 {
        self.wrong.len() as u64 + u64::from(self.of_the_end.is_some())
    }

    /// What is wrong with the answer of a live batch.
    pub(super) fn of_live_batch(&self, index: u64) -> Option<String> {
        self.wrong.get(&BatchKey { primed: false, index }).cloned()
    }
}

/// Checks the answers of all batches, those that are not judged too.
pub(super) fn check(load: &Load, job: &dyn Job, built: &Built, batches: &[Collected]) -> Checked {
    let ranges: Vec<BatchRanges> = batches.iter().map(ranges).collect();
    let wrong = match load.check_answers(job, built, &ranges) {
        Ok(wrong) => wrong,
        Err(why) => return Checked::not(why),
    };
    let failed: Vec<BatchKey> = batches.iter().filter(|batch| batch.report.failure.is_some()).map(key).collect();
    let oracle = Some(format!("{}, single-threaded", job.name()));
    let mut checked = Checked { oracle, batches: (batches.len() - failed.len()) as u64, ..Checked::default() };
    for answer in wrong {
        match answer.batch {
            // A failed batch has no answer, and that is told already.
            Some(batch) if failed.contains(&batch) => {}
            Some(batch) => drop(checked.wrong.insert(batch, answer.what)),
            None if failed.is_empty() => {
                checked.of_the_end = Some(format!("the final answer is wrong: {}", answer.what))
            }
            None => {}
        }
    }
    checked
}

fn key(batch: &Collected) -> BatchKey {
    BatchKey { primed: batch.report.primed, index: batch.report.index }
}

fn ranges(batch: &Collected) -> BatchRanges {
    BatchRanges { batch: key(batch), ranges: batch.report.ranges.clone() }
}
