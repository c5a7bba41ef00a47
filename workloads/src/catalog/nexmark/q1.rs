//! `nexmark-q1`: the price of every bid in another currency.

use super::digest::{self, Digest, record_groups};
use super::event::Bid;
use crate::answers::Answers;
use crate::catalog::Job;
use crate::load::LoadSettings;
use crate::oracle::{NexmarkQ1Oracle, Oracle};
use crate::payload::LineSource;
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// A bid: auction and bidder, price and time, extra.
type Converted = Pair<Pair<u64, u64>, Pair<Pair<u64, u64>, Text>>;

/// The answer of a batch is each bid with its price in cents of a euro, and the sum of all of them, `EUR cents`; the final
/// answer is this sum over the whole run. A row is named by auction, bidder, time and the XXH3 of the extra.
pub(in crate::catalog) struct Q1;

impl Job for Q1 {
    fn name(&self) -> &'static str {
        "nexmark-q1"
    }

    fn about(&self) -> &'static str {
        "Every bid with its price in euros: a map that makes a record of a record."
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
            RecordsKind::Borrowed => convert(lines, answers),
            RecordsKind::Owned => convert(&lines.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NexmarkQ1Oracle))
    }
}

fn convert<R: TextRecord>(events: &DStream<R>, answers: &Arc<Answers>) {
    let converted = events.flat_map::<Converted>(|event, out| {
        if let Some(bid) = Bid::of(R::bytes(event)) {
            out(((bid.auction, bid.bidder), ((euro_cents(bid.price), bid.time_ms), bid.extra)));
        }
    });
    let rows = converted.map_to_pair::<Text, Digest>(|((auction, bidder), ((euro_cents, time_ms), extra))| {
        let name = [auction, bidder, time_ms, xxh3_64(extra)].map(u64::to_le_bytes);
        (&b"EUR cents"[..], digest::row(name.as_flattened(), euro_cents))
    });
    record_groups(&rows, answers, |sum, name| name(sum), |_, total| total);
}

/// A dollar is 0.908 euros, as in nexmark/nexmark; fractions of a cent are dropped.
fn euro_cents(dollar_cents: u64) -> u64 {
    // Less than the price, so it fits.
    (u128::from(dollar_cents) * 908 / 1_000) as u64
}
