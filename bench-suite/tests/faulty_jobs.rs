//! Jobs that go wrong, each in its own way: what the tests of the command run to see what it says.

use downbeat::Job;
use downbeat::engine::allocator::DispatchingAllocator;
use downbeat::engine::dstream::DStream;
use downbeat::engine::error::EngineError;
use downbeat::engine::record::{Pair, Text, TextColumn};
use downbeat::workloads::answers::{Answers, BatchAnswer, BatchKey};
use downbeat::workloads::generator::THREAD_NAME;
use downbeat::workloads::load::LoadSettings;
use downbeat::workloads::oracle::{Oracle, WordCountOracle};
use downbeat::workloads::payload::{LineSource, Words};
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::time::{Duration, Instant};

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

/// Batch in which it goes wrong.
const BATCH: u64 = 5;

struct Faulty {
    name: &'static str,
    text: fn(u64) -> Arc<dyn LineSource>,
    /// The counts of the words of a batch.
    counts: fn(&DStream<Text>) -> DStream<Pair<Text, u64>>,
    /// Called with each batch's number; what it returns is added to the answer.
    fault: fn(u64) -> u64,
}

impl Faulty {
    /// A job that goes wrong in its output.
    const fn new(name: &'static str, fault: fn(u64) -> u64) -> Self {
        Faulty { name, text: words, counts: word_counts, fault }
    }

    /// A job that goes wrong where it counts.
    const fn counting(name: &'static str, counts: fn(&DStream<Text>) -> DStream<Pair<Text, u64>>) -> Self {
        Faulty { name, text: words, counts, fault: |_| 0 }
    }
}

fn words(seed: u64) -> Arc<dyn LineSource> {
    Arc::new(Words::new(seed))
}

fn word_counts(lines: &DStream<Text>) -> DStream<Pair<Text, u64>> {
    lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b)
}

impl Job for Faulty {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "A word count that goes wrong."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        (self.text)(load.seed)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        _: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let (answers, fault) = (answers.clone(), self.fault);
        (self.counts)(&lines.transform(|lines, _| {
            BATCHES_BEGUN.fetch_add(1, Relaxed);
            lines.clone()
        }))
        .for_each_batch(move |batch| {
            let mut answer = BatchAnswer::default();
            let surplus = fault(batch.index());
            batch.for_each(|(word, count)| answer.add(word, count + surplus));
            answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        });
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(WordCountOracle))
    }
}

static JOBS: &[&dyn Job] = &[
    &Faulty::new("panics", panics),
    &Faulty::new("aborts", |batch| if batch == BATCH { std::process::abort() } else { 0 }),
    &Faulty::new("hangs", hangs),
    &Faulty::new("miscounts", |batch| u64::from(batch == BATCH)),
    &Faulty::new("crawls", crawls),
    &Faulty::new("dawdles", dawdles),
    &Faulty::counting("skews", skews),
    &Faulty::counting("allocates", allocates),
    &Faulty::counting("faults", faults),
    &Faulty { text: stalling, ..Faulty::new("stalls", |_| 0) },
];

fn panics(batch: u64) -> u64 {
    assert!(batch != BATCH, "a planted panic");
    0
}

/// Longer than any test waits.
fn hangs(batch: u64) -> u64 {
    if batch == BATCH {
        std::thread::sleep(Duration::from_secs(3600));
    }
    0
}

/// Three times as long as the interval of the tests.
fn crawls(_: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(60));
    0
}

/// Batch that takes long, well after the warm-up of the tests.
const SLOW_BATCH: u64 = 15;

/// Many intervals of the tests: the batches behind it have to wait.
const LONG: Duration = Duration::from_millis(300);

/// Batches whose job has begun; the one that runs is the last of them. No batch is primed, because there is no window.
static BATCHES_BEGUN: AtomicU64 = AtomicU64::new(0);

fn is_slow_batch() -> bool {
    BATCHES_BEGUN.load(Relaxed) == SLOW_BATCH + 1
}

fn dawdles(batch: u64) -> u64 {
    if batch == SLOW_BATCH {
        std::thread::sleep(LONG);
    }
    0
}

/// One key takes long, so its partition does nearly all the work. The second exchange changes no count.
fn skews(lines: &DStream<Text>) -> DStream<Pair<Text, u64>> {
    static HAS_SLEPT: AtomicBool = AtomicBool::new(false);
    let pause = || {
        if is_slow_batch() && !HAS_SLEPT.swap(true, Relaxed) {
            std::thread::sleep(LONG);
        }
    };
    let counts = word_counts(lines).map_to_pair::<Text, u64>(move |(word, count)| {
        pause();
        (word, count)
    });
    counts.reduce_by_key(|a, b| a + b)
}

/// Each line of a batch allocates, so all workers do.
fn allocates(lines: &DStream<Text>) -> DStream<Pair<Text, u64>> {
    word_counts(&lines.filter(|_| {
        let begun = Instant::now();
        while is_slow_batch() && begun.elapsed() < LONG / 50 {
            (0..1000).for_each(|_| drop(black_box(Vec::<u8>::with_capacity(48))));
        }
        true
    }))
}

/// Each line of a batch touches memory for the first time, a byte of each page: few allocations, all of them so large that the allocator
/// of the system gives them back at once.
fn faults(lines: &DStream<Text>) -> DStream<Pair<Text, u64>> {
    word_counts(&lines.filter(|_| {
        if is_slow_batch() {
            let mut fresh = vec![0_u8; 40 << 20];
            fresh.iter_mut().step_by(4096).take(5_000).for_each(|byte| *byte = 1);
            black_box(fresh);
        }
        true
    }))
}

/// Words whose second block takes long to make: the generator is late with the records from there on.
struct Stalling(Words);

fn stalling(seed: u64) -> Arc<dyn LineSource> {
    Arc::new(Stalling(Words::new(seed)))
}

impl LineSource for Stalling {
    fn name(&self) -> &'static str {
        "stalling words"
    }

    fn seed(&self) -> u64 {
        self.0.seed()
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        // Neither in the proof of the generator's ceiling nor where the oracle reads the text again.
        if block == 1 && is_trial() && std::thread::current().name() == Some(THREAD_NAME) {
            std::thread::sleep(LONG);
        }
        self.0.fill(block, column);
    }
}

fn is_trial() -> bool {
    std::env::args().nth(1).is_some_and(|command| command == "trial")
}

fn main() -> ExitCode {
    downbeat::main_with(JOBS)
}
