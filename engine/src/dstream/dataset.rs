//! Datasets: records that are no stream, to join a stream with; they may be replaced between batches.

use super::emit::Emitter;
use super::join::{Always, IfThere, Shown};
use super::versions::Versions;
use super::{Chunk, DStream, Node, Prepared, Sink, operator};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::{Chain, Chains, Key, KeyHasher, Table};
use crate::record::{CHUNK, Column, Family, Maybe, Pair, PairColumn};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

/// Keys, and values likewise, of one dataset take at most this many bytes: places in a column are 32 bits wide.
const LIMIT_BYTES: u64 = 1 << 31;

/// Pairs to join streams with. A key may have several values. Clones are the same dataset.
///
/// ```
/// use downbeat_engine::dstream::Dataset;
/// use downbeat_engine::record::Text;
///
/// let prices = Dataset::<Text, u64>::new([(&b"apple"[..], 30), (b"pear", 45)])?;
/// prices.replace([(&b"apple"[..], 32), (b"pear", 45)])?;
/// assert_eq!(prices.len(), 2);
/// # Ok::<(), downbeat_engine::EngineError>(())
/// ```
pub struct Dataset<K: Key, W: Family> {
    current: Arc<Mutex<Arc<Version<K, W>>>>,
}

/// The records of a dataset between two replacements, with their table.
struct Version<K: Key, W: Family> {
    records: PairColumn<K, W>,
    chains: Chains<K>,
}

impl<K: Key, W: Family> Clone for Dataset<K, W> {
    fn clone(&self) -> Self {
        Dataset { current: self.current.clone() }
    }
}

impl<K: Key, W: Family> Dataset<K, W> {
    /// A dataset of these records.
    ///
    /// # Errors
    /// Keys or values take more than 2 GiB.
    #[track_caller]
    pub fn new<'r>(records: impl IntoIterator<Item = (K::View<'r>, W::View<'r>)>) -> Result<Self, EngineError> {
        let version = Version::of(records, operator("Dataset::new"))?;
        Ok(Dataset { current: Arc::new(Mutex::new(Arc::new(version))) })
    }

    /// Puts other records in the place of all that are there, from any thread. A batch that sees the old ones goes on to do
    /// so; each one that is prepared later sees the new ones. Their table is built here, so that no batch waits for it.
    ///
    /// # Errors
    /// As [`new`](Dataset::new); the old records stay.
    #[track_caller]
    pub fn replace<'r>(
        &self,
        records: impl IntoIterator<Item = (K::View<'r>, W::View<'r>)>,
    ) -> Result<(), EngineError> {
        let version = Arc::new(Version::of(records, operator("Dataset::replace"))?);
        let old = std::mem::replace(&mut *lock(&self.current), version);
        // Only now, so that nobody waits while a large version is let go.
        drop(old);
        Ok(())
    }

    /// Number of records now.
    pub fn len(&self) -> usize {
        self.version().records.len()
    }

    /// True when there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn version(&self) -> Arc<Version<K, W>> {
        lock(&self.current).clone()
    }
}

impl<K: Key, W: Family> Version<K, W> {
    fn of<'r>(
        records: impl IntoIterator<Item = (K::View<'r>, W::View<'r>)>,
        operator: Operator,
    ) -> Result<Self, EngineError> {
        let mut column = PairColumn::<K, W>::default();
        let (mut key_bytes, mut value_bytes) = (0, 0);
        for (index, record) in records.into_iter().enumerate() {
            column.push(record);
            key_bytes += column.keys().bytes(index..index + 1);
            value_bytes += column.values().bytes(index..index + 1);
            if key_bytes.max(value_bytes) > LIMIT_BYTES || index as u64 >= LIMIT_BYTES {
                let problem = format!("record {index} makes the dataset larger than 2 GiB; split it into several");
                return Err(EngineError::Job { operator: operator.to_string(), problem });
            }
        }
        let chains = Chains::of(Table::new(KeyHasher::default()), &column);
        Ok(Version { records: column, chains })
    }
}

