//! The oracles against answers worked out by hand.

use super::*;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::oracle::{BatchRanges, Oracle, WrongAnswer};
use crate::payload::{Payload, Ring};
use downbeat_engine::record::{Column, TextColumn};
use downbeat_engine::source::LineCounts;
use xxhash_rust::xxh3::xxh3_64;

fn person(id: u64, name: &str, state: &str) -> String {
    format!(
        r#"{{"person":{{"id":{id},"name":"{name}","emailAddress":"","creditCard":"","city":"Bend","state":"{state}","dateTime":1,"extra":""}}}}"#
    )
}

fn auction(id: u64, seller: u64, category: u64) -> String {
    format!(
        r#"{{"auction":{{"id":{id},"itemName":"","description":"","initialBid":1,"reserve":2,"dateTime":3,"expires":4,"seller":{seller},"category":{category},"extra":""}}}}"#
    )
}

fn bid(auction: u64, price: u64) -> String {
    format!(
        r#"{{"bid":{{"auction":{auction},"bidder":5,"price":{price},"channel":"c","url":"u","dateTime":9,"extra":"e"}}}}"#
    )
}

fn batch(index: u64) -> BatchKey {
    BatchKey { primed: false, index }
}

/// What an oracle finds wrong with these rows, a list of them for each batch of lines, and these final ones.
fn check(oracle: &dyn Oracle, batches: &[Vec<String>], rows: &[BatchAnswer], last: &[(&str, u64)]) -> Vec<WrongAnswer> {
    let mut column = TextColumn::default();
    batches.iter().flatten().for_each(|line| column.push(line.as_bytes()));
    let payload = Payload::replayed(Ring::from_columns(vec![column], LineCounts::default()).expect("there are lines"));
    let mut end = 0;
    let ranges: Vec<BatchRanges> = (0..)
        .zip(batches)
        .map(|(index, lines)| {
            let first = end;
            end += lines.len() as u64;
            BatchRanges { batch: batch(index), ranges: std::iter::once(first..end).collect() }
        })
        .collect();
    let answers = Answers::new(true);
    (0..).zip(rows).for_each(|(index, answer)| answers.record(batch(index), *answer));
    answers.replace_final(|row| last.iter().for_each(|(key, count)| row(key.as_bytes(), *count)));
    oracle.check(&payload, &ranges, &answers)
}

fn plain(rows: &[(&[u8], u64)]) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    rows.iter().for_each(|(key, count)| answer.add(key, *count));
    answer
}

fn ranked(rows: &[(&str, u64)]) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    (0..).zip(rows).for_each(|(rank, (key, count))| answer.add_ranked(rank, key.as_bytes(), *count));
    answer
}

/// Batches in which the oracle finds something; `None` is the final answer.
fn found(wrong: &[WrongAnswer]) -> Vec<Option<u64>> {
    wrong.iter().map(|wrong| wrong.batch.map(|batch| batch.index)).collect()
}

#[test]
fn q0_is_every_line_and_the_number_of_each_kind() {
    let lines = [person(1, "A", "OR"), bid(7, 1), bid(7, 1), "no event".to_owned()];
    let rows: Vec<(&[u8], u64)> = lines.iter().map(|line| (line.as_bytes(), 1)).collect();
    let kinds: [(&[u8], u64); 3] = [(b"bid", 2), (b"other", 1), (b"person", 1)];
    let right = plain(&[&rows[..], &kinds].concat());
    let last = [("bid", 2), ("other", 1), ("person", 1)];
    assert_eq!(check(&NexmarkQ0Oracle, &[lines.to_vec()], &[right], &last), []);
    let other_kinds: [(&[u8], u64); 2] = [(b"bid", 3), (b"person", 1)];
    let wrong = plain(&[&rows[..], &other_kinds].concat());
    assert_eq!(found(&check(&NexmarkQ0Oracle, &[lines.to_vec()], &[wrong], &last)), [Some(0)]);
}

#[test]
fn q1_drops_fractions_of_a_cent() {
    let lines = vec![bid(7, 1_001), auction(7, 1, 10), bid(7, 1)];
    let name = [7u64, 5, 9, xxh3_64(b"e")].map(u64::to_le_bytes).concat();
    // 1,001 × 0.908 = 908.908; 0.908.
    let right = plain(&[(&name, 908), (&name, 0), (b"EUR cents", 908)]);
    assert_eq!(check(&NexmarkQ1Oracle, std::slice::from_ref(&lines), &[right], &[("EUR cents", 908)]), []);
    let rounded = plain(&[(&name, 909), (&name, 1), (b"EUR cents", 910)]);
    assert_eq!(found(&check(&NexmarkQ1Oracle, &[lines], &[rounded], &[("EUR cents", 910)])), [Some(0), None]);
}

