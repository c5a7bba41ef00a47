//! Object files: records in the form that rkyv gives them, to be read back by a program.
//!
//! All numbers are little-endian. Version 1 of the format:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `dbobject` |
//! | 4 | version of the format |
//! | 4 | codec: 1 is rkyv 0.8, little-endian, with 32-bit offsets |
//! | 4 + n | length of the family's name, the name ([`Family::name`](crate::record::Family::name)) in UTF-8 |
//! | 8 | xxh3-64 of all that is before it |
//! | blocks | each: length of its archive (8), its records (8), xxh3-64 of these two and the archive, seeded with the block's number (8), the archive |
//! | 24 | the end: like a block of length 0, its records being those of the whole file |
//!
//! A block is closed when it holds 1 MiB of payload or 65,536 records, so that it is read with bounded memory.

mod reader;
mod writer;

pub use reader::{ObjectFile, read_object_file};
pub(crate) use writer::ObjectWriter;

use xxhash_rust::xxh3::Xxh3;

const MAGIC: &[u8; 8] = b"dbobject";
const VERSION: u32 = 1;
const CODEC_RKYV: u32 = 1;
/// Longer than the name of any family that can be written.
const MAX_NAME_BYTES: u32 = 1 << 16;

/// What precedes an archive.
#[derive(Clone, Copy)]
struct Frame {
    archive_bytes: u64,
    records: u64,
    checksum: u64,
}

impl Frame {
    const BYTES: usize = 24;

    fn of(number: u64, records: u64, archive: &[u8]) -> Self {
        let archive_bytes = archive.len() as u64;
        Frame { archive_bytes, records, checksum: checksum(number, archive_bytes, records, archive) }
    }

    fn holds(&self, number: u64, archive: &[u8]) -> bool {
        self.checksum == checksum(number, self.archive_bytes, self.records, archive)
    }

    fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.archive_bytes.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..].copy_from_slice(&self.checksum.to_le_bytes());
        bytes
    }

    fn of_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        Frame { archive_bytes: number(0), records: number(8), checksum: number(16) }
    }
}

/// Seeded with the block's number, so that blocks that changed places are noticed.
fn checksum(number: u64, archive_bytes: u64, records: u64, archive: &[u8]) -> u64 {
    let mut hash = Xxh3::with_seed(number);
    hash.update(&archive_bytes.to_le_bytes());
    hash.update(&records.to_le_bytes());
    hash.update(archive);
    hash.digest()
}

#[cfg(test)]
mod tests;
