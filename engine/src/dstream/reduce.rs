//! One record per batch: how many there were, or all of them combined.

use super::per_batch::PerBatch;
use super::{DStream, Node, Prepared, Scheduled, Sink, operator, push_stage};
use crate::error::EngineError;
use crate::exchange::Value;
use crate::metrics::Stage;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::sync::Arc;

impl<A: Family> DStream<A> {
    /// One number per batch: how many records it had, 0 for an empty one.
    #[track_caller]
    pub fn count(&self) -> DStream<u64> {
        let node = Arc::new(CountNode { parent: self.node.clone(), counted: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

impl<A: Value> DStream<A> {
    /// All records of a batch combined into one; none for an empty batch. `combine` must be associative and commutative.
    #[track_caller]
    pub fn reduce(&self, combine: impl Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static) -> DStream<A> {
        self.reduce_as(combine, operator("reduce"))
    }

    pub(super) fn reduce_as<F>(&self, combine: F, operator: Operator) -> DStream<A>
    where
        F: Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static,
    {
        let parent = self.node.clone();
        let node = Arc::new(ReduceNode { parent, combine, operator, reduced: PerBatch::default() });
        self.graph.schedule(node.clone());
        self.derive(node)
    }
}

struct CountNode<A: Family> {
    parent: Arc<dyn Node<A>>,
    counted: PerBatch<u64>,
}

impl<A: Family> Node<u64> for CountNode<A> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.counted.get_or_make(run, |run| {
            let prepared = self.parent.prepare(run)?;
            let counts = push_stage(run, Stage::Map, &self.parent, prepared, || CountSink { count: 0 })?;
            Ok(counts.iter().map(|lane| lane.count).sum())
        })?;
        Ok(Prepared { partitions: 1, records: 1 })
    }

    fn push(&self, batch: u64, _: usize, sink: &mut dyn Sink<u64>) -> Result<(), EngineError> {
        sink.accept(&[self.counted.get(batch).unwrap_or_default()]);
        Ok(())
    }
}

impl<A: Family> Scheduled for CountNode<A> {
    fn release(&self, batch: u64) {
        self.counted.take(batch);
    }
}

struct CountSink {
    count: u64,
}

impl<A: Family> Sink<A> for CountSink {
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        self.count += records.len() as u64;
    }
}

struct ReduceNode<A: Value, F> {
    parent: Arc<dyn Node<A>>,
    combine: F,
    operator: Operator,
    reduced: PerBatch<Arc<Option<A::Owned>>>,
}

impl<A: Value, F: Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync> Node<A> for ReduceNode<A, F> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let reduced = self.reduced.get_or_make(run, |run| {
            let prepared = self.parent.prepare(run)?;
            let make = || ReduceSink { combine: &self.combine, operator: self.operator, reduced: None };
            let lanes = push_stage::<A, _>(run, Stage::Combine, &self.parent, prepared, make)?;
            let parts = lanes.into_iter().filter_map(|lane| lane.reduced);
            run.alone(Stage::Reduce, || {
                self.operator.enter();
                Ok(Arc::new(parts.reduce(&self.combine)))
            })
        })?;
        Ok(Prepared { partitions: 1, records: reduced.is_some().into() })
    }

    fn push(&self, batch: u64, _: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        let reduced = self.reduced.get(batch).unwrap_or_default();
        if let Some(value) = &*reduced {
            sink.accept(&[A::view(value)]);
        }
        Ok(())
    }
}

impl<A: Value, F: Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync> Scheduled for ReduceNode<A, F> {
    fn release(&self, batch: u64) {
        self.reduced.take(batch);
    }
}

struct ReduceSink<'c, A: Value, F> {
    combine: &'c F,
    operator: Operator,
    reduced: Option<A::Owned>,
}

impl<A: Value, F: Fn(A::Owned, A::Owned) -> A::Owned + Sync> Sink<A> for ReduceSink<'_, A, F> {
    fn accept<'a>(&mut self, records: &[A::View<'a>]) {
        self.operator.enter();
        let before = self.reduced.take();
        self.reduced = before.into_iter().chain(records.iter().map(|view| A::own(*view))).reduce(self.combine);
    }
}
