//! The cost of a slide by the length of the window: it should not matter. `slides` looks at single slides.

mod support;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::{DStream, Settings};
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const LINES_PER_BATCH: u64 = 500;
const SLIDE: Duration = Duration::from_secs(1);

type Windowed = fn(Counts, Duration) -> Counts;
type Counts = DStream<Pair<Text, u64>>;

fn slides(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("window");
    group.sample_size(10);
    let ring = support::text("word-count", 32 << 20);
    for seconds in [10, 60, 600] {
        let window = Duration::from_secs(seconds);
        let mut bench = |kind: &str, windowed: Windowed| {
            group.bench_function(BenchmarkId::new(kind, format!("{seconds}s")), |bencher| {
                bencher.iter_custom(|iterations| {
                    let settings = Settings::default().interval(SLIDE);
                    let filled = seconds;
                    let reports = support::replay(
                        settings,
                        &ring,
                        LINES_PER_BATCH,
                        filled + iterations,
                        support::Pace::Unpaced,
                        |lines| {
                            let ones = lines.words().map_to_pair::<Text, u64>(|word| (word, 1));
                            windowed(ones, window)
                                .count()
                                .for_each_batch(|batch| batch.for_each(|keys| assert!(keys > 0)));
                        },
                    );
                    let slides = &reports[filled as usize..];
                    slides.iter().map(|report| Duration::from_nanos(report.done_ns - report.started_ns)).sum()
                });
            });
        };
        bench("inverse", |ones, window| {
            ones.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, window, SLIDE)
        });
        bench("no_inverse", |ones, window| ones.reduce_by_key_and_window(|a, b| a + b, window, SLIDE));
    }
    group.finish();
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = slides }
criterion_main!(benches);
