//! Stateless and keyed operators.

use crate::bench::{Bench, CODECS, any_exchange, collect, plain_counts, run_lines};
use downbeat_engine::Settings;
use downbeat_engine::record::{Own, Pair, Text};
use downbeat_engine::settings::{CodecKind, PoolKind};
use proptest::prelude::*;

fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0B
}

#[test]
fn map_filter_and_flat_map_go_record_by_record() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let words = lines
        .flat_map::<Text>(|line, out| line.split(|byte| is_space(*byte)).filter(|word| !word.is_empty()).for_each(out));
    let lengths = words.filter(|word| word.len() > 1).map::<u64>(|word| word.len() as u64);
    let seen = collect(&lengths, |length| length);
    bench.context.start().expect("starts");
    feed.push([&b"a bb ccc"[..], b"", b" dddd  e"]).expect("not stopped");
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [vec![2, 3, 4]]);
}

#[test]
fn union_keeps_every_record_of_both() {
    let seen = run_lines(Settings::default(), &[&["a b a"], &["c"]], |lines| {
        let others = lines.words().map::<Text>(|word| if word == b"a" { b"z" } else { word });
        lines.words().union(&others).map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b)
    });
    assert_eq!(seen, [plain_counts(["a b a", "z b z"]), plain_counts(["c", "c"])]);
}

#[test]
fn count_gives_one_number_even_for_nothing_and_count_by_value_none() {
    let mut bench = Bench::new(Settings::default());
    let (feed, numbers) = bench.context.queue_stream::<u64>();
    let counts = collect(&numbers.count(), |count| count);
    let values = collect(&numbers.count_by_value(), |pair| pair);
    bench.context.start().expect("starts");
    feed.push([7, 7, 9]).expect("not stopped");
    bench.tick();
    bench.tick();
    assert_eq!(*counts.lock().expect("no panic"), [vec![3], vec![0]]);
    assert_eq!(*values.lock().expect("no panic"), [vec![(7, 2), (9, 1)], vec![]]);
}

#[test]
fn owned_records_work_like_borrowed_ones() {
    let mut bench = Bench::new(Settings { codec: CodecKind::Rkyv, ..Settings::default() });
    let (feed, words) = bench.context.queue_stream::<Own<String>>();
    let seen =
        collect(&words.map_to_pair::<Own<String>, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b), |(word, n)| {
            (word.clone(), n)
        });
    bench.context.start().expect("starts");
    let input = ["x".to_owned(), "y".to_owned(), "x".to_owned()];
    feed.push(input.iter()).expect("not stopped");
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [vec![("x".to_owned(), 2), ("y".to_owned(), 1)]]);
}

#[test]
fn texts_as_allocations_of_their_own_give_the_same_counts_under_every_codec() {
    let lines =
        ["to be or not", "to be  \u{fc} ", "", "a word that is longer than sixteen bytes: incomprehensibilities"];
    for codec in [CodecKind::None, CodecKind::Rkyv, CodecKind::Json] {
        let mut bench = Bench::new(Settings { codec, threads: 2, ..Settings::default() });
        let (feed, stream) = bench.context.queue_stream::<Text>();
        let counts =
            stream.words().owned().map_to_pair::<Own<Vec<u8>>, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b);
        let seen = collect(&counts, |(word, count)| (String::from_utf8_lossy(word).into_owned(), count));
        bench.context.start().expect("starts");
        feed.push(lines.iter().map(|line| line.as_bytes())).expect("not stopped");
        bench.tick();
        assert_eq!(*seen.lock().expect("no panic"), [plain_counts(lines)], "{codec:?}");
    }
}

#[test]
fn words_after_another_operator_are_split_record_by_record() {
    let seen = run_lines(Settings::default(), &[&["keep one", "drop two", "keep  three "]], |lines| {
        let kept = lines.filter(|line| line.starts_with(b"keep"));
        kept.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b)
    });
    assert_eq!(seen, [plain_counts(["keep one", "keep  three "])]);
}

#[test]
fn a_shared_stream_gives_both_outputs_the_same() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let counts = lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    let first = collect(&counts, |(word, count)| (word.to_vec(), count));
    let second = collect(&counts.map::<Pair<Text, u64>>(|(word, count)| (word, count * 10)), |(word, count)| {
        (word.to_vec(), count)
    });
    bench.context.start().expect("starts");
    feed.push([&b"a a b"[..]]).expect("not stopped");
    bench.tick();
    assert_eq!(*first.lock().expect("no panic"), [vec![(b"a".to_vec(), 2), (b"b".to_vec(), 1)]]);
    assert_eq!(*second.lock().expect("no panic"), [vec![(b"a".to_vec(), 20), (b"b".to_vec(), 10)]]);
}

