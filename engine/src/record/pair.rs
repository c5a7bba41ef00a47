//! Pairs of a key and a value: what keyed operators work on.

use super::{Column, Family, PartsReader, PartsWriter, sections};
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

    #[inline(always)]
    fn reborrow<'short, 'long: 'short>((key, value): Self::View<'long>) -> Self::View<'short> {
        (K::reborrow(key), V::reborrow(value))
    }

    fn name() -> String {
        format!("Pair<{}, {}>", K::name(), V::name())
    }
}

/// Keys and values in a column each.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct PairColumn<K: Family, V: Family> {
    keys: K::Column,
    values: V::Column,
}

impl<K: Family, V: Family> PairColumn<K, V> {
    /// The keys alone, in the order of the records.
    pub(crate) fn keys(&self) -> &K::Column {
        &self.keys
    }

    /// The values alone, in the order of the records.
    pub(crate) fn values(&self) -> &V::Column {
        &self.values
    }

    /// Keys and values of as many records, put together.
    pub(crate) fn of(keys: K::Column, values: V::Column) -> Self {
        debug_assert_eq!(keys.len(), values.len());
        PairColumn { keys, values }
    }
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

    fn append(&mut self, other: &Self) {
        self.keys.append(&other.keys);
        self.values.append(&other.values);
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.values.clear();
    }

    fn bytes(&self, range: Range<usize>) -> u64 {
        self.keys.bytes(range.clone()) + self.values.bytes(range)
    }

    fn is_sound(&self) -> bool {
        self.keys.len() == self.values.len() && self.keys.is_sound() && self.values.is_sound()
    }

    fn encode_rkyv(&self, out: &mut AlignedVec) -> Result<(), EngineError> {
        sections::encode(out, |out| self.keys.encode_rkyv(out), |out| self.values.encode_rkyv(out))
    }

    fn decode_rkyv<'a>(bytes: &'a [u8], scratch: &'a mut Self) -> Result<Self::Read<'a>, EngineError> {
        let (keys, values) = sections::split(bytes)?;
        let keys = K::Column::decode_rkyv(keys, &mut scratch.keys)?;
        let values = V::Column::decode_rkyv(values, &mut scratch.values)?;
        if K::Column::read_len(&keys) != V::Column::read_len(&values) {
            return Err(sections::damaged("as many keys as values were expected"));
        }
        Ok((keys, values))
    }

    fn write_parts(&self, parts: &mut PartsWriter<'_>) -> Result<(), EngineError> {
        self.keys.write_parts(parts)?;
        self.values.write_parts(parts)
    }

    fn read_parts(&mut self, parts: &mut PartsReader<'_>) -> Result<(), EngineError> {
        self.keys.read_parts(parts)?;
        self.values.read_parts(parts)
    }

    fn read_len(read: &Self::Read<'_>) -> usize {
        K::Column::read_len(&read.0)
    }

    fn read_view<'r>(read: &'r Self::Read<'_>, index: usize) -> (K::View<'r>, V::View<'r>) {
        (K::Column::read_view(&read.0, index), V::Column::read_view(&read.1, index))
    }
}
