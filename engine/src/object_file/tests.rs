//! Object files: what is written is read back, and damage is told.

use super::writer::header;
use super::*;
use crate::error::EngineError;
use crate::record::{Column, Family, List, ListColumn, ListView, Maybe, Own, Pair, Text};
use proptest::prelude::*;

type Rich = Pair<Text, List<Maybe<u64>>>;

fn written<R: Family>(fill: impl FnOnce(&mut ObjectWriter<'_, R>)) -> Vec<u8> {
    let mut file = Vec::new();
    let mut writer = ObjectWriter::<R>::begin(&mut file).expect("a vector takes all");
    fill(&mut writer);
    writer.finish().expect("a vector takes all");
    file
}

fn rich_file(records: u64) -> Vec<u8> {
    written::<Rich>(|writer| {
        for number in 0..records {
            let mut numbers = ListColumn::<Maybe<u64>>::default();
            (0..number % 4).for_each(|at| numbers.push_record((at != 1).then_some(number * at)));
            numbers.close();
            writer.push((format!("key {number}").as_bytes(), numbers.view(0))).expect("a vector takes all");
        }
    })
}

/// What one record of `Rich` holds.
type RichRecord = (Vec<u8>, Vec<Option<u64>>);

fn rich_records(file: &[u8]) -> Result<Vec<RichRecord>, String> {
    let file = ObjectFile::<Rich>::parse(&mut &*file)?;
    let mut records = Vec::new();
    file.for_each(|(key, numbers): (&[u8], ListView<'_, _>)| records.push((key.to_vec(), numbers.iter().collect())))
        .map_err(|error| error.to_string())?;
    assert_eq!(records.len() as u64, file.len());
    Ok(records)
}

#[test]
fn records_come_back_as_they_were() {
    let records = rich_records(&rich_file(1000)).expect("a whole file");
    assert_eq!(records.len(), 1000);
    assert_eq!(records[7], (b"key 7".to_vec(), vec![Some(0), None, Some(14)]));
    assert_eq!(rich_records(&rich_file(0)), Ok(vec![]));
}

#[test]
fn blocks_are_closed_by_bytes_and_by_records() {
    let blocks = |file: &[u8], name: &str| {
        let (mut blocks, mut at) = (Vec::new(), header(name).expect("a short name").len());
        while let Some(frame) = file.get(at..at + Frame::BYTES) {
            let frame = Frame::of_bytes(frame.try_into().expect("as many bytes"));
            blocks.push(frame.records);
            at += Frame::BYTES + frame.archive_bytes as usize;
        }
        blocks
    };
    let texts = written::<Text>(|writer| {
        (0..5).for_each(|_| writer.push(&[b'x'; 400_000]).expect("a vector takes all"));
    });
    assert_eq!(blocks(&texts, "Text"), [3, 2, 5]);
    let numbers = written::<u32>(|writer| (0..70_000).for_each(|number| writer.push(number).expect("takes all")));
    assert_eq!(blocks(&numbers, "u32"), [65_536, 4_464, 70_000]);
}

#[test]
fn what_is_not_ours_is_refused_by_its_reason() {
    let numbers = written::<u64>(|writer| writer.push(5).expect("a vector takes all"));
    let refused = |bytes: &[u8]| ObjectFile::<u64>::parse(&mut &*bytes).map(|file| file.len()).expect_err("refused");
    assert!(refused(b"").contains("no object file"));
    assert!(refused(b"PK\x03\x04 something else").contains("no object file"));
    assert!(refused(&rich_file(1)).contains("holds records of Pair<Text, List<Maybe<u64>>>, not of u64"));
    let mut newer = numbers.clone();
    newer[8] = 2;
    assert!(refused(&newer).contains("version 2 of the format"));
    let longer = [&*numbers, b"x"].concat();
    assert!(refused(&longer).contains("follows its end"));
    for end in 8..numbers.len() {
        assert!(refused(&numbers[..end]).contains("ends too early"), "cut at {end}");
    }
    let missing = read_object_file::<u64>("/nowhere/part-00000").map(|file| file.len());
    assert!(matches!(missing, Err(EngineError::File { path, .. }) if path == "/nowhere/part-00000"));
}

#[test]
fn a_length_that_promises_too_much_takes_no_memory() {
    let mut file = header("u64").expect("a short name");
    let mut frame = Frame::of(0, 1, b"x");
    frame.archive_bytes = u64::MAX;
    file.extend(frame.to_bytes());
    let refused = ObjectFile::<u64>::parse(&mut &*file).map(|file| file.len());
    assert!(refused.expect_err("refused").contains("ends too early"));
}

#[test]
fn blocks_that_change_places_are_noticed() {
    let file = written::<u32>(|writer| (0..131_072).for_each(|number| writer.push(number).expect("takes all")));
    let start = header("u32").expect("a short name").len();
    let block_bytes = (file.len() - start - Frame::BYTES) / 2;
    let mut swapped = file.clone();
    swapped[start..start + block_bytes].copy_from_slice(&file[start + block_bytes..start + 2 * block_bytes]);
    swapped[start + block_bytes..start + 2 * block_bytes].copy_from_slice(&file[start..start + block_bytes]);
    assert!(ObjectFile::<u32>::parse(&mut &*file).is_ok());
    let refused = ObjectFile::<u32>::parse(&mut &*swapped).map(|file| file.len());
    assert!(refused.expect_err("refused").contains("the checksum of block 0"));
}

/// The file of a family whose only block has these bytes, with checksums that are right.
fn signed(name: &str, records: u64, archive: &[u8]) -> Vec<u8> {
    let mut file = header(name).expect("a short name");
    file.extend(Frame::of(0, records, archive).to_bytes());
    file.extend(archive);
    file.extend(Frame::of(1, records, &[]).to_bytes());
    file
}

fn archive_of(file: &[u8], name: &str) -> Vec<u8> {
    file[header(name).expect("a short name").len() + Frame::BYTES..file.len() - Frame::BYTES].to_vec()
}

fn damage(archive: &mut [u8], changes: &[(prop::sample::Index, u8)]) {
    changes.iter().for_each(|(at, byte)| *at.get_mut(archive) = *byte);
}

proptest! {
    #[test]
    fn a_flipped_bit_is_refused(at in any::<prop::sample::Index>(), bit in 0..8u8) {
        let mut file = rich_file(20);
        let at = at.index(file.len());
        file[at] ^= 1 << bit;
        prop_assert!(rich_records(&file).is_err());
    }

    #[test]
    fn a_signed_archive_of_garbage_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut archive = archive_of(&rich_file(20), &Rich::name());
        damage(&mut archive, &changes);
        if let Ok(records) = rich_records(&signed(&Rich::name(), 20, &archive)) {
            prop_assert_eq!(records.len(), 20);
        }
    }

    #[test]
    fn a_signed_archive_of_owned_records_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        type Owned = Own<(String, Vec<u32>)>;
        let file = written::<Owned>(|writer| {
            (0..20).for_each(|number| writer.push(&(format!("{number}"), vec![number; 3])).expect("takes all"));
        });
        let mut archive = archive_of(&file, &Owned::name());
        damage(&mut archive, &changes);
        if let Ok(file) = ObjectFile::<Owned>::parse(&mut &*signed(&Owned::name(), 20, &archive)) {
            prop_assert_eq!(file.len(), 20);
        }
    }
}
