//! The right answer of `nexmark-q1`.

use super::event::event;
use super::facts::Facts;
use crate::answers::{Answers, BatchAnswer, KeyHash, Row};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::payload::Payload;
use xxhash_rust::xxh3::xxh3_64;

/// Every bid with its price in euros, and their sum.
pub struct NexmarkQ1Oracle;

/// Hash of a row's name, and the price in cents of a euro.
type Converted = (KeyHash, u64);

impl Oracle for NexmarkQ1Oracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut facts = Facts::new(payload, converted);
        let (mut total, mut wrong) = (None, Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let (mut expected, mut sum) = (BatchAnswer::default(), None);
            facts.of(&batch.ranges, |bid| {
                if let Some((name, cents)) = bid {
                    expected.add_hashed(*name, *cents);
                    sum = Some(sum.unwrap_or(0u64).wrapping_add(*cents));
                }
            });
            if let Some(sum) = sum {
                expected.add(b"EUR cents", sum);
                total = Some(total.unwrap_or(0u64).wrapping_add(sum));
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let rows: Vec<Row> = total.map(|count| Row { key: b"EUR cents".to_vec(), count }).into_iter().collect();
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

fn converted(line: &[u8]) -> Option<Converted> {
    let bid = event(line, "bid")?;
    let mut name = Vec::with_capacity(32);
    for number in [bid.number("auction"), bid.number("bidder"), bid.number("dateTime"), xxh3_64(bid.text("extra"))] {
        name.extend_from_slice(&number.to_le_bytes());
    }
    // Thousands and the rest apart, so that nothing overflows.
    let price = bid.number("price");
    Some((KeyHash::of(&name), price / 1_000 * 908 + price % 1_000 * 908 / 1_000))
}