fn settings() -> impl Strategy<Value = Settings> {
    let pools = prop_oneof![Just(PoolKind::Rayon), Just(PoolKind::Pinned), Just(PoolKind::Sequential)];
    (1usize..4, 1usize..6, any_exchange(), pools, any::<bool>()).prop_map(
        |(threads, partitions, exchange, pool, metrics)| Settings {
            threads,
            partitions: Some(partitions),
            pool,
            metrics,
            ..exchange
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn settings_never_change_answers(settings in settings(), batches in prop::collection::vec(prop::collection::vec("[ab]{1,2}( [a-d]{1,3}|\t[a-z]{20}){0,12}", 0..30), 1..5)) {
        let borrowed: Vec<Vec<&str>> = batches.iter().map(|lines| lines.iter().map(String::as_str).collect()).collect();
        let slices: Vec<&[&str]> = borrowed.iter().map(Vec::as_slice).collect();
        let seen = run_lines(settings, &slices, |lines| {
            lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b)
        });
        let expected: Vec<_> = borrowed.iter().map(|lines| plain_counts(lines.iter().copied())).collect();
        prop_assert_eq!(seen, expected);
    }
}

#[test]
fn large_batches_on_many_threads_agree_with_a_plain_count() {
    let lines: Vec<String> = (0..20_000u32)
        .map(|n| format!("w{} x{} long-word-of-more-than-sixteen-bytes-{}", n % 997, n % 13, n % 101))
        .collect();
    let borrowed: Vec<&str> = lines.iter().map(String::as_str).collect();
    for codec in CODECS {
        let settings = Settings { codec, threads: 3, partitions: Some(4), ..Settings::default() };
        let mut bench = Bench::new(settings);
        let (feed, stream) = bench.context.queue_stream::<Text>();
        let counts = stream.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b);
        let seen = crate::bench::collect_counts(&counts);
        bench.context.start().expect("starts");
        for round in 0..3u64 {
            // Several blocks a batch, so that several lanes work: the clock moves between the pushes.
            for (piece, some) in borrowed.chunks(5_000).enumerate() {
                bench
                    .clock
                    .advance_to(crate::bench::START_NS + round * crate::bench::INTERVAL_NS + piece as u64 * 20_000_000);
                feed.push(some.iter().map(|line| line.as_bytes())).expect("not stopped");
            }
            bench.tick();
        }
        let seen = seen.lock().expect("no panic");
        let expected = plain_counts(borrowed.iter().copied());
        assert!(seen.len() == 3 && seen.iter().all(|batch| *batch == expected), "{codec:?}");
        assert!(bench.reports().iter().all(|report| report.blocks == 4));
    }
}

downbeat_engine::record! {
    /// A record of a user's own.
    #[derive(Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
    struct Visit {
        page: String,
        weight: u32,
    }
}

#[test]
fn structs_of_a_user_go_through_every_codec_as_keys_and_values() {
    for codec in CODECS {
        let mut bench = Bench::new(Settings { codec, partitions: Some(3), ..Settings::default() });
        let (feed, visits) = bench.context.queue_stream::<Own<Visit>>();
        let heaviest = visits
            .map_to_pair::<Text, Own<Visit>>(|visit| (visit.page.as_bytes(), visit))
            .reduce_by_key(|a, b| if a.weight >= b.weight { a } else { b });
        let heaviest = collect(&heaviest, |(page, visit)| (page.to_vec(), visit.clone()));
        let counted = collect(&visits.count_by_value(), |(visit, count)| (visit.clone(), count));
        bench.context.start().expect("starts");
        let visit = |page: &str, weight| Visit { page: page.to_owned(), weight };
        let input = [visit("a", 1), visit("b", 5), visit("a", 7), visit("b", 5)];
        feed.push(input.iter()).expect("not stopped");
        bench.tick();
        let expected = vec![(b"a".to_vec(), visit("a", 7)), (b"b".to_vec(), visit("b", 5))];
        assert_eq!(*heaviest.lock().expect("no panic"), [expected], "{codec:?}");
        let expected = vec![(visit("a", 1), 1), (visit("a", 7), 1), (visit("b", 5), 2)];
        assert_eq!(*counted.lock().expect("no panic"), [expected], "{codec:?}");
    }
}

#[test]
fn copied_records_need_not_live_in_the_record_they_are_made_of() {
    let mut bench = Bench::new(Settings::default());
    let (feed, numbers) = bench.context.queue_stream::<u64>();
    let texts = numbers
        .flat_map_copied::<Text>(|number, out| (0..number).for_each(|nth| out(format!("{number}.{nth}").as_bytes())));
    let (seen, count) = (collect(&texts, |text| text.to_vec()), collect(&texts.count(), |count| count));
    bench.context.start().expect("starts");
    feed.push([2, 0, 1, 700]).expect("not stopped");
    bench.tick();
    let mut expected: Vec<Vec<u8>> = ["2.0", "2.1", "1.0"].map(|text| text.as_bytes().to_vec()).into();
    expected.extend((0..700).map(|nth| format!("700.{nth}").into_bytes()));
    expected.sort();
    assert_eq!(seen.lock().expect("no panic")[0], expected);
    assert_eq!(*count.lock().expect("no panic"), [vec![703]]);
}
