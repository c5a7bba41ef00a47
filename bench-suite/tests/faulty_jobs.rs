//! Jobs that go wrong, each in its own way: what the tests of the command run to see what it says.

use downbeat::Job;
use downbeat::engine::allocator::DispatchingAllocator;
use downbeat::engine::dstream::DStream;
use downbeat::engine::error::EngineError;
use downbeat::engine::record::Text;
use downbeat::workloads::answers::{Answers, BatchAnswer, BatchKey};
use downbeat::workloads::load::LoadSettings;
use downbeat::workloads::oracle::{Oracle, WordCountOracle};
use downbeat::workloads::payload::{LineSource, Words};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

/// Batch in which it goes wrong.
const BATCH: u64 = 5;

struct Faulty {
    name: &'static str,
    /// Called with each batch's number; what it returns is added to the answer.
    fault: fn(u64) -> u64,
}

impl Job for Faulty {
    fn name(&self) -> &'static str {
        self.name
    }

    fn about(&self) -> &'static str {
        "A word count that goes wrong."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(Words::new(load.seed))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        _: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let (answers, fault) = (answers.clone(), self.fault);
        lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).for_each_batch(
            move |batch| {
                let mut answer = BatchAnswer::default();
                let surplus = fault(batch.index());
                batch.for_each(|(word, count)| answer.add(word, count + surplus));
                answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
            },
        );
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(WordCountOracle))
    }
}

static JOBS: &[&dyn Job] = &[
    &Faulty { name: "panics", fault: panics },
    &Faulty { name: "aborts", fault: |batch| if batch == BATCH { std::process::abort() } else { 0 } },
    &Faulty { name: "miscounts", fault: |batch| u64::from(batch == BATCH) },
    &Faulty { name: "crawls", fault: crawls },
    &Faulty { name: "dawdles", fault: dawdles },
];

fn panics(batch: u64) -> u64 {
    assert!(batch != BATCH, "a planted panic");
    0
}

/// Three times as long as the interval of the tests.
fn crawls(_: u64) -> u64 {
    std::thread::sleep(Duration::from_millis(60));
    0
}

/// Batch in which an output sleeps, well after the warm-up of the tests.
const SLOW_BATCH: u64 = 15;

/// Once, for many intervals of the tests: the batches behind it have to wait.
fn dawdles(batch: u64) -> u64 {
    if batch == SLOW_BATCH {
        std::thread::sleep(Duration::from_millis(300));
    }
    0
}

fn main() -> ExitCode {
    downbeat::main_with(JOBS)
}
