//! The generator: its ceiling per law of arrivals and per text, and how exactly it keeps its times while the engine is busy.

mod support;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group};
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::settings::Settings;
use downbeat_engine::{DStream, StreamingContext};
use downbeat_reports::quantity::duration;
use downbeat_workloads::answers::Answers;
use downbeat_workloads::catalog::{CATALOG, Job, find_job};
use downbeat_workloads::generator::{Generator, proven_ceiling_per_s};
use downbeat_workloads::keys::KeyLaw;
use downbeat_workloads::load::{LoadSettings, TextMode};
use downbeat_workloads::payload::{Payload, Reader};
use downbeat_workloads::schedule::{Arrivals, Cursor};
use hdrhistogram::Histogram;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

/// Records taken at once: those of a tick of 1 ms at 10 million a second.
const RECORDS_AT_ONCE: u64 = 10_000;

const ARRIVALS: [&str; 6] = [
    "constant",
    "ramp(0.5,1.5,over=10s)",
    "steps(0.5,1,1.5,each=1s)",
    "spike(5,at=10s,for=1s,every=30s)",
    "poisson",
    "bursty(4,200ms,1.8s)",
];

const KEYS: [&str; 4] = ["default", "uniform(100k)", "hot(50%,100k,move=1M)", "growing(1k,1M,10M)"];

/// What the paced part measures: rate, interval, batches.
const RATE_PER_S: f64 = 1e6;
const INTERVAL_NS: u64 = 100_000_000;
const BATCHES: u64 = 100;
const WARM_UP_BATCHES: u64 = 20;

/// Times and lines of the next records, as the generator takes them.
fn take(cursor: &mut Cursor, reader: &mut Reader, records: u64) {
    let end = cursor.next_record() + records;
    while cursor.next_record() < end {
        let (column, lines) = reader.run(cursor.next_record());
        let most = (end - cursor.next_record()).min(RECORDS_AT_ONCE).min(lines.len() as u64);
        black_box((column, cursor.take_before(u64::MAX, most)));
    }
}

fn laws(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generator/arrivals");
    group.throughput(Throughput::Elements(RECORDS_AT_ONCE));
    let payload = Payload::Replayed { ring: support::text("word-count", 8 << 20), once: false };
    for arrivals in ARRIVALS {
        let arrivals_law = Arrivals::parse(arrivals).expect("arrivals that exist");
        let load = LoadSettings { arrivals: arrivals_law, rate_per_s: 10e6, ..LoadSettings::default() };
        let schedule = load.schedule(u64::MAX, None).expect("a load that works");
        let (mut cursor, mut reader) = (schedule.cursor(), payload.reader());
        group.bench_function(BenchmarkId::from_parameter(arrivals), |bencher| {
            bencher.iter(|| take(&mut cursor, &mut reader, RECORDS_AT_ONCE));
        });
    }
    group.finish();
}

fn texts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("generator/text");
    group.throughput(Throughput::Elements(RECORDS_AT_ONCE)).sample_size(20);
    for job in CATALOG.iter().filter(|job| job.name() != "null") {
        for keys in KEYS {
            let load = LoadSettings {
                text: TextMode::Live,
                keys: KeyLaw::parse(keys).expect("keys that exist"),
                ..LoadSettings::default()
            };
            let payload = job.payload(&load).expect("a load that works");
            let schedule = load.schedule(u64::MAX, None).expect("a load that works");
            let (mut cursor, mut reader) = (schedule.cursor(), payload.reader());
            group.bench_function(BenchmarkId::new(job.name(), keys), |bencher| {
                bencher.iter(|| take(&mut cursor, &mut reader, RECORDS_AT_ONCE));
            });
        }
    }
    group.finish();
}

/// Through the engine into a job that does nothing: what each result shows as the ceiling.
// A bench's output is its purpose.
#[allow(clippy::print_stdout)]
fn ceilings() {
    for job in CATALOG {
        for text in [TextMode::Ring, TextMode::Live] {
            let load = LoadSettings { text, ring_bytes: 8 << 20, ..LoadSettings::default() };
            let payload = job.payload(&load).expect("a load that works");
            let threads = Settings::default().effective_threads();
            let per_s = proven_ceiling_per_s(&payload, &load, threads).expect("settings that work");
            let told = per_s.map_or("nothing proven".to_owned(), |per_s| format!("{:.2} M records/s", per_s / 1e6));
            println!("generator/ceiling/{}/{text:?}: {told}", job.name());
        }
    }
}

/// Keeps 1 M records/s for 10 s beside each job and prints by how much hand-overs missed their times, beside an idle engine and
/// beside a busy one.
#[allow(clippy::print_stdout)]
fn pacing() {
    for (name, engine) in [("null", "idle"), ("word-count", "busy")] {
        let job = find_job(name).expect("a job of the catalog");
        let errors = paced(job);
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|share| duration(errors.value_at_quantile(share)));
        println!(
            "generator/pacing/{engine} ({name}, 1M/s, {} hand-overs): p50 {p50}, p99 {p99}, p99.9 {p999}, max {}",
            errors.len(),
            duration(errors.max())
        );
    }
}

/// How much later each hand-over of the measured batches came than the intended time of its last record.
fn paced(job: &dyn Job) -> Histogram<u64> {
    let load = LoadSettings { rate_per_s: RATE_PER_S, ..LoadSettings::default() };
    let settings = Settings { interval_ns: INTERVAL_NS, ..Settings::default() };
    let payload = job.payload(&load).expect("a load that works");
    let schedule = load.schedule((WARM_UP_BATCHES + BATCHES) * INTERVAL_NS, None).expect("a load that works");
    let (generator, stats) = Generator::new(payload, Arc::new(schedule), WARM_UP_BATCHES);
    let context = StreamingContext::new(settings).expect("settings that work");
    let lines: DStream<_> = context.planned_stream("generator", generator);
    job.build(&lines, &load, INTERVAL_NS, &Arc::new(Answers::new(false))).expect("the job is built");
    context.start().expect("it starts");
    let ended = context.await_termination_or_timeout(Duration::from_secs(60)).expect("no batch fails");
    assert!(ended, "the generator has not finished: {:?}", stats.summary());
    context.stop(Duration::ZERO).expect("it stops");
    stats.pacing_histogram()
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = laws, texts }

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |name: &str| {
        let mut filters = arguments.iter().filter(|argument| !argument.starts_with('-')).peekable();
        filters.peek().is_none() || filters.any(|filter| name.contains(filter.as_str()))
    };
    benches();
    Criterion::default().configure_from_args().final_summary();
    // `cargo test --benches` and listing ask for no measurement, and a profile has its own time.
    if arguments.iter().any(|argument| ["--test", "--list", "--profile-time"].contains(&argument.as_str())) {
        return;
    }
    if wanted("generator/ceiling") {
        ceilings();
    }
    if wanted("generator/pacing") {
        pacing();
    }
}
