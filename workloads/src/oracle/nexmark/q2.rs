//! The right answer of `nexmark-q2`.

use super::event::event;
use super::facts::Facts;
use super::sorted;
use crate::answers::{Answers, BatchAnswer};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::payload::Payload;
use std::collections::BTreeMap;

/// The bids for each 123rd auction, and how many there are for each.
pub struct NexmarkQ2Oracle;

impl Oracle for NexmarkQ2Oracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut facts = Facts::new(payload, selected);
        let (mut totals, mut wrong) = (BTreeMap::<Vec<u8>, u64>::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let (mut expected, mut auctions) = (BatchAnswer::default(), BTreeMap::<u64, u64>::new());
            facts.of(&batch.ranges, |bid| {
                if let Some((auction, price)) = bid {
                    expected.add(&auction.to_le_bytes(), *price);
                    *auctions.entry(*auction).or_default() += 1;
                }
            });
            for (auction, bids) in auctions {
                let name = format!("{auction}").into_bytes();
                expected.add(&name, bids);
                *totals.entry(name).or_default() += bids;
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        check_final(&sorted(totals), answers, &mut wrong);
        wrong
    }
}

fn selected(line: &[u8]) -> Option<(u64, u64)> {
    let bid = event(line, "bid")?;
    let auction = bid.number("auction");
    (auction % 123 == 0).then(|| (auction, bid.number("price")))
}
