//! In which form received records are kept: what they take in memory changes, the answers do not.

use crate::bench::{Bench, INTERVAL_NS, START_NS, collect, collect_counts, plain_counts};
use downbeat_engine::Settings;
use downbeat_engine::record::{Column, Pair, Text, TextColumn};
use downbeat_engine::settings::{Overload, StorageForm};
use downbeat_engine::storage::SimulatedDisk;
use rkyv::util::AlignedVec;
use std::time::Duration;

const FORMS: [StorageForm; 3] = [StorageForm::Deserialized, StorageForm::Serialized, StorageForm::SerializedDisk];

#[test]
fn encoded_blocks_give_the_same_answers_and_are_counted_by_their_own_size() {
    let lines = ["to be or", "not", "", "to be", "a word of more than sixteen bytes"];
    for storage in FORMS {
        let mut bench =
            Bench::new(Settings { storage, block_interval_ns: Some(INTERVAL_NS / 4), ..Settings::default() });
        let (feed, stream) = bench.context.queue_stream::<Text>();
        let ones = |words: downbeat_engine::DStream<Text>| {
            collect_counts(&words.map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b))
        };
        // One reads whole columns where it can, the other record by record.
        let by_column = ones(stream.words());
        let by_record = ones(stream.flat_map::<Text>(|line, out| {
            line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).for_each(out);
        }));
        let (pairs_feed, pairs) = bench.context.queue_stream::<Pair<Text, u64>>();
        let kept = collect(&pairs, |(key, value)| (key.to_vec(), value));
        bench.context.start().expect("starts");
        let mut held = 0;
        for (block, piece) in (0..).zip(lines.chunks(2)) {
            bench.clock.advance_to(START_NS + block * INTERVAL_NS / 4);
            // Two hand-overs that become one block.
            piece.iter().for_each(|line| feed.push([line.as_bytes()]).expect("not stopped"));
            let mut column = TextColumn::default();
            piece.iter().for_each(|line| column.push(line.as_bytes()));
            let mut encoded = AlignedVec::new();
            column.encode_rkyv(&mut encoded).expect("encodes");
            held += encoded.len() as u64;
        }
        bench.tick();
        pairs_feed.push([(&b"k"[..], 7), (b"l", 8)]).expect("not stopped");
        bench.tick();
        let expected = plain_counts(lines);
        for seen in [by_column, by_record] {
            assert_eq!(seen.lock().expect("no panic")[0], expected, "{storage:?}");
        }
        assert_eq!(kept.lock().expect("no panic")[1], [(b"k".to_vec(), 7), (b"l".to_vec(), 8)]);
        let report = &bench.reports()[0];
        let payload: u64 = lines.iter().map(|line| line.len() as u64 + 1).sum();
        assert_eq!((report.bytes, report.records, report.blocks), (payload, 5, 3));
        let expected = if storage == StorageForm::Deserialized { payload } else { held };
        assert_eq!(report.held_bytes, expected, "{storage:?}");
    }
}

#[test]
fn the_bound_on_memory_is_of_the_bytes_that_are_held() {
    for storage in FORMS {
        let mut bench = Bench::new(Settings {
            storage,
            block_interval_ns: Some(INTERVAL_NS / 50),
            overload: Overload::Shed,
            memory_limit_bytes: 1 << 20,
            ..Settings::default()
        });
        let (feed, lines) = bench.context.queue_stream::<Text>();
        drop(collect(&lines.count(), |count| count));
        bench.context.start().expect("starts");
        for batch in 0..4 {
            for block in 0..50 {
                bench.clock.advance_to(START_NS + batch * INTERVAL_NS + block * INTERVAL_NS / 50);
                // 20,000 bytes of payload, of which 50 are no MiB; each record has four bytes more where it is encoded.
                feed.push([&b"x"[..]; 10_000]).expect("not stopped");
            }
            bench.tick();
        }
        let shed: Vec<u64> = bench.reports().iter().map(|report| report.shed).collect();
        match storage {
            StorageForm::Deserialized => assert_eq!(shed, [0; 4]),
            // 17 blocks of 60,000 bytes fit, and one more that is not encoded before the next is handed over.
            StorageForm::Serialized => assert!(shed[0] > 300_000 && shed == [shed[0]; 4], "{shed:?}"),
            // The ninth takes more than half of it, and so would all others.
            StorageForm::SerializedDisk => {
                assert_eq!(shed, [0; 4]);
                let held: Vec<u64> = bench.reports().iter().map(|report| report.held_bytes).collect();
                assert!(held.iter().all(|bytes| (400_000..=1 << 19).contains(bytes)), "{held:?}");
            }
        }
        assert!(
            bench.reports().iter().all(|report| report.records + report.shed == 500_000 && report.failure.is_none())
        );
    }
}

/// What comes of 20 blocks where some find half of the memory taken.
fn beyond_half(disk: Option<SimulatedDisk>) -> (Vec<u64>, Vec<(&'static str, u64)>, u64) {
    let settings = Settings {
        storage: StorageForm::SerializedDisk,
        block_interval_ns: Some(INTERVAL_NS / 50),
        memory_limit_bytes: 1 << 20,
        ..Settings::default()
    };
    let mut bench = match disk {
        Some(disk) => Bench::on_disk(settings, disk),
        None => Bench::new(settings),
    };
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let lengths = collect(&lines.map::<u64>(|line| line.len() as u64), |length| length);
    bench.context.start().expect("starts");
    for block in 0..11 {
        bench.clock.advance_to(START_NS + block * INTERVAL_NS / 50);
        feed.push([&[b'x'; 60_000][..], &vec![b'y'; block as usize]]).expect("not stopped");
    }
    bench.tick();
    let report = bench.reports()[0].clone();
    assert_eq!(report.failure, None);
    let counts = bench.context.stop(Duration::from_secs(5)).expect("stops").input;
    let lengths = lengths.lock().expect("no panic")[0].clone();
    (lengths, counts, report.held_bytes)
}

#[test]
fn a_block_beyond_half_of_the_memory_is_read_from_disk_and_stays_in_memory_where_there_is_none() {
    let mut expected: Vec<u64> = (0..11).flat_map(|block| [60_000, block]).collect();
    expected.sort_unstable();
    let (lengths, counts, held_bytes) = beyond_half(None);
    assert_eq!((lengths, &counts[..]), (expected.clone(), &[("blocks_to_disk", 3)][..]));
    assert!(held_bytes <= 1 << 19, "{held_bytes}");
    // Its root is all that there is of directories, so nothing can be made below the one for temporary files. The last block finds half
    // taken too, as those before it have made no room.
    let (lengths, counts, held_bytes) = beyond_half(Some(SimulatedDisk::new(7)));
    assert_eq!((lengths, &counts[..]), (expected, &[("blocks_not_to_disk", 4)][..]));
    assert!(held_bytes > 1 << 19, "{held_bytes}");
}
