//! The hash table of combine, reduce and windows: open addressing, linear probing, keys in the slots.
//!
//! Records are added in groups: all of a group are hashed and their slots prefetched before the first is looked up, so
//! that cache misses overlap (`yardsticks/expert` shows what that is worth).

use super::hasher::KeyHasher;
use super::key::{Arena, Key};
use super::machine::prefetch;
use crate::clock::lock;
use std::sync::Mutex;

/// Records whose look-ups overlap: in the example `word_count FILE 1`, 8 took 173 ms a batch, 32 took 158 and 64 took 157.
const GROUP: usize = 32;
const SMALLEST_SLOTS: usize = 64;
/// Long keys that were removed keep their bytes until a table has this many, and 64 a key.
const HOLLOW_BYTES: usize = 1 << 20;

#[derive(Clone)]
#[repr(align(32))]
struct Slot<S, O> {
    key: S,
    value: O,
}

/// Groups: a value for each distinct key.
pub(crate) struct Table<K: Key, O> {
    slots: Vec<Slot<K::Stored, O>>,
    len: usize,
    arena: Arena,
    hasher: KeyHasher,
    /// Batches in a row that needed less than an eighth of the slots.
    roomy_batches: u32,
}

impl<K: Key, O: Clone + Default> Table<K, O> {
    pub(crate) fn new(hasher: KeyHasher) -> Self {
        let slots = Self::vacant_slots(SMALLEST_SLOTS);
        Table { slots, len: 0, arena: Arena::default(), hasher, roomy_batches: 0 }
    }

    fn vacant_slots(count: usize) -> Vec<Slot<K::Stored, O>> {
        vec![Slot { key: K::vacant(), value: O::default() }; count]
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for this many keys in all.
    pub(crate) fn reserve(&mut self, keys: usize) {
        if !fits(keys, self.slots.len()) {
            self.resize((keys * 4).div_ceil(3).next_power_of_two());
        }
    }

    /// Adds records to the tables of their partitions. `combine` is called with the value there and the new one.
    #[inline]
    pub(crate) fn merge_into<'r, R: Copy>(
        tables: &mut [Self],
        records: &[R],
        key: impl Fn(&R) -> K::View<'r>,
        value: impl Fn(&R) -> O,
        combine: &impl Fn(O, O) -> O,
    ) {
        for group in records.chunks(GROUP) {
            tables.iter_mut().for_each(|table| table.reserve(table.len + GROUP));
            if let [table] = tables {
                table.merge_group(group, &key, &value, combine);
            } else {
                Self::merge_partitioned(tables, group, &key, &value, combine);
            }
        }
    }

