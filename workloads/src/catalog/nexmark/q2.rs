//! `nexmark-q2`: the bids for a few auctions.

use super::digest::{self, Digest, record_groups};
use super::event::Bid;
use crate::answers::Answers;
use crate::catalog::Job;
use crate::load::LoadSettings;
use crate::oracle::{NexmarkQ2Oracle, Oracle};
use crate::payload::LineSource;
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::sync::Arc;

/// Auctions whose number is a multiple of this are looked at.
const EVERY: u64 = 123;

/// The answer of a batch is auction and price of each such bid, and how many there were for each auction; the final answer is
/// how many there were in the whole run.
pub(in crate::catalog) struct Q2;

impl Job for Q2 {
    fn name(&self) -> &'static str {
        "nexmark-q2"
    }

    fn about(&self) -> &'static str {
        "The bids for one auction in 123: a filter that lets almost nothing through."
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
            RecordsKind::Borrowed => select(lines, answers),
            RecordsKind::Owned => select(&lines.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NexmarkQ2Oracle))
    }
}

fn select<R: TextRecord>(events: &DStream<R>, answers: &Arc<Answers>) {
    let selected = events.flat_map::<Pair<u64, u64>>(|event, out| {
        if let Some(bid) = Bid::of(R::bytes(event)).filter(|bid| bid.auction % EVERY == 0) {
            out((bid.auction, bid.price));
        }
    });
    let rows =
        selected.map_to_pair::<u64, Digest>(|(auction, price)| (auction, digest::row(&auction.to_le_bytes(), price)));
    record_groups(&rows, answers, |auction, name| name(auction.to_string().as_bytes()), |bids, _| bids);
}
