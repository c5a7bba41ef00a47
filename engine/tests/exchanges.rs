//! The knobs of exchanges: what each changes, which the books of a batch show, and that answers stay the same.

use crate::bench::{Bench, CODECS, INTERVAL_NS, START_NS, any_exchange, collect, collect_counts};
use downbeat_engine::metrics::Exchanged;
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::settings::{CodecKind, Combine, Compression, Hasher};
use downbeat_engine::{DStream, EngineError, Settings};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// Sums by key of one batch, which comes in as many blocks as there are slices; and its books.
fn sums(settings: Settings, blocks: &[Vec<(String, u64)>]) -> (Vec<(String, u64)>, Exchanged) {
    let mut bench = Bench::new(settings);
    let (feed, pairs) = bench.context.queue_stream::<Pair<Text, u64>>();
    let seen = collect_counts(&pairs.reduce_by_key(|a, b| a + b));
    bench.context.start().expect("starts");
    for (number, block) in (0u64..).zip(blocks) {
        bench.clock.advance_to(START_NS + number * INTERVAL_NS / 10);
        feed.push(block.iter().map(|(key, value)| (key.as_bytes(), *value))).expect("not stopped");
    }
    bench.tick();
    let seen = seen.lock().expect("no panic").swap_remove(0);
    (seen, bench.reports()[0].exchanged)
}

fn plain(blocks: &[Vec<(String, u64)>]) -> Vec<(String, u64)> {
    let mut sums = BTreeMap::new();
    blocks.iter().flatten().for_each(|(key, value)| *sums.entry(key.clone()).or_default() += value);
    sums.into_iter().collect()
}

/// 30,000 pairs in one block, each key as often as the others.
fn block(keys: u64) -> Vec<Vec<(String, u64)>> {
    vec![(0..30_000).map(|number| (format!("key {}", number % keys), number)).collect()]
}

fn on_one_thread() -> Settings {
    Settings { threads: 1, partitions: Some(2), ..Settings::default() }
}

#[test]
fn combining_decides_how_many_records_cross() {
    let crossed = |combine, keys| {
        for codec in [CodecKind::None, CodecKind::Postcard] {
            let blocks = block(keys);
            let (seen, exchanged) = sums(Settings { combine, codec, ..on_one_thread() }, &blocks);
            assert_eq!(seen, plain(&blocks), "{combine:?} {codec:?} {keys}");
            assert_eq!(exchanged.records_in, 30_000);
            if codec == CodecKind::Postcard {
                return exchanged.records;
            }
        }
        unreachable!("the last codec returns")
    };
    assert_eq!(crossed(Combine::Always, 100), 100);
    assert_eq!(crossed(Combine::Never, 100), 30_000);
    assert_eq!(crossed(Combine::Adaptive, 100), 100, "combining pays");
    assert_eq!(crossed(Combine::Always, 20_000), 20_000);
    // All keys of the sample are different: what comes behind it is sent as it is.
    assert_eq!(crossed(Combine::Adaptive, 20_000), 30_000);
    // A sample of 10,240 records, as they come in chunks of 256: four fifths with keys of their own, and one more.
    assert_eq!(crossed(Combine::Adaptive, 8_192), 8_192, "at the share, combining goes on");
    assert_eq!(crossed(Combine::Adaptive, 8_193), 8_193 + 30_000 - 10_240);
}

#[test]
fn a_batch_smaller_than_the_sample_is_combined() {
    let blocks = vec![block(30_000)[0][..9_000].iter().chain(&block(30_000)[0][..900]).cloned().collect()];
    let (seen, exchanged) = sums(Settings { combine: Combine::Adaptive, ..on_one_thread() }, &blocks);
    assert_eq!((seen, exchanged.records_in, exchanged.records), (plain(&blocks), 9_900, 9_000));
}

#[test]
fn codecs_and_compression_decide_how_many_bytes_cross() {
    let blocks = block(5_000);
    let crossed = |codec, compression| {
        let (seen, exchanged) = sums(Settings { codec, compression, ..on_one_thread() }, &blocks);
        assert_eq!(seen, plain(&blocks), "{codec:?} {compression:?}");
        exchanged
    };
    let none = crossed(CodecKind::None, Compression::None);
    assert_eq!((none.encoded_bytes, none.wire_bytes), (0, 0), "moved, not encoded");
    let mut sizes = Vec::new();
    for codec in CODECS.into_iter().filter(|codec| *codec != CodecKind::None) {
        let plain = crossed(codec, Compression::None);
        assert!(plain.encoded_bytes > 0 && plain.wire_bytes == plain.encoded_bytes, "{codec:?}");
        let [lz4, zstd] = [Compression::Lz4, Compression::Zstd].map(|compression| crossed(codec, compression));
        assert_eq!((lz4.encoded_bytes, zstd.encoded_bytes), (plain.encoded_bytes, plain.encoded_bytes), "{codec:?}");
        assert!(lz4.wire_bytes < plain.wire_bytes * 9 / 10, "{codec:?}: {lz4:?}");
        assert!(
            zstd.wire_bytes < plain.wire_bytes * 9 / 10 && zstd.wire_bytes != lz4.wire_bytes,
            "{codec:?}: {zstd:?}"
        );
        sizes.push(plain.encoded_bytes);
    }
    sizes.sort_unstable();
    sizes.dedup();
    assert_eq!(sizes.len(), CODECS.len() - 1, "each codec has a form of its own: {sizes:?}");
}

