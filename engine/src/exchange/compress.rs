//! Compression of encoded blocks: the length of what was compressed, then its compressed form.

use crate::error::EngineError;
use crate::settings::Compression;
use lz4_flex::block::{CompressTable, compress_into_with_table, decompress_into, get_maximum_output_size};
use rkyv::util::AlignedVec;
use zstd::bulk;

const ZSTD_LEVEL: i32 = 1;
const LENGTH_BYTES: usize = size_of::<u64>();
/// A byte of a block that lz4 wrote stands for 255 bytes at most, plus what its first and last tokens may hold.
const LZ4_MOST: u64 = 255;
/// A zstd block stands for 128 KiB at most and has three bytes of header and a byte of content at least (RFC 8878, 3.1.1.2).
const ZSTD_BLOCK_BYTES: u64 = 128 << 10;
const ZSTD_LEAST_BYTES: u64 = 4;

/// Compresses and decompresses blocks, with memory that is used again.
pub(crate) struct Compressor {
    method: Method,
    /// Long enough for the worst case; only its beginning is sent.
    packed: Vec<u8>,
    /// What was decompressed last is at its beginning. Aligned, so that archives can be read in place.
    plain: AlignedVec,
}

enum Method {
    None,
    Lz4(Box<CompressTable>),
    Zstd { compressor: Option<bulk::Compressor<'static>>, decompressor: Option<bulk::Decompressor<'static>> },
}

impl Compressor {
    pub(crate) fn new(compression: Compression) -> Self {
        let method = match compression {
            Compression::None => Method::None,
            Compression::Lz4 => Method::Lz4(Box::default()),
            Compression::Zstd => Method::Zstd { compressor: None, decompressor: None },
        };
        Compressor { method, packed: Vec::new(), plain: AlignedVec::new() }
    }

    /// The compressed form of a block; `None` when blocks are sent as they are.
    ///
    /// # Errors
    /// What the library reports.
    pub(crate) fn compress(&mut self, plain: &[u8]) -> Result<Option<AlignedVec>, EngineError> {
        let packed = &mut self.packed;
        let packed_bytes = match &mut self.method {
            Method::None => return Ok(None),
            Method::Lz4(table) => {
                grow(packed, get_maximum_output_size(plain.len()));
                compress_into_with_table(plain, packed, table).map_err(|error| failed("lz4", &error))?
            }
            Method::Zstd { compressor, .. } => {
                grow(packed, zstd::zstd_safe::compress_bound(plain.len()));
                let compressor = made(compressor, || bulk::Compressor::new(ZSTD_LEVEL))?;
                compressor.compress_to_buffer(plain, &mut packed[..]).map_err(|error| failed("zstd", &error))?
            }
        };
        let mut sent = AlignedVec::with_capacity(LENGTH_BYTES + packed_bytes);
        sent.extend_from_slice(&(plain.len() as u64).to_le_bytes());
        sent.extend_from_slice(&packed[..packed_bytes]);
        Ok(Some(sent))
    }

