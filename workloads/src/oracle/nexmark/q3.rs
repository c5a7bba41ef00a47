//! The right answer of `nexmark-q3`.

use super::event::Event;
use super::facts::Facts;
use super::sorted;
use crate::answers::{Answers, BatchAnswer};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::payload::Payload;
use std::collections::{BTreeMap, HashMap};

/// Remembers everybody, and looks the sellers of each batch up when its people are known.
pub struct NexmarkQ3Oracle;

enum Fact {
    /// Someone from the states: id, and `name,city,state`.
    Person(u64, Vec<u8>),
    /// An auction of the category: its seller and itself.
    Auction(u64, u64),
    Neither,
}

impl Oracle for NexmarkQ3Oracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut facts = Facts::new(payload, fact);
        let (mut known, mut totals, mut wrong) = (HashMap::new(), BTreeMap::<Vec<u8>, u64>::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let (mut came, mut auctions) = (BTreeMap::<u64, Vec<u8>>::new(), Vec::new());
            facts.of(&batch.ranges, |fact| match fact {
                Fact::Person(id, person) => {
                    let least = came.entry(*id).or_insert_with(|| person.clone());
                    if person < least {
                        least.clone_from(person);
                    }
                }
                Fact::Auction(seller, auction) => auctions.push((*seller, *auction)),
                Fact::Neither => {}
            });
            for (id, person) in came {
                known.entry(id).or_insert(person);
            }
            let mut expected = BatchAnswer::default();
            for (seller, auction) in auctions {
                let Some(person) = known.get(&seller) else { continue };
                expected.add(&[person, format!(",{auction}").as_bytes()].concat(), 1);
                let comma = person.iter().position(|byte| *byte == b',').unwrap_or_default();
                *totals.entry(person[comma + 1..].to_vec()).or_default() += 1;
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        check_final(&sorted(totals), answers, &mut wrong);
        wrong
    }
}

fn fact(line: &[u8]) -> Fact {
    match Event::of(line) {
        Some(event) if event.kind == "person" && [&b"CA"[..], b"ID", b"OR"].contains(&event.text("state")) => {
            let mut person = event.text("name").to_vec();
            for part in ["city", "state"] {
                person.push(b',');
                person.extend_from_slice(event.text(part));
            }
            Fact::Person(event.number("id"), person)
        }
        Some(event) if event.kind == "auction" && event.number("category") == 10 => {
            Fact::Auction(event.number("seller"), event.number("id"))
        }
        _ => Fact::Neither,
    }
}
