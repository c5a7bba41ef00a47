//! What the benches share: text from the generator, batches run back to back, and a flamegraph for `--profile-time`.

// Each bench is a program of its own, uses a part of this, and talks to the terminal.
#![allow(dead_code, unreachable_pub, clippy::print_stderr, clippy::print_stdout)]

pub mod hand;
pub mod owned_words;
pub mod paired;
pub mod profiler;

use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::Text;
use downbeat_engine::{DStream, Settings, StreamingContext};
use downbeat_workloads::generator::Generator;
use downbeat_workloads::load::LoadSettings;
use downbeat_workloads::payload::{Payload, Ring};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct Reports(Mutex<Vec<BatchReport>>);

impl BatchListener for Reports {
    fn batch_completed(&self, report: &BatchReport) {
        self.0.lock().expect("no listener panics").push(report.clone());
    }
}

/// How batches come to a job.
#[derive(Clone, Copy)]
pub enum Pace {
    /// Back to back: the next batch is cut while one runs.
    Unpaced,
    /// One at each tick of the clock.
    Live,
}

/// The first `bytes` bytes of word-count's text, or of another job's.
pub fn text(job: &str, bytes: usize) -> Arc<Ring> {
    let job = downbeat_workloads::catalog::find_job(job).expect("a job of the catalog");
    let load = LoadSettings { ring_bytes: bytes, ..LoadSettings::default() };
    Arc::new(job.ring(&load).expect("text from the generator"))
}

/// Runs `batches` batches of `lines_per_batch` lines through a job and returns their reports in order.
pub fn replay(
    settings: Settings,
    ring: &Arc<Ring>,
    lines_per_batch: u64,
    batches: u64,
    pace: Pace,
    job: impl FnOnce(&DStream<Text>),
) -> Vec<BatchReport> {
    let interval_ns = settings.interval_ns;
    let load =
        LoadSettings { rate_per_s: lines_per_batch as f64 * 1e9 / interval_ns as f64, ..LoadSettings::default() };
    let schedule = Arc::new(load.schedule(batches * interval_ns, None).expect("a rate that works"));
    let payload = Payload::Replayed { ring: ring.clone(), once: false };
    let (generator, _) = Generator::new(payload, schedule, 0);
    let context = StreamingContext::new(settings).expect("settings that work");
    job(&context.planned_stream("generator", generator));
    if matches!(pace, Pace::Unpaced) {
        context.prime(batches);
    }
    let reports = Arc::new(Reports::default());
    context.add_listener(reports.clone());
    context.start().expect("the job starts");
    context.await_termination().expect("no batch fails");
    let mut reports = std::mem::take(&mut *reports.0.lock().expect("no listener panics"));
    reports.truncate(batches as usize);
    reports
}

/// Time for `batches` batches back to back, from the end of one before them to the end of the last: what is done between
/// batches is in it.
pub fn unpaced_time(
    settings: Settings,
    ring: &Arc<Ring>,
    lines_per_batch: u64,
    batches: u64,
    job: impl FnOnce(&DStream<Text>),
) -> Duration {
    let reports = replay(settings, ring, lines_per_batch, batches + 1, Pace::Unpaced, job);
    let (first, last) = (reports.first().expect("one batch"), reports.last().expect("one batch"));
    Duration::from_nanos(last.done_ns - first.done_ns)
}

/// Word count through the public API; adds up what it counted, so that nothing can be left out.
pub fn word_count(lines: &DStream<Text>) -> Arc<Mutex<u64>> {
    let counted = Arc::new(Mutex::new(0));
    let into = counted.clone();
    lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).for_each_batch(move |batch| {
        let mut words = 0;
        batch.for_each(|(_, count)| words += count);
        *into.lock().expect("no output panics") = words;
    });
    counted
}

/// The value in the middle; sorts.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
