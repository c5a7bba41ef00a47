//! Streams put together.

use super::per_batch::PerBatch;
use super::{DStream, Node, Prepared, Scheduled, Sink, operator};
use crate::error::EngineError;
use crate::record::Family;
use crate::schedule::job::JobRun;
use std::ops::Range;
use std::sync::Arc;

impl<A: Family> DStream<A> {
    /// The records of both streams. Both must have the same slide.
    #[track_caller]
    pub fn union(&self, other: &DStream<A>) -> DStream<A> {
        self.check_beside(other, operator("union"));
        let node =
            Arc::new(UnionNode { parents: vec![self.node.clone(), other.node.clone()], ends: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// The partitions of all parents, one parent after the other.
pub(crate) struct UnionNode<A: Family> {
    parents: Vec<Arc<dyn Node<A>>>,
    /// One past the last partition of each parent.
    ends: PerBatch<Arc<Vec<usize>>>,
}

impl<A: Family> UnionNode<A> {
    fn parent(&self, batch: u64, partition: usize) -> (&Arc<dyn Node<A>>, usize) {
        let ends = self.ends.get(batch).unwrap_or_default();
        let place = ends.partition_point(|end| *end <= partition);
        let start = if place == 0 { 0 } else { ends[place - 1] };
        (&self.parents[place], partition - start)
    }
}

impl<A: Family> Node<A> for UnionNode<A> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let mut sum = Prepared::default();
        let mut ends = Vec::with_capacity(self.parents.len());
        for parent in &self.parents {
            let prepared = parent.prepare(run)?;
            sum.partitions += prepared.partitions;
            sum.records += prepared.records;
            ends.push(sum.partitions);
        }
        self.ends.get_or_make(run, |_| Ok(Arc::new(ends)))?;
        Ok(sum)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        let (node, partition) = self.parent(batch, partition);
        node.push(batch, partition, sink)
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&A::Column, Range<usize>)) -> bool {
        let (node, partition) = self.parent(batch, partition);
        node.push_columns(batch, partition, visit)
    }
}

impl<A: Family> Scheduled for UnionNode<A> {
    fn release(&self, batch: u64) {
        self.ends.take(batch);
    }
}
