//! A function of whole batches: each batch is handed over as a stream of that one batch, to which any operator applies.

use super::per_batch::PerBatch;
use super::{DStream, Graph, Node, Prepared, Scheduled, Sink, operator};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::ops::Range;
use std::sync::Arc;

/// The label of a batch: wall time of the end of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BatchTime {
    milliseconds: i64,
}

impl BatchTime {
    pub(crate) fn of_milliseconds(milliseconds: i64) -> Self {
        BatchTime { milliseconds }
    }

    /// Milliseconds since 1970.
    pub fn milliseconds(self) -> i64 {
        self.milliseconds
    }
}

/// As Spark prints it: `1500 ms`.
impl std::fmt::Display for BatchTime {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} ms", self.milliseconds)
    }
}

impl<A: Family> DStream<A> {
    /// What `function` makes of each batch. It is called once per batch (again for another output if it
    /// failed), on the job thread, with the batch as a stream of its
    /// own; operators that look beyond one batch (windows, state, outputs) are refused there, and the batch fails.
    #[track_caller]
    pub fn transform<B: Family>(
        &self,
        function: impl Fn(&DStream<A>, BatchTime) -> DStream<B> + Send + Sync + 'static,
    ) -> DStream<B> {
        let (parent, slide) = (self.node.clone(), self.slide_batches);
        let build = move |graph: &Arc<Graph>, time| function(&DStream::new(parent.clone(), graph.clone(), slide), time);
        transformed(&self.graph, slide, build, operator("transform"))
    }

    /// What `function` makes of each batch of two streams, which must slide alike.
    #[track_caller]
    pub fn transform_with<B: Family, C: Family>(
        &self,
        other: &DStream<B>,
        function: impl Fn(&DStream<A>, &DStream<B>, BatchTime) -> DStream<C> + Send + Sync + 'static,
    ) -> DStream<C> {
        let operator = operator("transform_with");
        self.check_beside(other, operator);
        let (left, right, slide) = (self.node.clone(), other.node.clone(), self.slide_batches);
        let build = move |graph: &Arc<Graph>, time| {
            let left = DStream::new(left.clone(), graph.clone(), slide);
            let right = DStream::new(right.clone(), graph.clone(), slide);
            function(&left, &right, time)
        };
        transformed(&self.graph, slide, build, operator)
    }

    /// What `function` makes of each batch of several streams, which must belong to this graph, slide alike and be at least one.
    #[track_caller]
    pub(crate) fn transform_of<B: Family>(
        graph: &Arc<Graph>,
        streams: &[DStream<A>],
        function: impl Fn(&[DStream<A>], BatchTime) -> DStream<B> + Send + Sync + 'static,
        operator: Operator,
    ) -> DStream<B> {
        graph.check_alike(streams, operator);
        let slide = streams.first().map_or(1, |stream| stream.slide_batches);
        let parents: Vec<Arc<dyn Node<A>>> = streams.iter().map(|stream| stream.node.clone()).collect();
        let build = move |graph: &Arc<Graph>, time| {
            let of_batch = |parent: &Arc<dyn Node<A>>| DStream::new(parent.clone(), graph.clone(), slide);
            function(&parents.iter().map(of_batch).collect::<Vec<_>>(), time)
        };
        transformed(graph, slide, build, operator)
    }
}

fn transformed<B: Family>(
    graph: &Arc<Graph>,
    slide_batches: u64,
    build: impl Fn(&Arc<Graph>, BatchTime) -> DStream<B> + Send + Sync + 'static,
    operator: Operator,
) -> DStream<B> {
    // Not the graph itself, which is going to own the node.
    let empty = graph.for_one_batch();
    let node = Arc::new(TransformNode { empty, build, operator, made: PerBatch::default() });
    graph.schedule(node.clone());
    DStream::new(node, graph.clone(), slide_batches)
}

struct TransformNode<B: Family, F> {
    /// What the graph of each batch starts from.
    empty: Graph,
    build: F,
    operator: Operator,
    made: PerBatch<Arc<DStream<B>>>,
}

impl<B: Family, F: Fn(&Arc<Graph>, BatchTime) -> DStream<B> + Send + Sync> TransformNode<B, F> {
    fn build(&self, run: &mut JobRun<'_>) -> Result<Arc<DStream<B>>, EngineError> {
        let (time_ms, graph) = (run.time_ms, Arc::new(self.empty.for_one_batch()));
        let stream = run.alone(Stage::Map, || {
            self.operator.enter();
            Ok((self.build)(&graph, BatchTime::of_milliseconds(time_ms)))
        })?;
        let foreign = !Arc::ptr_eq(&stream.graph, &graph);
        let problem = if foreign {
            Some("the stream that it returns is not made from the batch it was given".to_owned())
        } else {
            graph.refusal().map(|refused| refused.to_string())
        };
        match problem {
            None => Ok(Arc::new(stream)),
            Some(problem) => Err(EngineError::Batch { time_ms, operator: self.operator.to_string(), problem }),
        }
    }
}

impl<B: Family, F: Fn(&Arc<Graph>, BatchTime) -> DStream<B> + Send + Sync> Node<B> for TransformNode<B, F> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        self.made.get_or_make(run, |run| self.build(run))?.node.prepare(run)
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<B>) -> Result<(), EngineError> {
        self.made.get(batch).map_or(Ok(()), |stream| stream.node.push(batch, partition, sink))
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&B::Column, Range<usize>)) -> bool {
        self.made.get(batch).is_some_and(|stream| stream.node.push_columns(batch, partition, visit))
    }
}

impl<B: Family, F: Fn(&Arc<Graph>, BatchTime) -> DStream<B> + Send + Sync> Scheduled for TransformNode<B, F> {
    fn release(&self, batch: u64) {
        self.made.take(batch);
    }
}
