//! `word-count`: how often each word was in each batch.

use super::Job;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::load::LoadSettings;
use crate::oracle::{Oracle, WordCountOracle};
use crate::payload::{LineSource, Words};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::Text;
use std::sync::Arc;

/// Words are maximal runs of bytes other than 09–0D and 20. The final answer is the count of each word over the whole run.
pub(super) struct WordCount;

impl Job for WordCount {
    fn name(&self) -> &'static str {
        "word-count"
    }

    fn about(&self) -> &'static str {
        "How often each word was in each batch: lines of 6 to 14 words, zipf 1.0 over 100,000 of them."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(Words::drawn(load.seed, &load.keys))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let words = lines.words();
        match load.records {
            RecordsKind::Borrowed => count(&words, answers),
            RecordsKind::Owned => count(&words.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(WordCountOracle))
    }
}

fn count<R: TextRecord>(words: &DStream<R>, answers: &Arc<Answers>) {
    let answers = answers.clone();
    words.map_to_pair::<R, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b).for_each_batch(move |batch| {
        let mut answer = BatchAnswer::default();
        batch.for_each(|(word, count)| answer.add(R::bytes(word), count));
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.add_to_final(|row| batch.for_each(|(word, count)| row(R::bytes(word), count)));
    });
}
