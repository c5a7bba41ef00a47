//! Records by group: a number for each distinct key, and the records of each group one after another.

use super::chains::for_each_keys;
use super::key::Key;
use super::table::Table;
use crate::record::{Column, Family, PairColumn};

/// The distinct keys of some columns, numbered from 0 in the order in which they first come.
pub(crate) struct Numbered<K: Key> {
    /// A key's number plus 1.
    table: Table<K, u32>,
    keys: K::Column,
}

impl<K: Key> Numbered<K> {
    /// No keys yet; the table is empty.
    pub(crate) fn new(table: Table<K, u32>) -> Self {
        Numbered { table, keys: K::Column::default() }
    }

    /// The number of the key of each record.
    pub(crate) fn number<V: Family>(&mut self, records: &PairColumn<K, V>) -> Vec<u32> {
        let mut numbers = Vec::with_capacity(records.len());
        for_each_keys(records, |some| {
            self.table.update_each(
                some,
                |key| *key,
                |key, number| {
                    if *number == 0 {
                        self.keys.push(*key);
                        *number = u32::try_from(self.keys.len()).expect("columns hold fewer than 2^32 records");
                    }
                    numbers.push(*number - 1);
                },
            );
        });
        numbers
    }

    /// The keys by number, and the table, to be used again.
    pub(crate) fn into_parts(self) -> (K::Column, Table<K, u32>) {
        (self.keys, self.table)
    }
}

/// Records in the order of their groups.
pub(crate) struct ByGroup {
    order: Vec<u32>,
    ends: Vec<u32>,
}

impl ByGroup {
    /// Sorts the indices of records by their groups, which are below `groups`; those of a group keep their order. Distribution
    /// counting (Knuth 5.2, algorithm D): unlike a walk along chains, no look at memory waits for the one before it.
    pub(crate) fn of(numbers: &[u32], groups: usize) -> Self {
        assert!(u32::try_from(numbers.len()).is_ok(), "columns hold fewer than 2^32 records");
        let mut places = vec![0u32; groups];
        numbers.iter().for_each(|number| places[*number as usize] += 1);
        let mut start = 0;
        for place in &mut places {
            let records = std::mem::replace(place, start);
            start += records;
        }
        let mut order = vec![0; numbers.len()];
        for (index, number) in numbers.iter().enumerate() {
            let place = &mut places[*number as usize];
            order[*place as usize] = index as u32;
            *place += 1;
        }
        // Each place has moved from the start of its group to its end.
        ByGroup { order, ends: places }
    }

    /// The records of each group, in the order of the groups, as indices.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.order[start as usize..*end as usize])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Text;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn groups_have_their_records_in_order_and_keys_the_order_of_their_first(keys in prop::collection::vec("[a-c]{0,2}|[ab]{17}", 0..700)) {
            let mut column = PairColumn::<Text, u64>::default();
            let mut expected = Vec::<(&[u8], Vec<u32>)>::new();
            for (index, key) in keys.iter().enumerate() {
                column.push((key.as_bytes(), 0));
                match expected.iter_mut().find(|(there, _)| *there == key.as_bytes()) {
                    Some((_, records)) => records.push(index as u32),
                    None => expected.push((key.as_bytes(), vec![index as u32])),
                }
            }
            let mut numbered = Numbered::<Text>::new(Table::new(Default::default()));
            let numbers = numbered.number(&column);
            let (keys, _) = numbered.into_parts();
            let by_group = ByGroup::of(&numbers, keys.len());
            prop_assert_eq!(by_group.iter().count(), keys.len());
            let got: Vec<(&[u8], Vec<u32>)> = by_group.iter().enumerate().map(|(group, records)| (keys.view(group), records.to_vec())).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
