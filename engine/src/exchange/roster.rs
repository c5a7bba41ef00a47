//! The hash table of state that stays from batch to batch: keys at places that do not move, found through an index.
//!
//! The index has 8 bytes a slot, so that it is small, and growing it touches no entry. Entries lie without gaps in the order in which
//! keys came (places of removed keys are taken again), so that going through all of them costs what there is.
//! Keys are looked up in groups, so that the cache misses of index and entries overlap, as in [`Table`](super::Table).

use super::hasher::KeyHasher;
use super::key::{Arena, Key};
use super::machine::prefetch;

/// Records whose look-ups overlap, as in the table of combine and reduce.
const GROUP: usize = 32;
const SMALLEST_SLOTS: usize = 64;
/// Long keys that were removed keep their bytes until there are this many.
const HOLLOW_BYTES: usize = 1 << 20;
/// No place: the slot is empty.
pub(crate) const NOWHERE: u32 = u32::MAX;

/// A value of the kind `O` for each key.
pub(crate) struct Roster<K: Key, O> {
    /// Open addressing, linear probing; a power of two of slots, at most three quarters of them taken.
    index: Vec<Slot>,
    entries: Vec<Entry<K::Stored, O>>,
    /// Places of removed keys.
    vacant: Vec<u32>,
    arena: Arena,
    hasher: KeyHasher,
    /// Keys removed since the memory was tidied.
    removed: usize,
}

#[derive(Clone, Copy)]
struct Slot {
    /// The lower half of the key's hash: tells where the slot belongs and, mostly, whether the key is another one.
    hash: u32,
    place: u32,
}

/// Aligned, so that a number's state lies in one cache line: 1,000 records on 1 M keys took 59 µs instead of 66.
#[repr(align(32))]
struct Entry<S, O> {
    key: S,
    value: O,
}

impl Slot {
    const EMPTY: Slot = Slot { hash: 0, place: NOWHERE };

    fn is_empty(self) -> bool {
        self.place == NOWHERE
    }
}

impl<K: Key, O: Default> Roster<K, O> {
    /// No keys; they are hashed like this.
    pub(crate) fn new(hasher: KeyHasher) -> Self {
        Roster {
            index: vec![Slot::EMPTY; SMALLEST_SLOTS],
            entries: Vec::new(),
            vacant: Vec::new(),
            arena: Arena::default(),
            hasher,
            removed: 0,
        }
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.entries.len() - self.vacant.len()
    }

    /// One past the highest place that was ever taken.
    pub(crate) fn places(&self) -> usize {
        self.entries.len()
    }

