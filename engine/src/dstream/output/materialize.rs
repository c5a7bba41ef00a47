//! `materialize`: computes everything and keeps nothing.

use super::{Label, Output};
use crate::dstream::{DStream, Node, Sink, operator, push_stage};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::Family;
use crate::schedule::job::JobRun;
use std::hint::black_box;
use std::sync::Arc;

impl<R: Family> DStream<R> {
    /// Computes every record of each batch, on all threads, and throws it away. For measuring: `print` computes only the partitions
    /// that it shows.
    #[track_caller]
    pub fn materialize(&self) {
        let output = Materialize { node: self.node.clone(), slide_batches: self.slide_batches };
        self.graph.output(operator("materialize"), Arc::new(output));
    }
}

struct Materialize<R: Family> {
    node: Arc<dyn Node<R>>,
    slide_batches: u64,
}

impl<R: Family> Output for Materialize<R> {
    fn slide_batches(&self) -> u64 {
        self.slide_batches
    }

    fn run(&self, run: &mut JobRun<'_>, _: Label) -> Result<(), EngineError> {
        let prepared = self.node.prepare(run)?;
        push_stage(run, Stage::Output, &self.node, prepared, || Nowhere).map(drop)
    }
}

struct Nowhere;

impl<R: Family> Sink<R> for Nowhere {
    fn accept<'a>(&mut self, records: &[R::View<'a>]) {
        // Otherwise the optimiser may leave out what nobody looks at.
        black_box(records);
    }
}
