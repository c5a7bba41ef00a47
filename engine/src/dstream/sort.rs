//! Order within a batch: all records sorted, and the first of them.

use super::partitions::Gather;
use super::per_batch::PerBatch;
use super::{Chunk, DStream, Node, Prepared, Scheduled, Sink, operator, push_stage};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::{Column, Family};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::cmp::Ordering;
use std::sync::Arc;

impl<A: Family> DStream<A> {
    /// The records of each batch in order, in one partition: `counts.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)))`.
    /// Records that compare equal come in no order that means anything.
    #[track_caller]
    pub fn sort_by(
        &self,
        compare: impl for<'a> Fn(A::View<'a>, A::View<'a>) -> Ordering + Send + Sync + 'static,
    ) -> DStream<A> {
        let (parent, operator) = (self.node.clone(), operator("sort_by"));
        let node = Arc::new(SortNode { parent, compare, operator, sorted: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }

    /// The first records of each batch, in the order of the partitions: after `sort_by`, the top.
    #[track_caller]
    pub fn take(&self, records: usize) -> DStream<A> {
        let node = Arc::new(TakeNode { parent: self.node.clone(), records, taken: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// All records of a batch, and in which order they come.
type Sorted<A> = Arc<(<A as Family>::Column, Vec<u32>)>;

struct SortNode<A: Family, F> {
    parent: Arc<dyn Node<A>>,
    compare: F,
    operator: Operator,
    sorted: PerBatch<Sorted<A>>,
}

impl<A: Family, F: for<'a> Fn(A::View<'a>, A::View<'a>) -> Ordering + Send + Sync> Node<A> for SortNode<A, F> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let sorted = self.sorted.get_or_make(run, |run| {
            let prepared = self.parent.prepare(run)?;
            let make = || Gather::<A> { column: A::Column::default() };
            let lanes = push_stage(run, Stage::Map, &self.parent, prepared, make)?;
            run.alone(Stage::Group, || {
                self.operator.enter();
                let mut columns = lanes.into_iter().map(|lane| lane.column);
                let mut all = columns.next().unwrap_or_default();
                columns.for_each(|column| all.append(&column));
                let mut order: Vec<u32> = (0..all.len() as u32).collect();
                order.sort_unstable_by(|a, b| (self.compare)(all.view(*a as usize), all.view(*b as usize)));
                Ok(Arc::new((all, order)))
            })
        })?;
        Ok(Prepared { partitions: 1, records: sorted.1.len() as u64 })
    }

    fn push(&self, batch: u64, _: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        let Some(sorted) = self.sorted.get(batch) else { return Ok(()) };
        for some in sorted.1.chunks(crate::record::CHUNK) {
            let chunk: Chunk<A::View<'_>> = some.iter().map(|index| sorted.0.view(*index as usize)).collect();
            sink.accept(&chunk);
        }
        Ok(())
    }
}

impl<A: Family, F: for<'a> Fn(A::View<'a>, A::View<'a>) -> Ordering + Send + Sync> Scheduled for SortNode<A, F> {
    fn release(&self, batch: u64) {
        self.sorted.take(batch);
    }
}

struct TakeNode<A: Family> {
    parent: Arc<dyn Node<A>>,
    records: usize,
    taken: PerBatch<Arc<A::Column>>,
}

impl<A: Family> Node<A> for TakeNode<A> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let taken = self.taken.get_or_make(run, |run| {
            let prepared = self.parent.prepare(run)?;
            let batch = run.batch;
            run.alone(Stage::Group, || {
                let mut first = FirstSink::<A> { column: A::Column::default(), wanted: self.records };
                for partition in 0..prepared.partitions {
                    if first.wanted == 0 {
                        break;
                    }
                    self.parent.push(batch, partition, &mut first)?;
                }
                Ok(Arc::new(first.column))
            })
        })?;
        Ok(Prepared { partitions: 1, records: taken.len() as u64 })
    }

    fn push(&self, batch: u64, _: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        if let Some(taken) = self.taken.get(batch) {
            super::source::push_column::<A>(&taken, 0..taken.len(), sink);
        }
        Ok(())
    }
}

impl<A: Family> Scheduled for TakeNode<A> {
    fn release(&self, batch: u64) {
        self.taken.take(batch);
    }
}

struct FirstSink<A: Family> {
    column: A::Column,
    wanted: usize,
}

impl<A: Family> Sink<A> for FirstSink<A> {
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        let some = &records[..records.len().min(self.wanted)];
        some.iter().for_each(|view| self.column.push(*view));
        self.wanted -= some.len();
    }
}