    /// Shows each record the place and the value of its key, which starts as the default.
    pub(crate) fn place_each<'r, R: Copy>(
        &mut self,
        records: &[R],
        key: impl Fn(&R) -> K::View<'r>,
        mut visit: impl FnMut(&R, u32, &mut O),
    ) {
        for group in records.chunks(GROUP) {
            self.reserve(group.len());
            let probes = self.prefetched(group, &key);
            for (record, probe) in group.iter().zip(&probes) {
                let place = self.place_of(probe);
                visit(record, place, &mut self.entries[place as usize].value);
            }
        }
    }

    /// The key and the value at a place, if it is taken.
    pub(crate) fn at(&mut self, place: u32) -> Option<(K::View<'_>, &mut O)> {
        let Entry { key, value } = self.entries.get_mut(place as usize)?;
        (!K::is_vacant(key)).then(|| (K::view(key, &self.arena), value))
    }

    /// Hints that these places will be looked at.
    pub(crate) fn prefetch(&self, places: &[u32]) {
        places.iter().for_each(|place| prefetch(&self.entries[*place as usize]));
    }

    /// Removes the key at a place that is taken.
    pub(crate) fn remove(&mut self, place: u32) {
        let entry = &mut self.entries[place as usize];
        let mut at = K::stored_hash(&entry.key, &self.hasher) as u32 as usize & (self.index.len() - 1);
        *entry = Entry { key: K::vacant(), value: O::default() };
        while self.index[at].place != place {
            at = (at + 1) & (self.index.len() - 1);
        }
        self.empty_slot(at);
        self.vacant.push(place);
        self.removed += 1;
    }

    /// Keeps the keys for which `keep` says so; it sees each place with its key and value.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(u32, K::View<'_>, &mut O) -> bool) {
        for place in 0..self.entries.len() {
            let Entry { key, value } = &mut self.entries[place];
            if !K::is_vacant(key) && !keep(place as u32, K::view(key, &self.arena), value) {
                self.remove(place as u32);
            }
        }
    }

    /// The keys and values in the order of their places.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K::View<'_>, &O)> {
        let taken = self.entries.iter().filter(|entry| !K::is_vacant(&entry.key));
        taken.map(|entry| (K::view(&entry.key, &self.arena), &entry.value))
    }

    /// Gives back the memory of removed keys when most of it is theirs. Returns the new place of each old one then; what it
    /// costs follows the keys removed since the last time.
    pub(crate) fn tidy(&mut self) -> Option<Vec<u32>> {
        let is_sparse = self.entries.len() > SMALLEST_SLOTS && self.len() < self.entries.len() / 4;
        let is_hollow = is_sparse || self.arena.len() > HOLLOW_BYTES;
        (self.removed > self.len() && is_hollow).then(|| self.moved_together())
    }

    fn moved_together(&mut self) -> Vec<u32> {
        let mut arena = Arena::default();
        let taken = self.entries.iter().map(|entry| &entry.key).filter(|key| !K::is_vacant(key));
        // Before anything is moved: to copy a key of a user's own type is to run code of the user.
        let keys: Vec<K::Stored> =
            taken.map(|key| K::store(&self.hasher.probe::<K>(K::view(key, &self.arena)), &mut arena)).collect();
        let mut places = vec![NOWHERE; self.entries.len()];
        let mut entries = Vec::with_capacity(keys.len());
        let mut keys = keys.into_iter();
        for (place, entry) in std::mem::take(&mut self.entries).into_iter().enumerate() {
            if !K::is_vacant(&entry.key)
                && let Some(key) = keys.next()
            {
                places[place] = entries.len() as u32;
                entries.push(Entry { key, value: entry.value });
            }
        }
        let slots = slots_for(entries.len());
        let hash = |entry: &Entry<K::Stored, O>| K::stored_hash(&entry.key, &self.hasher) as u32;
        let filled = entries.iter().zip(0..).map(|(entry, place)| Slot { hash: hash(entry), place });
        self.index = indexed(slots, filled);
        (self.entries, self.vacant, self.arena, self.removed) = (entries, Vec::new(), arena, 0);
        places
    }

    /// Makes room for more keys.
    fn reserve(&mut self, more: usize) {
        let slots = slots_for(self.len() + more);
        if slots > self.index.len() {
            let taken = self.index.iter().copied().filter(|slot| !slot.is_empty());
            self.index = indexed(slots, taken);
        }
    }

    /// The keys of a group made ready, their slots and then their entries asked for.
    #[inline(always)]
    fn prefetched<'r, R: Copy>(
        &self,
        group: &[R],
        key: &impl Fn(&R) -> K::View<'r>,
    ) -> arrayvec::ArrayVec<K::Probe<'r>, GROUP> {
        let mask = self.index.len() - 1;
        let mut probes = arrayvec::ArrayVec::<_, GROUP>::new();
        self.hasher.probe_each::<K, R>(group, key, |_, probe| {
            prefetch(&self.index[K::hash(&probe) as usize & mask]);
            probes.push(probe);
        });
        for probe in &probes {
            self.prefetch_entry(K::hash(probe) as u32);
        }
        probes
    }

    #[inline(always)]
    fn prefetch_entry(&self, hash: u32) {
        let mask = self.index.len() - 1;
        let mut at = hash as usize & mask;
        while !self.index[at].is_empty() {
            if self.index[at].hash == hash {
                prefetch(&self.entries[self.index[at].place as usize]);
                return;
            }
            at = (at + 1) & mask;
        }
    }

    /// The place of a key, a new one if it has none; there is room in the index.
    #[inline(always)]
    fn place_of(&mut self, probe: &K::Probe<'_>) -> u32 {
        let (hash, mask) = (K::hash(probe) as u32, self.index.len() - 1);
        let mut at = hash as usize & mask;
        loop {
            let slot = self.index[at];
            if slot.is_empty() {
                return self.enter(at, hash, probe);
            }
            if slot.hash == hash && K::matches(&self.entries[slot.place as usize].key, probe, &self.arena) {
                return slot.place;
            }
            at = (at + 1) & mask;
        }
    }

    fn enter(&mut self, at: usize, hash: u32, probe: &K::Probe<'_>) -> u32 {
        let entry = Entry { key: K::store(probe, &mut self.arena), value: O::default() };
        let place = if let Some(place) = self.vacant.pop() {
            self.entries[place as usize] = entry;
            place
        } else {
            let place = u32::try_from(self.entries.len()).ok().filter(|place| *place != NOWHERE);
            self.entries.push(entry);
            place.expect("a partition holds fewer than 2^32 keys")
        };
        self.index[at] = Slot { hash, place };
        place
    }

    /// Empties a slot and moves those behind it up, so that no search ends too early (Knuth 6.4, algorithm R).
    fn empty_slot(&mut self, mut hole: usize) {
        let mask = self.index.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            let slot = self.index[at];
            if slot.is_empty() {
                break;
            }
            let home = slot.hash as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.index[hole] = slot;
                hole = at;
            }
        }
        self.index[hole] = Slot::EMPTY;
    }
}

/// Slots for this many keys: at most three quarters are taken.
fn slots_for(keys: usize) -> usize {
    (keys * 4).div_ceil(3).next_power_of_two().max(SMALLEST_SLOTS)
}

