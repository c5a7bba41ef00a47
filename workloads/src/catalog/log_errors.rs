//! `log-errors`: how many requests of each minute failed with which status, in each batch.

use super::Job;
use super::log_line::log_line;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::keys::KeyLaw;
use crate::load::LoadSettings;
use crate::oracle::{LogErrorsOracle, Oracle};
use crate::payload::{LineSource, LogLines};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::Text;
use std::sync::Arc;

/// The row of lines that cannot be read.
const MALFORMED: &[u8] = b"malformed";

/// Statuses of 400 and more are errors. Rows are `404 23/Nov/2026:10:05`, the minute as the log has it, and `malformed` for lines
/// that cannot be read. The final answer is the count of each row over the whole run.
pub(super) struct LogErrors;

impl Job for LogErrors {
    fn name(&self) -> &'static str {
        "log-errors"
    }

    fn about(&self) -> &'static str {
        "Failed requests by status and minute in each batch: a web server's log, 6% errors, some lines broken."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(LogLines::drawn(load.seed, &load.keys, &KeyLaw::Default))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let errors = lines.flat_map_copied::<Text>(error_of_line);
        match load.records {
            RecordsKind::Borrowed => count(&errors, answers),
            RecordsKind::Owned => count(&errors.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(LogErrorsOracle))
    }
}

/// Emits status and minute of a line that is an error.
fn error_of_line(line: &[u8], out: &mut dyn FnMut(&[u8])) {
    let Some(request) = log_line(line) else { return out(MALFORMED) };
    if request.status[0] >= b'4' {
        let mut row = [b' '; 21];
        row[..3].copy_from_slice(request.status);
        row[4..].copy_from_slice(request.minute);
        out(&row);
    }
}

fn count<R: TextRecord>(errors: &DStream<R>, answers: &Arc<Answers>) {
    let answers = answers.clone();
    errors.map_to_pair::<R, u64>(|error| (error, 1)).reduce_by_key(|a, b| a + b).for_each_batch(move |batch| {
        let mut answer = BatchAnswer::default();
        batch.for_each(|(error, count)| answer.add(R::bytes(error), count));
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.add_to_final(|row| batch.for_each(|(error, count)| row(R::bytes(error), count)));
    });
}
