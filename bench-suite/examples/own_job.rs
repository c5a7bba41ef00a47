//! A job of one's own under downbeat: the whole command, over this job and the catalog's.
//!
//! `… run line-lengths --rate 200k/s` measures it; what comes before is `cargo run --release --`, and among downbeat's own examples
//! `cargo run --release --example own_job --`.

use downbeat::engine::allocator::DispatchingAllocator;
use downbeat::engine::dstream::DStream;
use downbeat::engine::error::EngineError;
use downbeat::engine::record::Text;
use downbeat::workloads::answers::{Answers, BatchAnswer, BatchKey, Row, sort_rows};
use downbeat::workloads::load::LoadSettings;
use downbeat::workloads::oracle::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use downbeat::workloads::payload::{LineSource, Payload, Words};
use downbeat::{CATALOG, Job};
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

// Lets `--allocator` choose, and counts what a batch allocates.
#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

fn main() -> ExitCode {
    let jobs: Vec<&dyn Job> = [&LineLengths as &dyn Job].into_iter().chain(CATALOG.iter().copied()).collect();
    downbeat::main_with(&jobs)
}

/// How many lines of each length were in each batch, and, as the final answer, in all of them.
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
        Arc::new(Words::drawn(load.seed, &load.keys))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        _: &LoadSettings,
        _interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let answers = answers.clone();
        let lengths = lines.map_to_pair::<u64, u64>(|line| (line.len() as u64, 1)).reduce_by_key(|a, b| a + b);
        lengths.for_each_batch(move |batch| {
            let mut answer = BatchAnswer::default();
            batch.for_each(|(length, lines)| answer.add(&row(length), lines));
            answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
            answers.add_to_final(|add| batch.for_each(|(length, lines)| add(&row(length), lines)));
        });
        Ok(())
    }

    // Without an oracle (`None`) the verdict says that nothing was checked.
    fn oracle(&self, _: &LoadSettings, _interval_ns: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(LineLengthsOracle))
    }
}

/// Computes the right answers by another way: one thread, no engine.
struct LineLengthsOracle;

impl Oracle for LineLengthsOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let (mut lines, mut totals, mut wrong) = (payload.reader(), BTreeMap::<u64, u64>::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let mut counts = BTreeMap::<u64, u64>::new();
            lines.for_each(&batch.ranges, |line| *counts.entry(line.len() as u64).or_default() += 1);
            let mut expected = BatchAnswer::default();
            for (length, lines) in counts {
                expected.add(&row(length), lines);
                *totals.entry(length).or_default() += lines;
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let mut rows: Vec<Row> = totals.into_iter().map(|(length, count)| Row { key: row(length), count }).collect();
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// A row's name: the length, as text.
fn row(length: u64) -> Vec<u8> {
    length.to_string().into_bytes()
}
