//! Events of an online auction, as the Nexmark benchmark has them: of 50 events one is a person, three are auctions, 46 are bids.
//!
//! Proportions, identifiers and hot shares are those of nexmark/nexmark (`generator/model`), which has them from Apache Beam;
//! the code and the form of the lines are our own. A line is a JSON object in exactly one of three forms, without white space,
//! with its members in this order:
//!
//! ```text
//! {"person":{"id":N,"name":S,"emailAddress":S,"creditCard":S,"city":S,"state":S,"dateTime":N,"extra":S}}
//! {"auction":{"id":N,"itemName":S,"description":S,"initialBid":N,"reserve":N,"dateTime":N,"expires":N,"seller":N,"category":N,"extra":S}}
//! {"bid":{"auction":N,"bidder":N,"price":N,"channel":S,"url":S,"dateTime":N,"extra":S}}
//! ```
//!
//! `N` is 1 to 19 digits without a leading zero (0 itself is one), `S` any bytes but `"` and `\` between quotation marks. The
//! jobs take any other line for none of the three. Prices are in cents, times in milliseconds since 1970; event time is that of
//! all generated payloads: it follows from the record's number alone.

mod ids;
mod names;

use super::digits::{event_time_ms, push_decimal, push_two_digits};
use super::{BLOCK_LINES, LineSource};
use crate::keys::{KeyLaw, KeySource};
use crate::random::{Purpose, Random, below, stream};
use downbeat_engine::record::{Column, TextColumn};
use ids::{FIRST_AUCTION, FIRST_PERSON, Kind};
use names::{CHANNELS, CITIES, FIRST_NAMES, LAST_NAMES, STATES, push_letters, push_some_letters};

/// Categories begin here, and there are so many of them.
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u32 = 5;

/// Channels beside the four that half of the bids come through.
const OTHER_CHANNELS: u32 = 10_000;

/// An auction is open for twice this time at most, so that some hundred of them are open at a time.
const OPEN_MS: u32 = (ids::OPEN_AUCTIONS * ids::ROUND / ids::AUCTIONS * 1_000 / BLOCK_LINES as u64) as u32;

/// The events of the jobs `nexmark-…`.
pub struct Nexmark {
    seed: u64,
    /// Draws bidders, sellers and the auctions that are bid for; `None`: as Nexmark does.
    keys: Option<KeySource>,
}

impl Nexmark {
    /// The events of this seed. A law other than the default one draws bidders, sellers and the auctions that are bid for from
    /// a fixed set of its size; new people and auctions are numbered as ever.
    pub fn drawn(seed: u64, law: &KeyLaw) -> Self {
        Nexmark { seed, keys: KeySource::chosen(law) }
    }

    fn fill_line(&self, record: u64, time_ms: u64, random: &mut Random, line: &mut Vec<u8>) {
        match ids::kind(record) {
            Kind::Person => push_person(record, time_ms, random, line),
            Kind::Auction => self.push_auction(record, time_ms, random, line),
            Kind::Bid => self.push_bid(record, time_ms, random, line),
        }
    }

    fn push_auction(&self, record: u64, time_ms: u64, random: &mut Random, line: &mut Vec<u8>) {
        let seller = match &self.keys {
            None => ids::seller(record, random),
            Some(keys) => FIRST_PERSON + u64::from(keys.draw(random, record)),
        };
        let initial = price_cents(random);
        push_number(line, b"{\"auction\":{\"id\":", FIRST_AUCTION + ids::last_auction(record));
        line.extend_from_slice(b",\"itemName\":\"");
        push_some_letters(random, 3..21, line);
        line.extend_from_slice(b"\",\"description\":\"");
        push_some_letters(random, 3..101, line);
        push_number(line, b"\",\"initialBid\":", initial);
        push_number(line, b",\"reserve\":", initial + price_cents(random));
        push_number(line, b",\"dateTime\":", time_ms);
        push_number(line, b",\"expires\":", time_ms + 1 + u64::from(below(random, 2 * OPEN_MS)));
        push_number(line, b",\"seller\":", seller);
        push_number(line, b",\"category\":", FIRST_CATEGORY + u64::from(below(random, CATEGORIES)));
        push_extra(random, 0..200, line);
    }