    /// The block that was compressed, or the bytes themselves when blocks are sent as they are.
    ///
    /// # Errors
    /// The bytes are no compressed block. Memory is taken for what they can stand for, not for what they claim.
    pub(crate) fn decompress<'b>(&'b mut self, bytes: &'b [u8]) -> Result<&'b [u8], EngineError> {
        let (name, most) = match &self.method {
            Method::None => return Ok(bytes),
            Method::Lz4(_) => ("lz4", bytes.len() as u64 * LZ4_MOST),
            Method::Zstd { .. } => ("zstd", (bytes.len() as u64 / ZSTD_LEAST_BYTES + 1) * ZSTD_BLOCK_BYTES),
        };
        let damaged = |problem: &str| EngineError::Codec { codec: name, problem: problem.into() };
        let (length, packed) = bytes.split_first_chunk().ok_or_else(|| damaged("the block has no length"))?;
        let length = Some(u64::from_le_bytes(*length)).filter(|length| *length <= most);
        let length = length.ok_or_else(|| damaged("the block claims to be longer than its bytes can stand for"))?;
        let length = usize::try_from(length).map_err(|_| damaged("the block is longer than memory"))?;
        if self.plain.len() < length {
            self.plain.resize(length, 0);
        }
        let plain = &mut self.plain[..length];
        let plain_bytes = match &mut self.method {
            Method::None => 0,
            Method::Lz4(_) => decompress_into(packed, plain).map_err(|error| failed(name, &error))?,
            Method::Zstd { decompressor, .. } => {
                let decompressor = made(decompressor, bulk::Decompressor::new)?;
                decompressor.decompress_to_buffer(packed, plain).map_err(|error| failed(name, &error))?
            }
        };
        if plain_bytes == length {
            Ok(&self.plain[..length])
        } else {
            Err(damaged("the block is shorter than it claims"))
        }
    }
}

fn grow(bytes: &mut Vec<u8>, least: usize) {
    if bytes.len() < least {
        bytes.resize(least, 0);
    }
}

/// The context of zstd, made when it is first needed.
fn made<T>(context: &mut Option<T>, make: impl FnOnce() -> std::io::Result<T>) -> Result<&mut T, EngineError> {
    if context.is_none() {
        *context = Some(make().map_err(|error| failed("zstd", &error))?);
    }
    context.as_mut().ok_or_else(|| failed("zstd", &"no context"))
}

fn failed(codec: &'static str, error: &dyn std::fmt::Display) -> EngineError {
    EngineError::Codec { codec, problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BOTH: [Compression; 2] = [Compression::Lz4, Compression::Zstd];

    fn sent(compression: Compression, plain: &[u8]) -> AlignedVec {
        Compressor::new(compression).compress(plain).expect("compresses").expect("is compressed")
    }

    proptest! {
        #[test]
        fn blocks_come_back_as_they_were(blocks in prop::collection::vec((any::<u8>(), 0usize..3_000, prop::collection::vec(any::<u8>(), 0..300)), 1..5)) {
            for compression in BOTH {
                let mut compressor = Compressor::new(compression);
                for (fill, times, tail) in &blocks {
                    let plain = [&vec![*fill; *times][..], tail].concat();
                    let sent = compressor.compress(&plain).expect("compresses").expect("is compressed");
                    prop_assert_eq!(compressor.decompress(&sent).expect("decompresses"), &plain[..]);
                }
            }
        }
    }

    #[test]
    fn what_is_repeated_takes_less_room() {
        let plain = b"the same again ".repeat(1_000);
        for compression in BOTH {
            assert!(sent(compression, &plain).len() < plain.len() / 50, "{compression:?}");
        }
    }

    #[test]
    fn the_longest_that_bytes_can_stand_for_is_not_refused() {
        let plain = vec![0; 40 << 20];
        for compression in BOTH {
            let sent = sent(compression, &plain);
            assert_eq!(
                Compressor::new(compression).decompress(&sent).map(<[u8]>::len),
                Ok(plain.len()),
                "{compression:?}"
            );
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_refused_before_memory_is_taken_for_it() {
        for compression in BOTH {
            let mut compressor = Compressor::new(compression);
            let mut block = sent(compression, b"some bytes");
            for length in [1 << 40, u64::MAX] {
                block[..LENGTH_BYTES].copy_from_slice(&u64::to_le_bytes(length));
                assert!(compressor.decompress(&block).is_err());
                assert_eq!(compressor.plain.len(), 0);
            }
            for length in [9u64, 11] {
                block[..LENGTH_BYTES].copy_from_slice(&length.to_le_bytes());
                assert!(compressor.decompress(&block).is_err(), "{compression:?}: 10 bytes are not {length}");
            }
            assert!(compressor.decompress(&block[..7]).is_err());
        }
    }
}
