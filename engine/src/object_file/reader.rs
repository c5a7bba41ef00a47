//! Reading of object files: all of a file is checked before any record is shown.

use super::{CODEC_RKYV, Frame, MAGIC, MAX_NAME_BYTES, VERSION};
use crate::error::EngineError;
use crate::exchange::codec::{BlockCodec, Encoded};
use crate::record::Family;
use crate::settings::{CodecKind, Compression};
use crate::storage::{Disk, Storage};
use rkyv::util::AlignedVec;
use std::io::{self, Read};
use std::marker::PhantomData;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_64;

/// Reads an object file of the family `R`, as [`save_as_object_files`](crate::DStream::save_as_object_files) writes them:
/// `read_object_file::<Pair<Text, u64>>("counts-1000/part-00000")?`. A file with damage anywhere is refused as a whole.
///
/// # Errors
/// The file cannot be read, is no object file, is damaged or cut off, was written by a newer version or holds another family.
pub fn read_object_file<R: Family>(path: impl AsRef<Path>) -> Result<ObjectFile<R>, EngineError> {
    ObjectFile::read(&Disk, path.as_ref())
}

/// The records of an object file, in memory.
pub struct ObjectFile<R: Family> {
    blocks: Vec<Encoded>,
    records: u64,
    family: PhantomData<fn() -> R>,
}

impl<R: Family> ObjectFile<R> {
    /// Reads a file from any storage.
    ///
    /// # Errors
    /// As [`read_object_file`].
    pub fn read(storage: &dyn Storage, path: &Path) -> Result<Self, EngineError> {
        let problem = |problem: String| EngineError::File { path: path.display().to_string(), problem };
        let file = storage.open(path).map_err(|error| problem(format!("cannot open it: {error}")))?;
        Self::parse(&mut io::BufReader::new(file)).map_err(problem)
    }

    pub(super) fn parse(file: &mut dyn Read) -> Result<Self, String> {
        check_header::<R>(file)?;
        let (mut blocks, mut records, mut codec) = (Vec::new(), 0u64, codec::<R>());
        loop {
            let number = blocks.len() as u64;
            let mut frame = [0; Frame::BYTES];
            read_exactly(file, &mut frame)?;
            let frame = Frame::of_bytes(frame);
            let archive = read_archive(file, frame.archive_bytes)?;
            if !frame.holds(number, &archive) {
                return Err(damaged(&format!("the checksum of block {number} is wrong")));
            }
            if frame.archive_bytes == 0 {
                check_end(file, frame.records, records)?;
                return Ok(ObjectFile { blocks, records, family: PhantomData });
            }
            let block = Encoded::of_bytes(archive);
            let read = codec.for_each_chunk(&block, |_| ()).map_err(|error| damaged(&error.to_string()))?;
            if read as u64 != frame.records {
                return Err(damaged(&format!("block {number} has {read} records instead of {}", frame.records)));
            }
            records += frame.records;
            blocks.push(block);
        }
    }

    /// Number of records.
    pub fn len(&self) -> u64 {
        self.records
    }

    /// True when there is no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Shows each record, in the order in which they were written.
    ///
    /// # Errors
    /// A block that was decoded when the file was read is not decoded again, which only a record type of one's own can cause.
    pub fn for_each(&self, mut visit: impl FnMut(R::View<'_>)) -> Result<(), EngineError> {
        let mut codec = codec::<R>();
        for block in &self.blocks {
            codec.for_each_chunk(block, |chunk| chunk.iter().for_each(|view| visit(*view)))?;
        }
        Ok(())
    }
}

fn codec<R: Family>() -> BlockCodec<R> {
    BlockCodec::new(CodecKind::Rkyv, Compression::None)
}

fn check_header<R: Family>(file: &mut dyn Read) -> Result<(), String> {
    let mut header = vec![0; MAGIC.len()];
    let no_object_file = "it is no object file; files of save_as_object_files begin with `dbobject`";
    read_exactly(file, &mut header).map_err(|_| no_object_file)?;
    if header != MAGIC {
        return Err(no_object_file.into());
    }
    let version = read_number(file, &mut header)?;
    if version != VERSION {
        return Err(format!(
            "it has version {version} of the format and this build reads version {VERSION}; read it with the build that wrote it"
        ));
    }
    let codec = read_number(file, &mut header)?;
    let name_bytes = read_number(file, &mut header)?;
    if name_bytes > MAX_NAME_BYTES {
        return Err(damaged("the name of the family is too long"));
    }
    let mut name = vec![0; name_bytes as usize];
    read_exactly(file, &mut name)?;
    header.extend_from_slice(&name);
    let mut checksum = [0; 8];
    read_exactly(file, &mut checksum)?;
    if u64::from_le_bytes(checksum) != xxh3_64(&header) {
        return Err(damaged("the checksum of the header is wrong"));
    }
    if codec != CODEC_RKYV {
        return Err(format!("its codec has the number {codec} and this build knows {CODEC_RKYV} only"));
    }
    if name != R::name().as_bytes() {
        let name = String::from_utf8_lossy(&name);
        return Err(format!("it holds records of {name}, not of {}; read it as what it holds", R::name()));
    }
    Ok(())
}

/// Behind the last block there is nothing, and the number of records is right.
fn check_end(file: &mut dyn Read, expected: u64, records: u64) -> Result<(), String> {
    if expected != records {
        return Err(damaged(&format!("it has {records} records instead of {expected}")));
    }
    match file.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => Err(damaged("something follows its end")),
        Err(error) => Err(cannot_read(&error)),
    }
}

fn read_number(file: &mut dyn Read, header: &mut Vec<u8>) -> Result<u32, String> {
    let mut number = [0; 4];
    read_exactly(file, &mut number)?;
    header.extend_from_slice(&number);
    Ok(u32::from_le_bytes(number))
}

/// Takes memory for what is there, not for what a damaged length promises.
fn read_archive(file: &mut dyn Read, length_bytes: u64) -> Result<AlignedVec, String> {
    let mut archive = AlignedVec::new();
    archive.extend_from_reader(&mut file.take(length_bytes)).map_err(|error| cannot_read(&error))?;
    if archive.len() as u64 == length_bytes { Ok(archive) } else { Err(cut_off()) }
}

fn read_exactly(file: &mut dyn Read, into: &mut [u8]) -> Result<(), String> {
    file.read_exact(into).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => cut_off(),
        _ => cannot_read(&error),
    })
}

fn cut_off() -> String {
    damaged("it ends too early")
}

fn cannot_read(error: &io::Error) -> String {
    format!("cannot read it: {error}")
}

fn damaged(how: &str) -> String {
    format!("it is damaged ({how}); restore it from a copy, or compute it again")
}
