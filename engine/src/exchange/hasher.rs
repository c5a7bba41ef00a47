//! The hash of keys. Which one, is chosen for a context, and asked for once for a group of keys: the default costs what it costs alone.

use super::key::{Key, NO_PLACE, SHORT_BYTES};
use super::machine::short_text;
use crate::settings::Hasher;
use std::hash::{BuildHasher, Hash, RandomState};

/// The hash of all keys of a context. Everything that must agree on where a key belongs has a copy of it.
#[derive(Clone, Default)]
pub enum KeyHasher {
    /// Numbers are multiplied, and the halves of the product mixed.
    #[default]
    Mum,
    /// Any other.
    Other(OtherHasher),
}

/// A hash of the bytes of keys.
#[derive(Clone)]
pub enum OtherHasher {
    /// foldhash, always with the same seed.
    Foldhash,
    /// SipHash-1-3 with a key that nobody knows.
    Siphash(RandomState),
}

/// How keys are hashed: each kind of key knows what it consists of.
pub trait Hashing {
    /// Hash of a number.
    fn number(&self, number: u64) -> u64;
    /// Hash of a short text, whose halves are given as well, as it is kept in a slot.
    fn short_text(&self, halves: (u64, u64), text: &[u8]) -> u64;
    /// What is kept of a long text in a slot, and its hash.
    fn long_text(&self, text: &[u8]) -> (u64, u64);
    /// Hash of a record of a user's own type.
    fn record<T: Hash>(&self, record: &T) -> u64;
}

impl KeyHasher {
    /// The hash that the settings ask for; each context has a SipHash key of its own.
    pub(crate) fn of(hasher: Hasher) -> Self {
        match hasher {
            Hasher::Mum => KeyHasher::Mum,
            Hasher::Foldhash => KeyHasher::Other(OtherHasher::Foldhash),
            Hasher::Siphash => KeyHasher::Other(OtherHasher::Siphash(RandomState::new())),
        }
    }

    /// One key made ready. For several, `probe_each` chooses the hash once.
    pub(crate) fn probe<'a, K: Key>(&self, view: K::View<'a>) -> K::Probe<'a> {
        match self {
            KeyHasher::Mum => K::probe(view, &Mum),
            KeyHasher::Other(other) => K::probe(view, other),
        }
    }

    /// Makes the keys of some records ready, in their order.
    #[inline(always)]
    pub(crate) fn probe_each<'a, K: Key, R: Copy>(
        &self,
        records: &[R],
        key: impl Fn(&R) -> K::View<'a>,
        mut visit: impl FnMut(&R, K::Probe<'a>),
    ) {
        match self {
            KeyHasher::Mum => records.iter().for_each(|record| visit(record, K::probe(key(record), &Mum))),
            KeyHasher::Other(other) => records.iter().for_each(|record| visit(record, K::probe(key(record), other))),
        }
    }
}

/// The default: a number, or a text as it lies in a slot, is hashed in registers.
pub(super) struct Mum;

/// Folded multiplication: the two halves of a 128-bit product, mixed (as in wyhash and foldhash).
#[inline(always)]
pub(super) fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a ^ 0x9E37_79B9_7F4A_7C15) * u128::from(b ^ 0xD6E8_FEB8_6659_FD93);
    product as u64 ^ (product >> 64) as u64
}

/// Hash of a text's halves and length.
#[inline(always)]
pub(super) fn text_hash(low: u64, high: u64, length: usize) -> u64 {
    fold(low, high.wrapping_add(length as u64))
}

/// Hash of the content of a long text, 16 bytes at a time; the last piece overlaps the one before.
fn content_hash(text: &[u8]) -> u64 {
    let mut hash = text.len() as u64;
    let mut rest = text;
    while rest.len() > SHORT_BYTES {
        let (low, high) = short_text(&rest[..SHORT_BYTES]);
        hash = fold(hash ^ low, high);
        rest = &rest[SHORT_BYTES..];
    }
    let (low, high) = short_text(&text[text.len() - SHORT_BYTES..]);
    fold(hash ^ low, high)
}

impl Hashing for Mum {
    #[inline(always)]
    fn number(&self, number: u64) -> u64 {
        fold(number, 0)
    }

    #[inline(always)]
    fn short_text(&self, (low, high): (u64, u64), text: &[u8]) -> u64 {
        text_hash(low, high, text.len())
    }

    #[inline(always)]
    fn long_text(&self, text: &[u8]) -> (u64, u64) {
        let content = content_hash(text);
        (content, text_hash(content, NO_PLACE, text.len()))
    }

    fn record<T: Hash>(&self, record: &T) -> u64 {
        OtherHasher::Foldhash.record(record)
    }
}

impl Hashing for OtherHasher {
    fn number(&self, number: u64) -> u64 {
        self.record(&number)
    }

    fn short_text(&self, _: (u64, u64), text: &[u8]) -> u64 {
        self.record(&text)
    }

    fn long_text(&self, text: &[u8]) -> (u64, u64) {
        let hash = self.record(&text);
        (hash, hash)
    }

    fn record<T: Hash>(&self, record: &T) -> u64 {
        match self {
            OtherHasher::Foldhash => foldhash::fast::FixedState::default().hash_one(record),
            OtherHasher::Siphash(state) => state.hash_one(record),
        }
    }
}
