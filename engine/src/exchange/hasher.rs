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
        foldhash::fast::FixedState::default().hash_one(record)
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

    // Called, so that the loops over keys stay as small as they are for the default alone.
    #[inline(never)]
    fn record<T: Hash>(&self, record: &T) -> u64 {
        match self {
            OtherHasher::Foldhash => foldhash::fast::FixedState::default().hash_one(record),
            OtherHasher::Siphash(state) => state.hash_one(record),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Arena, Roster, Table};
    use crate::record::{Own, Pair, Text};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn every() -> [KeyHasher; 3] {
        [Hasher::Mum, Hasher::Foldhash, Hasher::Siphash].map(KeyHasher::of)
    }

    /// A stored key hashes as it did when it was looked for.
    fn agrees<K: Key>(hasher: &KeyHasher, view: K::View<'_>) -> u64 {
        let mut arena = Arena::default();
        let probe = hasher.probe::<K>(view);
        let stored = K::store(&probe, &mut arena);
        assert!(K::matches(&stored, &probe, &arena));
        assert_eq!(K::stored_hash(&stored, hasher), K::hash(&probe));
        let mut group = Vec::new();
        hasher.probe_each::<K, _>(&[view, view], |view| *view, |_, probe| group.push(K::hash(&probe)));
        assert_eq!(group, [K::hash(&probe); 2]);
        K::hash(&probe)
    }

    proptest! {
        #[test]
        fn stored_keys_hash_as_they_did(text in prop::collection::vec(any::<u8>(), 0..40), number in any::<i64>()) {
            let own = String::from_utf8_lossy(&text).into_owned();
            for hasher in every() {
                agrees::<Text>(&hasher, &text);
                agrees::<i64>(&hasher, number);
                agrees::<u32>(&hasher, number as u32);
                agrees::<Own<String>>(&hasher, &own);
                agrees::<Pair<Text, Pair<i64, Own<String>>>>(&hasher, (&text, (number, &own)));
            }
        }

        #[test]
        fn tables_and_rosters_hold_the_same_under_every_hash(keys in prop::collection::vec("[ab]{0,3}|[ab]{16,18}", 0..400), keep in 1usize..4) {
            let views: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
            let mut expected = BTreeMap::<&[u8], u64>::new();
            views.iter().for_each(|key| *expected.entry(key).or_default() += 1);
            expected.retain(|key, _| key.len() % keep == 0);
            for hasher in every() {
                let mut table = Table::<Text, u64>::new(hasher.clone());
                table.change_each(views.iter().map(|view| (*view, ())), |(), count| { *count += 1; true });
                table.change_each(views.iter().filter(|view| view.len() % keep != 0).map(|view| (*view, ())), |(), _| false);
                prop_assert_eq!(table.compacted().iter().map(|(key, count)| (key.to_vec(), *count)).collect::<BTreeMap<_, _>>(),
                    expected.iter().map(|(key, count)| (key.to_vec(), *count)).collect());
                let mut roster = Roster::<Text, u64>::new(hasher);
                roster.place_each(&views, |view| *view, |_, _, count| *count += 1);
                roster.retain(|_, key, _| key.len() % keep == 0);
                roster.tidy();
                roster.place_each(&views, |view| *view, |_, _, _| ());
                roster.retain(|_, key, _| key.len() % keep == 0);
                let held: BTreeMap<&[u8], u64> = roster.iter().map(|(key, count)| (key, *count)).collect();
                prop_assert_eq!(held, expected.clone());
            }
        }
    }

    #[test]
    fn each_hash_is_another_and_siphash_another_in_each_context() {
        let hashes = |text: &[u8], number| {
            let [mum, foldhash, siphash] = every();
            let again = KeyHasher::of(Hasher::Siphash);
            [mum, foldhash, siphash, again]
                .map(|hasher| (agrees::<Text>(&hasher, text), agrees::<u64>(&hasher, number)))
        };
        let hashes = [hashes(b"a", 1), hashes(b"a text of more than sixteen bytes", 2)].concat();
        let texts: std::collections::BTreeSet<u64> = hashes.iter().map(|(text, _)| *text).collect();
        let numbers: std::collections::BTreeSet<u64> = hashes.iter().map(|(_, number)| *number).collect();
        assert_eq!((texts.len(), numbers.len()), (8, 8));
    }
}
