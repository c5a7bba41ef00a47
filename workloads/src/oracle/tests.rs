//! Oracles against answers worked out by hand, and against planted wrong ones.

use super::tokens::{Counts, Tokens};
use super::*;
use crate::payload::{Ring, Words};
use downbeat_engine::record::{Column, TextColumn};
use downbeat_engine::source::LineCounts;
use std::sync::Arc;

fn payload(lines: &[&str]) -> Payload {
    let mut column = TextColumn::default();
    lines.iter().for_each(|line| column.push(line.as_bytes()));
    Payload::replayed(Ring::from_columns(vec![column], LineCounts::default()).expect("there are lines"))
}

fn batch(index: u64) -> BatchKey {
    BatchKey { primed: false, index }
}

fn ranges(ends: &[u64]) -> Vec<BatchRanges> {
    let starts = std::iter::once(&0).chain(ends);
    let range = |(index, (first, end)): (u64, (&u64, &u64))| BatchRanges {
        batch: batch(index),
        // Cut in two where it can be: a batch whose middle was not shed.
        ranges: vec![*first..(first + end) / 2, (first + end) / 2..*end],
    };
    (0..).zip(starts.zip(ends)).map(range).collect()
}

fn plain(rows: &[(&str, u64)]) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    rows.iter().for_each(|(key, count)| answer.add(key.as_bytes(), *count));
    answer
}

fn ranked(rows: &[(&str, u64)]) -> BatchAnswer {
    let mut answer = BatchAnswer::default();
    (0..).zip(rows).for_each(|(rank, (key, count))| answer.add_ranked(rank, key.as_bytes(), *count));
    answer
}

/// The answers of batches 0, 1, … and the final one.
fn answers(batches: &[BatchAnswer], last: &[(&str, u64)]) -> Answers {
    let answers = Answers::new(true);
    (0..).zip(batches).for_each(|(index, answer)| answers.record(batch(index), *answer));
    answers.replace_final(|row| last.iter().for_each(|(key, count)| row(key.as_bytes(), *count)));
    answers
}

const LINES: [&str; 3] = ["a b a", " b\t\tc\x0b", ""];

#[test]
fn words_are_counted_by_batch_and_over_all_and_the_ring_wraps() {
    let batches = [plain(&[("a", 2), ("b", 2), ("c", 1)]), plain(&[("a", 2), ("b", 1)]), plain(&[])];
    let right = answers(&batches, &[("a", 4), ("b", 3), ("c", 1)]);
    assert_eq!(WordCountOracle.check(&payload(&LINES), &ranges(&[2, 4, 4]), &right), []);
    let rounds = answers(&[plain(&[("a", 6), ("b", 7), ("c", 4)])], &[("b", 7), ("a", 6), ("c", 4)]);
    let range = BatchRanges { batch: batch(0), ranges: std::iter::once(1..11).collect() };
    assert_eq!(WordCountOracle.check(&payload(&LINES), &[range], &rounds), []);
}

#[test]
fn a_word_counted_wrongly_is_found_in_its_batch_and_in_the_final_answer() {
    let batches = [plain(&[("a", 2), ("b", 2), ("c", 1)]), plain(&[("a", 1), ("b", 2)]), plain(&[])];
    let wrong = answers(&batches, &[("a", 3), ("b", 4), ("c", 1)]);
    let found = WordCountOracle.check(&payload(&LINES), &ranges(&[2, 4, 4]), &wrong);
    assert_eq!(found.iter().map(|wrong| wrong.batch).collect::<Vec<_>>(), [Some(batch(1)), None]);
    assert!(found[0].what.starts_with("expected 2 rows that count 3 (digest "), "{}", found[0].what);
    assert_eq!(found[1].what, "row 1: expected 4 × `a`, found 4 × `b`");
}

#[test]
fn records_that_were_shed_are_not_counted() {
    let ranges = [BatchRanges { batch: batch(0), ranges: vec![0..1, 2..4] }];
    let right = answers(&[plain(&[("a", 4), ("b", 2)])], &[("a", 4), ("b", 2)]);
    assert_eq!(WordCountOracle.check(&payload(&LINES), &ranges, &right), []);
    let all = answers(&[plain(&[("a", 4), ("b", 3), ("c", 1)])], &[("a", 4), ("b", 3), ("c", 1)]);
    assert_eq!(WordCountOracle.check(&payload(&LINES), &ranges, &all).len(), 2);
    let counted = |records| {
        let mut answer = BatchAnswer::default();
        answer.add(b"records", records);
        answers(&[answer], &[("records", records)])
    };
    assert_eq!(NullOracle.check(&payload(&LINES), &ranges, &counted(3)), []);
    assert_eq!(NullOracle.check(&payload(&LINES), &ranges, &counted(4)).len(), 2);
}

