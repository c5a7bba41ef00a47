//! The right answer of `word-count`.

use super::tokens::{Counts, Tokens};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::Payload;

/// Counts the words of each batch, and of all batches for the final answer.
pub struct WordCountOracle;

impl Oracle for WordCountOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut tokens = Tokens::new(payload, words);
        let (mut counts, mut totals, mut wrong) = (Counts::default(), Counts::default(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            counts.clear();
            batch.ranges.iter().for_each(|range| tokens.count(range.clone(), &mut counts));
            let mut expected = BatchAnswer::default();
            for (id, count) in counts.iter() {
                expected.add_hashed(tokens.key_hash(id), count);
                totals.add(id, count);
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let mut rows: Vec<Row> = totals.iter().map(|(id, count)| Row { key: tokens.key(id).to_vec(), count }).collect();
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// Maximal runs of bytes that are neither 09 to 0D nor 20.
fn words(line: &[u8], out: &mut dyn FnMut(&[u8])) {
    let is_space = |byte: &u8| *byte == 0x20 || (0x09..=0x0D).contains(byte);
    line.split(is_space).filter(|word| !word.is_empty()).for_each(out);
}
