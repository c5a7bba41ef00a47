//! The right answer of `hashtags`.

use super::tokens::{Counts, Tokens};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::Payload;
use std::collections::VecDeque;

/// Rows of the answer.
const TOP: usize = 10;

/// Slides a window of whole batches over the hashtags and sorts it after each.
pub struct HashtagsOracle {
    window_batches: usize,
}

impl HashtagsOracle {
    /// A window of this many batches, at least one.
    pub fn new(window_batches: usize) -> Self {
        HashtagsOracle { window_batches }
    }
}

impl Oracle for HashtagsOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut tokens = Tokens::new(payload, hashtags);
        let mut window = Window { batches: VecDeque::new(), totals: Vec::new() };
        let (mut counts, mut top, mut wrong) = (Counts::default(), Vec::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            counts.clear();
            batch.ranges.iter().for_each(|range| tokens.count(range.clone(), &mut counts));
            window.slide(counts.iter().collect(), self.window_batches);
            top = window.top(&tokens);
            let mut expected = BatchAnswer::default();
            (0..).zip(&top).for_each(|(rank, row)| expected.add_ranked(rank, &row.key, row.count));
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        check_final(&top, answers, &mut wrong);
        wrong
    }
}

/// What is in the window: each of its batches, and their sum by id.
struct Window {
    batches: VecDeque<Vec<(u32, u64)>>,
    totals: Vec<u64>,
}

impl Window {
    fn slide(&mut self, come: Vec<(u32, u64)>, most: usize) {
        for (id, count) in &come {
            if self.totals.len() <= *id as usize {
                self.totals.resize(*id as usize + 1, 0);
            }
            self.totals[*id as usize] += count;
        }
        self.batches.push_back(come);
        if self.batches.len() > most {
            let gone = self.batches.pop_front().unwrap_or_default();
            gone.iter().for_each(|(id, count)| self.totals[*id as usize] -= count);
        }
    }

    /// All tags that are as frequent as the tenth or more, sorted; the first ten.
    fn top(&self, tokens: &Tokens) -> Vec<Row> {
        let mut frequent: Vec<u64> = self.totals.iter().copied().filter(|count| *count > 0).collect();
        let least = if frequent.len() > TOP { *frequent.select_nth_unstable_by(TOP - 1, |a, b| b.cmp(a)).1 } else { 1 };
        let in_reach = (0..).zip(&self.totals).filter(|(_, count)| **count >= least);
        let mut rows: Vec<Row> =
            in_reach.map(|(id, count)| Row { key: tokens.key(id).to_vec(), count: *count }).collect();
        sort_rows(&mut rows);
        rows.truncate(TOP);
        rows
    }
}

/// Tokens that start with `#` and at least one letter, digit, `_` or byte beyond ASCII, up to the first other byte.
fn hashtags(line: &[u8], out: &mut dyn FnMut(&[u8])) {
    for token in line.split(|byte| [0x09, 0x0A, 0x0B, 0x0C, 0x0D, 0x20].contains(byte)) {
        let Some((b'#', name)) = token.split_first() else { continue };
        let length = name.iter().take_while(|byte| is_of_tag(**byte)).count();
        if length > 0 {
            out(&token[..length + 1]);
        }
    }
}

fn is_of_tag(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'_' | 0x80..)
}
