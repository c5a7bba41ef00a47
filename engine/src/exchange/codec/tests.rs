//! What every codec and compression must give back, and what damaged bytes do.

use super::*;
use crate::record::{List, ListView, Maybe, MaybeColumn, Own, Pair, PairColumn, Text};
use proptest::prelude::*;
use proptest::sample::Index;

const CODECS: [CodecKind; 5] =
    [CodecKind::Rkyv, CodecKind::Bitcode, CodecKind::Postcard, CodecKind::Wincode, CodecKind::Json];
const COMPRESSIONS: [Compression; 3] = [Compression::None, Compression::Lz4, Compression::Zstd];

/// Every codec under every compression.
fn every<R: Family>() -> impl Iterator<Item = (String, BlockCodec<R>)> {
    let each = |codec| COMPRESSIONS.map(|compression| (codec, compression));
    CODECS
        .into_iter()
        .flat_map(each)
        .map(|(codec, compression)| (format!("{codec:?} {compression:?}"), BlockCodec::new(codec, compression)))
}

/// All records of a block, as `own` makes them.
fn read<R: Family, T>(
    codec: &mut BlockCodec<R>,
    block: &Encoded,
    own: impl Fn(R::View<'_>) -> T,
) -> Result<Vec<T>, EngineError> {
    let mut records = Vec::new();
    let count = codec.for_each_chunk(block, |chunk| records.extend(chunk.iter().map(|view| own(*view))))?;
    assert_eq!(count, records.len());
    Ok(records)
}

/// Everything that a family can be made of.
type Nested = Pair<Pair<Text, Own<(String, Vec<u32>)>>, Pair<List<Maybe<Text>>, Maybe<List<i64>>>>;
type Record = ((Vec<u8>, (String, Vec<u32>)), (Vec<Option<Vec<u8>>>, Option<Vec<i64>>));

fn column(records: &[Record]) -> <Nested as Family>::Column {
    let mut column = <Nested as Family>::Column::default();
    for ((text, owned), (texts, numbers)) in records {
        let mut list = MaybeColumn::<Text>::default();
        texts.iter().for_each(|text| list.push(text.as_deref()));
        column.push(((text, owned), (ListView::of(&list), numbers.as_ref().map(ListView::of))));
    }
    column
}

fn owned(((text, own), (texts, numbers)): <Nested as Family>::View<'_>) -> Record {
    let texts = texts.iter().map(|text| text.map(<[u8]>::to_vec)).collect();
    ((text.to_vec(), own.clone()), (texts, numbers.map(|numbers| numbers.iter().collect())))
}

fn records() -> impl Strategy<Value = Vec<Record>> {
    let text = || prop::collection::vec(any::<u8>(), 0..20);
    let own = (".{0,10}", prop::collection::vec(any::<u32>(), 0..4));
    let lists = (
        prop::collection::vec(prop::option::of(text()), 0..4),
        prop::option::of(prop::collection::vec(any::<i64>(), 0..4)),
    );
    prop::collection::vec(((text(), own), lists), 0..30)
}

/// Each bit that is named flipped, and an end cut off.
fn damaged(bytes: &[u8], flips: &[(Index, u8)], cut: Option<Index>) -> Encoded {
    let mut copy = AlignedVec::new();
    copy.extend_from_slice(bytes);
    for (at, bit) in flips {
        let at = at.index(copy.len());
        copy[at] ^= 1 << bit;
    }
    copy.resize(copy.len() - cut.map_or(0, |cut| cut.index(bytes.len())), 0);
    Encoded::of_bytes(copy)
}

proptest! {
    #[test]
    fn blocks_come_back_as_they_were(blocks in prop::collection::vec(records(), 1..4)) {
        for (name, mut codec) in every::<Nested>() {
            for records in &blocks {
                let block = codec.encode(&column(records)).expect("encodes");
                prop_assert_eq!(&read(&mut codec, &block, owned).expect("decodes"), records, "{}", name);
            }
        }
    }

    // 256 cases × 15 forms, each with damage of its own place.
    #[test]
    fn damaged_blocks_are_refused_or_read_never_worse(records in records(), flips in prop::collection::vec((any::<Index>(), 0u8..8), 0..5), cut in prop::option::weighted(0.3, any::<Index>())) {
        let plain = column(&records);
        for (_, mut codec) in every::<Nested>() {
            let block = codec.encode(&plain).expect("encodes");
            let _ = read(&mut codec, &damaged(block.bytes(), &flips, cut), owned);
            // What is left of the damaged block does not show in the next one.
            prop_assert_eq!(&read(&mut codec, &block, owned).expect("decodes"), &records);
        }
    }

    #[test]
    fn noise_is_refused_or_read_never_worse(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, mut codec) in every::<Nested>() {
            let _ = read(&mut codec, &damaged(&noise, &[], None), owned);
        }
    }
}

#[test]
fn a_cut_block_is_refused() {
    let mut column = PairColumn::<Text, u64>::default();
    (0..100u64).for_each(|number| column.push((format!("word{number}").as_bytes(), number)));
    for (name, mut codec) in every::<Pair<Text, u64>>() {
        let block = codec.encode(&column).expect("encodes");
        for bytes in [0, 1, block.len_bytes() / 2, block.len_bytes() - 1] {
            let cut = damaged(&block.bytes()[..bytes], &[], None);
            let result = codec.for_each_chunk(&cut, |_| ());
            assert!(matches!(result, Err(EngineError::Codec { .. })), "{name}, {bytes} of {}", block.len_bytes());
        }
    }
}