#[test]
fn q2_selects_every_123rd_auction() {
    let lines = vec![bid(1_107, 5), bid(1_106, 6), bid(0, 7), bid(1_107, 8)];
    let (auction, zero) = (1_107u64.to_le_bytes(), 0u64.to_le_bytes());
    let right = plain(&[(&auction, 5), (&auction, 8), (&zero, 7), (b"1107", 2), (b"0", 1)]);
    assert_eq!(check(&NexmarkQ2Oracle, std::slice::from_ref(&lines), &[right], &[("1107", 2), ("0", 1)]), []);
    let swapped = plain(&[(&auction, 7), (&auction, 8), (&zero, 5), (b"1107", 2), (b"0", 1)]);
    assert_eq!(found(&check(&NexmarkQ2Oracle, &[lines], &[swapped], &[("1107", 2), ("0", 1)])), [Some(0)]);
}

#[test]
fn q3_joins_with_people_of_earlier_batches_and_of_the_same_one_but_not_of_later_ones() {
    let batches = [
        vec![auction(70, 1, 10), auction(71, 2, 10), person(1, "A", "OR"), auction(72, 1, 11)],
        vec![person(2, "B", "CA"), person(3, "C", "WA")],
        vec![auction(73, 2, 10), auction(74, 3, 10), auction(75, 1, 10)],
        // The first batch that has someone decides, and in it the least.
        vec![person(1, "Z", "ID"), person(4, "E", "ID"), person(4, "D", "OR"), auction(76, 1, 10), auction(77, 4, 10)],
    ];
    let rows = [
        plain(&[(b"A,Bend,OR,70", 1)]),
        plain(&[]),
        plain(&[(b"B,Bend,CA,73", 1), (b"A,Bend,OR,75", 1)]),
        plain(&[(b"A,Bend,OR,76", 1), (b"D,Bend,OR,77", 1)]),
    ];
    let last = [("Bend,OR", 4), ("Bend,CA", 1)];
    assert_eq!(check(&NexmarkQ3Oracle, &batches, &rows, &last), []);
    let mut late = rows;
    late[1] = plain(&[(b"B,Bend,CA,71", 1)]);
    assert_eq!(found(&check(&NexmarkQ3Oracle, &batches, &late, &last)), [Some(1)]);
}

#[test]
fn q5_slides_and_orders_ties_by_the_number_of_the_auction() {
    let batches = [vec![bid(10, 1), bid(9, 1)], vec![bid(10, 1), bid(8, 1)], vec![bid(9, 1), auction(8, 1, 10)]];
    let windows: [&[(&str, u64)]; 3] =
        [&[("9", 1), ("10", 1)], &[("10", 2), ("8", 1), ("9", 1)], &[("8", 1), ("9", 1), ("10", 1)]];
    // The final answer is ordered by name, as all are: "10" is before "8".
    let last = [("10", 1), ("8", 1), ("9", 1)];
    assert_eq!(check(&NexmarkQ5Oracle::new(2), &batches, &windows.map(ranked), &last), []);
    let mut swapped = windows.map(ranked);
    swapped[0] = ranked(&[("10", 1), ("9", 1)]);
    assert_eq!(found(&check(&NexmarkQ5Oracle::new(2), &batches, &swapped, &last)), [Some(0)]);
    assert_eq!(found(&check(&NexmarkQ5Oracle::new(3), &batches, &windows.map(ranked), &last)), [Some(2), None]);
}

#[test]
fn q5_has_ten_rows() {
    let bids: Vec<String> = (0..12).map(|auction| bid(100 - auction, 1)).chain([bid(100, 1)]).collect();
    let mut rows = vec![("100".to_owned(), 2)];
    rows.extend((89..98).map(|auction| (auction.to_string(), 1)));
    let rows: Vec<(&str, u64)> = rows.iter().map(|(name, bids)| (name.as_str(), *bids)).collect();
    assert_eq!(check(&NexmarkQ5Oracle::new(1), &[bids], &[ranked(&rows)], &rows), []);
}

#[test]
fn q8_has_who_came_and_sold_within_one_window() {
    let batches = [
        vec![person(1, "A", "OR"), auction(7, 2, 10)],
        vec![person(2, "B", "OR"), person(2, "B", "OR"), auction(8, 2, 11)],
        vec![auction(9, 1, 10), person(3, "C", "OR")],
        vec![auction(9, 3, 10), auction(9, 3, 10)],
    ];
    let rows = [plain(&[]), plain(&[(b"2,B", 2)]), plain(&[(b"2,B", 1)]), plain(&[(b"3,C", 2)])];
    assert_eq!(check(&NexmarkQ8Oracle::new(2), &batches, &rows, &[("3,C", 2)]), []);
    assert_eq!(found(&check(&NexmarkQ8Oracle::new(3), &batches, &rows, &[("3,C", 2)])), [Some(2), Some(3), None]);
}
