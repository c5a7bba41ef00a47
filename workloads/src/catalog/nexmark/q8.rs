//! `nexmark-q8`: who came and began to sell within the same window.

use super::event::{Auction, Person};
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::catalog::Job;
use crate::load::LoadSettings;
use crate::oracle::{NexmarkQ8Oracle, Oracle};
use crate::payload::LineSource;
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::sync::Arc;
use std::time::Duration;

/// The answer of a batch is each person who came within the window, a row `id,name`, with the number of auctions that this
/// person opened within the same window, if there is one at least. Someone who came twice is one row, two names of one id are
/// two. The final answer is that of the last batch.
pub(in crate::catalog) struct Q8;

impl Job for Q8 {
    fn name(&self) -> &'static str {
        "nexmark-q8"
    }

    fn about(&self) -> &'static str {
        "Who came and opened auctions within the last 10s, at each batch: a join of two windows."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        super::events(load)
    }

    fn prime_batches(&self, load: &LoadSettings, interval_ns: u64) -> u64 {
        super::window_batches(load, interval_ns)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let (window, slide) = super::window_and_slide(load, interval_ns);
        match load.records {
            RecordsKind::Borrowed => new_sellers(lines, window, slide, answers),
            RecordsKind::Owned => new_sellers(&lines.owned(), window, slide, answers),
        }
        Ok(())
    }

    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NexmarkQ8Oracle::new(super::oracle_batches(load, interval_ns))))
    }
}

fn new_sellers<R: TextRecord>(events: &DStream<R>, window: Duration, slide: Duration, answers: &Arc<Answers>) {
    let people = events.flat_map::<Pair<u64, Text>>(|event, out| {
        if let Some(person) = Person::of(R::bytes(event)) {
            out((person.id, person.name));
        }
    });
    let sellers = events.flat_map::<u64>(|event, out| {
        if let Some(auction) = Auction::of(R::bytes(event)) {
            out(auction.seller);
        }
    });
    let newcomers = people.count_by_value_and_window(window, slide).map_to_pair::<u64, Text>(|(person, _)| person);
    let opened = sellers.count_by_value_and_window(window, slide);
    let answers = answers.clone();
    newcomers.join(&opened).for_each_batch(move |batch| {
        let mut answer = BatchAnswer::default();
        batch.for_each(|(id, (name, auctions))| answer.add(&row_name(id, name), auctions));
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.replace_final(|row| batch.for_each(|(id, (name, auctions))| row(&row_name(id, name), auctions)));
    });
}

fn row_name(id: u64, name: &[u8]) -> Vec<u8> {
    [id.to_string().as_bytes(), name].join(&b',')
}
