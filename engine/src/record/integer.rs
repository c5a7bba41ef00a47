//! Integers as records: each type is its own family and its own view.

use super::{Column, Family, PartsReader, PartsWriter, append_archive, rkyv_error};
use crate::error::EngineError;
use rkyv::util::AlignedVec;
use std::ops::Range;

macro_rules! integer_family {
    ($($integer:ty => $archived:ty),*) => {$(
        impl Family for $integer {
            type View<'a> = $integer;
            type Column = Vec<$integer>;

            #[inline(always)]
            fn reborrow<'short, 'long: 'short>(view: $integer) -> $integer {
                view
            }
        }

        impl Column<$integer> for Vec<$integer> {
            type Read<'a> = &'a rkyv::vec::ArchivedVec<$archived>;

            fn len(&self) -> usize {
                Vec::len(self)
            }

            #[inline]
            fn push(&mut self, view: $integer) {
                Vec::push(self, view);
            }

            #[inline]
            fn view(&self, index: usize) -> $integer {
                self[index]
            }

            fn append(&mut self, other: &Self) {
                self.extend_from_slice(other);
            }

            fn clear(&mut self) {
                Vec::clear(self);
            }

            fn bytes(&self, range: Range<usize>) -> u64 {
                (range.len() * size_of::<$integer>()) as u64
            }

            fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
                append_archive(self, out)
            }

            fn decode_rkyv<'a>(bytes: &'a [u8], _: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
                rkyv::access::<rkyv::vec::ArchivedVec<$archived>, rkyv::rancor::Error>(bytes).map_err(|error| rkyv_error(&error))
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

            #[inline]
            fn read_view(read: &Self::Read<'_>, index: usize) -> $integer {
                read[index].to_native()
            }
        }
    )*};
}

integer_family!(
    u32 => rkyv::rend::u32_le,
    i32 => rkyv::rend::i32_le,
    u64 => rkyv::rend::u64_le,
    i64 => rkyv::rend::i64_le
);
