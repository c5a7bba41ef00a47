//! The open block: what a receiver hands over until the block interval is over.

use crate::block::{Block, Part, Stamp};
use crate::record::{Column, Family};
use std::ops::Range;
use std::sync::Arc;

/// Payload bytes after which single records go on in another column: no growing column is ever copied at a large size, and
/// offsets of a column stay far from their 32 bits.
const COLUMN_BYTES: u64 = 1 << 20;
/// Single records that arrive within this time share a stamp, as if evenly spread; so stamps of a fast sender stay few.
const STAMP_NS: u64 = 100_000;

pub(super) struct OpenBlock<R: Family> {
    block: Block<R>,
    /// The column that single records are appended to, and its payload bytes.
    growing: Option<(R::Column, u64)>,
}

impl<R: Family> OpenBlock<R> {
    pub(super) fn new(first_sequence: u64, boundary_ns: u64) -> Self {
        OpenBlock { block: Block::new(first_sequence, boundary_ns), growing: None }
    }

    pub(super) fn boundary_ns(&self) -> u64 {
        self.block.boundary_ns
    }

    pub(super) fn records(&self) -> u64 {
        self.block.records
    }

    /// Appends a part of a shared column.
    pub(super) fn append(&mut self, column: &Arc<R::Column>, range: Range<usize>, stamp: Stamp) {
        self.seal();
        self.block.append(column, range, stamp);
    }

    /// Appends one record of `bytes` payload bytes.
    pub(super) fn push(&mut self, view: R::View<'_>, bytes: u64, now_ns: u64) {
        let shares = self.growing.is_some();
        let (column, column_bytes) = self.growing.get_or_insert_with(Default::default);
        column.push(view);
        *column_bytes += bytes;
        self.block.records += 1;
        self.block.bytes += bytes;
        match self.block.stamps.last_mut() {
            Some(last) if shares && now_ns < last.first_ns + STAMP_NS => {
                last.records += 1;
                last.last_ns = last.last_ns.max(now_ns);
            }
            _ => self.block.stamps.push(Stamp { records: 1, first_ns: now_ns, last_ns: now_ns }),
        }
        if *column_bytes >= COLUMN_BYTES {
            self.seal();
        }
    }

    pub(super) fn close(mut self) -> Block<R> {
        self.seal();
        self.block
    }

    fn seal(&mut self) {
        if let Some((column, _)) = self.growing.take() {
            let range = 0..column.len();
            self.block.parts.push(Part { column: Arc::new(column), range });
        }
    }
}
