//! Records as they are received and moved: parts of shared columns, gathered into blocks.

use crate::error::EngineError;
use crate::exchange::codec::{BlockCodec, Encoded};
use crate::record::{Column, Family};
use crate::settings::{CodecKind, Compression};
use crate::source::spill::{Spill, Spilled};
use std::io;
use std::ops::Range;
use std::sync::Arc;

/// A run of records of one shared column. Handing one on copies nothing.
pub struct Part<R: Family> {
    /// The column that holds the records.
    pub column: Arc<R::Column>,
    /// Which of them.
    pub range: Range<usize>,
}

impl<R: Family> Clone for Part<R> {
    fn clone(&self) -> Self {
        Part { column: self.column.clone(), range: self.range.clone() }
    }
}

/// A run of records whose intended (or arrival) times are evenly spread from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// How many records.
    pub records: u64,
    /// Time of the first, monotonic nanoseconds.
    pub first_ns: u64,
    /// Time of the last.
    pub last_ns: u64,
}

/// What one receiver took in one block interval: one task of the first stage.
pub struct Block<R: Family> {
    /// The records, in order; none where they are encoded.
    pub parts: Vec<Part<R>>,
    /// The same records in encoded form, instead.
    pub(crate) encoded: Option<Stored>,
    /// How many.
    pub records: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Sequence number of the first record within its source.
    pub first_sequence: u64,
    /// When they were meant to be sent, or arrived.
    pub stamps: Vec<Stamp>,
    /// The block or batch boundary at which it was, or will be, cut.
    pub(crate) boundary_ns: u64,
}

/// Where the encoded form of a block is.
pub(crate) enum Stored {
    Memory(Encoded),
    Disk(Spilled),
}

impl<R: Family> Block<R> {
    pub(crate) fn new(first_sequence: u64, boundary_ns: u64) -> Self {
        Block {
            parts: Vec::new(),
            encoded: None,
            records: 0,
            bytes: 0,
            first_sequence,
            stamps: Vec::new(),
            boundary_ns,
        }
    }

    /// Appends a part; one that continues the last part of the same column extends it.
    pub(crate) fn append(&mut self, column: &Arc<R::Column>, range: Range<usize>, stamp: Stamp) {
        self.records += stamp.records;
        self.bytes += column.bytes(range.clone());
        self.stamps.push(stamp);
        if let Some(last) = self.parts.last_mut()
            && Arc::ptr_eq(&last.column, column)
            && last.range.end == range.start
        {
            last.range.end = range.end;
            return;
        }
        self.parts.push(Part { column: column.clone(), range });
    }

    /// Bytes that it takes in memory: of the encoded form, or else of the payload.
    pub(crate) fn held_bytes(&self) -> u64 {
        match &self.encoded {
            None => self.bytes,
            Some(Stored::Memory(encoded)) => encoded.len_bytes() as u64,
            Some(Stored::Disk(_)) => 0,
        }
    }

    /// Moves the encoded form to disk, where there is one.
    ///
    /// # Errors
    /// What the system reports; the block is as before then.
    pub(crate) fn spill(&mut self, spill: &Arc<Spill>) -> io::Result<()> {
        if let Some(Stored::Memory(encoded)) = &self.encoded {
            self.encoded = Some(Stored::Disk(spill.write(encoded)?));
        }
        Ok(())
    }

    /// Encodes the records and lets go of their columns.
    ///
    /// # Errors
    /// What the codec reports; the block is as before then.
    pub(crate) fn encode(&mut self) -> Result<(), EngineError> {
        let mut codec = stored_form::<R>();
        let encoded = match &self.parts[..] {
            [] => return Ok(()),
            [part] if part.range == (0..part.column.len()) => codec.encode(&part.column)?,
            parts => codec.encode(&gathered(parts))?,
        };
        self.encoded = Some(Stored::Memory(encoded.shrunk()));
        self.parts = Vec::new();
        Ok(())
    }
}

/// How blocks are stored in encoded form: rkyv, which is read in place.
pub(crate) fn stored_form<R: Family>() -> BlockCodec<R> {
    BlockCodec::new(CodecKind::Rkyv, Compression::None)
}

/// The records of all parts in one column.
fn gathered<R: Family>(parts: &[Part<R>]) -> R::Column {
    let mut column = R::Column::default();
    for part in parts {
        part.range.clone().for_each(|index| column.push(part.column.view(index)));
    }
    column
}
