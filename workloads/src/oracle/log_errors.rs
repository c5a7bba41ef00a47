//! The right answer of `log-errors`.

use super::log_fields::log_fields;
use super::parsed::{LineParser, Parsed};
use super::tokens::{Counts, Dictionary};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::Payload;

/// Counts the errors of each batch by row, and of all batches for the final answer.
pub struct LogErrorsOracle;

impl Oracle for LogErrorsOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut lines = Parsed::new(payload, Errors::default());
        let (mut counts, mut totals, mut wrong) = (Counts::default(), Counts::default(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            counts.clear();
            lines.for_each(&batch.ranges, |row| row.iter().for_each(|row| counts.add(*row, 1)));
            let mut expected = BatchAnswer::default();
            for (row, count) in counts.iter() {
                expected.add(&lines.parser.0.keys[row as usize], count);
                totals.add(row, count);
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let keys = &lines.parser.0.keys;
        let mut rows: Vec<Row> =
            totals.iter().map(|(row, count)| Row { key: keys[row as usize].clone(), count }).collect();
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// Finds the row that a line belongs to, if it is an error.
#[derive(Default)]
struct Errors(Dictionary);

impl LineParser for Errors {
    type Parsed = Option<u32>;

    fn parse(&mut self, line: &[u8]) -> Option<u32> {
        let Some(fields) = log_fields(line) else { return Some(self.0.id(b"malformed")) };
        if fields.status < 400 {
            return None;
        }
        let row = format!("{:03} ", fields.status).into_bytes();
        Some(self.0.id(&[&row, fields.minute].concat()))
    }
}
