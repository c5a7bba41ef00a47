//! Pairs of a key and a value: what keyed operators work on.

use super::{Column, Family, SECTION_ALIGNMENT};
use crate::error::EngineError;
use rkyv::util::AlignedVec;
use serde::{Deserialize, Serialize};
use std::marker::PhantomData;
use std::ops::Range;

/// Records that are pairs of a `K` and a `V`; the view is a tuple of their views.
pub struct Pair<K, V>(PhantomData<fn() -> (K, V)>);

impl<K: Family, V: Family> Family for Pair<K, V> {
    type View<'a> = (K::View<'a>, V::View<'a>);
    type Column = PairColumn<K, V>;
}

/// Keys and values in a column each.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PairColumn<K: Family, V: Family> {
    keys: K::Column,
    values: V::Column,
}

impl<K: Family, V: Family> Default for PairColumn<K, V> {
    fn default() -> Self {
        PairColumn { keys: K::Column::default(), values: V::Column::default() }
    }
}

impl<K: Family, V: Family> Column<Pair<K, V>> for PairColumn<K, V> {
    type Read<'a> = (<K::Column as Column<K>>::Read<'a>, <V::Column as Column<V>>::Read<'a>);

    fn len(&self) -> usize {
        self.keys.len()
    }

    fn push(&mut self, (key, value): (K::View<'_>, V::View<'_>)) {
        self.keys.push(key);
        self.values.push(value);
    }

    fn view(&self, index: usize) -> (K::View<'_>, V::View<'_>) {
        (self.keys.view(index), self.values.view(index))
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        self.keys.bytes(range.clone()) + self.values.bytes(range)
    }

    /// A header section with the length of the keys' section, the keys' section, the values' section.
    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
        let header = out.len();
        out.extend_from_slice(&[0; SECTION_ALIGNMENT]);
        self.keys.encode_rkyv(out)?;
        let keys_bytes = (out.len() - header - SECTION_ALIGNMENT) as u64;
        out[header..header + 8].copy_from_slice(&keys_bytes.to_le_bytes());
        let padding = out.len().next_multiple_of(SECTION_ALIGNMENT) - out.len();
        out.extend_from_slice(&[0; SECTION_ALIGNMENT][..padding]);
        self.values.encode_rkyv(out)
    }

    fn decode_rkyv<'a>(bytes: &'a [u8], scratch: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
        let damaged = |problem: &str| EngineError::Codec { codec: "rkyv", problem: problem.into() };
        let header: [u8; 8] =
            bytes.get(..8).and_then(|header| header.try_into().ok()).ok_or_else(|| damaged("no header"))?;
        let keys_end = usize::try_from(u64::from_le_bytes(header))
            .ok()
            .and_then(|keys_bytes| keys_bytes.checked_add(SECTION_ALIGNMENT))
            .filter(|end| *end <= bytes.len())
            .ok_or_else(|| damaged("the keys end outside the block"))?;
        let values_start = keys_end.next_multiple_of(SECTION_ALIGNMENT).min(bytes.len());
        let keys = K::Column::decode_rkyv(&bytes[SECTION_ALIGNMENT..keys_end], &mut scratch.keys)?;
        let values = V::Column::decode_rkyv(&bytes[values_start..], &mut scratch.values)?;
        if K::Column::read_len(&keys) != V::Column::read_len(&values) {
            return Err(damaged("as many keys as values were expected"));
        }
        Ok((keys, values))
    }

    fn read_len(read: &Self::Read<'_>) -> usize {
        K::Column::read_len(&read.0)
    }

    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> (K::View<'r>, V::View<'r>) {
        (K::Column::read_view(&read.0, index), V::Column::read_view(&read.1, index))
    }
}