impl<K: Key, V: Family> DStream<Pair<K, V>> {
    /// Each pair with each record of the dataset that has the same key. All of a batch sees the version that the dataset has
    /// when the batch is first prepared. The stream stays in its partitions: no exchange.
    #[track_caller]
    pub fn join_dataset<W: Family>(&self, dataset: &Dataset<K, W>) -> DStream<Pair<K, Pair<V, W>>> {
        self.enriched::<W, Always>(dataset, operator("join_dataset"))
    }

    /// As [`join_dataset`](DStream::join_dataset), and each pair whose key the dataset does not have, with `None`.
    #[track_caller]
    pub fn left_outer_join_dataset<W: Family>(&self, dataset: &Dataset<K, W>) -> DStream<Pair<K, Pair<V, Maybe<W>>>> {
        self.enriched::<W, IfThere>(dataset, operator("left_outer_join_dataset"))
    }

    fn enriched<W: Family, R: Shown<W>>(
        &self,
        dataset: &Dataset<K, W>,
        operator: Operator,
    ) -> DStream<Pair<K, Pair<V, R::As>>> {
        self.derive(Arc::new(DatasetNode::<K, V, W, R> {
            parent: self.node.clone(),
            dataset: dataset.clone(),
            versions: self.graph.versions(),
            operator,
            shown: PhantomData,
        }))
    }
}

struct DatasetNode<K: Key, V: Family, W: Family, R> {
    parent: Arc<dyn Node<Pair<K, V>>>,
    dataset: Dataset<K, W>,
    versions: Arc<Versions>,
    operator: Operator,
    shown: PhantomData<fn() -> R>,
}

impl<K: Key, V: Family, W: Family, R> DatasetNode<K, V, W, R> {
    fn version(&self, batch: u64) -> Arc<Version<K, W>> {
        self.versions.at(batch, &self.dataset.current, || self.dataset.version())
    }
}

impl<K: Key, V: Family, W: Family, R: Shown<W>> Node<Pair<K, Pair<V, R::As>>> for DatasetNode<K, V, W, R> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.version(run.batch);
        self.parent.prepare(run)
    }

    fn push(
        &self,
        batch: u64,
        partition: usize,
        sink: &mut dyn Sink<Pair<K, Pair<V, R::As>>>,
    ) -> Result<(), EngineError> {
        let version = self.version(batch);
        let sink = &mut LookUpSink::<K, V, W, R> { version: &version, operator: self.operator, sink };
        self.parent.push(batch, partition, sink)
    }
}

struct LookUpSink<'s, K: Key, V: Family, W: Family, R: Shown<W>> {
    version: &'s Version<K, W>,
    operator: Operator,
    sink: &'s mut dyn Sink<Pair<K, Pair<V, R::As>>>,
}

impl<K: Key, V: Family, W: Family, R: Shown<W>> Sink<Pair<K, V>> for LookUpSink<'_, K, V, W, R> {
    #[inline(never)]
    fn accept<'a>(&mut self, records: &[(K::View<'a>, V::View<'a>)]) {
        let Version { records: there, chains } = self.version;
        let mut emitter = Emitter::<Pair<K, Pair<V, R::As>>>::new(self.sink, self.operator);
        for some in records.chunks(CHUNK) {
            let mut found = Chunk::<Chain>::new();
            chains.find_each(some, |pair| pair.0, |_, chain| found.push(chain));
            for ((key, value), chain) in some.iter().zip(&found) {
                let mut emit = |record| {
                    if let Some(shown) = R::show(record) {
                        emitter.emit((K::reborrow(*key), (V::reborrow(*value), shown)));
                    }
                };
                if chain.is_empty() {
                    emit(None);
                }
                chains.indices(*chain).for_each(|index| emit(Some(there.values().view(index))));
            }
        }
        emitter.finish();
    }
}
