//! A job of one's own under downbeat: the whole command, over this job and the catalog's.
//!
//! `cargo run --release --example own_job -- run line-lengths --rate 200k/s`

use downbeat::engine::allocator::DispatchingAllocator;
use downbeat::engine::dstream::DStream;
use downbeat::engine::error::EngineError;
use downbeat::engine::record::Text;
use downbeat::workloads::answers::{Answers, BatchAnswer, BatchKey};
use downbeat::workloads::load::LoadSettings;
use downbeat::workloads::oracle::Oracle;
use downbeat::workloads::payload::{LineSource, Words};
use downbeat::{CATALOG, Job};
use std::process::ExitCode;
use std::sync::Arc;

// Lets `--allocator` choose, and counts what a batch allocates.
#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

/// How many lines of each length were in each batch.
struct LineLengths;

impl Job for LineLengths {
    fn name(&self) -> &'static str {
        "line-lengths"
    }

    fn about(&self) -> &'static str {
        "How many lines of each length were in each batch."
    }

    // What is sent to it; `--input FILE` and `--source tcp://HOST:PORT` replace it.
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
        let answers = answers.clone();
        lines.map_to_pair::<u64, u64>(|line| (line.len() as u64, 1)).reduce_by_key(|a, b| a + b).for_each_batch(
            move |batch| {
                let key = BatchKey { primed: batch.is_primed(), index: batch.index() };
                let mut answer = BatchAnswer::default();
                batch.for_each(|(length, lines)| answer.add(&length.to_be_bytes(), lines));
                answers.record(key, answer);
            },
        );
        Ok(())
    }

    // Computes the right answer independently, so that a wrong one shows; this job goes without.
    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        None
    }
}

fn main() -> ExitCode {
    let jobs: Vec<&dyn Job> = [&LineLengths as &dyn Job].into_iter().chain(CATALOG.iter().copied()).collect();
    downbeat::main_with(&jobs)
}
