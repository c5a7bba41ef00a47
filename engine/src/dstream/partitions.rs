//! Operators on whole partitions: one call, one list or one place per partition.

use super::route::{RoundRobin, RouteNode};
use super::{Chunk, DStream, Made, Node, Prepared, Sink, operator, room};
use crate::clock::lock;
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::{Column, Family, List, ListView};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::marker::PhantomData;
use std::sync::Arc;

impl<A: Family> DStream<A> {
    /// Each partition turned into any number of records by one call, also an empty partition:
    /// `numbers.map_partitions::<u64>(|part, out| out(part.iter().sum()))`.
    #[track_caller]
    pub fn map_partitions<B: Family>(
        &self,
        function: impl for<'a> Fn(ListView<'a, A>, &mut dyn FnMut(B::View<'a>)) + Send + Sync + 'static,
    ) -> DStream<B> {
        let (parent, operator) = (self.node.clone(), operator("map_partitions"));
        self.derive(Arc::new(MapPartitionsNode { parent, function, operator, records: PhantomData }))
    }

    /// Each partition as one list, an empty one too.
    pub fn glom(&self) -> DStream<List<A>> {
        self.derive(Arc::new(GlomNode { parent: self.node.clone() }))
    }

    /// The same records in exactly so many partitions, evenly spread. They cross an exchange.
    #[track_caller]
    pub fn repartition(&self, partitions: usize) -> DStream<A> {
        let wanted = self.with_partitions(partitions);
        let node = Arc::new(RouteNode::<A, RoundRobin>::new(self.node.clone(), &self.graph, wanted.partitions()));
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

/// Calls `visit` with all records of one partition.
fn whole_partition<A: Family>(
    parent: &Arc<dyn Node<A>>,
    batch: u64,
    partition: usize,
    visit: impl FnOnce(ListView<'_, A>),
) -> Result<(), EngineError> {
    let mut gathered = Gather::<A> { column: A::Column::default() };
    parent.push(batch, partition, &mut gathered)?;
    visit(ListView::of(&gathered.column));
    Ok(())
}

/// Gathers what is pushed.
pub(super) struct Gather<A: Family> {
    pub(super) column: A::Column,
}

impl<A: Family> Sink<A> for Gather<A> {
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        records.iter().for_each(|view| self.column.push(*view));
    }
}

/// All records of a batch, a column per partition.
pub(super) fn gathered<A: Family>(
    run: &mut JobRun<'_>,
    parent: &Arc<dyn Node<A>>,
) -> Result<Vec<A::Column>, EngineError> {
    let prepared = parent.prepare(run)?;
    let (batch, columns) = (run.batch, room(prepared.partitions) as Made<A::Column>);
    run.stage(
        Stage::Map,
        prepared.partitions,
        prepared.records,
        || (),
        |(), partition| {
            let mut gather = Gather::<A> { column: A::Column::default() };
            parent.push(batch, partition, &mut gather)?;
            *lock(&columns[partition]) = Some(gather.column);
            Ok(())
        },
    )?;
    Ok(columns.into_iter().map(|column| lock(&column).take().unwrap_or_default()).collect())
}

struct MapPartitionsNode<A: Family, B: Family, F> {
    parent: Arc<dyn Node<A>>,
    function: F,
    operator: Operator,
    records: PhantomData<fn() -> B>,
}

impl<A: Family, B: Family, F> Node<B> for MapPartitionsNode<A, B, F>
where
    F: for<'a> Fn(ListView<'a, A>, &mut dyn FnMut(B::View<'a>)) + Send + Sync,
{
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.parent.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<B>) -> Result<(), EngineError> {
        whole_partition(&self.parent, batch, partition, |records| {
            let mut chunk = Chunk::<B::View<'_>>::new();
            let operator = self.operator;
            operator.enter();
            (self.function)(records, &mut |view| {
                if chunk.is_full() {
                    sink.accept(&chunk);
                    chunk.clear();
                    operator.enter();
                }
                chunk.push(view);
            });
            if !chunk.is_empty() {
                sink.accept(&chunk);
            }
        })
    }
}

struct GlomNode<A: Family> {
    parent: Arc<dyn Node<A>>,
}

impl<A: Family> Node<List<A>> for GlomNode<A> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let prepared = self.parent.prepare(run)?;
        Ok(Prepared { records: prepared.partitions as u64, ..prepared })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<List<A>>) -> Result<(), EngineError> {
        whole_partition(&self.parent, batch, partition, |records| sink.accept(&[records]))
    }
}
