//! The node of a watched directory: the files that a batch was given, read when their records are asked for.

use super::source::push_column;
use super::{Node, Prepared, Sink};
use crate::error::EngineError;
use crate::record::{Column, Text};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::source::DirectoryInput;
use std::sync::Arc;

/// What a line is taken to have, to guess how many lines are worth how many threads before they are read.
const LINE_BYTES: u64 = 64;

pub(crate) struct FileNode {
    pub(crate) input: Arc<DirectoryInput>,
    pub(crate) operator: Operator,
}

impl Node<Text> for FileNode {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let Some(batch) = self.input.files(run.batch) else { return Ok(Prepared::default()) };
        let bytes: u64 = batch.files.iter().map(|file| file.bytes).sum();
        Ok(Prepared { partitions: batch.files.len(), records: bytes / LINE_BYTES })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<Text>) -> Result<(), EngineError> {
        let Some(batch) = self.input.files(batch) else { return Ok(()) };
        let read =
            self.input.read(&batch.files[partition], &mut |lines| push_column::<Text>(lines, 0..lines.len(), sink));
        read.map_err(|problem| EngineError::Batch {
            time_ms: batch.label_ms,
            operator: self.operator.to_string(),
            problem,
        })
    }
}
