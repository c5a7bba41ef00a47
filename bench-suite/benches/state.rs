//! State: what a key costs when all are updated at every batch, and a record by the number of keys when only its own key is.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::dstream::StateSpec;
use downbeat_engine::metrics::BatchReport;
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::{DStream, Settings};
use std::hash::BuildHasher;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const RECORDS_PER_BATCH: u64 = 1_000;
const INTERVAL: Duration = Duration::from_millis(100);
/// Long enough that no key of a bench times out, so that the ages are kept and nothing else changes.
const LONG: Duration = Duration::from_secs(1_000_000);
/// First batches, which touch memory for the first time, are not measured.
const WARM_UP: u64 = 20;

fn key(line: &[u8], keys: u64) -> u64 {
    foldhash::fast::FixedState::default().hash_one(line) % keys
}

/// So many keys, all of which have a state before the first batch.
fn spec(keys: u64) -> StateSpec<u64, u64> {
    StateSpec::new().initial((0..keys).map(|key| (key, 1)))
}

fn processing_time(reports: &[BatchReport]) -> Duration {
    let measured = &reports[WARM_UP as usize..];
    measured.iter().map(|report| Duration::from_nanos(report.done_ns - report.started_ns)).sum()
}

fn states(criterion: &mut Criterion) {
    let ring = support::text("word-count", 32 << 20);
    let run = |batches: u64, job: &dyn Fn(&DStream<Text>)| {
        let settings = Settings::default().interval(INTERVAL).threads(1);
        let pace = support::Pace::Unpaced;
        processing_time(&support::replay(settings, &ring, RECORDS_PER_BATCH, WARM_UP + batches, pace, job))
    };
    let mut group = criterion.benchmark_group("state");
    group.sample_size(10);

    for keys in [10_000u64, 1_000_000] {
        group.throughput(Throughput::Elements(keys));
        group.bench_function(BenchmarkId::new("update_state_by_key", keys), |bencher| {
            bencher.iter_custom(|batches| {
                run(batches, &|lines| {
                    let ones = lines.map_to_pair::<u64, u64>(move |line| (key(line, keys), 1));
                    let counts = ones.update_state_by_key_with::<u64>(spec(keys), |_, _, values, state| {
                        Some(state.unwrap_or(&0) + values.iter().sum::<u64>())
                    });
                    counts.for_each_batch(|batch| assert!(batch.partitions() > 0));
                })
            });
        });
        group.throughput(Throughput::Elements(RECORDS_PER_BATCH));
        for (name, timeout) in [("map_with_state", None), ("map_with_state_timeout", Some(LONG))] {
            group.bench_function(BenchmarkId::new(name, keys), |bencher| {
                bencher.iter_custom(|batches| {
                    run(batches, &|lines| {
                        let spec = timeout.into_iter().fold(spec(keys), StateSpec::timeout);
                        let ones = lines.map_to_pair::<u64, u64>(move |line| (key(line, keys), 1));
                        let counts = ones.map_with_state::<u64, Pair<u64, u64>>(spec, |_, key, value, state, out| {
                            let count = state.get().unwrap_or(&0) + value.unwrap_or(0);
                            state.update(count);
                            out((key, count));
                        });
                        counts.for_each_batch(|batch| assert!(!batch.is_primed() || batch.len() == RECORDS_PER_BATCH));
                    })
                });
            });
        }
    }
    group.finish();
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = states }
criterion_main!(benches);
