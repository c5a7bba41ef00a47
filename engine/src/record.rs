//! Families of records: how a record is seen (a borrowed view) and how many are kept (a column).
//!
//! A family is a name for a kind of record: [`Text`], an integer, [`Pair`], [`Maybe`], [`List`], [`Own`]. Closures of a job see views, which
//! borrow from the block they came in and are free to copy. Blocks, exchanges and windows keep columns.

mod derive;
mod integer;
mod list;
mod maybe;
mod name;
mod own;
mod pair;
pub(crate) mod parts;
mod sections;
mod text;

pub use list::{List, ListColumn, ListView};
pub use maybe::{Maybe, MaybeColumn};
pub use own::{Own, OwnedRecord};
pub use pair::{Pair, PairColumn};
pub use parts::{PartsReader, PartsWriter, WincodeConfig};
pub use text::{Text, TextColumn};

use crate::error::EngineError;
use rkyv::util::AlignedVec;
use serde::{Serialize, de::DeserializeOwned};

/// Views in a chunk: enough to forget the virtual call, few enough to stay in the first-level cache.
pub(crate) const CHUNK: usize = 256;

/// A kind of record.
pub trait Family: Sized + Send + Sync + 'static {
    /// How a closure sees one record; borrows from the column that holds it.
    type View<'a>: Copy + Send;
    /// How many records are kept together.
    type Column: Column<Self>;

    /// The same view for a shorter time: what lets a view of a block stand beside one of something else.
    fn reborrow<'short, 'long: 'short>(view: Self::View<'long>) -> Self::View<'short>;

    /// Its name in stored files, by which a reader knows that it has the right one: without the paths of modules.
    fn name() -> String {
        name::without_paths(std::any::type_name::<Self>())
    }
}

/// Records of one family, kept together: what blocks, exchanges and windows are made of.
pub trait Column<R: Family>: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Records read back from encoded bytes: in place where the family allows it, from `scratch` where not.
    type Read<'a>: Send + Sync
    where
        Self: 'a;

    /// Number of records.
    fn len(&self) -> usize;
    /// Appends a copy of one record.
    fn push(&mut self, view: R::View<'_>);
    /// The record at `index`, which is below `len()`.
    fn view(&self, index: usize) -> R::View<'_>;
    /// Appends copies of all records of another column.
    fn append(&mut self, other: &Self) {
        (0..other.len()).for_each(|index| self.push(other.view(index)));
    }
    /// Removes all records, keeps the memory.
    fn clear(&mut self);
    /// Payload bytes of the records in `range`.
    fn bytes(&self, range: std::ops::Range<usize>) -> u64;

    /// The parts fit together: what was decoded need not be so, as codecs look at each part alone.
    fn is_sound(&self) -> bool {
        true
    }

    /// Appends the rkyv form to `out`, whose length is a multiple of [`SECTION_ALIGNMENT`].
    ///
    /// # Errors
    /// What rkyv reports.
    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError>;
    /// Validates the rkyv form and reads it, in place where possible.
    ///
    /// # Errors
    /// The bytes are not a valid archive.
    fn decode_rkyv<'a>(bytes: &'a [u8], scratch: &'a mut Self) -> Result<Self::Read<'a>, EngineError>;
    /// Writes the vectors of the column, as codecs that copy do.
    ///
    /// # Errors
    /// What the codec reports.
    fn write_parts(&self, parts: &mut PartsWriter<'_>) -> Result<(), EngineError>;
    /// Replaces the records by those that were written. Whether the parts fit together, [`is_sound`](Self::is_sound) says.
    ///
    /// # Errors
    /// The bytes are not what the codec writes.
    fn read_parts(&mut self, parts: &mut PartsReader<'_>) -> Result<(), EngineError>;
    /// Number of records that were read.
    fn read_len(read: &Self::Read<'_>) -> usize;
    /// The record at `index` of what was read.
    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> R::View<'r>;

    /// True when there is no record.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Each section of an rkyv form starts at a multiple of this.
pub const SECTION_ALIGNMENT: usize = 16;

fn rkyv_error(error: &rkyv::rancor::Error) -> EngineError {
    EngineError::Codec { codec: "rkyv", problem: error.to_string() }
}

/// Appends the archive of one value to `out`.
fn append_archive<T>(value: &T, out: &mut AlignedVec) -> Result<(), EngineError>
where
    T: for<'a> rkyv::Serialize<
            rkyv::api::high::HighSerializer<AlignedVec, rkyv::ser::allocator::ArenaHandle<'a>, rkyv::rancor::Error>,
        >,
{
    let written = rkyv::api::high::to_bytes_in(value, std::mem::take(out)).map_err(|error| rkyv_error(&error))?;
    *out = written;
    Ok(())
}

#[cfg(test)]
mod tests;