#[test]
fn blocks_above_four_mebibytes_come_back() {
    const RECORDS: u64 = 700_000;
    let mut numbers = PairColumn::<Text, u64>::default();
    (0..RECORDS).for_each(|number| numbers.push((number.to_string().as_bytes(), number)));
    for (name, mut codec) in every::<Pair<Text, u64>>() {
        let block = codec.encode(&numbers).expect("encodes");
        assert!(block.plain_bytes() > 4 << 20, "{name}: {} bytes", block.plain_bytes());
        let mut sum = 0;
        let read = codec.for_each_chunk(&block, |chunk| sum += chunk.iter().map(|(_, number)| number).sum::<u64>());
        assert_eq!((read, sum), (Ok(RECORDS as usize), RECORDS * (RECORDS - 1) / 2), "{name}");
    }
    let texts = vec!["x".repeat(5 << 20), "y".repeat(1 << 20)];
    for (name, mut codec) in every::<Own<String>>() {
        let block = codec.encode(&texts).expect("encodes");
        assert_eq!(read(&mut codec, &block, String::clone).expect("decodes"), texts, "{name}");
    }
}

#[test]
fn a_count_that_cannot_be_takes_no_memory() {
    let mut codec = BlockCodec::<Own<[u64; 32]>>::new(CodecKind::Wincode, Compression::None);
    // One part of eight bytes: a vector of 2^20 records, 256 MiB, without any.
    let bytes = [8u64.to_le_bytes(), (1u64 << 20).to_le_bytes()].concat();
    let error = codec.for_each_chunk(&damaged(&bytes, &[], None), |_| ()).expect_err("there are none");
    assert!(error.to_string().contains("more records than it has bytes"), "{error}");
}

#[test]
fn small_numbers_take_few_bytes_where_codecs_say_so() {
    let numbers: Vec<u64> = (0..10_000).map(|number| number % 100).collect();
    let bytes = |codec| BlockCodec::<u64>::new(codec, Compression::None).encode(&numbers).expect("encodes").len_bytes();
    assert_eq!(bytes(CodecKind::Wincode), 8 + 8 + 80_000, "as they lie in memory");
    assert!((10_000..10_020).contains(&bytes(CodecKind::Postcard)), "a byte each");
    assert!((9_900..10_020).contains(&bytes(CodecKind::Bitcode)), "a byte each");
}

#[test]
fn json_whose_parts_do_not_fit_together_is_refused() {
    fn read<R: Family>(text: &str) -> Result<usize, EngineError> {
        let mut codec = BlockCodec::<R>::new(CodecKind::Json, Compression::None);
        codec.for_each_chunk(&damaged(text.as_bytes(), &[], None), |_| ())
    }
    let refused = |result| matches!(result, Err(EngineError::Codec { codec: "json", .. }));
    assert_eq!(read::<Pair<u64, List<u64>>>(r#"{"keys":[1,2],"values":{"ends":[1,3],"records":[7,8,9]}}"#), Ok(2));
    assert!(refused(read::<Pair<u64, u64>>(r#"{"keys":[1,2],"values":[3]}"#)), "fewer values than keys");
    assert!(refused(read::<List<u64>>(r#"{"ends":[1,4],"records":[7,8,9]}"#)), "a list that ends outside");
    assert!(refused(read::<List<u64>>(r#"{"ends":[3,1],"records":[7,8,9]}"#)), "a list that ends before it starts");
    assert!(refused(read::<Maybe<u64>>(r#"{"places":[0,1],"values":[7]}"#)), "a value that is not there");
    let inner = r#"{"keys":[1],"values":{"places":[0],"values":{"ends":[2],"records":[7]}}}"#;
    assert!(refused(read::<Pair<u64, Maybe<List<u64>>>>(inner)), "a list inside");
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    // Two blocks whose parts are fine, one after another: as many keys of the one as values of the other are wanted.
    for codec in [PartCodec::Bitcode, PartCodec::Postcard, PartCodec::Wincode] {
        let (mut bytes, mut scratch) = (AlignedVec::new(), PartsScratch::default());
        let mut parts = PartsWriter::new(codec, &mut bytes, &mut scratch);
        parts.part(&vec![1u64, 2]).expect("encodes");
        parts.part(&vec![3u64]).expect("encodes");
        let kind = CODECS.into_iter().find(|kind| format!("{kind:?}") == format!("{codec:?}")).expect("one of them");
        let mut blocks = BlockCodec::<Pair<u64, u64>>::new(kind, Compression::None);
        let error = blocks.for_each_chunk(&Encoded::of_bytes(bytes), |_| ()).expect_err("a value is missing");
        assert!(error.to_string().contains("do not fit together"), "{error}");
    }
    let lists = |ends: &[u32], records: &[u64]| {
        let (mut bytes, mut scratch) = (AlignedVec::new(), PartsScratch::default());
        let mut parts = PartsWriter::new(PartCodec::Postcard, &mut bytes, &mut scratch);
        parts.part(&records.to_vec()).expect("encodes");
        parts.ends(ends, 0).expect("encodes");
        let mut codec = BlockCodec::<List<u64>>::new(CodecKind::Postcard, Compression::None);
        codec.for_each_chunk(&Encoded::of_bytes(bytes), |_| ())
    };
    assert_eq!(lists(&[1, 3], &[7, 8, 9]), Ok(2));
    assert!(lists(&[1, 4], &[7, 8, 9]).is_err() && lists(&[1, 2], &[7, 8, 9]).is_err());
}
