//! Columns as parts: how codecs that copy write them. Each vector of a column is one part, encoded as a whole.
//!
//! rkyv reads a column where it lies and JSON shows it as it is meant; bitcode, postcard and wincode make bytes of a vector and a
//! vector of bytes. Text is copied as it is under all three, and what ends somewhere is written as lengths, which are small.

use crate::error::EngineError;
use rkyv::util::AlignedVec;
use serde::{Serialize, de::DeserializeOwned};

/// Codecs that write columns as parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PartCodec {
    Bitcode,
    Postcard,
    Wincode,
}

/// wincode as it is by default, but for its limit of 4 MiB per vector, above which a block could not be read back.
pub type WincodeConfig = wincode::config::Configuration<true, { 1 << 30 }>;

/// A vector that every codec can write and read.
pub(crate) trait Part:
    Serialize
    + DeserializeOwned
    + bitcode::Encode
    + bitcode::DecodeOwned
    + wincode::SchemaWrite<WincodeConfig, Src = Self>
    + for<'a> wincode::SchemaRead<'a, WincodeConfig, Dst = Self>
{
}

impl<T> Part for T where
    T: Serialize
        + DeserializeOwned
        + bitcode::Encode
        + bitcode::DecodeOwned
        + wincode::SchemaWrite<WincodeConfig, Src = T>
        + for<'a> wincode::SchemaRead<'a, WincodeConfig, Dst = T>
{
}

/// Memory that is used again from block to block.
#[derive(Default)]
pub(crate) struct PartsScratch {
    bitcode: bitcode::Buffer,
    wincode: Vec<u8>,
    lengths: Vec<u32>,
}

/// Where the parts of a column are written, each behind its length in bytes.
pub struct PartsWriter<'w> {
    codec: PartCodec,
    out: &'w mut AlignedVec,
    scratch: &'w mut PartsScratch,
}

const LENGTH_BYTES: usize = size_of::<u64>();

impl<'w> PartsWriter<'w> {
    pub(crate) fn new(codec: PartCodec, out: &'w mut AlignedVec, scratch: &'w mut PartsScratch) -> Self {
        PartsWriter { codec, out, scratch }
    }

    /// Writes a vector.
    ///
    /// # Errors
    /// What the codec reports, for example that wincode takes no vector above 1 GiB.
    pub(crate) fn part<T>(&mut self, vector: &Vec<T>) -> Result<(), EngineError>
    where
        Vec<T>: Part,
    {
        let header = self.out.len();
        self.out.extend_from_slice(&[0; LENGTH_BYTES]);
        match self.codec {
            PartCodec::Bitcode => self.out.extend_from_slice(self.scratch.bitcode.encode(vector)),
            PartCodec::Postcard => {
                postcard::to_io(vector, &mut *self.out).map_err(|error| self.codec.error(&error))?;
            }
            PartCodec::Wincode => {
                let bytes = &mut self.scratch.wincode;
                bytes.clear();
                wincode::config::serialize_into(&mut *bytes, vector, WincodeConfig::new())
                    .map_err(|error| self.codec.error(&error))?;
                self.out.extend_from_slice(bytes);
            }
        }
        let length = (self.out.len() - header - LENGTH_BYTES) as u64;
        self.out[header..header + LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        self.out.extend_from_slice(bytes);
    }

    /// Writes where things end that follow each other with `gap` between them.
    ///
    /// # Errors
    /// What the codec reports.
    pub(crate) fn ends(&mut self, ends: &[u32], gap: u32) -> Result<(), EngineError> {
        let mut lengths = std::mem::take(&mut self.scratch.lengths);
        lengths.clear();
        let starts = std::iter::once(0).chain(ends.iter().map(|end| end + gap));
        lengths.extend(ends.iter().zip(starts).map(|(end, start)| end - start));
        let written = self.part(&lengths);
        self.scratch.lengths = lengths;
        written
    }
}

/// The parts of a column, one after another, not to be trusted.
pub struct PartsReader<'r> {
    codec: PartCodec,
    rest: &'r [u8],
    scratch: &'r mut PartsScratch,
}

impl<'r> PartsReader<'r> {
    pub(crate) fn new(codec: PartCodec, bytes: &'r [u8], scratch: &'r mut PartsScratch) -> Self {
        PartsReader { codec, rest: bytes, scratch }
    }

    /// Reads a vector.
    ///
    /// # Errors
    /// The bytes are not what the codec writes for it.
    pub(crate) fn part<T>(&mut self) -> Result<Vec<T>, EngineError>
    where
        Vec<T>: Part,
    {
        let (codec, bytes) = (self.codec, self.bytes()?);
        match codec {
            PartCodec::Bitcode => self.scratch.bitcode.decode(bytes).map_err(|error| codec.error(&error)),
            PartCodec::Postcard => match postcard::take_from_bytes(bytes) {
                Ok((vector, [])) => Ok(vector),
                Ok(_) => Err(codec.damaged("something follows a vector")),
                Err(error) => Err(codec.error(&error)),
            },
            PartCodec::Wincode => {
                // wincode takes memory for as many records as the first eight bytes say; each needs a byte, unless it has no size.
                let count = bytes.first_chunk().map_or(0, |count| u64::from_le_bytes(*count));
                if size_of::<T>() > 0 && count > bytes.len() as u64 {
                    return Err(codec.damaged("a vector claims more records than it has bytes"));
                }
                wincode::config::deserialize_exact(bytes, WincodeConfig::new()).map_err(|error| codec.error(&error))
            }
        }
    }

    /// Reads bytes that were written as they are.
    ///
    /// # Errors
    /// They end too early.
    pub(crate) fn bytes(&mut self) -> Result<&'r [u8], EngineError> {
        let cut = || self.codec.damaged("a part ends outside the block");
        let (length, rest) = self.rest.split_first_chunk::<LENGTH_BYTES>().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (bytes, rest) = rest.split_at_checked(length).ok_or_else(cut)?;
        self.rest = rest;
        Ok(bytes)
    }

    /// Reads where things end that follow each other with `gap` between them; with the gap behind the last, they take exactly
    /// `total`.
    ///
    /// # Errors
    /// The bytes are not what the codec writes, or the lengths do not add up.
    pub(crate) fn ends(&mut self, gap: u32, total: usize) -> Result<Vec<u32>, EngineError> {
        let mut ends: Vec<u32> = self.part()?;
        let mut start = 0u64;
        for end in &mut ends {
            let at = start + u64::from(*end);
            *end = u32::try_from(at).map_err(|_| self.codec.damaged("lengths add up to more than 4 GiB"))?;
            start = at + u64::from(gap);
        }
        if start == total as u64 { Ok(ends) } else { Err(self.codec.damaged("lengths do not add up to what there is")) }
    }

    /// All parts were read.
    ///
    /// # Errors
    /// There are more.
    pub(crate) fn finish(self) -> Result<(), EngineError> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.codec.damaged("something follows the last part")) }
    }
}

impl PartCodec {
    pub(crate) fn name(self) -> &'static str {
        match self {
            PartCodec::Bitcode => "bitcode",
            PartCodec::Postcard => "postcard",
            PartCodec::Wincode => "wincode",
        }
    }

    fn error(self, error: &dyn std::fmt::Display) -> EngineError {
        EngineError::Codec { codec: self.name(), problem: error.to_string() }
    }

    pub(crate) fn damaged(self, problem: &str) -> EngineError {
        EngineError::Codec { codec: self.name(), problem: problem.into() }
    }
}
