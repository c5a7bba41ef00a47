//! The right answer of `nexmark-q0`.

use super::event::Event;
use super::facts::Facts;
use super::sorted;
use crate::answers::{Answers, BatchAnswer, KeyHash};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::payload::Payload;
use std::collections::BTreeMap;

/// Every line as it is, and how many there are of each kind.
pub struct NexmarkQ0Oracle;

impl Oracle for NexmarkQ0Oracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut facts =
            Facts::new(payload, |line| (KeyHash::of(line), Event::of(line).map_or("other", |event| event.kind)));
        let (mut totals, mut wrong) = (BTreeMap::<Vec<u8>, u64>::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let (mut expected, mut kinds) = (BatchAnswer::default(), BTreeMap::<&str, u64>::new());
            facts.of(&batch.ranges, |(line, kind)| {
                expected.add_hashed(*line, 1);
                *kinds.entry(*kind).or_default() += 1;
            });
            for (kind, count) in kinds {
                expected.add(kind.as_bytes(), count);
                *totals.entry(kind.into()).or_default() += count;
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        check_final(&sorted(totals), answers, &mut wrong);
        wrong
    }
}
