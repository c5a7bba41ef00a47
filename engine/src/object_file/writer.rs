//! Writing of object files.

use super::{CODEC_RKYV, Frame, MAGIC, MAX_NAME_BYTES, VERSION};
use crate::exchange::codec::BlockCodec;
use crate::record::{Column, Family};
use crate::settings::{CodecKind, Compression};
use std::io::{self, Write};
use xxhash_rust::xxh3::xxh3_64;

const BLOCK_BYTES: u64 = 1 << 20;
const BLOCK_RECORDS: usize = 1 << 16;

/// Writes records as one object file.
pub(crate) struct ObjectWriter<'w, R: Family> {
    out: &'w mut dyn Write,
    codec: BlockCodec<R>,
    block: R::Column,
    block_bytes: u64,
    blocks: u64,
    records: u64,
}

impl<'w, R: Family> ObjectWriter<'w, R> {
    /// Writes the header.
    ///
    /// # Errors
    /// What `out` reports.
    pub(crate) fn begin(out: &'w mut dyn Write) -> io::Result<Self> {
        out.write_all(&header(&R::name())?)?;
        let codec = BlockCodec::new(CodecKind::Rkyv, Compression::None);
        Ok(ObjectWriter { out, codec, block: R::Column::default(), block_bytes: 0, blocks: 0, records: 0 })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// What `out` or the codec reports.
    pub(crate) fn push(&mut self, view: R::View<'_>) -> io::Result<()> {
        let at = self.block.len();
        self.block.push(view);
        self.block_bytes += self.block.bytes(at..at + 1);
        if self.block_bytes >= BLOCK_BYTES || self.block.len() >= BLOCK_RECORDS {
            self.close_block()?;
        }
        Ok(())
    }

    /// Writes what is left, and the end.
    ///
    /// # Errors
    /// What `out` or the codec reports.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        if !self.block.is_empty() {
            self.close_block()?;
        }
        self.out.write_all(&Frame::of(self.blocks, self.records, &[]).to_bytes())
    }

    fn close_block(&mut self) -> io::Result<()> {
        let encoded = self.codec.encode(&self.block).map_err(io::Error::other)?;
        let records = self.block.len() as u64;
        self.out.write_all(&Frame::of(self.blocks, records, encoded.bytes()).to_bytes())?;
        self.out.write_all(encoded.bytes())?;
        self.block.clear();
        (self.block_bytes, self.blocks, self.records) = (0, self.blocks + 1, self.records + records);
        Ok(())
    }
}

pub(super) fn header(name: &str) -> io::Result<Vec<u8>> {
    let name_bytes = u32::try_from(name.len()).ok().filter(|bytes| *bytes <= MAX_NAME_BYTES);
    let name_bytes = name_bytes.ok_or_else(|| {
        io::Error::other(format!("the family's name has {} bytes, more than {MAX_NAME_BYTES}", name.len()))
    })?;
    let mut header = MAGIC.to_vec();
    header.extend(VERSION.to_le_bytes());
    header.extend(CODEC_RKYV.to_le_bytes());
    header.extend(name_bytes.to_le_bytes());
    header.extend(name.as_bytes());
    let checksum = xxh3_64(&header);
    header.extend(checksum.to_le_bytes());
    Ok(header)
}
