//! How many tasks there are, as in Spark: blocks decide before an exchange, partitions after it. And which thread runs them.

use crate::bench::{Bench, INTERVAL_NS, START_NS};
use downbeat_engine::record::Text;
use downbeat_engine::settings::PoolKind;
use downbeat_engine::source::{Receiver, Store};
use downbeat_engine::{EngineError, Settings};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;

const POOLS: [PoolKind; 3] = [PoolKind::Rayon, PoolKind::Pinned, PoolKind::Sequential];

#[test]
fn a_batch_has_a_task_a_block_and_after_an_exchange_one_a_partition() {
    for pool in POOLS {
        for (blocks, partitions) in [(1, 1), (2, 3), (5, 8), (10, 2)] {
            let settings = Settings {
                pool,
                threads: 2,
                block_interval_ns: Some(INTERVAL_NS / blocks),
                partitions: Some(partitions),
                ..Settings::default()
            };
            let bench = Bench::new(settings);
            let (feed, lines) = bench.context.queue_stream::<Text>();
            let tasks = Arc::new(Mutex::new(Vec::new()));
            let (before, after) = (tasks.clone(), tasks.clone());
            lines.for_each_batch(move |batch| before.lock().expect("no panic").push(batch.partitions()));
            lines
                .map_to_pair::<Text, u64>(|word| (word, 1))
                .reduce_by_key(|a, b| a + b)
                .for_each_batch(move |batch| after.lock().expect("no panic").push(batch.partitions()));
            bench.context.start().expect("starts");
            // A record in each block interval but the last: an empty one is no task.
            for block in 0..blocks {
                bench.clock.advance_to(START_NS + block * INTERVAL_NS / blocks);
                if block + 1 < blocks || blocks == 1 {
                    feed.push([&b"word"[..]]).expect("not stopped");
                }
            }
            bench.clock.advance_to(START_NS + INTERVAL_NS);
            let full = (blocks - 1).max(1);
            assert_eq!(*tasks.lock().expect("no panic"), [full as usize, partitions], "{pool:?}");
            assert_eq!(bench.reports()[0].blocks, full);
        }
    }
}

#[test]
fn on_pinned_threads_a_key_is_always_merged_by_the_same_one() {
    let settings = Settings { pool: PoolKind::Pinned, threads: 3, partitions: Some(3), ..Settings::default() };
    let mut bench = Bench::new(Settings { block_interval_ns: Some(INTERVAL_NS / 10), ..settings });
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let merged_by: Arc<Mutex<BTreeMap<u64, Vec<ThreadId>>>> = Arc::default();
    let into = merged_by.clone();
    // The value is the key itself and how often it was there, so that combining tells whose it is.
    let pairs = lines.map_to_pair::<Text, u64>(|word| (word, u64::from(word[0]) << 32 | 1));
    let reduced = pairs.reduce_by_key(move |a, b| {
        // Only a merge of two lanes' groups combines values that are both more than one record.
        if (a & 0xffff_ffff) > 1 && (b & 0xffff_ffff) > 1 {
            let mut merged = into.lock().expect("no panic");
            merged.entry(a >> 32).or_default().push(std::thread::current().id());
        }
        a + (b & 0xffff_ffff)
    });
    reduced.for_each_batch(|batch| batch.for_each(|_| ()));
    bench.context.start().expect("starts");
    let words: Vec<String> = (0..30_000).map(|record| char::from(b'a' + (record % 20) as u8).to_string()).collect();
    for batch in 0..10u64 {
        for (block, part) in (0..10).zip(words.chunks(3_000)) {
            bench.clock.advance_to(START_NS + batch * INTERVAL_NS + block * INTERVAL_NS / 10);
            feed.push(part.iter().map(|word| word.as_bytes())).expect("not stopped");
        }
        bench.tick();
    }
    let merged_by = merged_by.lock().expect("no panic");
    assert_eq!(merged_by.len(), 20);
    for (key, threads) in merged_by.iter() {
        assert!(threads.iter().all(|thread| *thread == threads[0]), "{key}: {threads:?}");
    }
}

/// Cores that the calling thread may run on, as the system lists them.
fn allowed_cores() -> Vec<usize> {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("this is Linux");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("it tells");
    let ranges = list.trim().split(',').map(|range| range.split_once('-').unwrap_or((range, range)));
    ranges.flat_map(|(first, last)| first.parse().expect("a core")..=last.parse::<usize>().expect("a core")).collect()
}

/// Tells where its thread may run, then sends a record.
struct Placed(Arc<Mutex<Vec<usize>>>);

impl Receiver<Text> for Placed {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        let (seen, own) = (self.0.clone(), store.clone());
        store.spawn("placed", move || {
            *seen.lock().expect("no panic") = allowed_cores();
            own.store(b"word").expect("not stopped");
        })
    }

    fn on_stop(&mut self) {}
}

/// Where job threads, tasks and a receiver may run.
fn places(settings: Settings) -> (Vec<Vec<usize>>, Vec<Vec<usize>>, Vec<usize>) {
    let [jobs, tasks] = std::array::from_fn(|_| Arc::new(Mutex::new(Vec::new())));
    let receiver = Arc::new(Mutex::new(Vec::new()));
    let mut bench = Bench::new(settings);
    let words = bench.context.receiver_stream("placed", Placed(receiver.clone()));
    let (feed, more) = bench.context.queue_stream::<Text>();
    let (by_job, by_task) = (jobs.clone(), tasks.clone());
    words
        .union(&more)
        .map::<Text>(move |word| {
            by_task.lock().expect("no panic").push(allowed_cores());
            word
        })
        .for_each_batch(move |batch| {
            batch.for_each(|_| ());
            by_job.lock().expect("no panic").push(allowed_cores());
        });
    bench.context.start().expect("starts");
    while receiver.lock().expect("no panic").is_empty() {
        std::thread::yield_now();
    }
    for _ in 0..4 {
        feed.push([&b"word"[..]; 3_000]).expect("not stopped");
        bench.tick();
    }
    bench.context.stop(std::time::Duration::from_secs(5)).expect("stops");
    let [jobs, tasks] = [jobs, tasks].map(|seen| std::mem::take(&mut *seen.lock().expect("no panic")));
    let receiver = receiver.lock().expect("no panic").clone();
    (jobs, tasks, receiver)
}

#[test]
fn pinned_cores_are_one_for_each_thread_of_the_engine_and_others_for_receivers() {
    let all = allowed_cores();
    for pool in POOLS {
        for (threads, concurrent_jobs) in [(1, 1), (2, 1), (1, 2)] {
            let settings = Settings { pool, threads, concurrent_jobs, pin_cores: true, ..Settings::default() };
            let (jobs, tasks, receiver) = places(settings);
            assert!(!jobs.is_empty() && !tasks.is_empty());
            assert!(jobs.iter().chain(&tasks).all(|cores| cores.len() == 1), "{pool:?} {threads} {jobs:?}");
            let taken = concurrent_jobs + if pool == PoolKind::Sequential { 0 } else { threads - 1 };
            let left = all.get(taken..).filter(|left| !left.is_empty());
            assert_eq!(receiver, left.unwrap_or(&all), "{pool:?} {threads} {concurrent_jobs} of {all:?}");
        }
    }
    let (jobs, tasks, receiver) = places(Settings { threads: 2, ..Settings::default() });
    assert!(jobs.iter().chain(&tasks).chain([&receiver]).all(|cores| *cores == all), "nobody is kept anywhere");
}
