//! The typed stream API: what a job is written in.
//!
//! Operators are lazy. A job is a graph of nodes; for each batch, records are pushed through it in chunks of borrowed views,
//! so that a chain of narrow operators costs one virtual call per chunk and no copy of any record.

mod combine;
mod dataset;
mod emit;
mod file;
mod graph;
mod group;
mod join;
mod keyed;
mod lane;
mod output;
mod owned;
mod partitions;
mod per_batch;
mod persist;
mod printable;
mod reduce;
mod remember;
mod route;
mod shuffle;
mod sort;
mod source;
mod state;
mod stateless;
mod transform;
mod union;
mod versions;
mod window;

pub use dataset::Dataset;
pub(crate) use file::FileNode;
pub(crate) use graph::Parts;
pub use graph::{Graph, StopReport};
pub use group::Cogrouped;
pub use join::OuterJoined;
pub use output::{Batch, Outcome, Partition};
pub(crate) use output::{Label, Output, PrintSink};
pub use persist::StorageLevel;
pub use printable::Printable;
pub use remember::{Remembered, Slice};
pub(crate) use source::SourceNode;
pub use state::{Mapped, State, StateSpec};
pub use stateless::MapFunction;
pub use transform::BatchTime;

use crate::clock::lock;
use crate::error::EngineError;
use crate::record::{CHUNK, Family};
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::ops::Range;
use std::sync::{Arc, Mutex};

/// A chunk of views on the stack.
pub(crate) type Chunk<V> = arrayvec::ArrayVec<V, CHUNK>;

/// What each task of a stage made, by the number of the task.
type Made<T> = Vec<Mutex<Option<T>>>;

/// From tables per lane and partition to tables per partition and lane.
fn transposed<T>(lanes: Vec<Vec<T>>, partitions: usize) -> Vec<Mutex<Vec<T>>> {
    let waiting: Vec<Mutex<Vec<T>>> = (0..partitions).map(|_| Mutex::default()).collect();
    for lane in lanes {
        waiting.iter().zip(lane).for_each(|(tables, table)| lock(tables).push(table));
    }
    waiting
}

/// Room for what `tasks` tasks will make.
fn room<T>(tasks: usize) -> Made<T> {
    (0..tasks).map(|_| Mutex::new(None)).collect()
}

/// A stream of records of the family `R`, one collection of them per batch.
pub struct DStream<R: Family> {
    pub(crate) node: Arc<dyn Node<R>>,
    pub(crate) graph: Arc<Graph>,
    /// It has records at every so many batches.
    pub(crate) slide_batches: u64,
    /// Partitions of the exchange that comes next; `None` means the setting.
    exchange_partitions: Option<usize>,
}

impl<R: Family> Clone for DStream<R> {
    fn clone(&self) -> Self {
        DStream { exchange_partitions: self.exchange_partitions, ..self.derive(self.node.clone()) }
    }
}

impl<R: Family> DStream<R> {
    pub(crate) fn new(node: Arc<dyn Node<R>>, graph: Arc<Graph>, slide_batches: u64) -> Self {
        DStream { node, graph, slide_batches, exchange_partitions: None }
    }

    /// A stream on the same graph with the same slide.
    fn derive<B: Family>(&self, node: Arc<dyn Node<B>>) -> DStream<B> {
        DStream::new(node, self.graph.clone(), self.slide_batches)
    }

    /// The same stream, whose next exchange (`reduce_by_key`, `join` and the like) goes to this many partitions instead of the
    /// setting `partitions`.
    #[must_use]
    #[track_caller]
    pub fn with_partitions(&self, partitions: usize) -> DStream<R> {
        if !(1..=4096).contains(&partitions) {
            let problem = format!("{partitions} partitions cannot be; choose 1 to 4096");
            self.graph.refuse(operator("with_partitions"), problem);
        }
        DStream { exchange_partitions: Some(partitions.clamp(1, 4096)), ..self.clone() }
    }

    /// Partitions of the exchange that comes next.
    fn partitions(&self) -> usize {
        self.exchange_partitions.unwrap_or_else(|| self.graph.settings().effective_partitions())
    }

    /// Refuses the job if the other stream cannot be put beside this one batch by batch.
    fn check_beside<B: Family>(&self, other: &DStream<B>, operator: Operator) {
        if !Arc::ptr_eq(&self.graph, &other.graph) {
            self.graph.refuse(operator, "both streams must belong to the same context".into());
        }
        if self.slide_batches != other.slide_batches {
            let (left, right) = (self.slide_batches, other.slide_batches);
            let problem = format!(
                "both streams must slide alike, but one has records at every {left} batches and one at every {right}"
            );
            self.graph.refuse(operator, problem);
        }
    }
}

/// How much a node has for a batch.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Prepared {
    /// Partitions, each of which is one task of the stage that pulls them.
    pub(crate) partitions: usize,
    /// Records, roughly: decides over how many threads they are worth spreading.
    pub(crate) records: u64,
}

/// One operator of a job.
pub(crate) trait Node<R: Family>: Send + Sync {
    /// Runs the stages that this node's records rest on. Called on the job thread; a second call for a batch runs nothing again.
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError>;

    /// Pushes the records of one partition. Called on any lane.
    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<R>) -> Result<(), EngineError>;

    /// Shows the columns of one partition where records lie in columns already; `false` where they do not.
    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&R::Column, Range<usize>)) -> bool {
        let _ = (batch, partition, visit);
        false
    }
}

/// What records are pushed into.
pub(crate) trait Sink<R: Family> {
    /// Takes some records; the views live as long as the call.
    fn accept<'a>(&mut self, records: &[R::View<'a>]);
}

/// A node with something to do at every batch, whoever asks for its records.
pub(crate) trait Scheduled: Send + Sync {
    /// Before the outputs of a batch: keep what later batches need of this one.
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        let _ = run;
        Ok(())
    }

    /// After the outputs of a batch: let go of what was made for it.
    fn release(&self, batch: u64);
}

/// Runs `tasks` pushes as one stage, each lane with a sink of its own.
fn push_stage<R: Family, L: Sink<R> + Send>(
    run: &mut JobRun<'_>,
    stage: crate::metrics::Stage,
    node: &Arc<dyn Node<R>>,
    prepared: Prepared,
    make: impl Fn() -> L + Sync,
) -> Result<Vec<L>, EngineError> {
    let batch = run.batch;
    run.stage(stage, prepared.partitions, prepared.records, make, |lane, partition| node.push(batch, partition, lane))
}

#[track_caller]
pub(crate) fn operator(name: &'static str) -> Operator {
    Operator { name, location: std::panic::Location::caller() }
}
