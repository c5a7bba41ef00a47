//! Keys: records that can be grouped by. How each kind is hashed, compared and kept in a table's slot.

use super::hasher::{Hashing, KeyHasher, Mum, fold, text_hash};
use super::machine::short_text;
use crate::record::{Family, Own, OwnedRecord, Pair, Text};
use std::hash::Hash;

/// Bytes of keys too long for a slot.
#[derive(Clone, Default)]
pub struct Arena {
    bytes: Vec<u8>,
}

impl Arena {
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    fn keep(&mut self, bytes: &[u8]) -> u64 {
        let at = self.bytes.len() as u64;
        self.bytes.extend_from_slice(bytes);
        at
    }

    fn get(&self, at: u64, length: usize) -> &[u8] {
        &self.bytes[at as usize..at as usize + length]
    }
}

/// A family whose records can be keys.
pub trait Key: Family {
    /// A key made ready for look-ups: hashed, short ones in registers.
    type Probe<'a>: Copy;
    /// A key as a slot holds it.
    type Stored: Clone + Send + Sync + 'static;

    /// Makes a key ready.
    fn probe<'a>(view: Self::View<'a>, hashing: &impl Hashing) -> Self::Probe<'a>;
    /// Its hash; all 64 bits are used.
    fn hash(probe: &Self::Probe<'_>) -> u64;
    /// What an empty slot holds.
    fn vacant() -> Self::Stored;
    /// Is a slot empty?
    fn is_vacant(stored: &Self::Stored) -> bool;
    /// Is it the same key?
    fn matches(stored: &Self::Stored, probe: &Self::Probe<'_>, arena: &Arena) -> bool;
    /// Copies a key into a slot; long ones into the arena.
    fn store(probe: &Self::Probe<'_>, arena: &mut Arena) -> Self::Stored;
    /// The key of a slot that is not empty.
    fn view<'a>(stored: &'a Self::Stored, arena: &'a Arena) -> Self::View<'a>;
    /// The hash of the key of a slot that is not empty, which was made ready with this hasher.
    fn stored_hash(stored: &Self::Stored, hasher: &KeyHasher) -> u64;
}

pub(super) const SHORT_BYTES: usize = 16;

/// A text key in a slot: up to 16 bytes in place, longer ones as content hash and place in the arena.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct StoredText {
    bytes: [u8; SHORT_BYTES],
    /// Length + 1; 0 marks an empty slot.
    length: u64,
}

/// A text key made ready.
#[derive(Clone, Copy)]
pub struct TextProbe<'a> {
    low: u64,
    high: u64,
    hash: u64,
    text: &'a [u8],
}

impl StoredText {
    #[inline(always)]
    fn halves(&self) -> (u64, u64) {
        let number = u128::from_le_bytes(self.bytes);
        (number as u64, (number >> 64) as u64)
    }

    /// Is it the same long key?
    #[cold]
    fn is_long(&self, probe: &TextProbe<'_>, arena: &Arena) -> bool {
        let (content_hash, place) = self.halves();
        let alike = self.length == probe.text.len() as u64 + 1 && content_hash == probe.low;
        alike && arena.get(place, probe.text.len()) == probe.text
    }
}

/// What stands for the arena's place in the probe of a long key.
pub(super) const NO_PLACE: u64 = u64::MAX;

impl Key for Text {
    type Probe<'a> = TextProbe<'a>;
    type Stored = StoredText;

    #[inline(always)]
    fn probe<'a>(text: &'a [u8], hashing: &impl Hashing) -> TextProbe<'a>
    where
        'a: 'a,
    {
        if text.len() <= SHORT_BYTES {
            let (low, high) = short_text(text);
            TextProbe { low, high, hash: hashing.short_text((low, high), text), text }
        } else {
            let (low, hash) = hashing.long_text(text);
            TextProbe { low, high: NO_PLACE, hash, text }
        }
    }

    #[inline(always)]
    fn hash(probe: &TextProbe<'_>) -> u64 {
        probe.hash
    }

    fn vacant() -> StoredText {
        StoredText { bytes: [0; SHORT_BYTES], length: 0 }
    }

    #[inline(always)]
    fn is_vacant(stored: &StoredText) -> bool {
        stored.length == 0
    }

    #[inline(always)]
    fn matches(stored: &StoredText, probe: &TextProbe<'_>, arena: &Arena) -> bool {
        let (low, high) = stored.halves();
        let differs = (stored.length ^ (probe.text.len() as u64 + 1)) | (low ^ probe.low) | (high ^ probe.high);
        // One branch for all short keys; the probe of a long one never equals a place in the arena.
        differs == 0 || (probe.text.len() > SHORT_BYTES && stored.is_long(probe, arena))
    }

    #[inline(always)]
    fn store(probe: &TextProbe<'_>, arena: &mut Arena) -> StoredText {
        let high = if probe.text.len() <= SHORT_BYTES { probe.high } else { arena.keep(probe.text) };
        let bytes = (u128::from(probe.low) | u128::from(high) << 64).to_le_bytes();
        StoredText { bytes, length: probe.text.len() as u64 + 1 }
    }

    #[inline(always)]
    fn view<'a>(stored: &'a StoredText, arena: &'a Arena) -> &'a [u8] {
        let length = stored.length as usize - 1;
        if length <= SHORT_BYTES { &stored.bytes[..length] } else { arena.get(stored.halves().1, length) }
    }

    #[inline(always)]
    fn stored_hash(stored: &StoredText, hasher: &KeyHasher) -> u64 {
        let (low, high) = stored.halves();
        let length = stored.length as usize - 1;
        match hasher {
            KeyHasher::Mum => text_hash(low, if length <= SHORT_BYTES { high } else { NO_PLACE }, length),
            KeyHasher::Other(other) if length <= SHORT_BYTES => other.short_text((low, high), &stored.bytes[..length]),
            KeyHasher::Other(_) => low,
        }
    }
}

