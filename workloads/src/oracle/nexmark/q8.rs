//! The right answer of `nexmark-q8`.

use super::event::Event;
use super::facts::Facts;
use super::sorted;
use super::window::Window;
use crate::answers::{Answers, BatchAnswer};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::payload::Payload;
use std::collections::BTreeMap;

/// Keeps a window of people and one of sellers, and looks each of the people up among the sellers after each batch.
pub struct NexmarkQ8Oracle {
    window_batches: usize,
}

impl NexmarkQ8Oracle {
    /// Windows of this many batches, at least one.
    pub fn new(window_batches: usize) -> Self {
        NexmarkQ8Oracle { window_batches }
    }
}

enum Fact {
    /// Id, and the row's name.
    Person(u64, Vec<u8>),
    Seller(u64),
    Neither,
}

impl Oracle for NexmarkQ8Oracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut facts = Facts::new(payload, fact);
        let (mut people, mut sellers) = (Window::new(self.window_batches), Window::new(self.window_batches));
        let (mut last, mut wrong) = (BTreeMap::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let (mut came, mut sold) = (Vec::new(), Vec::new());
            facts.of(&batch.ranges, |fact| match fact {
                Fact::Person(id, name) => came.push((*id, name.clone())),
                Fact::Seller(id) => sold.push(*id),
                Fact::Neither => {}
            });
            people.slide(came);
            sellers.slide(sold);
            last.clear();
            let mut expected = BatchAnswer::default();
            for ((id, name), _) in people.iter() {
                let auctions = sellers.count(id);
                if auctions > 0 {
                    expected.add(name, auctions);
                    last.insert(name.clone(), auctions);
                }
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        check_final(&sorted(last), answers, &mut wrong);
        wrong
    }
}

fn fact(line: &[u8]) -> Fact {
    match Event::of(line) {
        Some(event) if event.kind == "person" => {
            let id = event.number("id");
            Fact::Person(id, [format!("{id},").as_bytes(), event.text("name")].concat())
        }
        Some(event) if event.kind == "auction" => Fact::Seller(event.number("seller")),
        _ => Fact::Neither,
    }
}