    fn push_bid(&self, record: u64, time_ms: u64, random: &mut Random, line: &mut Vec<u8>) {
        let (auction, bidder) = match &self.keys {
            None => (ids::auction_of_bid(record, random), ids::bidder(record, random)),
            Some(keys) => {
                let mut key = || u64::from(keys.draw(random, record));
                (FIRST_AUCTION + key(), FIRST_PERSON + key())
            }
        };
        push_number(line, b"{\"bid\":{\"auction\":", auction);
        push_number(line, b",\"bidder\":", bidder);
        push_number(line, b",\"price\":", price_cents(random));
        line.extend_from_slice(b",\"channel\":\"");
        push_channel(random, line);
        line.extend_from_slice(b"\",\"url\":\"https://www.nexmark.com/");
        for letters in [5, 5, 5] {
            push_letters(random, letters, line);
            line.push(b'/');
        }
        push_number(line, b"item.htm?query=1\",\"dateTime\":", time_ms);
        push_extra(random, 0..24, line);
    }
}

impl LineSource for Nexmark {
    fn name(&self) -> &'static str {
        "nexmark-1"
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn variant(&self) -> String {
        self.keys.as_ref().map(KeySource::variant).unwrap_or_default()
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        let mut random = stream(self.seed, Purpose::Nexmark, block);
        let mut line = Vec::with_capacity(512);
        for record in super::records_of(block) {
            line.clear();
            self.fill_line(record, event_time_ms(record), &mut random, &mut line);
            column.push(&line);
        }
    }
}

fn push_person(record: u64, time_ms: u64, random: &mut Random, line: &mut Vec<u8>) {
    push_number(line, b"{\"person\":{\"id\":", FIRST_PERSON + ids::last_person(record));
    line.extend_from_slice(b",\"name\":\"");
    line.extend_from_slice(one_of(&FIRST_NAMES, random));
    line.push(b' ');
    line.extend_from_slice(one_of(&LAST_NAMES, random));
    line.extend_from_slice(b"\",\"emailAddress\":\"");
    push_some_letters(random, 3..8, line);
    line.push(b'@');
    push_some_letters(random, 3..6, line);
    line.extend_from_slice(b".com\",\"creditCard\":\"");
    push_credit_card(random, line);
    line.extend_from_slice(b"\",\"city\":\"");
    line.extend_from_slice(one_of(&CITIES, random));
    line.extend_from_slice(b"\",\"state\":\"");
    line.extend_from_slice(one_of(&STATES, random));
    push_number(line, b"\",\"dateTime\":", time_ms);
    push_extra(random, 0..80, line);
}

/// Four groups of four digits.
fn push_credit_card(random: &mut Random, line: &mut Vec<u8>) {
    for group in 0..4 {
        if group > 0 {
            line.push(b' ');
        }
        for _ in 0..2 {
            push_two_digits(line, u64::from(below(random, 100)));
        }
    }
}

/// Half of the bids come through four channels.
fn push_channel(random: &mut Random, line: &mut Vec<u8>) {
    if below(random, 2) > 0 {
        line.extend_from_slice(one_of(&CHANNELS, random));
    } else {
        push_number(line, b"channel-", u64::from(below(random, OTHER_CHANNELS)));
    }
}

/// Some letters that make lines as long as they usually are, and the end of the line.
fn push_extra(random: &mut Random, lengths: std::ops::Range<u32>, line: &mut Vec<u8>) {
    line.extend_from_slice(b",\"extra\":\"");
    push_some_letters(random, lengths, line);
    line.extend_from_slice(b"\"}}");
}

/// 1.00 to 999,999.99: six decades, each as likely, all prices of a decade alike. Integers alone, so that every host draws the
/// same.
fn price_cents(random: &mut Random) -> u64 {
    let least = 100 * 10u64.pow(below(random, 6));
    least + u64::from(below(random, 9 * least as u32))
}

fn push_number(line: &mut Vec<u8>, before: &[u8], number: u64) {
    line.extend_from_slice(before);
    push_decimal(line, number);
}

fn one_of<const N: usize>(of: &'static [&'static [u8]; N], random: &mut Random) -> &'static [u8] {
    of[below(random, N as u32) as usize]
}

#[cfg(test)]
mod tests;
