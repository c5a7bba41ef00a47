//! `null`: takes each record and does nothing with it.

use super::Job;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::load::LoadSettings;
use crate::oracle::{NullOracle, Oracle};
use crate::payload::{LineSource, Words};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::Text;
use std::sync::Arc;

/// What is late here is late because of the harness and the host: the floor under every other job. The answer of a batch,
/// and of the whole run, is its number of records.
pub(super) struct Null;

impl Job for Null {
    fn name(&self) -> &'static str {
        "null"
    }

    fn about(&self) -> &'static str {
        "Counts the records of each batch and nothing else: the floor of the harness and of this host."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(Words::drawn(load.seed, &load.keys))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        _: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let answers = answers.clone();
        lines.count().for_each_batch(move |batch| {
            let mut answer = BatchAnswer::default();
            batch.for_each(|records| answer.add(b"records", records));
            answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
            answers.add_to_final(|row| batch.for_each(|records| row(b"records", records)));
        });
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(NullOracle))
    }
}
