//! Each job of the catalog agrees with its oracle, whatever the settings, and not when something is planted.

use crate::harness::{MS, run_job};
use downbeat_engine::settings::{CodecKind, Combine, Compression, Hasher, PoolKind, Settings};
use downbeat_engine::{EngineError, StreamingContext};
use downbeat_workloads::answers::{Answers, BatchKey};
use downbeat_workloads::catalog::{CATALOG, find_job};
use downbeat_workloads::load::{LoadSettings, TextMode};
use downbeat_workloads::oracle::BatchRanges;
use downbeat_workloads::schedule::Arrivals;
use std::sync::Arc;

const INTERVAL_NS: u64 = 20 * MS;

fn settings() -> Settings {
    Settings { interval_ns: INTERVAL_NS, threads: 2, ..Settings::default() }
}

/// Some 400 records a batch out of a ring of some 250 lines, so that it wraps; a window of 3 batches.
fn load() -> LoadSettings {
    LoadSettings { rate_per_s: 20_000.0, ring_bytes: 20_000, window_ns: 3 * INTERVAL_NS, ..LoadSettings::default() }
}

const CODECS: [CodecKind; 6] =
    [CodecKind::None, CodecKind::Rkyv, CodecKind::Bitcode, CodecKind::Postcard, CodecKind::Wincode, CodecKind::Json];

/// Every codec, pool and way to combine, each with some number of partitions, compression and hash.
fn every_exchange() -> Vec<Settings> {
    let mut every = Vec::new();
    for codec in CODECS {
        for pool in [PoolKind::Rayon, PoolKind::Pinned, PoolKind::Sequential] {
            for combine in [Combine::Always, Combine::Never, Combine::Adaptive] {
                // Steps without a common divisor, so that each value of the one meets each of the others.
                let number = every.len();
                let compressions = [Compression::None, Compression::Lz4, Compression::Zstd];
                let compression =
                    if codec == CodecKind::None { Compression::None } else { compressions[number % 5 % 3] };
                let hasher = [Hasher::Mum, Hasher::Foldhash, Hasher::Siphash][number % 7 % 3];
                let partitions = Some(1 + number % 4);
                every.push(Settings { codec, pool, combine, compression, hasher, partitions, ..settings() });
            }
        }
    }
    every
}

#[test]
fn every_job_agrees_with_its_oracle_under_every_codec_pool_and_way_to_combine() {
    for job in CATALOG {
        let mut finals = Vec::new();
        for settings in every_exchange() {
            let run = run_job(*job, &load(), &settings, 6).unwrap();
            let case = format!("{} {settings:?}", job.name());
            assert_eq!(run.ranges.len() as u64, 6 + job.prime_batches(&load(), INTERVAL_NS), "{case}");
            assert_eq!(run.check(*job, &load(), INTERVAL_NS), [], "{case}");
            assert!(run.summary.finished);
            finals.push(run.answers.final_rows());
        }
        assert!(
            finals.windows(2).all(|pair| pair[0] == pair[1] && pair[0].as_ref().is_some_and(|rows| !rows.is_empty()))
        );
    }
}

#[test]
fn live_text_and_poisson_arrivals_are_checked_as_well() {
    for job in CATALOG {
        let load = LoadSettings { text: TextMode::Live, arrivals: Arrivals::Poisson, rate_per_s: 100_000.0, ..load() };
        let run = run_job(*job, &load, &settings(), 5).unwrap();
        assert_eq!(run.check(*job, &load, INTERVAL_NS), [], "{}", job.name());
        assert!(run.summary.handed_records > 9_000);
    }
}

#[test]
fn a_file_gives_the_counts_of_its_words() {
    let path = std::env::temp_dir().join(format!("downbeat-jobs-{}", std::process::id()));
    std::fs::write(&path, "to be or\r\n\nnot to\tbe ü \n").unwrap();
    let job = find_job("word-count").unwrap();
    let load = LoadSettings { input: Some(path.clone()), ..load() };
    let run = run_job(job, &load, &settings(), 2).unwrap();
    std::fs::remove_file(path).unwrap();
    assert_eq!(run.check(job, &load, INTERVAL_NS), []);
    let mut text = Vec::new();
    run.answers.write_final(&mut text).unwrap();
    assert_eq!(String::from_utf8(text).unwrap(), "2\tbe\n2\tto\n1\tnot\n1\tor\n1\tü\n");
}

#[test]
fn oracles_catch_records_that_are_lost_doubled_or_in_the_wrong_batch() {
    for job in CATALOG {
        let run = run_job(*job, &load(), &settings(), 4).unwrap();
        let oracle = job.oracle(&load(), INTERVAL_NS).unwrap();
        let with = |change: &dyn Fn(&mut BatchRanges)| {
            let mut ranges = run.ranges.clone();
            change(ranges.last_mut().unwrap());
            oracle.check(&run.payload, &ranges, &run.answers)
        };
        assert_eq!(with(&|_| ()), []);
        // A tweet without a tag can come and go unseen, a hundred cannot.
        assert_ne!(with(&|batch| batch.ranges[0].end += 100), [], "{}: lost", job.name());
        assert_ne!(with(&|batch| batch.ranges[0].end -= 100), [], "{}: doubled", job.name());
        assert_ne!(with(&|batch| batch.ranges[0] = 0..399), [], "{}: others", job.name());
    }
}

#[test]
fn oracles_catch_one_wrong_count_in_one_batch() {
    for job in CATALOG {
        let run = run_job(*job, &load(), &settings(), 4).unwrap();
        let planted = Answers::new(false);
        for range in &run.ranges {
            let mut answer = run.answers.of_batch(range.batch).unwrap();
            if range.batch == (BatchKey { primed: false, index: 2 }) {
                answer.digest[1] ^= 1;
            }
            planted.record(range.batch, answer);
        }
        let wrong = job.oracle(&load(), INTERVAL_NS).unwrap().check(&run.payload, &run.ranges, &planted);
        let batches: Vec<Option<BatchKey>> = wrong.iter().map(|wrong| wrong.batch).collect();
        assert_eq!(batches, [Some(BatchKey { primed: false, index: 2 })], "{}", job.name());
    }
}

#[test]
fn a_window_that_is_no_multiple_of_the_interval_is_refused_by_the_engine() {
    let job = find_job("hashtags").unwrap();
    let load = LoadSettings { window_ns: 50 * MS, ..load() };
    let refused = run_job(job, &load, &settings(), 1).err().expect("50 ms is no multiple of 20 ms");
    assert!(matches!(&refused, EngineError::Job { operator, .. } if operator.contains("window")), "{refused}");
}

#[test]
fn jobs_run_on_any_stream_of_lines() {
    let context = StreamingContext::new(Settings { interval_ns: 5 * MS, ..settings() }).unwrap();
    let (feed, lines) = context.queue_stream();
    let answers = Arc::new(Answers::new(true));
    find_job("word-count").unwrap().build(&lines, &load(), 5 * MS, &answers).unwrap();
    feed.push([&b"a b"[..], b"b"]).unwrap();
    context.start().unwrap();
    context.stop(std::time::Duration::from_secs(5)).unwrap();
    let rows = answers.final_rows().unwrap();
    assert_eq!(rows.iter().map(|row| (row.key.as_slice(), row.count)).collect::<Vec<_>>(), [(&b"b"[..], 2), (b"a", 1)]);
}
