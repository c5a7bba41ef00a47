//! Records that are made one at a time, pushed on in chunks.

use super::{Chunk, Sink};
use crate::record::Family;
use crate::schedule::operator::Operator;

/// Collects records for a sink.
pub(super) struct Emitter<'s, 'r, R: Family> {
    chunk: Chunk<R::View<'r>>,
    sink: &'s mut dyn Sink<R>,
    operator: Operator,
}

impl<'s, 'r, R: Family> Emitter<'s, 'r, R> {
    /// From here on, what panics is this operator's.
    pub(super) fn new(sink: &'s mut dyn Sink<R>, operator: Operator) -> Self {
        operator.enter();
        Emitter { chunk: Chunk::new(), sink, operator }
    }

    #[inline]
    pub(super) fn emit(&mut self, record: R::View<'r>) {
        if self.chunk.is_full() {
            self.flush();
        }
        self.chunk.push(record);
    }

    #[inline(never)]
    fn flush(&mut self) {
        self.sink.accept(&self.chunk);
        self.chunk.clear();
        self.operator.enter();
    }

    /// Pushes what is left.
    pub(super) fn finish(mut self) {
        if !self.chunk.is_empty() {
            self.flush();
        }
    }
}
