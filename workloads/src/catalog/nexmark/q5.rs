//! `nexmark-q5`: the auctions that are bid for most.

use super::event::Bid;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::catalog::Job;
use crate::load::LoadSettings;
use crate::oracle::{NexmarkQ5Oracle, Oracle};
use crate::payload::LineSource;
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{Batch, DStream};
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

/// Rows of the answer.
const TOP: usize = 10;

/// The answer of a batch is the ten auctions with the most bids in the window, by number of bids descending, then auction
/// ascending, each in its place; the final answer is that of the last batch.
pub(in crate::catalog) struct Q5;

impl Job for Q5 {
    fn name(&self) -> &'static str {
        "nexmark-q5"
    }

    fn about(&self) -> &'static str {
        "The ten auctions with the most bids of the last 10s at each batch: a window over millions of them."
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
            RecordsKind::Borrowed => hot_items(lines, window, slide, answers),
            RecordsKind::Owned => hot_items(&lines.owned(), window, slide, answers),
        }
        Ok(())
    }

    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NexmarkQ5Oracle::new(super::oracle_batches(load, interval_ns))))
    }
}

fn hot_items<R: TextRecord>(events: &DStream<R>, window: Duration, slide: Duration, answers: &Arc<Answers>) {
    let auctions = events.flat_map::<u64>(|event, out| {
        if let Some(bid) = Bid::of(R::bytes(event)) {
            out(bid.auction);
        }
    });
    let answers = answers.clone();
    auctions.count_by_value_and_window(window, slide).for_each_batch(move |batch| {
        let top = top(batch);
        let mut answer = BatchAnswer::default();
        for (rank, (Reverse(bids), auction)) in (0..).zip(&top) {
            answer.add_ranked(rank, auction.to_string().as_bytes(), *bids);
        }
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.replace_final(|row| {
            top.iter().for_each(|(Reverse(bids), auction)| row(auction.to_string().as_bytes(), *bids));
        });
    });
}

/// The best, best first.
fn top(batch: &Batch<'_, Pair<u64, u64>>) -> Vec<(Reverse<u64>, u64)> {
    let mut top = Vec::with_capacity(TOP + 1);
    batch.for_each(|(auction, bids)| {
        let row = (Reverse(bids), auction);
        if top.len() == TOP && top[TOP - 1] < row {
            return;
        }
        let place = top.partition_point(|better| *better < row);
        top.insert(place, row);
        top.truncate(TOP);
    });
    top
}