#[test]
fn records_that_are_only_routed_are_counted_and_encoded_as_well() {
    for codec in [CodecKind::None, CodecKind::Wincode] {
        let mut bench = Bench::new(Settings { codec, partitions: Some(3), ..Settings::default() });
        let (feed, numbers) = bench.context.queue_stream::<u64>();
        let seen = collect(&numbers.repartition(3), |number| number);
        bench.context.start().expect("starts");
        feed.push(0..1_000).expect("not stopped");
        bench.tick();
        assert_eq!(seen.lock().expect("no panic")[0], (0..1_000).collect::<Vec<u64>>());
        let exchanged = bench.reports()[0].exchanged;
        assert_eq!((exchanged.records_in, exchanged.records), (1_000, 1_000));
        // Eight bytes a number, and two lengths for each of the three blocks.
        let bytes = if codec == CodecKind::None { 0 } else { 8 * 1_000 + 3 * 16 };
        assert_eq!((exchanged.encoded_bytes, exchanged.wire_bytes), (bytes, bytes));
    }
}

#[test]
fn compression_without_a_codec_is_refused_with_what_to_do() {
    for compression in [Compression::Lz4, Compression::Zstd] {
        let error = Settings { compression, ..Settings::default() }.validate().expect_err("contradictory");
        assert!(matches!(error, EngineError::Setting { knob: "compression", .. }));
        assert!(error.to_string().contains("set a codec, such as rkyv, or compression = none"), "{error}");
        assert!(Settings { compression, codec: CodecKind::Json, ..Settings::default() }.validate().is_ok());
    }
}

/// How many of 1,000 keys are in the fullest of four partitions, all of them chosen so that mum makes the same of them.
fn fullest_partition(hasher: Hasher) -> u64 {
    // What comes behind eight bytes that make one factor of the product 0 leaves no trace in it.
    let blind = 0x9E37_79B9_7F4A_7C15u64.to_le_bytes();
    let mut bench = Bench::new(Settings { hasher, partitions: Some(4), ..Settings::default() });
    let (feed, pairs) = bench.context.queue_stream::<Pair<Text, u64>>();
    let counts = pairs.reduce_by_key(|a, b| a + b);
    let sizes = counts.map_partitions::<u64>(|part, out| out(part.len() as u64));
    let (sizes, sums) = (collect(&sizes, |size| size), collect(&counts, |(_, sum)| sum));
    bench.context.start().expect("starts");
    let keys: Vec<Vec<u8>> = (0..1_000u64).map(|number| [blind, number.to_le_bytes()].concat()).collect();
    feed.push(keys.iter().chain(&keys).map(|key| (&key[..], 1))).expect("not stopped");
    bench.tick();
    assert_eq!(sums.lock().expect("no panic")[0], vec![2; 1_000], "{hasher:?}");
    let sizes = sizes.lock().expect("no panic");
    sizes[0].iter().copied().max().unwrap_or_default()
}

#[test]
fn keys_chosen_to_collide_under_one_hash_do_not_under_others() {
    assert_eq!(fullest_partition(Hasher::Mum), 1_000);
    for hasher in [Hasher::Foldhash, Hasher::Siphash] {
        let keys = fullest_partition(hasher);
        assert!(keys < 400, "{keys} of 1,000 in one of four partitions, {hasher:?}");
    }
}

/// Everything that reduces by key, and a grouping, on one stream.
fn every_reduction(pairs: &DStream<Pair<Text, u64>>) -> Vec<DStream<Pair<Text, u64>>> {
    let (window, slide) = (crate::bench::INTERVAL * 2, crate::bench::INTERVAL);
    let means = pairs.combine_by_key::<Pair<u64, u64>>(
        |value| (value, 1),
        |(sum, count), value| (sum + value, count + 1),
        |one, other| (one.0 + other.0, one.1 + other.1),
    );
    vec![
        pairs.reduce_by_key(|a, b| a + b),
        means.map_values::<u64>(|(sum, count)| sum / count),
        pairs.reduce_by_key_and_window(u64::max, window, slide),
        pairs.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, window, slide),
        pairs.group_by_key().map_values::<u64>(|values| values.len() as u64),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_knob_of_exchanges_changes_an_answer(
        exchange in any_exchange(),
        threads in 1usize..4,
        partitions in 1usize..5,
        // Up to 20,000 records a batch in several blocks, so that lanes change their minds about combining.
        batches in prop::collection::vec((1u64..4, 1u64..20_000, 0u64..7_000), 1..4),
    ) {
        let run = |settings: Settings| {
            let mut bench = Bench::new(settings);
            let (feed, pairs) = bench.context.queue_stream::<Pair<Text, u64>>();
            let seen: Vec<_> = every_reduction(&pairs).iter().map(collect_counts).collect();
            bench.context.start().expect("starts");
            for (batch, (blocks, keys, records)) in (0u64..).zip(&batches) {
                for block in 0..*blocks {
                    bench.clock.advance_to(START_NS + batch * INTERVAL_NS + block * INTERVAL_NS / 10);
                    let texts: Vec<(String, u64)> =
                        (0..*records).map(|number| (format!("key {}", number * 7 % keys), number + block)).collect();
                    feed.push(texts.iter().map(|(key, value)| (key.as_bytes(), *value))).expect("not stopped");
                }
                bench.tick();
            }
            assert!(bench.reports().iter().all(|report| report.failure.is_none()));
            seen.iter().map(|seen| seen.lock().expect("no panic").clone()).collect::<Vec<_>>()
        };
        let default = Settings { threads: 1, partitions: Some(1), ..Settings::default() };
        let expected = run(default);
        prop_assert_eq!(run(Settings { threads, partitions: Some(partitions), ..exchange }), expected);
    }
}
