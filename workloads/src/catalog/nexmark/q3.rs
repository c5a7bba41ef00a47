//! `nexmark-q3`: who in three states sells in one category.

use super::event::{Auction, Person};
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::catalog::Job;
use crate::load::LoadSettings;
use crate::oracle::{NexmarkQ3Oracle, Oracle};
use crate::payload::LineSource;
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{DStream, StateSpec};
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::sync::Arc;

/// The category that is looked at.
const CATEGORY: u64 = 10;

/// The states that are near enough.
const STATES: [&[u8]; 3] = [b"OR", b"ID", b"CA"];

/// An auction of the category is joined with its seller, if that person came in an earlier batch or in the same one and is
/// from one of the states. Who came too late for an auction is not joined with it. Of several people of these states with one
/// id, the batch that had the first of them decides, and in it the one whose `name,city,state` is least. So nothing depends on
/// the order within a batch, nor on any setting.
///
/// The answer of a batch is a row `name,city,state,auction` for each auction that was joined; the final answer counts them by
/// `city,state`. People are kept for ever, as in Nexmark; there are only so many in a ring.
pub(in crate::catalog) struct Q3;

impl Job for Q3 {
    fn name(&self) -> &'static str {
        "nexmark-q3"
    }

    fn about(&self) -> &'static str {
        "Who sells in category 10 in Oregon, Idaho or California: an incremental join of auctions with all people so far."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        super::events(load)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        match load.records {
            RecordsKind::Borrowed => join(lines, answers),
            RecordsKind::Owned => join(&lines.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NexmarkQ3Oracle))
    }
}

fn join<R: TextRecord>(events: &DStream<R>, answers: &Arc<Answers>) {
    let people = events.flat_map_copied::<Pair<u64, Text>>(|event, out| {
        if let Some(person) = Person::of(R::bytes(event)).filter(|person| STATES.contains(&person.state)) {
            out((person.id, &[person.name, person.city, person.state].join(&b',')));
        }
    });
    let auctions = events.flat_map::<Pair<u64, u64>>(|event, out| {
        if let Some(auction) = Auction::of(R::bytes(event)).filter(|auction| auction.category == CATEGORY) {
            out((auction.seller, auction.id));
        }
    });
    let joined = people.cogroup(&auctions).map_with_state::<Text, Pair<Text, u64>>(
        StateSpec::new(),
        |_, _, came, seller, out| {
            let Some((people, auctions)) = came else { return };
            if !seller.exists()
                && let Some(person) = people.iter().min()
            {
                seller.update(person.to_vec());
            }
            if let Some(person) = seller.get() {
                auctions.iter().for_each(|auction| out((person, auction)));
            }
        },
    );
    let answers = answers.clone();
    joined.for_each_batch(move |batch| {
        let mut answer = BatchAnswer::default();
        batch.for_each(|(person, auction)| answer.add(&[person, auction.to_string().as_bytes()].join(&b','), 1));
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.add_to_final(|row| batch.for_each(|(person, _)| row(place(person), 1)));
    });
}

/// What is behind the first comma.
fn place(person: &[u8]) -> &[u8] {
    memchr::memchr(b',', person).map_or(person, |comma| &person[comma + 1..])
}
