//! The right answer of `null`.

use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row};
use crate::payload::Payload;

/// Each batch has as many records as its range of sequence numbers says.
pub struct NullOracle;

impl Oracle for NullOracle {
    fn check(&self, _: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut wrong = Vec::new();
        check_repeated(batches, answers, &mut wrong);
        let mut total = Row { key: b"records".to_vec(), count: 0 };
        for batch in batches {
            let mut expected = BatchAnswer::default();
            let records = batch.records();
            expected.add(b"records", records);
            total.count += records;
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        check_final(&[total], answers, &mut wrong);
        wrong
    }
}
