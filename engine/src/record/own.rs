//! Owned records: any Rust type that can be cloned, seen by reference.

use super::name::without_paths;
use super::{Column, Family, PartsReader, PartsWriter, WincodeConfig, append_archive, rkyv_error};
use crate::error::EngineError;
use rkyv::api::high::{HighDeserializer, HighSerializer, HighValidator};
use rkyv::bytecheck::CheckBytes;
use rkyv::rancor::Error;
use rkyv::ser::allocator::ArenaHandle;
use rkyv::util::AlignedVec;
use serde::{Serialize, de::DeserializeOwned};
use std::marker::PhantomData;
use std::ops::Range;

/// Records of the owned type `T`; the view is `&T`. Simple, at the price of what `T` allocates.
pub struct Own<T>(PhantomData<fn() -> T>);

/// What a type must be able to do to be a record of its own: clone, serde, and the derives of rkyv (three), bitcode and wincode
/// (two each). [`record!`](crate::record!) gives a struct all of them.
pub trait OwnedRecord:
    Clone
    + Serialize
    + DeserializeOwned
    + bitcode::Encode
    + bitcode::DecodeOwned
    + wincode::SchemaWrite<WincodeConfig, Src = Self>
    + for<'a> wincode::SchemaRead<'a, WincodeConfig, Dst = Self>
    + Send
    + Sync
    + 'static
    + for<'a> rkyv::Archive<
        Archived: Sync + CheckBytes<HighValidator<'a, Error>> + rkyv::Deserialize<Self, HighDeserializer<Error>>,
    >
    + for<'a> rkyv::Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Error>>
{
}

impl<T> OwnedRecord for T where
    T: Clone
        + Serialize
        + DeserializeOwned
        + bitcode::Encode
        + bitcode::DecodeOwned
        + wincode::SchemaWrite<WincodeConfig, Src = T>
        + for<'a> wincode::SchemaRead<'a, WincodeConfig, Dst = T>
        + Send
        + Sync
        + 'static
        + for<'a> rkyv::Archive<
            Archived: Sync + CheckBytes<HighValidator<'a, Error>> + rkyv::Deserialize<Self, HighDeserializer<Error>>,
        >
        + for<'a> rkyv::Serialize<HighSerializer<AlignedVec, ArenaHandle<'a>, Error>>
{
}

impl<T: OwnedRecord> Family for Own<T> {
    type View<'a> = &'a T;
    type Column = Vec<T>;

    fn reborrow<'short, 'long: 'short>(view: &'long T) -> &'short T {
        view
    }

    /// With the size of an archived record, which tells most changes of its fields.
    fn name() -> String {
        let record = without_paths(std::any::type_name::<T>());
        format!("Own<{record}, {} bytes>", size_of::<<T as rkyv::Archive>::Archived>())
    }
}

impl<T: OwnedRecord> Column<Own<T>> for Vec<T> {
    type Read<'a> = &'a Vec<T>;

    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn push(&mut self, view: &T) {
        Vec::push(self, view.clone());
    }

    fn view(&self, index: usize) -> &T {
        &self[index]
    }

    fn clear(&mut self) {
        Vec::clear(self);
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        (range.len() * size_of::<T>()) as u64
    }

    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
        append_archive(self, out)
    }

    fn decode_rkyv<'a>(bytes: &'a [u8], scratch: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
        *scratch = rkyv::from_bytes::<Vec<T>, Error>(bytes).map_err(|error| rkyv_error(&error))?;
        Ok(scratch)
    }

    fn write_parts(&self, parts: &mut PartsWriter<'_>) -> Result<(), EngineError> {
        parts.part(self)
    }

    fn read_parts(&mut self, parts: &mut PartsReader<'_>) -> Result<(), EngineError> {
        *self = parts.part()?;
        Ok(())
    }

    fn read_len(read: &Self::Read<'_>) -> usize {
        read.len()
    }

    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> &'r T {
        &read[index]
    }
}
