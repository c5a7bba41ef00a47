//! Every family keeps its records through columns, rkyv and JSON; damaged bytes are refused.

use super::*;
use proptest::prelude::*;

fn through_rkyv<R: Family>(column: &R::Column, check: impl Fn(usize, R::View<'_>)) {
    let mut bytes = AlignedVec::new();
    column.encode_rkyv(&mut bytes).expect("encodes");
    let mut scratch = R::Column::default();
    let read = R::Column::decode_rkyv(&bytes, &mut scratch).expect("decodes");
    assert_eq!(R::Column::read_len(&read), column.len());
    for index in 0..column.len() {
        check(index, R::Column::read_view(&read, index));
    }
}

fn through_json<R: Family>(column: &R::Column) -> R::Column {
    serde_json::from_slice(&serde_json::to_vec(column).expect("encodes")).expect("decodes")
}

proptest! {
    #[test]
    fn pairs_of_text_and_numbers_survive_both_codecs(records in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..40), any::<u64>()), 0..60)) {
        let mut column = PairColumn::<Text, u64>::default();
        records.iter().for_each(|(text, number)| column.push((text, *number)));
        through_rkyv::<Pair<Text, u64>>(&column, |index, (text, number)| {
            assert_eq!((text, number), (&records[index].0[..], records[index].1));
        });
        let json = through_json::<Pair<Text, u64>>(&column);
        for (index, (text, number)) in records.iter().enumerate() {
            prop_assert_eq!(json.view(index), (&text[..], *number));
        }
    }

    #[test]
    fn owned_records_survive_both_codecs(records in prop::collection::vec(".{0,20}", 0..40)) {
        let column: Vec<String> = records.clone();
        through_rkyv::<Own<String>>(&column, |index, text| assert_eq!(text, &records[index]));
        prop_assert_eq!(through_json::<Own<String>>(&column), records);
    }

    #[test]
    fn damaged_archives_are_refused_or_read_never_worse(texts in prop::collection::vec("[a-z]{0,12}", 1..20), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..6), cut in any::<prop::sample::Index>()) {
        let mut column = PairColumn::<Text, u64>::default();
        texts.iter().enumerate().for_each(|(index, text)| column.push((text.as_bytes(), index as u64)));
        let mut bytes = AlignedVec::<16>::new();
        column.encode_rkyv(&mut bytes).expect("encodes");
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        bytes.resize(bytes.len() - cut.index(bytes.len() / 2 + 1), 0);
        let mut scratch = PairColumn::<Text, u64>::default();
        if let Ok(read) = PairColumn::<Text, u64>::decode_rkyv(&bytes, &mut scratch) {
            for index in 0..PairColumn::<Text, u64>::read_len(&read) {
                PairColumn::<Text, u64>::read_view(&read, index);
            }
        }
    }
}

#[test]
fn joined_text_is_the_lines_with_their_newlines() {
    let mut column = TextColumn::default();
    ["a b", "", "c"].iter().for_each(|line| column.push(line.as_bytes()));
    assert_eq!(column.joined(0..3), b"a b\n\nc\n");
    assert_eq!(column.joined(1..2), b"\n");
    assert_eq!(column.bytes(0..3), 7);
}
