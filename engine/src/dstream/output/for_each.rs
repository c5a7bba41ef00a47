//! `for_each_batch` and `for_each_partition`: outputs that call the job's own code.

use super::{Batch, Label, Outcome, Output, Partition};
use crate::dstream::{DStream, Node, operator};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::sync::Arc;

impl<R: Family> DStream<R> {
    /// Calls `function` with the records of each batch, on the job thread. An error that it returns fails the batch.
    #[track_caller]
    pub fn for_each_batch<O: Outcome>(&self, function: impl Fn(&Batch<'_, R>) -> O + Send + Sync + 'static) {
        let operator = operator("for_each_batch");
        let output = ForEachBatch { node: self.node.clone(), function, operator, slide_batches: self.slide_batches };
        self.graph.output(operator, Arc::new(output));
    }

    /// Calls `function` with the records of each partition of each batch, empty ones too, on all threads of the pool at once: where
    /// one opens a connection. An error that it returns fails the batch; calls that have begun by then end, others are left out.
    #[track_caller]
    pub fn for_each_partition<O: Outcome>(&self, function: impl Fn(&Partition<'_, R>) -> O + Send + Sync + 'static) {
        let operator = operator("for_each_partition");
        let node = self.node.clone();
        let output = ForEachPartition { node, function, operator, slide_batches: self.slide_batches };
        self.graph.output(operator, Arc::new(output));
    }
}

struct ForEachBatch<R: Family, F> {
    node: Arc<dyn Node<R>>,
    function: F,
    operator: Operator,
    slide_batches: u64,
}

impl<R: Family, O: Outcome, F: Fn(&Batch<'_, R>) -> O + Send + Sync> Output for ForEachBatch<R, F> {
    fn slide_batches(&self) -> u64 {
        self.slide_batches
    }

    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError> {
        let prepared = self.node.prepare(run)?;
        let batch = Batch::new(&*self.node, run, prepared, label, self.operator);
        let time_ms = run.time_ms;
        run.alone(Stage::Output, || {
            self.operator.enter();
            let outcome = (self.function)(&batch).outcome();
            outcome.map_err(|problem| EngineError::Batch { time_ms, operator: self.operator.to_string(), problem })
        })
    }
}

struct ForEachPartition<R: Family, F> {
    node: Arc<dyn Node<R>>,
    function: F,
    operator: Operator,
    slide_batches: u64,
}

impl<R: Family, O: Outcome, F: Fn(&Partition<'_, R>) -> O + Send + Sync> Output for ForEachPartition<R, F> {
    fn slide_batches(&self) -> u64 {
        self.slide_batches
    }

    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError> {
        let prepared = self.node.prepare(run)?;
        let batch = Batch::new(&*self.node, run, prepared, label, self.operator);
        on_all_lanes(run, &batch, self.operator, |partition| (self.function)(partition).outcome())
    }
}

/// Runs a task for each partition of a batch, on all lanes: what a partition costs is not in its records, but in connections and
/// flushes, for which lanes can wait at once.
pub(super) fn on_all_lanes<R: Family>(
    run: &mut JobRun<'_>,
    batch: &Batch<'_, R>,
    operator: Operator,
    task: impl Fn(&Partition<'_, R>) -> Result<(), String> + Sync,
) -> Result<(), EngineError> {
    let (time_ms, lanes_are_worth_it) = (run.time_ms, u64::MAX);
    run.stage(
        Stage::Output,
        batch.partitions(),
        lanes_are_worth_it,
        || (),
        |(), number| {
            operator.enter();
            task(&batch.partition(number)).map_err(|error| EngineError::Batch {
                time_ms,
                operator: operator.to_string(),
                problem: format!("partition {number}: {error}"),
            })
        },
    )
    .map(drop)
}
