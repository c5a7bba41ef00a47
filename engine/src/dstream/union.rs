//! Streams put together.

use super::per_batch::PerBatch;
use super::{DStream, Graph, Node, Prepared, Scheduled, Sink, operator};
use crate::error::EngineError;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::ops::Range;
use std::sync::Arc;

impl<A: Family> DStream<A> {
    /// The records of both streams. Both must have the same slide.
    #[track_caller]
    pub fn union(&self, other: &DStream<A>) -> DStream<A> {
        DStream::union_of(&self.graph, &[self.clone(), other.clone()], operator("union"))
    }

    /// The records of all streams, which must belong to this graph, slide alike and be at least one.
    pub(crate) fn union_of(graph: &Arc<Graph>, streams: &[DStream<A>], operator: Operator) -> DStream<A> {
        graph.check_alike(streams, operator);
        let parents = streams.iter().map(|stream| stream.node.clone()).collect();
        let node = Arc::new(UnionNode { parents, ends: PerBatch::default() });
        graph.schedule(node.clone());
        DStream::new(node, graph.clone(), streams.first().map_or(1, |stream| stream.slide_batches))
    }
}

impl Graph {
    /// Refuses the job if there is no stream, or if not all of them can be put beside each other batch by batch.
    pub(super) fn check_alike<A: Family>(self: &Arc<Self>, streams: &[DStream<A>], operator: Operator) {
        let Some(first) = streams.first() else {
            self.refuse(operator, "there must be at least one stream".into());
            return;
        };
        if !Arc::ptr_eq(self, &first.graph) {
            self.refuse(operator, "the streams must belong to this context".into());
        }
        streams[1..].iter().for_each(|other| first.check_beside(other, operator));
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