/// An index of so many slots with these filled.
fn indexed(slots: usize, filled: impl Iterator<Item = Slot>) -> Vec<Slot> {
    let mut index = vec![Slot::EMPTY; slots];
    for slot in filled {
        let mut at = slot.hash as usize & (slots - 1);
        while !index[at].is_empty() {
            at = (at + 1) & (slots - 1);
        }
        index[at] = slot;
    }
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Own, Text};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn contents(roster: &Roster<u64, u64>) -> BTreeMap<u64, u64> {
        roster.iter().map(|(key, value)| (key, *value)).collect()
    }

    proptest! {
        #[test]
        fn keys_are_counted_removed_and_found_again(rounds in prop::collection::vec((prop::collection::vec(0u64..400, 0..200), 1u64..6), 1..8)) {
            let (mut roster, mut expected) = (Roster::<u64, u64>::new(KeyHasher::default()), BTreeMap::<u64, u64>::new());
            for (keys, step) in rounds {
                let mut places = BTreeMap::new();
                roster.place_each(&keys, |key| *key, |key, place, count| {
                    *count += 1;
                    assert_eq!(*places.entry(*key).or_insert(place), place, "a key has one place");
                });
                keys.iter().for_each(|key| *expected.entry(*key).or_default() += 1);
                prop_assert_eq!(contents(&roster), expected.clone());
                roster.retain(|_, key, count| { *count += 1; !key.is_multiple_of(step) });
                expected.retain(|key, count| { *count += 1; !key.is_multiple_of(step) });
                prop_assert_eq!(roster.len(), expected.len());
                prop_assert_eq!(contents(&roster), expected.clone());
            }
        }
    }

    #[test]
    fn keys_with_the_same_half_of_a_hash_are_different_keys() {
        // Folding makes the lower halves of these two hashes equal; found by trying.
        let lower = |key: u64| u64::hash(&KeyHasher::Mum.probe::<u64>(key)) as u32;
        let mut seen = BTreeMap::new();
        let (one, other) = (0..).find_map(|key| seen.insert(lower(key), key).map(|before| (before, key))).expect("few");
        let mut roster = Roster::<u64, u64>::new(KeyHasher::default());
        roster.place_each(&[one, other, one], |key| *key, |_, _, count| *count += 1);
        assert_eq!(contents(&roster), BTreeMap::from([(one, 2), (other, 1)]));
        let mut place_of_one = NOWHERE;
        roster.place_each(&[one], |key| *key, |_, place, _| place_of_one = place);
        roster.remove(place_of_one);
        assert!(roster.at(place_of_one).is_none() && roster.at(NOWHERE).is_none());
        assert_eq!(contents(&roster), BTreeMap::from([(other, 1)]));
    }

    #[test]
    fn tidying_gives_memory_back_and_says_where_everything_went() {
        let key = |number: u32| format!("a key of more than sixteen bytes {number}");
        let mut roster = Roster::<Own<String>, u32>::new(KeyHasher::default());
        let keys: Vec<String> = (0..1_000).map(key).collect();
        let views: Vec<&String> = keys.iter().collect();
        let mut number = 0;
        roster.place_each(
            &views,
            |key| *key,
            |_, _, value| {
                *value = number;
                number += 1;
            },
        );
        assert!(roster.tidy().is_none(), "nothing was removed");
        let mut places = BTreeMap::new();
        roster.retain(|place, _, number| {
            places.insert(*number, place);
            number.is_multiple_of(100)
        });
        let moved = roster.tidy().expect("most is gone");
        assert_eq!((roster.len(), roster.places(), roster.index.len()), (10, 10, SMALLEST_SLOTS));
        for number in (0..1_000).step_by(100) {
            let place = moved[places[&number] as usize];
            let (text, value) = roster.at(place).expect("kept");
            assert_eq!((text, *value), (&key(number), number));
        }
        assert_eq!(moved.iter().filter(|place| **place == NOWHERE).count(), 990);
        assert!(roster.tidy().is_none(), "once is enough");
    }

    #[test]
    fn the_bytes_of_long_keys_that_left_are_given_back() {
        let mut roster = Roster::<Text, u64>::new(KeyHasher::default());
        for number in 0..60_000 {
            let key = format!("a key of more than sixteen bytes {number}");
            roster.place_each(&[key.as_bytes()], |key| *key, |_, _, _| ());
            // Ten keys at a time: the places are taken again and again, only the bytes grow.
            if number >= 10 {
                let old = format!("a key of more than sixteen bytes {}", number - 10);
                let mut place = NOWHERE;
                roster.place_each(&[old.as_bytes()], |key| *key, |_, at, _| place = at);
                roster.remove(place);
            }
            roster.tidy();
            assert!(roster.arena.len() <= HOLLOW_BYTES + 64, "{} bytes", roster.arena.len());
        }
        assert_eq!((roster.len(), roster.places()), (10, 11));
    }
}
