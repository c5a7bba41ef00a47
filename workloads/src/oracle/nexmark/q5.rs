//! The right answer of `nexmark-q5`.

use super::event::event;
use super::facts::Facts;
use super::window::Window;
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::payload::Payload;

/// Rows of the answer.
const TOP: usize = 10;

/// Counts the bids of a window of whole batches and sorts the auctions after each.
pub struct NexmarkQ5Oracle {
    window_batches: usize,
}

impl NexmarkQ5Oracle {
    /// A window of this many batches, at least one.
    pub fn new(window_batches: usize) -> Self {
        NexmarkQ5Oracle { window_batches }
    }
}

impl Oracle for NexmarkQ5Oracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut facts = Facts::new(payload, |line| event(line, "bid").map(|bid| bid.number("auction")));
        let (mut window, mut top, mut wrong) = (Window::new(self.window_batches), Vec::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let mut auctions = Vec::new();
            facts.of(&batch.ranges, |auction| auctions.extend(*auction));
            window.slide(auctions);
            top = most(&window);
            let mut expected = BatchAnswer::default();
            (0..).zip(&top).for_each(|(rank, row)| expected.add_ranked(rank, &row.key, row.count));
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        sort_rows(&mut top);
        check_final(&top, answers, &mut wrong);
        wrong
    }
}

/// The first of all auctions, by bids descending and number ascending.
fn most(window: &Window<u64>) -> Vec<Row> {
    let mut auctions: Vec<(u64, u64)> = window.iter().map(|(auction, bids)| (u64::MAX - bids, *auction)).collect();
    if auctions.len() > TOP {
        auctions.select_nth_unstable(TOP);
        auctions.truncate(TOP);
    }
    auctions.sort_unstable();
    let row = |(less, auction): (u64, u64)| Row { key: format!("{auction}").into_bytes(), count: u64::MAX - less };
    auctions.into_iter().map(row).collect()
}