    /// A group of records, all for this table, which has room for them.
    #[inline(always)]
    fn merge_group<'r, R: Copy>(
        &mut self,
        group: &[R],
        key: &impl Fn(&R) -> K::View<'r>,
        value: &impl Fn(&R) -> O,
        combine: &impl Fn(O, O) -> O,
    ) {
        let mut probes = arrayvec::ArrayVec::<K::Probe<'r>, GROUP>::new();
        let mask = self.slots.len() - 1;
        self.hasher.probe_each::<K, R>(group, key, |_, probe| {
            prefetch(&self.slots[K::hash(&probe) as usize & mask]);
            probes.push(probe);
        });
        for (record, probe) in group.iter().zip(&probes) {
            self.merge_one(probe, value(record), combine);
        }
    }

    /// A group of records, each for the table of its partition; all have room for them.
    #[inline(always)]
    fn merge_partitioned<'r, R: Copy>(
        tables: &mut [Self],
        group: &[R],
        key: &impl Fn(&R) -> K::View<'r>,
        value: &impl Fn(&R) -> O,
        combine: &impl Fn(O, O) -> O,
    ) {
        let mut probes = arrayvec::ArrayVec::<(K::Probe<'r>, usize), GROUP>::new();
        Self::probe_partitioned(tables, group, key, &mut probes);
        for (record, (probe, partition)) in group.iter().zip(&probes) {
            tables[*partition].merge_one(probe, value(record), combine);
        }
    }

    /// Makes the keys of a group ready, and asks for their slots in the tables of their partitions, which hash alike.
    #[inline(always)]
    fn probe_partitioned<'r, R: Copy>(
        tables: &[Self],
        group: &[R],
        key: &impl Fn(&R) -> K::View<'r>,
        probes: &mut arrayvec::ArrayVec<(K::Probe<'r>, usize), GROUP>,
    ) {
        tables[0].hasher.probe_each::<K, R>(group, key, |_, probe| {
            let partition = super::partition_of(K::hash(&probe), tables.len());
            let table = &tables[partition];
            prefetch(&table.slots[K::hash(&probe) as usize & (table.slots.len() - 1)]);
            probes.push((probe, partition));
        });
    }

    /// Adds one record; there is room.
    #[inline(always)]
    fn merge_one(&mut self, probe: &K::Probe<'_>, value: O, combine: &impl Fn(O, O) -> O) {
        let slots = self.slots.as_mut_slice();
        let mask = slots.len() - 1;
        let mut at = K::hash(probe) as usize;
        loop {
            let slot = &mut slots[at & mask];
            if K::matches(&slot.key, probe, &self.arena) {
                slot.value = combine(std::mem::take(&mut slot.value), value);
                return;
            }
            if K::is_vacant(&slot.key) {
                slot.key = K::store(probe, &mut self.arena);
                slot.value = value;
                self.len += 1;
                return;
            }
            at += 1;
        }
    }

    /// Adds records to the tables of their partitions: `create` makes the value of a new key from its first record, `merge` adds
    /// another record to it. Look-ups overlap as in `merge_into`, which stays apart: it is the hot path of `reduce_by_key`.
    pub(crate) fn fold_into<'r, R: Copy>(
        tables: &mut [Self],
        records: &[R],
        key: impl Fn(&R) -> K::View<'r>,
        create: impl Fn(&R) -> O,
        merge: impl Fn(O, &R) -> O,
    ) {
        for group in records.chunks(GROUP) {
            tables.iter_mut().for_each(|table| table.reserve(table.len + GROUP));
            let mut probes = arrayvec::ArrayVec::<(K::Probe<'r>, usize), GROUP>::new();
            Self::probe_partitioned(tables, group, &key, &mut probes);
            for (record, (probe, partition)) in group.iter().zip(&probes) {
                let table = &mut tables[*partition];
                let (at, found) = table.search(probe);
                if found {
                    let there = std::mem::take(&mut table.slots[at].value);
                    table.slots[at].value = merge(there, record);
                } else {
                    table.slots[at].value = create(record);
                    table.slots[at].key = K::store(probe, &mut table.arena);
                    table.len += 1;
                }
            }
        }
    }

    /// Adds all groups of another table.
    pub(crate) fn merge_table(&mut self, other: &Self, combine: &impl Fn(O, O) -> O) {
        self.reserve(self.len.max(other.len));
        self.merge_groups(other.iter(), combine);
    }

    pub(crate) fn merge_groups<'o>(
        &mut self,
        others: impl Iterator<Item = (K::View<'o>, &'o O)>,
        combine: &impl Fn(O, O) -> O,
    ) where
        O: 'o,
    {
        let mut groups = arrayvec::ArrayVec::<(K::View<'o>, &'o O), GROUP>::new();
        let tables = std::slice::from_mut(self);
        for (key, value) in others {
            groups.push((key, value));
            if groups.is_full() {
                Self::merge_into(tables, &groups, |group| group.0, |group| group.1.clone(), combine);
                groups.clear();
            }
        }
        Self::merge_into(tables, &groups, |group| group.0, |group| group.1.clone(), combine);
    }

    /// Changes the values of some keys, one after another, each with something that `change` is given. A new key starts with
    /// the default; `false` from `change` removes the key. Look-ups overlap as in `merge_into`.
    pub(crate) fn change_each<'r, P>(
        &mut self,
        mut keys: impl Iterator<Item = (K::View<'r>, P)>,
        mut change: impl FnMut(P, &mut O) -> bool,
    ) {
        loop {
            self.reserve(self.len + GROUP);
            let mask = self.slots.len() - 1;
            let mut group = arrayvec::ArrayVec::<(K::Probe<'r>, P), GROUP>::new();
            let (mut views, mut all_given) =
                (arrayvec::ArrayVec::<K::View<'r>, GROUP>::new(), arrayvec::ArrayVec::<P, GROUP>::new());
            for (key, given) in keys.by_ref().take(GROUP) {
                views.push(key);
                all_given.push(given);
            }
            if views.is_empty() {
                return;
            }
            let mut given = all_given.into_iter();
            self.hasher.probe_each::<K, _>(
                &views,
                |view| *view,
                |_, probe| {
                    prefetch(&self.slots[K::hash(&probe) as usize & mask]);
                    group.extend(given.next().map(|given| (probe, given)));
                },
            );
            for (probe, given) in group {
                self.change_one(&probe, |value| change(given, value));
            }
        }
    }

    /// Changes the value of one key; there is room for it.
    #[inline(always)]
    fn change_one(&mut self, probe: &K::Probe<'_>, change: impl FnOnce(&mut O) -> bool) {
        let (at, found) = self.search(probe);
        if !found {
            self.slots[at].key = K::store(probe, &mut self.arena);
            self.len += 1;
        }
        if !change(&mut self.slots[at].value) {
            self.remove_at(at);
        }
    }

    /// Shows each record the value of its key, which starts as the default. Look-ups overlap as in `merge_into`.
    pub(crate) fn update_each<'r, R: Copy>(
        &mut self,
        records: &[R],
        key: impl Fn(&R) -> K::View<'r>,
        mut update: impl FnMut(&R, &mut O),
    ) {
        for group in records.chunks(GROUP) {
            self.reserve(self.len + GROUP);
            let probes = self.prefetched(group, &key);
            for (record, probe) in group.iter().zip(&probes) {
                let (at, found) = self.search(probe);
                if !found {
                    self.slots[at].key = K::store(probe, &mut self.arena);
                    self.len += 1;
                }
                update(record, &mut self.slots[at].value);
            }
        }
    }

    /// Shows each record the value of its key, if the table has it. Look-ups overlap as in `merge_into`.
    pub(crate) fn find_each<'r, R: Copy>(
        &self,
        records: &[R],
        key: impl Fn(&R) -> K::View<'r>,
        mut visit: impl FnMut(&R, Option<&O>),
    ) {
        for group in records.chunks(GROUP) {
            let probes = self.prefetched(group, &key);
            for (record, probe) in group.iter().zip(&probes) {
                let (at, found) = self.search(probe);
                visit(record, found.then_some(&self.slots[at].value));
            }
        }
    }

    #[inline(always)]
    fn prefetched<'r, R: Copy>(
        &self,
        group: &[R],
        key: &impl Fn(&R) -> K::View<'r>,
    ) -> arrayvec::ArrayVec<K::Probe<'r>, GROUP> {
        let mask = self.slots.len() - 1;
        let mut probes = arrayvec::ArrayVec::new();
        self.hasher.probe_each::<K, R>(group, key, |_, probe| {
            prefetch(&self.slots[K::hash(&probe) as usize & mask]);
            probes.push(probe);
        });
        probes
    }

    /// The slot that has a key, or the empty one where it would go.
    #[inline(always)]
    fn search(&self, probe: &K::Probe<'_>) -> (usize, bool) {
        let mask = self.slots.len() - 1;
        let mut at = K::hash(probe) as usize & mask;
        loop {
            let stored = &self.slots[at].key;
            if K::matches(stored, probe, &self.arena) {
                return (at, true);
            }
            if K::is_vacant(stored) {
                return (at, false);
            }
            at = (at + 1) & mask;
        }
    }

    /// Empties a slot and moves those behind it up, so that no search ends too early (Knuth 6.4, algorithm R).
    fn remove_at(&mut self, mut hole: usize) {
        let mask = self.slots.len() - 1;
        let mut at = hole;
        loop {
            at = (at + 1) & mask;
            if K::is_vacant(&self.slots[at].key) {
                break;
            }
            let home = K::stored_hash(&self.slots[at].key, &self.hasher) as usize & mask;
            if at.wrapping_sub(home) & mask >= at.wrapping_sub(hole) & mask {
                self.slots.swap(hole, at);
                hole = at;
            }
        }
        self.slots[hole] = Slot { key: K::vacant(), value: O::default() };
        self.len -= 1;
    }

    /// The groups, in no order that means anything.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (K::View<'_>, &O)> {
        let occupied = self.slots.iter().filter(|slot| !K::is_vacant(&slot.key));
        occupied.map(|slot| (K::view(&slot.key, &self.arena), &slot.value))
    }

    /// The groups without the empty slots between them.
    pub(crate) fn to_dense(&self) -> Dense<K, O> {
        let occupied = self.slots.iter().filter(|slot| !K::is_vacant(&slot.key)).cloned();
        let mut slots = Vec::with_capacity(self.len);
        slots.extend(occupied);
        Dense { slots, arena: self.arena.clone() }
    }

    /// Most of its memory is of keys that are gone.
    pub(crate) fn is_hollow(&self) -> bool {
        let slots_are = self.slots.len() > SMALLEST_SLOTS && self.len < self.slots.len() / 16;
        slots_are || (self.arena.len() > HOLLOW_BYTES && self.arena.len() / 64 > self.len)
    }

    /// The same groups in fresh memory, without the bytes of keys that were removed.
    pub(crate) fn compacted(&self) -> Self {
        let mut fresh = Self::new(self.hasher.clone());
        fresh.reserve(self.len);
        fresh.merge_table(self, &|_, new| new);
        fresh
    }

    fn resize(&mut self, slots: usize) {
        let old = std::mem::replace(&mut self.slots, Self::vacant_slots(slots.max(SMALLEST_SLOTS)));
        let mask = self.slots.len() - 1;
        for slot in old.into_iter().filter(|slot| !K::is_vacant(&slot.key)) {
            let mut at = K::stored_hash(&slot.key, &self.hasher) as usize & mask;
            while !K::is_vacant(&self.slots[at].key) {
                at = (at + 1) & mask;
            }
            self.slots[at] = slot;
        }
    }

    /// Empties the table for another batch. Its memory is kept, unless the last batches needed much less of it: emptying
    /// and reading a table costs what it could hold, so that one giant batch would slow down all small ones after it.
    fn recycle(&mut self) {
        let roomy = self.slots.len() > SMALLEST_SLOTS && self.len < self.slots.len() / 8;
        self.roomy_batches = if roomy { self.roomy_batches + 1 } else { 0 };
        if self.roomy_batches >= 4 {
            let wanted = (self.len * 4).next_power_of_two().max(SMALLEST_SLOTS);
            self.slots = Self::vacant_slots(wanted);
            self.arena = Arena::default();
            self.roomy_batches = 0;
        } else {
            self.slots.fill(Slot { key: K::vacant(), value: O::default() });
        }
        self.arena.clear();
        self.len = 0;
    }
}

