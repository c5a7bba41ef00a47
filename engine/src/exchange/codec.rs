//! Codecs: how a block of records crosses an exchange when it is not simply moved. They work on whole blocks.

use super::compress::Compressor;
use crate::error::EngineError;
use crate::record::parts::{PartCodec, PartsReader, PartsScratch, PartsWriter};
use crate::record::{CHUNK, Column, Family};
use crate::settings::{CodecKind, Compression};
use rkyv::util::AlignedVec;

/// A block of records in encoded form.
pub struct Encoded {
    bytes: AlignedVec,
    plain_bytes: usize,
}

impl Encoded {
    /// What was encoded elsewhere, not compressed and not yet validated.
    pub(crate) fn of_bytes(bytes: AlignedVec) -> Self {
        Encoded { plain_bytes: bytes.len(), bytes }
    }

    /// The same without room for more.
    pub(crate) fn shrunk(mut self) -> Self {
        self.bytes.shrink_to_fit();
        self
    }

    /// The encoded bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Size on the wire, in bytes.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Size before it was compressed, in bytes.
    pub fn plain_bytes(&self) -> usize {
        self.plain_bytes
    }
}

/// Encodes and decodes blocks of one family, one after another, with memory that is used again.
pub struct BlockCodec<R: Family> {
    codec: CodecKind,
    compressor: Compressor,
    parts: PartsScratch,
    column: R::Column,
    /// Size of the last block: what the next one will probably need.
    last_bytes: usize,
}

impl<R: Family> BlockCodec<R> {
    /// Blocks in this form. `CodecKind::None` moves records and has no form of its own; asked for one, it gives rkyv's.
    pub fn new(codec: CodecKind, compression: Compression) -> Self {
        let (compressor, parts) = (Compressor::new(compression), PartsScratch::default());
        BlockCodec { codec, compressor, parts, column: R::Column::default(), last_bytes: 0 }
    }

    /// Encodes a column.
    ///
    /// # Errors
    /// What the codec reports.
    pub fn encode(&mut self, column: &R::Column) -> Result<Encoded, EngineError> {
        let mut bytes = AlignedVec::with_capacity(self.last_bytes + self.last_bytes / 8);
        match self.codec {
            CodecKind::Rkyv | CodecKind::None => column.encode_rkyv(&mut bytes)?,
            CodecKind::Json => serde_json::to_writer(&mut bytes, column).map_err(|error| json_error(&error))?,
            CodecKind::Bitcode => self.write_parts(PartCodec::Bitcode, column, &mut bytes)?,
            CodecKind::Postcard => self.write_parts(PartCodec::Postcard, column, &mut bytes)?,
            CodecKind::Wincode => self.write_parts(PartCodec::Wincode, column, &mut bytes)?,
        }
        self.last_bytes = bytes.len();
        let plain_bytes = bytes.len();
        let bytes = self.compressor.compress(&bytes)?.unwrap_or(bytes);
        Ok(Encoded { bytes, plain_bytes })
    }

    /// Encodes the records that `fill` puts into an empty column.
    ///
    /// # Errors
    /// What the codec reports.
    pub(crate) fn encode_filled(&mut self, fill: impl FnOnce(&mut R::Column)) -> Result<Encoded, EngineError> {
        let mut column = std::mem::take(&mut self.column);
        column.clear();
        fill(&mut column);
        let encoded = self.encode(&column);
        self.column = column;
        encoded
    }

    fn write_parts(&mut self, codec: PartCodec, column: &R::Column, out: &mut AlignedVec) -> Result<(), EngineError> {
        column.write_parts(&mut PartsWriter::new(codec, out, &mut self.parts))
    }

    /// Shows the records of a block, some at a time, as views that live as long as the call; returns how many there were.
    ///
    /// # Errors
    /// The bytes are not what the codec writes for this family.
    pub fn for_each_chunk(
        &mut self,
        encoded: &Encoded,
        mut visit: impl FnMut(&[R::View<'_>]),
    ) -> Result<usize, EngineError> {
        let BlockCodec { codec, compressor, parts, column, .. } = self;
        let bytes = compressor.decompress(&encoded.bytes)?;
        let codec = match codec {
            CodecKind::Rkyv | CodecKind::None => {
                let read = R::Column::decode_rkyv(bytes, column)?;
                let records = R::Column::read_len(&read);
                in_chunks(records, |index| R::Column::read_view(&read, index), &mut visit);
                return Ok(records);
            }
            CodecKind::Json => {
                *column = serde_json::from_slice(bytes).map_err(|error| json_error(&error))?;
                "json"
            }
            CodecKind::Bitcode => read_parts::<R>(PartCodec::Bitcode, bytes, column, parts)?,
            CodecKind::Postcard => read_parts::<R>(PartCodec::Postcard, bytes, column, parts)?,
            CodecKind::Wincode => read_parts::<R>(PartCodec::Wincode, bytes, column, parts)?,
        };
        if !column.is_sound() {
            let problem = "the parts of a column do not fit together".into();
            return Err(EngineError::Codec { codec, problem });
        }
        in_chunks(column.len(), |index| column.view(index), &mut visit);
        Ok(column.len())
    }
}

/// Replaces the records of a column by what was written; returns the name of the codec.
fn read_parts<R: Family>(
    codec: PartCodec,
    bytes: &[u8],
    column: &mut R::Column,
    scratch: &mut PartsScratch,
) -> Result<&'static str, EngineError> {
    let mut parts = PartsReader::new(codec, bytes, scratch);
    column.read_parts(&mut parts)?;
    parts.finish()?;
    Ok(codec.name())
}

/// Shows `records` records, some at a time.
pub(crate) fn in_chunks<V>(records: usize, view: impl Fn(usize) -> V, visit: &mut impl FnMut(&[V])) {
    let mut chunk = arrayvec::ArrayVec::<V, CHUNK>::new();
    for index in 0..records {
        chunk.push(view(index));
        if chunk.is_full() {
            visit(&chunk);
            chunk.clear();
        }
    }
    if !chunk.is_empty() {
        visit(&chunk);
    }
}

fn json_error(error: &serde_json::Error) -> EngineError {
    EngineError::Codec { codec: "json", problem: error.to_string() }
}

#[cfg(test)]
mod tests;
