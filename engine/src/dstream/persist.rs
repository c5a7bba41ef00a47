//! Streams kept for the length of a batch, so that several outputs do not compute them again.

use super::partitions::Gather;
use super::per_batch::PerBatch;
use super::source::push_column;
use super::{DStream, Made, Node, Prepared, Scheduled, Sink, room};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::codec::{BlockCodec, Encoded};
use crate::metrics::Stage;
use crate::record::{Column, Family};
use crate::schedule::job::JobRun;
use crate::settings::{CodecKind, Compression, Settings, StorageForm};
use std::ops::Range;
use std::sync::Arc;

/// How a persisted stream is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StorageLevel {
    /// As the setting `storage` says; what is kept for one batch stays in memory.
    #[default]
    AsSet,
    /// As columns, ready to be read (Spark's MEMORY_ONLY).
    Deserialized,
    /// Encoded by the codec in force (rkyv when there is none) but not compressed, decoded at each reading (Spark's
    /// MEMORY_ONLY_SER).
    Serialized,
}

impl StorageLevel {
    /// By what records are encoded, if they are.
    fn codec(self, settings: &Settings) -> Option<CodecKind> {
        let is_serialized = match self {
            StorageLevel::AsSet => settings.storage != StorageForm::Deserialized,
            StorageLevel::Deserialized => false,
            StorageLevel::Serialized => true,
        };
        let codec = if settings.codec == CodecKind::None { CodecKind::Rkyv } else { settings.codec };
        is_serialized.then_some(codec)
    }
}

impl<A: Family> DStream<A> {
    /// The same records, computed once per batch however many operators and outputs read them.
    #[track_caller]
    pub fn persist(&self, level: StorageLevel) -> DStream<A> {
        let codec = level.codec(self.graph.settings());
        let node = Arc::new(PersistNode { parent: self.node.clone(), codec, kept: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// The records of one partition.
enum Kept<A: Family> {
    Column(A::Column),
    Encoded(Encoded, u64),
}

struct PersistNode<A: Family> {
    parent: Arc<dyn Node<A>>,
    codec: Option<CodecKind>,
    kept: PerBatch<Arc<Vec<Kept<A>>>>,
}

/// How a partition is encoded: not compressed, as that is for the way between threads.
fn form<A: Family>(codec: CodecKind) -> BlockCodec<A> {
    BlockCodec::new(codec, Compression::None)
}

impl<A: Family> PersistNode<A> {
    fn keep(&self, run: &mut JobRun<'_>) -> Result<Arc<Vec<Kept<A>>>, EngineError> {
        let prepared = self.parent.prepare(run)?;
        let (batch, made) = (run.batch, room(prepared.partitions) as Made<Kept<A>>);
        run.stage(
            Stage::Map,
            prepared.partitions,
            prepared.records,
            || (),
            |(), partition| {
                let mut gathered = Gather::<A> { column: A::Column::default() };
                self.parent.push(batch, partition, &mut gathered)?;
                let kept = match self.codec {
                    None => Kept::Column(gathered.column),
                    Some(codec) => {
                        let records = gathered.column.len() as u64;
                        Kept::Encoded(form::<A>(codec).encode(&gathered.column)?, records)
                    }
                };
                *lock(&made[partition]) = Some(kept);
                Ok(())
            },
        )?;
        Ok(Arc::new(made.into_iter().filter_map(|kept| lock(&kept).take()).collect()))
    }
}

impl<A: Family> Node<A> for PersistNode<A> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let kept = self.kept.get_or_make(run, |run| self.keep(run))?;
        let records = kept.iter().map(|kept| match kept {
            Kept::Column(column) => column.len() as u64,
            Kept::Encoded(_, records) => *records,
        });
        Ok(Prepared { partitions: kept.len(), records: records.sum() })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        let kept = self.kept.get(batch).unwrap_or_default();
        match &kept[partition] {
            Kept::Column(column) => push_column::<A>(column, 0..column.len(), sink),
            Kept::Encoded(encoded, _) => {
                form::<A>(self.codec.unwrap_or(CodecKind::None)).for_each_chunk(encoded, |chunk| sink.accept(chunk))?;
            }
        }
        Ok(())
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&A::Column, Range<usize>)) -> bool {
        let kept = self.kept.get(batch).unwrap_or_default();
        let Kept::Column(column) = &kept[partition] else { return false };
        visit(column, 0..column.len());
        true
    }
}

impl<A: Family> Scheduled for PersistNode<A> {
    fn release(&self, batch: u64) {
        self.kept.take(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_setting_decides_for_streams_that_do_not() {
        let codec =
            |level: StorageLevel, storage, codec| level.codec(&Settings { storage, codec, ..Settings::default() });
        for (form, level) in [
            (StorageForm::Deserialized, StorageLevel::Deserialized),
            (StorageForm::Serialized, StorageLevel::Serialized),
        ] {
            assert_eq!(codec(StorageLevel::AsSet, form, CodecKind::Json), codec(level, form, CodecKind::Json));
            assert_eq!(codec(StorageLevel::Deserialized, form, CodecKind::Json), None);
            assert_eq!(codec(StorageLevel::Serialized, form, CodecKind::None), Some(CodecKind::Rkyv));
            assert_eq!(codec(StorageLevel::Serialized, form, CodecKind::Json), Some(CodecKind::Json));
        }
    }
}