#[test]
fn an_output_that_was_not_called_or_called_twice_is_found() {
    let first = plain(&[("a", 2), ("b", 2), ("c", 1)]);
    let silent = answers(&[first], &[("a", 2), ("b", 2), ("c", 1)]);
    let found = WordCountOracle.check(&payload(&LINES), &ranges(&[2, 2]), &silent);
    assert_eq!(found.len(), 1);
    assert!(found[0].what.ends_with("but the output was never called"), "{}", found[0].what);
    silent.record(batch(0), first);
    let found = WordCountOracle.check(&payload(&LINES), &ranges(&[2]), &silent);
    assert_eq!(found, [WrongAnswer { batch: Some(batch(0)), what: "the output was called more than once".into() }]);
}

const TWEETS: [&str; 4] = ["#a x#a (#a) #b, ##b", "#a #B", "#b.#a # #c!", "nothing"];

#[test]
fn hashtags_slide_and_are_ordered_by_count_then_tag() {
    let windows: [&[(&str, u64)]; 5] = [
        &[("#a", 1), ("#b", 1)],
        &[("#a", 2), ("#B", 1), ("#b", 1)],
        &[("#B", 1), ("#a", 1), ("#b", 1), ("#c", 1)],
        &[("#b", 1), ("#c", 1)],
        &[("#a", 1), ("#b", 1)],
    ];
    let right = answers(&windows.map(ranked), windows[4]);
    assert_eq!(HashtagsOracle::new(2).check(&payload(&TWEETS), &ranges(&[1, 2, 3, 4, 5]), &right), []);
    let mut swapped = windows.map(ranked);
    swapped[2] = ranked(&[("#a", 1), ("#B", 1), ("#b", 1), ("#c", 1)]);
    let found = HashtagsOracle::new(2).check(&payload(&TWEETS), &ranges(&[1, 2, 3, 4, 5]), &answers(&swapped, &[]));
    assert_eq!(found.iter().map(|wrong| wrong.batch).collect::<Vec<_>>(), [Some(batch(2)), None], "ties are exact");
}

#[test]
fn only_the_first_ten_tags_are_the_answer_and_the_eleventh_loses_its_tie() {
    let tags: Vec<String> = (0..12).map(|tag| format!("#t{tag:02}")).collect();
    let line = tags.join(" ");
    let mut expected: Vec<(&str, u64)> = vec![("#t11", 2)];
    expected.extend(tags[..9].iter().map(|tag| (tag.as_str(), 1)));
    let right = answers(&[ranked(&expected)], &expected);
    assert_eq!(HashtagsOracle::new(1).check(&payload(&[&line, "#t11"]), &ranges(&[2]), &right), []);
}

#[test]
fn live_text_is_counted_as_a_ring_of_the_same_lines_would_be() {
    let ring = Payload::replayed(Ring::generate(&Words::new(3), 1 << 20));
    let Payload::Replayed { ring: lines, .. } = &ring else { unreachable!() };
    let live = Payload::Live(Arc::new(Words::new(3)));
    let tokenizer: super::tokens::Tokenizer = |line, out| line.split(|byte| *byte == b' ').for_each(out);
    let (mut of_ring, mut of_live) = (Tokens::new(&ring, tokenizer), Tokens::new(&live, tokenizer));
    for range in [0..10, 1000..5000, 5000..5000, 17..1024, 0..lines.lines()] {
        let sorted = |tokens: &mut Tokens| {
            let mut counts = Counts::default();
            tokens.count(range.clone(), &mut counts);
            let mut rows: Vec<(Vec<u8>, u64)> =
                counts.iter().map(|(id, count)| (tokens.key(id).to_vec(), count)).collect();
            rows.sort();
            rows
        };
        assert_eq!(sorted(&mut of_ring), sorted(&mut of_live), "{range:?}");
    }
}
