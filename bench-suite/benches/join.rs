//! Joins and groups of one batch on one thread: records of both sides per second, from the cut of the batch to its commit.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::clock::ManualClock;
use downbeat_engine::dstream::Dataset;
use downbeat_engine::record::{Family, Pair};
use downbeat_engine::{DStream, Settings, StreamingContext};
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

/// Records of each side.
const RECORDS: u64 = 1_000_000;
const INTERVAL_NS: u64 = 1_000_000_000;

type Pairs = DStream<Pair<u64, u64>>;

/// Records that came out, so that no batch can give too few unnoticed.
static SHOWN: AtomicU64 = AtomicU64::new(0);

/// What is done to both sides.
type Job = fn(&Pairs, &Pairs);

/// The `nth` key: spread over all numbers, each another one.
fn key(nth: u64) -> u64 {
    nth.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(23)
}

/// The records of one side: every key below `keys` in an order that `step`, prime to it, gives.
fn side(keys: u64, step: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..RECORDS).map(move |at| (key(at * step % keys), at))
}

/// Shows each record of each batch to something that the optimiser cannot leave out.
fn use_up<R: Family>(stream: &DStream<R>) {
    stream.for_each_batch(|batch| {
        let mut records = 0u64;
        batch.for_each(|record| {
            black_box(&record);
            records += 1;
        });
        SHOWN.fetch_add(records, Ordering::Relaxed);
    });
}

/// Time of `batches` batches in which both sides have all keys below `keys`.
fn time(keys: u64, batches: u64, job: Job) -> Duration {
    let clock = Arc::new(ManualClock::new(INTERVAL_NS));
    let settings = Settings::default().interval(Duration::from_nanos(INTERVAL_NS)).threads(1);
    let context = StreamingContext::with_clock(settings, clock.clone()).expect("settings that work");
    let (left_feed, left) = context.queue_stream::<Pair<u64, u64>>();
    let (right_feed, right) = context.queue_stream::<Pair<u64, u64>>();
    job(&left, &right);
    context.start().expect("the job starts");
    let mut spent = Duration::ZERO;
    // The first batch grows the tables that the others find.
    for batch in 0..=batches {
        left_feed.push(side(keys, 7_919)).expect("not stopped");
        right_feed.push(side(keys, 104_729)).expect("not stopped");
        let begin = Instant::now();
        clock.advance_to(INTERVAL_NS * (batch + 2));
        if batch > 0 {
            spent += begin.elapsed();
        }
    }
    context.stop(Duration::from_secs(60)).expect("stops");
    context.await_termination().expect("no batch fails");
    assert!(SHOWN.swap(0, Ordering::Relaxed) >= (batches + 1) * keys, "each batch shows each key");
    spent
}

fn joins(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("join");
    group.sample_size(10);
    group.throughput(Throughput::Elements(2 * RECORDS));
    let mut bench = |kind: &str, keys: u64, job: Job| {
        group.bench_function(BenchmarkId::new(kind, keys), |bencher| {
            bencher.iter_custom(|iterations| time(keys, iterations, job));
        });
    };
    bench("inner", RECORDS, |left, right| use_up(&left.join(right)));
    bench("left_outer", RECORDS, |left, right| use_up(&left.left_outer_join(right)));
    bench("full_outer", RECORDS, |left, right| use_up(&left.full_outer_join(right)));
    bench("cogroup", RECORDS, |left, right| use_up(&left.cogroup(right)));
    bench("cogroup", RECORDS / 10, |left, right| use_up(&left.cogroup(right)));
    bench("group_by_key", RECORDS / 10, |left, right| use_up(&left.union(right).group_by_key()));
    group.throughput(Throughput::Elements(RECORDS));
    group.bench_function(BenchmarkId::new("dataset", RECORDS), |bencher| {
        bencher.iter_custom(|iterations| {
            time(RECORDS, iterations, |left, _| {
                let dataset = Dataset::<u64, u64>::new(side(RECORDS, 1)).expect("less than 2 GiB");
                use_up(&left.join_dataset(&dataset));
            })
        });
    });
    group.finish();
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = joins }
criterion_main!(benches);
