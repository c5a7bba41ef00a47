//! From records to groups: keys, hash tables, partitions, and codecs and compression for the way between threads.

mod chains;
pub mod codec;
mod compress;
mod groups;
mod hasher;
mod key;
mod machine;
mod roster;
mod table;
mod value;
mod wire;

pub use hasher::{Hashing, KeyHasher, OtherHasher};
pub use key::{Arena, Key};
pub use value::Value;

pub(crate) use chains::{Chain, Chains};
pub(crate) use groups::{ByGroup, Numbered};
pub use machine::for_each_word;
pub(crate) use roster::{NOWHERE, Roster};
pub(crate) use table::{Dense, Table, TablePool};
pub(crate) use wire::Wire;

/// Partition of a hash among `partitions`: by its upper half, as slots of a table go by its lower half.
#[inline]
pub(crate) fn partition_of(hash: u64, partitions: usize) -> usize {
    (((hash >> 32) * partitions as u64) >> 32) as usize
}
