//! Which event a record is, and whom it speaks of: functions of the record's number and of chance.

use crate::random::{Random, below};

/// Identifiers begin here.
pub(super) const FIRST_PERSON: u64 = 1_000;
pub(super) const FIRST_AUCTION: u64 = 1_000;

/// Events after which the kinds come round again: one person, then three auctions, then bids.
pub(super) const ROUND: u64 = 50;
const PEOPLE: u64 = 1;
pub(super) const AUCTIONS: u64 = 3;

/// So many people, the newest ones, bid and sell.
const ACTIVE_PEOPLE: u64 = 1_000;

/// So many auctions, the newest ones, are bid for.
pub(super) const OPEN_AUCTIONS: u64 = 100;

/// So many people and auctions are spoken of before they come.
const LEAD: u64 = 10;

/// Of so many people or auctions in a row, one is hot at a time.
const HOT_EVERY: u64 = 100;

/// One out of so many is not of the hot ones.
const HOT_AUCTIONS: u32 = 2;
const HOT_SELLERS: u32 = 4;
const HOT_BIDDERS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Person,
    Auction,
    Bid,
}

pub(super) fn kind(record: u64) -> Kind {
    match record % ROUND {
        place if place < PEOPLE => Kind::Person,
        place if place < PEOPLE + AUCTIONS => Kind::Auction,
        _ => Kind::Bid,
    }
}

/// The newest person when this record comes, itself included; counted from 0.
pub(super) fn last_person(record: u64) -> u64 {
    record / ROUND
}

/// The newest auction when this record comes, itself included; counted from 0. The record is no person.
pub(super) fn last_auction(record: u64) -> u64 {
    record / ROUND * AUCTIONS + (record % ROUND - PEOPLE).min(AUCTIONS - 1)
}

/// Three of four auctions are of the first of the last hundred people.
pub(super) fn seller(record: u64, random: &mut Random) -> u64 {
    let is_hot = below(random, HOT_SELLERS) > 0;
    FIRST_PERSON + if is_hot { last_person(record) / HOT_EVERY * HOT_EVERY } else { active_person(record, random) }
}

/// Three of four bids are of the second of the last hundred people, so that hot bidders are no hot sellers.
pub(super) fn bidder(record: u64, random: &mut Random) -> u64 {
    let is_hot = below(random, HOT_BIDDERS) > 0;
    FIRST_PERSON + if is_hot { last_person(record) / HOT_EVERY * HOT_EVERY + 1 } else { active_person(record, random) }
}

/// Every other bid is for the first of the last hundred auctions.
pub(super) fn auction_of_bid(record: u64, random: &mut Random) -> u64 {
    let is_hot = below(random, HOT_AUCTIONS) > 0;
    FIRST_AUCTION + if is_hot { last_auction(record) / HOT_EVERY * HOT_EVERY } else { open_auction(record, random) }
}

fn active_person(record: u64, random: &mut Random) -> u64 {
    let people = last_person(record) + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + u64::from(below(random, (active + LEAD) as u32))
}

fn open_auction(record: u64, random: &mut Random) -> u64 {
    let last = last_auction(record);
    let oldest = last.saturating_sub(OPEN_AUCTIONS);
    oldest + u64::from(below(random, (last - oldest + 1 + LEAD) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn people_and_auctions_are_numbered_without_a_gap() {
        let of = |wanted: Kind| (0..5_000u64).filter(move |record| kind(*record) == wanted);
        assert!(of(Kind::Person).map(last_person).eq(0..100));
        assert!(of(Kind::Auction).map(last_auction).eq(0..300));
        assert_eq!(of(Kind::Bid).count(), 4_600);
        assert!(
            of(Kind::Bid).all(|bid| last_auction(bid) == bid / 50 * 3 + 2),
            "all three of a round come before its bids"
        );
    }

    #[test]
    fn the_hot_ones_have_their_shares_and_the_others_are_the_newest() {
        let mut random = stream(1, Purpose::Nexmark, 0);
        let record = 100_049;
        let (people, auctions) = (last_person(record), last_auction(record));
        let (mut hot, draws) = ([0u32; 3], 100_000u32);
        for _ in 0..draws {
            let drawn = [seller(record, &mut random), bidder(record, &mut random), auction_of_bid(record, &mut random)];
            for (hot, (id, of)) in hot.iter_mut().zip(drawn.into_iter().zip([3_000, 3_001, 7_000])) {
                *hot += u32::from(id == of);
            }
            let [seller, bidder, auction] = drawn;
            assert!([seller, bidder].iter().all(|id| (people - 999..=people + 10).contains(&(id - FIRST_PERSON))));
            assert!((auctions - 102..=auctions + 10).contains(&(auction - FIRST_AUCTION)));
        }
        let shares = hot.map(|hot| f64::from(hot) / f64::from(draws));
        // A hot one is drawn as one of the others as well, if it is among them.
        let expected = [0.75, 0.75, 0.5];
        assert!(shares.iter().zip(expected).all(|(share, of)| (share - of).abs() < 0.01), "{shares:?}");
    }
}
