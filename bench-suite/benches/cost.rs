//! What the engine costs: word count of a 90 MB batch against a hand-written loop, and the floor under a tiny batch.
//!
//! After the groups it prints the ratios of interleaved pairs, which hold on a machine whose speed drifts, and the floor's
//! percentiles. Each figure prints what it counted.

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

mod support;

use criterion::{Criterion, Throughput, criterion_group};
use downbeat_engine::Settings;
use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_workloads::payload::Ring;
use hdrhistogram::Histogram;
use std::sync::Arc;
use std::time::{Duration, Instant};
use support::hand::{self, Downbeat, Memchr};
use support::{Pace, median};

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const BATCH_BYTES: usize = 90_000_000;
const THREADS: usize = 2;
const PAIRS: usize = 15;

/// All of the ring's text, which is one column at this size.
fn joined(ring: &Ring) -> &[u8] {
    let column = &ring.columns()[0];
    column.joined(0..ring.lines() as usize)
}

fn public_api(ring: &Arc<Ring>, batches: u64) -> Duration {
    let settings = Settings::default().threads(THREADS);
    support::unpaced_time(settings, ring, ring.lines(), batches, |lines| {
        support::word_count(lines);
    })
}

fn by_hand(text: &[u8], tokenizer: impl hand::Tokenizer, batches: u64) -> Duration {
    let begin = Instant::now();
    (0..batches).for_each(|_| assert!(hand::word_count(text, THREADS, tokenizer) > 0));
    begin.elapsed()
}

fn cost(criterion: &mut Criterion) {
    let ring = support::text("word-count", BATCH_BYTES);
    let mut group = criterion.benchmark_group("cost");
    group.sample_size(10).throughput(Throughput::Bytes(ring.bytes()));
    group.bench_function("public_api", |bencher| bencher.iter_custom(|batches| public_api(&ring, batches)));
    group.bench_function("hand_written", |bencher| {
        bencher.iter_custom(|batches| by_hand(joined(&ring), Downbeat, batches))
    });
    group.bench_function("hand_written_memchr", |bencher| {
        bencher.iter_custom(|batches| by_hand(joined(&ring), Memchr, batches));
    });
    group.throughput(Throughput::Elements(100)).sample_size(30);
    group.bench_function("floor_100_lines", |bencher| {
        bencher.iter_custom(|batches| floor(&ring, batches).iter().sum());
    });
    group.finish();
}

/// Submitted → done of batches of 100 lines, one every 3 ms: at least 2 ms of idling before each.
fn floor(ring: &Arc<Ring>, batches: u64) -> Vec<Duration> {
    let settings = Settings::default().threads(THREADS).interval(Duration::from_millis(3));
    let reports = support::replay(settings, ring, 100, batches, Pace::Live, |lines| {
        support::word_count(lines);
    });
    reports.iter().map(|report| Duration::from_nanos(report.done_ns - report.submitted_ns)).collect()
}

/// Ratios of pairs that ran right after one another, in turn first.
fn pairs(ring: &Arc<Ring>) {
    let text = joined(ring);
    let (mut hand_ms, mut api_ms, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        let (api, hand) = if pair % 2 == 0 {
            let api = public_api(ring, 3) / 3;
            (api, by_hand(text, Downbeat, 3) / 3)
        } else {
            let hand = by_hand(text, Downbeat, 3) / 3;
            (public_api(ring, 3) / 3, hand)
        };
        hand_ms.push(hand.as_secs_f64() * 1e3);
        api_ms.push(api.as_secs_f64() * 1e3);
        ratios.push(hand.as_secs_f64() / api.as_secs_f64());
    }
    let (fastest, slowest) =
        (ratios.iter().copied().fold(0.0, f64::max), ratios.iter().copied().fold(f64::MAX, f64::min));
    let rate = |ms: f64| text.len() as f64 / 1e3 / ms;
    let (hand, api) = (median(&mut hand_ms), median(&mut api_ms));
    println!(
        "word count of {:.1} MB on {THREADS} threads, medians of {PAIRS} interleaved pairs of 3 batches",
        text.len() as f64 / 1e6
    );
    println!("  public_api    {api:7.1} ms  {:6.0} MB/s", rate(api));
    println!("  hand_written  {hand:7.1} ms  {:6.0} MB/s", rate(hand));
    println!("  public_api is {:.2} × hand_written [{slowest:.2}, {fastest:.2}]", median(&mut ratios));
}

fn print_floor(ring: &Arc<Ring>) {
    let mut histogram = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3).expect("bounds in order");
    floor(ring, 2_000).iter().for_each(|time| histogram.saturating_record(time.as_nanos() as u64));
    let at = |percentile| histogram.value_at_percentile(percentile) as f64 / 1e3;
    println!("floor of a batch of 100 lines, submitted → done after ≥ 2 ms idle, {} batches", histogram.len());
    println!(
        "  p50 {:.1} µs  p90 {:.1} µs  p99 {:.1} µs  max {:.1} µs",
        at(50.0),
        at(90.0),
        at(99.0),
        histogram.max() as f64 / 1e3
    );
}

criterion_group! { name = benches; config = support::profiler::criterion(); targets = cost }

/// The hand-written loop with memchr as tokenizer on the text of a file: for `scripts/compare`, beside the same as a program.
fn hand_on(file: &str) {
    let text = std::fs::read(file).expect("a readable file");
    let mut rates: Vec<f64> =
        (0..7).map(|_| text.len() as f64 / 1e6 / by_hand(&text, Memchr, 1).as_secs_f64()).collect();
    println!("hand_written_memchr {:.1} MB/s", median(&mut rates));
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, hand, file, ..] = &arguments[..]
        && hand == "--hand"
    {
        return hand_on(file);
    }
    benches();
    // Neither in `cargo test --benches` nor while profiling: these are measurements of their own.
    if std::env::args()
        .any(|argument| argument == "--test" || argument == "--list" || argument.starts_with("--profile-time"))
    {
        return;
    }
    let ring = support::text("word-count", BATCH_BYTES);
    pairs(&ring);
    print_floor(&ring);
    Criterion::default().final_summary();
}