/// At most three quarters of the slots are taken.
#[inline(always)]
fn fits(keys: usize, slots: usize) -> bool {
    keys * 4 <= slots * 3
}

/// Groups in a row, for keeping: a table without empty slots.
pub(crate) struct Dense<K: Key, O> {
    slots: Vec<Slot<K::Stored, O>>,
    arena: Arena,
}

impl<K: Key, O> Dense<K, O> {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K::View<'_>, &O)> {
        self.slots.iter().map(|slot| (K::view(&slot.key, &self.arena), &slot.value))
    }
}

/// Emptied tables for the next batch.
pub(crate) struct TablePool<K: Key, O> {
    reuse: bool,
    hasher: KeyHasher,
    tables: Mutex<Vec<Table<K, O>>>,
}

impl<K: Key, O: Clone + Default> TablePool<K, O> {
    /// Tables that hash their keys like this.
    pub(crate) fn new(reuse: bool, hasher: KeyHasher) -> Self {
        TablePool { reuse, hasher, tables: Mutex::default() }
    }

    /// An empty table, with memory from an earlier batch if there is any.
    pub(crate) fn take(&self) -> Table<K, O> {
        lock(&self.tables).pop().unwrap_or_else(|| Table::new(self.hasher.clone()))
    }

    /// Gives a table back.
    pub(crate) fn put(&self, mut table: Table<K, O>) {
        if self.reuse {
            table.recycle();
            lock(&self.tables).push(table);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Own, Pair, Text};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn grouped<K: Key>(views: &[K::View<'_>], partitions: usize) -> Vec<Table<K, u64>> {
        let mut tables: Vec<Table<K, u64>> = (0..partitions).map(|_| Table::new(KeyHasher::default())).collect();
        Table::merge_into(&mut tables, views, |view| *view, |_| 1, &|a, b| a + b);
        tables
    }

    proptest! {
        #[test]
        fn text_groups_are_those_of_an_ordered_map(words in prop::collection::vec("[ab\\x00]{0,3}|[a-c]{14,18}|[a-z]{40}", 0..400), partitions in 1usize..5) {
            let views: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let mut expected = BTreeMap::<&[u8], u64>::new();
            views.iter().for_each(|word| *expected.entry(word).or_default() += 1);
            let tables = grouped::<Text>(&views, partitions);
            let got: BTreeMap<&[u8], u64> = tables.iter().flat_map(|table| table.iter()).map(|(word, count)| (word, *count)).collect();
            prop_assert_eq!(tables.iter().map(Table::len).sum::<usize>(), expected.len());
            prop_assert_eq!(got, expected);
        }

        #[test]
        fn merged_tables_are_the_groups_of_both(left in prop::collection::vec(0u64..300, 0..500), right in prop::collection::vec(0u64..300, 0..500)) {
            let mut merged = grouped::<u64>(&left, 1).remove(0);
            merged.merge_table(&grouped::<u64>(&right, 1)[0], &|a, b| a + b);
            let mut expected = BTreeMap::<u64, u64>::new();
            left.iter().chain(&right).for_each(|key| *expected.entry(*key).or_default() += 1);
            prop_assert_eq!(merged.iter().map(|(key, count)| (key, *count)).collect::<BTreeMap<_, _>>(), expected);
        }

        #[test]
        fn removed_keys_are_gone_and_the_others_are_found(changes in prop::collection::vec((0u64..60, any::<bool>()), 0..600)) {
            let mut table = Table::<u64, u64>::new(KeyHasher::default());
            let mut expected = BTreeMap::<u64, u64>::new();
            for (key, keep) in changes {
                table.change_each([(key, ())].into_iter(), |(), count| { *count += 1; keep });
                *expected.entry(key).or_default() += 1;
                if !keep {
                    expected.remove(&key);
                }
            }
            prop_assert_eq!(table.len(), expected.len());
            let check = |table: &Table<u64, u64>| table.iter().map(|(key, count)| (key, *count)).collect::<BTreeMap<_, _>>();
            prop_assert_eq!(check(&table), expected.clone());
            prop_assert_eq!(check(&table.compacted()), expected);
        }
    }

    proptest! {
        #[test]
        fn what_is_updated_is_found_and_nothing_else(keys in prop::collection::vec(0u64..200, 0..300), probes in prop::collection::vec(0u64..300, 0..80)) {
            let mut table = Table::<u64, u64>::new(KeyHasher::default());
            table.update_each(&keys, |key| *key, |_, count| *count += 1);
            let mut expected = BTreeMap::<u64, u64>::new();
            keys.iter().for_each(|key| *expected.entry(*key).or_default() += 1);
            prop_assert_eq!(table.len(), expected.len());
            table.find_each(&probes, |key| *key, |key, found| assert_eq!(found, expected.get(key)));
            prop_assert_eq!(table.iter().map(|(key, count)| (key, *count)).collect::<BTreeMap<_, _>>(), expected);
        }
    }

    #[test]
    fn texts_of_the_same_hash_are_different_keys() {
        // Eight bytes that make one factor of the folded product 0: what comes after them leaves no trace in the hash.
        let blind = |length: u64| (length ^ 0x9E37_79B9_7F4A_7C15).to_le_bytes();
        let long = |trace: &[u8; 8]| [&blind(32)[..], trace, b"the same 16 end."].concat();
        let short = |nuls: usize| [&blind(0)[..], &[0; 8][..nuls]].concat();
        for texts in [[long(b"trace 1."), long(b"trace 2.")], [short(0), short(1)]] {
            let [one, other] = &texts;
            let hash = |text: &[u8]| Text::hash(&KeyHasher::Mum.probe::<Text>(text));
            assert_eq!(hash(one), hash(other), "or this tests nothing");
            let table = &grouped::<Text>(&[one, other, one], 1)[0];
            let groups: BTreeMap<&[u8], u64> = table.iter().map(|(text, count)| (text, *count)).collect();
            assert_eq!(groups, BTreeMap::from([(&one[..], 2), (&other[..], 1)]));
        }
    }

    #[test]
    fn owned_and_paired_keys_group_like_the_rest() {
        let words = ["b".to_owned(), "a".to_owned(), "b".to_owned()];
        let views: Vec<(&String, &[u8])> = words.iter().map(|word| (word, &b"x"[..])).collect();
        let table = &grouped::<Pair<Own<String>, Text>>(&views, 1)[0];
        let mut groups: Vec<_> = table.iter().map(|((a, b), count)| (a.clone(), b.to_vec(), *count)).collect();
        groups.sort();
        assert_eq!(groups, [("a".to_owned(), b"x".to_vec(), 1), ("b".to_owned(), b"x".to_vec(), 2)]);
    }

    #[test]
    fn a_table_of_keys_that_left_is_hollow_until_it_is_compacted() {
        let mut table = grouped::<u64>(&(0..10_000).collect::<Vec<_>>(), 1).remove(0);
        table.change_each((10..10_000).map(|key| (key, ())), |(), _| false);
        assert!(table.is_hollow());
        let compacted = table.compacted();
        assert_eq!((compacted.len(), compacted.is_hollow()), (10, false));
        let mut long = Table::<Text, u64>::new(KeyHasher::default());
        for number in 0..40_000 {
            let key = format!("a key of more than sixteen bytes {number}");
            long.change_each([(key.as_bytes(), ())].into_iter(), |(), _| number % 500 == 0);
        }
        assert!(long.is_hollow() && !long.compacted().is_hollow());
    }

    #[test]
    fn a_recycled_table_is_empty_and_shrinks_after_small_batches() {
        let pool = TablePool::<u64, u64>::new(true, KeyHasher::default());
        let keys: Vec<u64> = (0..10_000).collect();
        let mut table = grouped::<u64>(&keys, 1).remove(0);
        let large = table.slots.len();
        for _ in 0..6 {
            pool.put(table);
            table = pool.take();
            assert_eq!(table.iter().count(), 0);
            Table::merge_into(std::slice::from_mut(&mut table), &[1u64, 2], |key| *key, |_| 1, &|a, b| a + b);
            assert_eq!(table.len(), 2);
        }
        assert!(table.slots.len() < large / 8, "{} slots after small batches", table.slots.len());
    }
}