macro_rules! integer_key {
    ($($integer:ty),*) => {$(
        impl Key for $integer {
            /// Its hash and itself.
            type Probe<'a> = (u64, $integer);
            type Stored = Option<$integer>;

            #[inline(always)]
            fn probe<'a>(view: $integer, hashing: &impl Hashing) -> (u64, $integer)
            where
                'a: 'a,
            {
                (hashing.number(view as u64), view)
            }

            #[inline(always)]
            fn hash(probe: &(u64, $integer)) -> u64 {
                probe.0
            }

            fn vacant() -> Option<$integer> {
                None
            }

            #[inline(always)]
            fn is_vacant(stored: &Option<$integer>) -> bool {
                stored.is_none()
            }

            #[inline(always)]
            fn matches(stored: &Option<$integer>, probe: &(u64, $integer), _: &Arena) -> bool {
                *stored == Some(probe.1)
            }

            #[inline(always)]
            fn store(probe: &(u64, $integer), _: &mut Arena) -> Option<$integer> {
                Some(probe.1)
            }

            #[inline(always)]
            fn view<'a>(stored: &'a Option<$integer>, _: &'a Arena) -> $integer {
                stored.unwrap_or_default()
            }

            #[inline(always)]
            fn stored_hash(stored: &Option<$integer>, hasher: &KeyHasher) -> u64 {
                let number = stored.unwrap_or_default() as u64;
                match hasher {
                    KeyHasher::Mum => Mum.number(number),
                    KeyHasher::Other(other) => other.number(number),
                }
            }
        }
    )*};
}

integer_key!(u32, i32, u64, i64);

impl<T: OwnedRecord + Hash + Eq> Key for Own<T> {
    type Probe<'a> = (u64, &'a T);
    type Stored = Option<(u64, T)>;

    fn probe<'a>(view: &'a T, hashing: &impl Hashing) -> (u64, &'a T)
    where
        'a: 'a,
    {
        (hashing.record(view), view)
    }

    #[inline(always)]
    fn hash(probe: &(u64, &T)) -> u64 {
        probe.0
    }

    fn vacant() -> Option<(u64, T)> {
        None
    }

    fn is_vacant(stored: &Option<(u64, T)>) -> bool {
        stored.is_none()
    }

    fn matches(stored: &Option<(u64, T)>, probe: &(u64, &T), _: &Arena) -> bool {
        stored.as_ref().is_some_and(|(hash, key)| *hash == probe.0 && key == probe.1)
    }

    fn store(probe: &(u64, &T), _: &mut Arena) -> Option<(u64, T)> {
        Some((probe.0, probe.1.clone()))
    }

    fn view<'a>(stored: &'a Option<(u64, T)>, _: &'a Arena) -> &'a T {
        &stored.as_ref().expect("asked only of slots that are not empty").1
    }

    fn stored_hash(stored: &Option<(u64, T)>, _: &KeyHasher) -> u64 {
        stored.as_ref().map_or(0, |(hash, _)| *hash)
    }
}

impl<A: Key, B: Key> Key for Pair<A, B> {
    type Probe<'a> = (A::Probe<'a>, B::Probe<'a>);
    type Stored = (A::Stored, B::Stored);

    fn probe<'a>((a, b): (A::View<'a>, B::View<'a>), hashing: &impl Hashing) -> Self::Probe<'a> {
        (A::probe(a, hashing), B::probe(b, hashing))
    }

    fn hash((a, b): &Self::Probe<'_>) -> u64 {
        fold(A::hash(a), B::hash(b))
    }

    fn vacant() -> Self::Stored {
        (A::vacant(), B::vacant())
    }

    fn is_vacant(stored: &Self::Stored) -> bool {
        A::is_vacant(&stored.0)
    }

    fn matches(stored: &Self::Stored, probe: &Self::Probe<'_>, arena: &Arena) -> bool {
        A::matches(&stored.0, &probe.0, arena) && B::matches(&stored.1, &probe.1, arena)
    }

    fn store(probe: &Self::Probe<'_>, arena: &mut Arena) -> Self::Stored {
        (A::store(&probe.0, arena), B::store(&probe.1, arena))
    }

    fn view<'a>(stored: &'a Self::Stored, arena: &'a Arena) -> Self::View<'a> {
        (A::view(&stored.0, arena), B::view(&stored.1, arena))
    }

    fn stored_hash(stored: &Self::Stored, hasher: &KeyHasher) -> u64 {
        fold(A::stored_hash(&stored.0, hasher), B::stored_hash(&stored.1, hasher))
    }
}
