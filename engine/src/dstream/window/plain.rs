//! `window`: the records of the last batches as one stream.

use super::span::Span;
use crate::clock::lock;
use crate::dstream::partitions::gathered;
use crate::dstream::per_batch::PerBatch;
use crate::dstream::source::push_column;
use crate::dstream::{DStream, Node, Prepared, Scheduled, Sink, operator};
use crate::error::EngineError;
use crate::record::{Column, Family};
use crate::schedule::job::JobRun;
use crate::schedule::turns::Turns;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

impl<A: Family> DStream<A> {
    /// The records of the last `window`, at every `slide`. Both must be multiples of this stream's own slide. While the stream
    /// is younger than the window, all its records; a batch that failed counts as empty.
    #[track_caller]
    pub fn window(&self, window: Duration, slide: Duration) -> DStream<A> {
        let span = self.span(window, slide, operator("window"));
        let node = Arc::new(WindowNode {
            parent: self.node.clone(),
            span,
            panes: Mutex::default(),
            turns: Turns::default(),
            current: PerBatch::default(),
        });
        self.graph.schedule(node.clone());
        DStream::new(node, self.graph.clone(), span.slide_batches)
    }
}

/// The columns of all panes of a window.
type Columns<A> = Arc<Vec<Arc<<A as Family>::Column>>>;

/// Keeps the records of the last panes as columns.
struct WindowNode<A: Family> {
    parent: Arc<dyn Node<A>>,
    span: Span,
    /// Each pane is a column per partition, so that the partitions of a window are those of its batches, as in Spark.
    panes: Mutex<VecDeque<Vec<Arc<A::Column>>>>,
    turns: Turns,
    current: PerBatch<Columns<A>>,
}

impl<A: Family> Scheduled for WindowNode<A> {
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.span.parent_slide_batches) {
            return Ok(());
        }
        let columns = gathered(run, &self.parent);
        self.turns.wait_for(run.batch);
        let mut panes = lock(&self.panes);
        self.span.evict(&mut panes);
        // A batch that failed is an empty pane: the others must not stay in the window for longer because of it.
        let (columns, failure) = columns.map_or_else(|error| (Vec::new(), Err(error)), |columns| (columns, Ok(())));
        panes.push_back(columns.into_iter().map(Arc::new).collect());
        failure
    }

    fn release(&self, batch: u64) {
        self.current.take(batch);
        self.turns.pass(batch);
    }
}

impl<A: Family> Node<A> for WindowNode<A> {
    fn prepare(&self, run: &mut JobRun<'_>) -> Result<Prepared, EngineError> {
        let snapshot = || lock(&self.panes).iter().flatten().cloned().collect();
        let columns: Columns<A> = self.current.get_or_make(run, |_| Ok(Arc::new(snapshot())))?;
        let records = columns.iter().map(|column| column.len() as u64).sum();
        Ok(Prepared { partitions: columns.len(), records })
    }

    fn push(&self, batch: u64, partition: usize, sink: &mut dyn Sink<A>) -> Result<(), EngineError> {
        let columns = self.current.get(batch).unwrap_or_default();
        push_column::<A>(&columns[partition], 0..columns[partition].len(), sink);
        Ok(())
    }

    fn push_columns(&self, batch: u64, partition: usize, visit: &mut dyn FnMut(&A::Column, Range<usize>)) -> bool {
        let columns = self.current.get(batch).unwrap_or_default();
        visit(&columns[partition], 0..columns[partition].len());
        true
    }
}
