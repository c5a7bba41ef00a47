//! What one lane has of the records that are reduced by key, before they go to their partitions.

use crate::error::EngineError;
use crate::exchange::codec::{BlockCodec, Encoded};
use crate::exchange::{Key, KeyHasher, Table, TablePool, Value, partition_of};
use crate::record::{Column, Family, Pair};
use crate::settings::Combine;

/// The groups of one partition.
pub(super) type Groups<K, V> = Table<K, <V as Value>::Owned>;

/// Pairs that were not combined.
pub(super) type Loose<K, V> = <Pair<K, V> as Family>::Column;

/// Groups and loose pairs by partition.
pub(super) struct Lane<K: Key, V: Value> {
    hasher: KeyHasher,
    tables: Vec<Groups<K, V>>,
    /// In the order in which they came; none while the lane combines.
    loose: Vec<Loose<K, V>>,
    mode: Mode,
    records_in: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Combines,
    /// Combines, and will look whether that pays.
    Samples,
    Sends,
}

impl<K: Key, V: Value> Lane<K, V> {
    pub(super) fn new(combine: Combine, partitions: usize, pool: &TablePool<K, V::Owned>, hasher: KeyHasher) -> Self {
        let mode = match combine {
            Combine::Always => Mode::Combines,
            Combine::Never => Mode::Sends,
            Combine::Adaptive => Mode::Samples,
        };
        let tables = (0..partitions).map(|_| pool.take()).collect();
        let loose = (0..partitions).map(|_| Default::default()).collect();
        Lane { hasher, tables, loose, mode, records_in: 0 }
    }

    /// Takes pairs whose values are combined as they are.
    #[inline]
    pub(super) fn take<'a>(
        &mut self,
        pairs: &[(K::View<'a>, V::View<'a>)],
        combine: &impl Fn(V::Owned, V::Owned) -> V::Owned,
    ) {
        if self.mode == Mode::Sends {
            pairs.iter().for_each(|(key, value)| self.send(*key, *value));
        } else {
            Table::merge_into(&mut self.tables, pairs, |pair| pair.0, |pair| V::own(pair.1), combine);
        }
        self.count(pairs.len());
    }

    /// Takes records of another kind: `create` makes the value of a key's first record, `merge` adds another to it.
    #[inline]
    pub(super) fn take_created<'a, R: Copy>(
        &mut self,
        records: &[R],
        key: impl Fn(&R) -> K::View<'a>,
        create: impl Fn(&R) -> V::Owned,
        merge: impl Fn(V::Owned, &R) -> V::Owned,
    ) {
        if self.mode == Mode::Sends {
            records.iter().for_each(|record| self.send(key(record), V::view(&create(record))));
        } else {
            Table::fold_into(&mut self.tables, records, key, create, merge);
        }
        self.count(records.len());
    }

    /// A function of its own, so that the default has no code between its look-ups that it does not run.
    #[inline(never)]
    fn send(&mut self, key: K::View<'_>, value: V::View<'_>) {
        let partition = partition_of(K::hash(&self.hasher.probe::<K>(key)), self.loose.len());
        self.loose[partition].push((K::reborrow(key), V::reborrow(value)));
    }

    /// More than four fifths of the sample with a key of its own: what is saved by combining is less than it costs (the rule, and
    /// the share, of DataFusion's partial aggregation).
    #[inline]
    fn count(&mut self, records: usize) {
        self.records_in += records as u64;
        if self.mode == Mode::Samples && self.records_in >= Combine::ADAPTIVE_SAMPLE_RECORDS {
            let groups: u64 = self.tables.iter().map(|table| table.len() as u64).sum();
            self.mode = if groups * 5 > self.records_in * 4 { Mode::Sends } else { Mode::Combines };
        }
    }

    /// Records that came.
    pub(super) fn records_in(&self) -> u64 {
        self.records_in
    }

    /// Records that go to their partitions.
    pub(super) fn records_out(&self) -> u64 {
        let groups = self.tables.iter().map(|table| table.len() as u64).sum::<u64>();
        groups + self.loose.iter().map(|column| column.len() as u64).sum::<u64>()
    }

    /// Everything is combined already.
    pub(super) fn is_combined(&self) -> bool {
        self.loose.iter().all(|column| column.is_empty())
    }

    /// What goes to one partition, encoded.
    pub(super) fn encoded(&self, partition: usize, codec: &mut BlockCodec<Pair<K, V>>) -> Result<Encoded, EngineError> {
        let (table, loose) = (&self.tables[partition], &self.loose[partition]);
        if table.len() == 0 {
            return codec.encode(loose);
        }
        codec.encode_filled(|column| {
            table.iter().for_each(|(key, value)| column.push((key, V::view(value))));
            column.append(loose);
        })
    }

    /// The tables alone.
    pub(super) fn into_tables(self) -> Vec<Groups<K, V>> {
        self.tables
    }

    /// Groups and loose pairs of each partition.
    pub(super) fn into_partitions(self) -> Vec<(Groups<K, V>, Loose<K, V>)> {
        self.tables.into_iter().zip(self.loose).collect()
    }
}
