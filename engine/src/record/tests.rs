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

/// What groupings and outer joins give, nested as deep as they nest it.
type Nested = Pair<List<Maybe<Text>>, Maybe<List<u64>>>;
type NestedRecord = (Vec<Option<Vec<u8>>>, Option<Vec<u64>>);

fn nested(records: &[NestedRecord]) -> <Nested as Family>::Column {
    let mut column = <Nested as Family>::Column::default();
    for (texts, numbers) in records {
        let mut list = MaybeColumn::<Text>::default();
        texts.iter().for_each(|text| list.push(text.as_deref()));
        column.push((ListView::of(&list), numbers.as_ref().map(ListView::of)));
    }
    column
}

fn owned((texts, numbers): <Nested as Family>::View<'_>) -> NestedRecord {
    let texts = texts.iter().map(|text| text.map(<[u8]>::to_vec)).collect();
    (texts, numbers.map(|numbers| numbers.iter().collect()))
}

fn nested_records() -> impl Strategy<Value = Vec<NestedRecord>> {
    let text = prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    let numbers = prop::option::of(prop::collection::vec(any::<u64>(), 0..5));
    prop::collection::vec((prop::collection::vec(text, 0..5), numbers), 0..30)
}

/// Each bit that is named flipped, and an end cut off.
fn damaged(mut bytes: AlignedVec, flips: &[(prop::sample::Index, u8)], cut: Option<prop::sample::Index>) -> AlignedVec {
    for (at, bit) in flips {
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
    }
    bytes.resize(bytes.len() - cut.map_or(0, |cut| cut.index(bytes.len() / 2 + 1)), 0);
    bytes
}

proptest! {
    #[test]
    fn lists_and_missing_records_survive_both_codecs(records in nested_records()) {
        let column = nested(&records);
        through_rkyv::<Nested>(&column, |index, view| assert_eq!(owned(view), records[index]));
        let json = through_json::<Nested>(&column);
        prop_assert!(json.is_sound());
        prop_assert_eq!((0..json.len()).map(|index| owned(json.view(index))).collect::<Vec<_>>(), records);
    }

    #[test]
    fn damaged_lists_are_refused_or_read_never_worse(records in nested_records(), flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..4), cut in prop::option::weighted(0.3, any::<prop::sample::Index>())) {
        let column = nested(&records);
        let mut bytes = AlignedVec::new();
        column.encode_rkyv(&mut bytes).expect("encodes");
        let bytes = damaged(bytes, &flips, cut);
        let mut scratch = <Nested as Family>::Column::default();
        if let Ok(read) = <Nested as Family>::Column::decode_rkyv(&bytes, &mut scratch) {
            (0..<Nested as Family>::Column::read_len(&read)).for_each(|index| drop(owned(<Nested as Family>::Column::read_view(&read, index))));
        }
        let mut json = AlignedVec::new();
        serde_json::to_writer(&mut json, &column).expect("encodes");
        if let Ok(read) = serde_json::from_slice::<<Nested as Family>::Column>(&damaged(json, &flips, cut)) && read.is_sound() {
            (0..read.len()).for_each(|index| drop(owned(read.view(index))));
        }
    }
}

#[test]
fn archives_whose_parts_do_not_fit_together_are_refused() {
    // JSON is the way to such a column: serde looks at each part alone.
    fn refused<R: Family>(json: &str) -> bool {
        let column: R::Column = serde_json::from_str(json).expect("each part is fine");
        assert!(!column.is_sound());
        let mut bytes = AlignedVec::new();
        column.encode_rkyv(&mut bytes).expect("encodes");
        R::Column::decode_rkyv(&bytes, &mut R::Column::default()).is_err()
    }
    assert!(refused::<List<u64>>(r#"{"ends":[1,3],"records":[7]}"#));
    assert!(refused::<List<u64>>(r#"{"ends":[2,1],"records":[7,8]}"#));
    assert!(refused::<Maybe<u64>>(r#"{"places":[0,1],"values":[7]}"#));
    assert!(refused::<Pair<u64, u64>>(r#"{"keys":[1,2],"values":[7]}"#));
    assert!(refused::<Maybe<List<u64>>>(r#"{"places":[0],"values":{"ends":[1,3],"records":[7]}}"#));
}

#[test]
fn joined_text_is_the_lines_with_their_newlines() {
    let mut column = TextColumn::default();
    ["a b", "", "c"].iter().for_each(|line| column.push(line.as_bytes()));
    assert_eq!(column.joined(0..3), b"a b\n\nc\n");
    assert_eq!(column.joined(1..2), b"\n");
    assert_eq!(column.bytes(0..3), 7);
}
