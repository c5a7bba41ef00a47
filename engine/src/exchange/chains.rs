//! Which records have which key: for each key the chain of their numbers, in the order of the records.

use super::key::Key;
use super::table::Table;
use crate::record::{CHUNK, Column, Family, PairColumn};
use arrayvec::ArrayVec;

/// The numbers of the first and last record of a chain, counted from 1; 0 when there is none.
///
/// With both ends in the slot of its key, a record is appended without walking the chain, and a chain of one record needs
/// no second look at memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chain {
    first: u32,
    last: u32,
}

impl Chain {
    pub(crate) fn is_empty(self) -> bool {
        self.first == 0
    }
}

/// A column of pairs made ready to be asked for by key.
pub(crate) struct Chains<K: Key> {
    table: Table<K, Chain>,
    /// The number, counted from 1, of the record that comes next in the chain of each that is not the last of its own.
    next: Vec<u32>,
}

impl<K: Key> Chains<K> {
    /// Chains all records of a column, in a table that is empty.
    pub(crate) fn of<V: Family>(mut table: Table<K, Chain>, records: &PairColumn<K, V>) -> Self {
        let mut next = Vec::with_capacity(records.len());
        for_each_keys(records, |keys| table.update_each(keys, |key| *key, |_, chain| append(&mut next, chain)));
        Chains { table, next }
    }

    /// Shows each record the chain of its key, an empty one if there is none.
    #[inline(always)]
    pub(crate) fn find_each<'r, R: Copy>(
        &self,
        records: &[R],
        key: impl Fn(&R) -> K::View<'r>,
        mut visit: impl FnMut(&R, Chain),
    ) {
        self.table.find_each(records, key, |record, chain| visit(record, chain.copied().unwrap_or_default()));
    }

    /// The records of a chain, each as its index in the column.
    #[inline(always)]
    pub(crate) fn indices(&self, chain: Chain) -> impl Iterator<Item = usize> {
        let mut at = chain.first;
        std::iter::from_fn(move || {
            let index = (at as usize).checked_sub(1)?;
            at = if at == chain.last { 0 } else { self.next[index] };
            Some(index)
        })
    }

    /// Shows the chain of each key.
    pub(crate) fn for_each(&self, mut visit: impl FnMut(Chain)) {
        self.table.iter().for_each(|(_, chain)| visit(*chain));
    }

    /// The table, to be used again.
    pub(crate) fn into_table(self) -> Table<K, Chain> {
        self.table
    }
}

/// Appends the next record of the column to a chain.
#[inline(always)]
fn append(next: &mut Vec<u32>, chain: &mut Chain) {
    next.push(0);
    let number = u32::try_from(next.len()).expect("columns hold fewer than 2^32 records");
    if chain.first == 0 {
        chain.first = number;
    } else {
        next[chain.last as usize - 1] = number;
    }
    chain.last = number;
}

/// Shows the keys of a column in order, some at a time.
pub(super) fn for_each_keys<'c, K: Key, V: Family>(
    records: &'c PairColumn<K, V>,
    mut visit: impl FnMut(&[K::View<'c>]),
) {
    for start in (0..records.len()).step_by(CHUNK) {
        let end = records.len().min(start + CHUNK);
        let keys: ArrayVec<K::View<'c>, CHUNK> = (start..end).map(|index| records.keys().view(index)).collect();
        visit(&keys);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Text;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    proptest! {
        #[test]
        fn a_key_finds_its_records_in_order_and_no_others(keys in prop::collection::vec("[a-c]{0,2}|[ab]{17}", 0..700), probes in prop::collection::vec("[a-c]{0,2}|[ab]{17}", 0..300)) {
            let mut column = PairColumn::<Text, u64>::default();
            let mut expected = BTreeMap::<&[u8], Vec<usize>>::new();
            for (index, key) in keys.iter().enumerate() {
                column.push((key.as_bytes(), 0));
                expected.entry(key.as_bytes()).or_default().push(index);
            }
            let chains = Chains::of(Table::new(Default::default()), &column);
            let probes: Vec<&[u8]> = probes.iter().map(|key| key.as_bytes()).collect();
            let mut found = Vec::new();
            chains.find_each(&probes, |key| *key, |_, chain| {
                let indices: Vec<usize> = chains.indices(chain).collect();
                assert_eq!(chain.is_empty(), indices.is_empty());
                found.push(indices);
            });
            let expected: Vec<Vec<usize>> = probes.iter().map(|key| expected.get(key).cloned().unwrap_or_default()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
