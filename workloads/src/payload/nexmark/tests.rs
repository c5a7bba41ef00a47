//! The lines against what the module says of them.

use super::*;
use serde_json::Value;

fn lines(source: &Nexmark, blocks: std::ops::Range<u64>) -> Vec<Vec<u8>> {
    let mut column = TextColumn::default();
    blocks.for_each(|block| source.fill(block, &mut column));
    (0..column.len()).map(|line| column.view(line).to_vec()).collect()
}

fn own(seed: u64) -> Nexmark {
    Nexmark::drawn(seed, &KeyLaw::Default)
}

#[test]
fn blocks_depend_on_the_seed_and_their_number_alone() {
    let all = lines(&own(7), 0..4);
    assert_eq!(lines(&own(7), 2..3), all[2 * BLOCK_LINES..3 * BLOCK_LINES]);
    assert_ne!(lines(&own(8), 2..3), all[2 * BLOCK_LINES..3 * BLOCK_LINES]);
}

#[test]
fn every_line_is_json_of_the_kind_that_its_number_says_and_of_the_usual_length() {
    let (mut bytes, mut counts) = ([0, 0, 0], [0, 0, 0]);
    for (record, line) in (0u64..).zip(lines(&own(42), 0..50)) {
        let value: Value = serde_json::from_slice(&line).expect("JSON");
        let (at, kind, id) = match ids::kind(record) {
            Kind::Person => (0, "person", Some(FIRST_PERSON + ids::last_person(record))),
            Kind::Auction => (1, "auction", Some(FIRST_AUCTION + ids::last_auction(record))),
            Kind::Bid => (2, "bid", None),
        };
        let event = &value[kind];
        assert!(event.is_object(), "{record}: {value}");
        assert_eq!(event["id"].as_u64(), id);
        assert_eq!(event["dateTime"], event_time_ms(record));
        bytes[at] += line.len();
        counts[at] += 1;
    }
    assert_eq!(counts, [1_024, 3_072, 47_104]);
    let means = [0, 1, 2].map(|at| bytes[at] / counts[at]);
    assert!(
        (190..250).contains(&means[0]) && (300..400).contains(&means[1]) && (150..200).contains(&means[2]),
        "{means:?}"
    );
}

#[test]
fn prices_have_six_decades_and_credit_cards_sixteen_digits() {
    let mut decades = [0u32; 6];
    for line in lines(&own(1), 0..20) {
        let value: Value = serde_json::from_slice(&line).expect("JSON");
        if let Some(price) = value["bid"]["price"].as_u64() {
            assert!((100..100_000_000).contains(&price));
            decades[(price.ilog10() - 2) as usize] += 1;
        }
        if let Some(card) = value["person"]["creditCard"].as_str() {
            let groups: Vec<&str> = card.split(' ').collect();
            assert!(
                groups.len() == 4 && groups.iter().all(|group| group.len() == 4 && group.parse::<u32>().is_ok()),
                "{card}"
            );
        }
    }
    let bids: u32 = decades.iter().sum();
    assert!(decades.iter().all(|decade| decade.abs_diff(bids / 6) < bids / 60), "{decades:?}");
}

#[test]
fn a_law_for_the_keys_draws_bidders_sellers_and_auctions() {
    let source = Nexmark::drawn(1, &KeyLaw::Uniform { keys: 7 });
    assert_eq!(source.variant(), "keys uniform(7)");
    assert_eq!(own(1).variant(), "");
    let mut seen = [[0u32; 7]; 3];
    for line in lines(&source, 0..20) {
        let value: Value = serde_json::from_slice(&line).expect("JSON");
        let drawn = [&value["auction"]["seller"], &value["bid"]["bidder"], &value["bid"]["auction"]];
        for (seen, id) in seen.iter_mut().zip(drawn) {
            if let Some(id) = id.as_u64() {
                seen[(id - 1_000) as usize] += 1;
            }
        }
    }
    assert!(seen.iter().flatten().all(|count| *count > 100), "{seen:?}");
}
