//! The node of an input: the blocks that a batch was given.

use super::{Chunk, Node, Prepared, Sink};
use crate::block::{Stored, stored_form};
use crate::error::EngineError;
use crate::exchange::codec::Encoded;
use crate::record::{Column, Family};
use crate::schedule::job::JobRun;
use crate::source::input::Input;
use std::ops::Range;
use std::sync::Arc;

pub(crate) struct SourceNode<R: Family> {
    pub(crate) input: Arc<Input<R>>,
}

impl<R: Family> Node<R> for SourceNode<R> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let blocks = self.input.blocks(run.batch);
        Ok(Prepared { partitions: blocks.len(), records: blocks.iter().map(|block| block.records).sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<R>) -> Result<(), EngineError> {
        let block = &self.input.blocks(batch)[partition];
        let mut accept = |encoded: &Encoded| stored_form::<R>().for_each_chunk(encoded, |chunk| sink.accept(chunk));
        match &block.encoded {
            None => {}
            Some(Stored::Memory(encoded)) => {
                accept(encoded)?;
            }
            Some(Stored::Disk(spilled)) => {
                accept(&spilled.read()?)?;
            }
        }
        for part in &block.parts {
            push_column::<R>(&part.column, part.range.clone(), sink);
        }
        Ok(())
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&R::Column, Range<usize>)) -> bool {
        let block = &self.input.blocks(batch)[partition];
        if block.encoded.is_some() {
            return false;
        }
        for part in &block.parts {
            visit(&part.column, part.range.clone());
        }
        true
    }
}

/// Pushes the records of a range of a column.
pub(super) fn push_column<R: Family>(column: &R::Column, range: Range<usize>, sink: &mut dyn Sink<R>) {
    let mut chunk = Chunk::<R::View<'_>>::new();
    for index in range {
        chunk.push(column.view(index));
        if chunk.is_full() {
            sink.accept(&chunk);
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        sink.accept(&chunk);
    }
}
