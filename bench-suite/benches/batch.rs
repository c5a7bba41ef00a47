//! A whole batch of each workload, by codec and pool, back to back.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use downbeat_engine::Settings;
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::settings::{KNOBS, find_knob};
use downbeat_workloads::answers::Answers;
use downbeat_workloads::catalog::CATALOG;
use downbeat_workloads::load::LoadSettings;
use std::sync::Arc;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const LINES_PER_BATCH: u64 = 20_000;

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("batch");
    group.sample_size(10).throughput(Throughput::Elements(LINES_PER_BATCH));
    for job in CATALOG {
        let ring = support::text(job.name(), 32 << 20);
        for codec in ["none", "rkyv", "json"] {
            for pool in ["rayon", "sequential"] {
                let settings = with(with(Settings::default(), "codec", codec), "pool", pool);
                let id = BenchmarkId::new(job.name(), format!("{codec}/{pool}"));
                group.bench_function(id, |bencher| {
                    bencher.iter_custom(|iterations| {
                        let interval_ns = settings.interval_ns;
                        support::unpaced_time(settings.clone(), &ring, LINES_PER_BATCH, iterations, |lines| {
                            let answers = Arc::new(Answers::new(false));
                            job.build(lines, &LoadSettings::default(), interval_ns, &answers)
                                .expect("the job is built");
                        })
                    });
                });
            }
        }
    }
    group.finish();
}

fn with(mut settings: Settings, knob: &str, value: &str) -> Settings {
    let knob = find_knob(KNOBS, knob).expect("a knob of the engine");
    (knob.set)(&mut settings, value).expect("a value of the knob");
    settings
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = batches }
criterion_main!(benches);
