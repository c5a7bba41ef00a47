//! A context on the manual clock, fed by the test, that collects what its outputs saw.

use downbeat_engine::clock::ManualClock;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::{Family, Pair, Text};
use downbeat_engine::settings::{CodecKind, Combine, Compression, Hasher};
use downbeat_engine::storage::{Disk, SimulatedDisk, Storage};
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

pub(crate) const START_NS: u64 = 1_000_000_000;
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);
pub(crate) const INTERVAL_NS: u64 = 100_000_000;

/// Every codec.
pub(crate) const CODECS: [CodecKind; 6] =
    [CodecKind::None, CodecKind::Rkyv, CodecKind::Bitcode, CodecKind::Postcard, CodecKind::Wincode, CodecKind::Json];

/// Settings with any knobs of exchanges, everything else as it is by default.
pub(crate) fn any_exchange() -> impl Strategy<Value = Settings> {
    let codecs = prop::sample::select(&CODECS[..]);
    let compressions = prop::sample::select(&[Compression::None, Compression::Lz4, Compression::Zstd][..]);
    let combines = prop::sample::select(&[Combine::Always, Combine::Never, Combine::Adaptive][..]);
    let hashers = prop::sample::select(&[Hasher::Mum, Hasher::Foldhash, Hasher::Siphash][..]);
    let all = (codecs, compressions, combines, hashers, any::<bool>());
    all.prop_map(|(codec, compression, combine, hasher, buffer_reuse)| {
        let compression = if codec == CodecKind::None { Compression::None } else { compression };
        Settings { codec, compression, combine, hasher, buffer_reuse, ..Settings::default() }
    })
}

/// Counts by word, of one batch.
pub(crate) type Counts = BTreeMap<String, u64>;

#[derive(Default)]
pub(crate) struct Reports(pub(crate) Mutex<Vec<BatchReport>>);

impl BatchListener for Reports {
    fn batch_completed(&self, report: &BatchReport) {
        self.0.lock().expect("no panic").push(report.clone());
    }
}

pub(crate) struct Bench {
    pub(crate) context: StreamingContext,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) reports: Arc<Reports>,
    pub(crate) batches_done: u64,
}

impl Bench {
    pub(crate) fn new(settings: Settings) -> Self {
        Self::with(settings, Arc::new(Disk))
    }

    /// One whose outputs write to a simulated disk.
    pub(crate) fn on_disk(settings: Settings, disk: SimulatedDisk) -> Self {
        Self::with(settings, Arc::new(disk))
    }

    fn with(settings: Settings, storage: Arc<dyn Storage>) -> Self {
        let clock = Arc::new(ManualClock::new(START_NS));
        let context = StreamingContext::with_seams(settings.interval(INTERVAL), clock.clone(), storage)
            .expect("settings that work");
        let reports = Arc::new(Reports::default());
        context.add_listener(reports.clone());
        Bench { context, clock, reports, batches_done: 0 }
    }

    /// Moves the clock over the next tick and waits until its batch is done.
    pub(crate) fn tick(&mut self) {
        self.batches_done += 1;
        self.clock.advance_to(START_NS + self.batches_done * INTERVAL_NS);
    }

    pub(crate) fn reports(&self) -> Vec<BatchReport> {
        self.reports.0.lock().expect("no panic").clone()
    }
}

/// Where threads wait until so many are there.
pub(crate) struct Meeting {
    expected: u64,
    here: Mutex<u64>,
    came: Condvar,
}

impl Meeting {
    pub(crate) fn of(expected: u64) -> Self {
        Meeting { expected, here: Mutex::default(), came: Condvar::new() }
    }

    /// Panics if the others do not come within 20 s.
    pub(crate) fn wait(&self) {
        let mut here = self.here.lock().expect("no panic");
        *here += 1;
        self.came.notify_all();
        let waited = self.came.wait_timeout_while(here, Duration::from_secs(20), |here| *here < self.expected);
        assert!(!waited.expect("no panic").1.timed_out(), "the others did not come");
    }
}

/// Collects every batch of a stream, each as a sorted list of what `show` makes of its records.
pub(crate) fn collect<R: Family, T: Ord + Send + 'static>(
    stream: &DStream<R>,
    show: impl for<'a> Fn(R::View<'a>) -> T + Send + Sync + 'static,
) -> Collected<T> {
    let batches = Arc::new(Mutex::new(Vec::new()));
    let into = batches.clone();
    stream.for_each_batch(move |batch| {
        let mut records = Vec::new();
        batch.for_each(|view| records.push(show(view)));
        records.sort();
        into.lock().expect("no panic").push(records);
    });
    batches
}

/// What a test collects: the sorted records of each batch.
pub(crate) type Collected<T> = Arc<Mutex<Vec<Vec<T>>>>;

/// Collects counts by word.
pub(crate) fn collect_counts(stream: &DStream<Pair<Text, u64>>) -> Collected<(String, u64)> {
    collect(stream, |(word, count)| (String::from_utf8_lossy(word).into_owned(), count))
}

/// Feeds one list of lines per batch through `job` and returns what each firing batch gave.
pub(crate) fn run_lines(
    settings: Settings,
    batches: &[&[&str]],
    job: impl FnOnce(&DStream<Text>) -> DStream<Pair<Text, u64>>,
) -> Vec<Vec<(String, u64)>> {
    let mut bench = Bench::new(settings);
    let (feed, lines) = bench.context.queue_stream::<Text>();
    let seen = collect_counts(&job(&lines));
    bench.context.start().expect("starts");
    for lines in batches {
        feed.push(lines.iter().map(|line| line.as_bytes())).expect("not stopped");
        bench.tick();
    }
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    let mut seen = std::mem::take(&mut *seen.lock().expect("no panic"));
    // The stop cuts one last, empty batch.
    seen.truncate(batches.len());
    seen
}

/// The word counts of some lines, computed plainly.
pub(crate) fn plain_counts<'l>(lines: impl IntoIterator<Item = &'l str>) -> Vec<(String, u64)> {
    let mut counts = Counts::new();
    for word in lines.into_iter().flat_map(str::split_ascii_whitespace) {
        *counts.entry(word.to_owned()).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The refusal of a job, as `start` returns it.
pub(crate) fn refusal(job: impl FnOnce(&DStream<Text>)) -> EngineError {
    let bench = Bench::new(Settings::default());
    let (_, lines) = bench.context.queue_stream::<Text>();
    job(&lines);
    bench.context.start().expect_err("refused")
}
