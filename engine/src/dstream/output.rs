//! Output operations: what makes a job run.

use super::{DStream, Node, Printable, Sink, operator};
use crate::clock::lock;
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// An output operation of a job.
pub(crate) trait Output: Send + Sync {
    /// It has something to do at every so many batches.
    fn slide_batches(&self) -> u64;
    /// Does it.
    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError>;
}

/// Which batch an output is called for.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    pub(crate) index: u64,
    pub(crate) time_ns: i64,
    pub(crate) primed: bool,
}

/// Where `print` writes to.
pub(crate) type PrintSink = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

/// The records of one batch, as an output operation sees them.
pub struct Batch<'b, R: Family> {
    node: &'b dyn Node<R>,
    id: u64,
    partitions: usize,
    label: Label,
    operator: Operator,
}

impl<R: Family> Batch<'_, R> {
    /// Counts live batches from 0; primed ones count on their own.
    pub fn index(&self) -> u64 {
        self.label.index
    }

    /// Label: wall time of the end of the interval, nanoseconds since 1970.
    pub fn time_ns(&self) -> i64 {
        self.label.time_ns
    }

    /// Run back to back to fill windows and state before the first live batch.
    pub fn is_primed(&self) -> bool {
        self.label.primed
    }

    /// Partitions the records are in.
    pub fn partitions(&self) -> usize {
        self.partitions
    }

    /// Shows each record, partition by partition, on this thread.
    pub fn for_each(&self, mut visit: impl FnMut(R::View<'_>)) {
        (0..self.partitions).for_each(|partition| self.for_each_of(partition, &mut visit));
    }

    /// Shows each record of one partition.
    ///
    /// # Panics
    /// A record could not be computed; the batch fails with the reason.
    pub fn for_each_of(&self, partition: usize, visit: impl FnMut(R::View<'_>)) {
        struct Visit<F>(F, Operator);
        impl<R: Family, F: FnMut(R::View<'_>)> Sink<R> for Visit<F> {
            fn accept<'a>(&mut self, records: &[R::View<'a>]) {
                self.1.enter();
                records.iter().for_each(|view| (self.0)(*view));
            }
        }
        if let Err(error) = self.node.push(self.id, partition, &mut Visit(visit, self.operator)) {
            // The closure of an output has no way to return it; the job run turns it into the batch's failure.
            std::panic::panic_any(error.to_string());
        }
        self.operator.enter();
    }

    /// Number of records.
    pub fn len(&self) -> u64 {
        let mut records = 0;
        self.for_each(|_| records += 1);
        records
    }

    /// True when there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<R: Family> DStream<R> {
    /// Calls `function` with the records of each batch, on the job thread.
    #[track_caller]
    pub fn for_each_batch(&self, function: impl Fn(&Batch<'_, R>) + Send + Sync + 'static) {
        let operator = operator("for_each_batch");
        let output = ForEachBatch { node: self.node.clone(), function, operator, slide_batches: self.slide_batches };
        self.graph.output(operator, Arc::new(output));
    }
}

impl<R: Printable> DStream<R> {
    /// Prints the first `records` records of each batch, exactly as Spark does, to the context's print sink.
    #[track_caller]
    pub fn print(&self, records: usize) {
        let operator = operator("print");
        self.graph.needs_print_sink(operator);
        let sink = self.graph.print_sink();
        let output = Print { node: self.node.clone(), records, sink, operator, slide_batches: self.slide_batches };
        self.graph.output(operator, Arc::new(output));
    }
}

struct ForEachBatch<R: Family, F> {
    node: Arc<dyn Node<R>>,
    function: F,
    operator: Operator,
    slide_batches: u64,
}

impl<R: Family, F: Fn(&Batch<'_, R>) + Send + Sync> Output for ForEachBatch<R, F> {
    fn slide_batches(&self) -> u64 {
        self.slide_batches
    }

    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError> {
        let prepared = self.node.prepare(run)?;
        let batch =
            Batch { node: &*self.node, id: run.batch, partitions: prepared.partitions, label, operator: self.operator };
        run.alone(Stage::Output, || {
            self.operator.enter();
            (self.function)(&batch);
            Ok(())
        })
    }
}

struct Print<R: Family> {
    node: Arc<dyn Node<R>>,
    records: usize,
    sink: PrintSink,
    operator: Operator,
    slide_batches: u64,
}

const RULE: &str = "-------------------------------------------";

impl<R: Printable> Output for Print<R> {
    fn slide_batches(&self) -> u64 {
        self.slide_batches
    }

    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError> {
        let prepared = self.node.prepare(run)?;
        let time_ms = label.time_ns / 1_000_000;
        let batch =
            Batch { node: &*self.node, id: run.batch, partitions: prepared.partitions, label, operator: self.operator };
        run.alone(Stage::Output, || {
            let text = printed(&batch, time_ms, self.records);
            let mut sink = lock(&self.sink);
            let written =
                sink.as_mut().map_or(Ok(()), |sink| sink.write_all(text.as_bytes()).and_then(|()| sink.flush()));
            written.map_err(|error| EngineError::Batch {
                time_ms,
                operator: self.operator.to_string(),
                problem: format!("cannot write: {error}"),
            })
        })
    }
}

/// 43 dashes, the time, 43 dashes, the records, dots if there are more, an empty line.
fn printed<R: Printable>(batch: &Batch<'_, R>, time_ms: i64, wanted: usize) -> String {
    let mut text = format!("{RULE}\nTime: {time_ms} ms\n{RULE}\n");
    let mut seen = 0;
    for partition in 0..batch.partitions() {
        if seen > wanted {
            break;
        }
        batch.for_each_of(partition, |view| {
            if seen < wanted {
                R::print(view, &mut text);
                text.push('\n');
            }
            seen += 1;
        });
    }
    if seen > wanted {
        text.push_str("...\n");
    }
    text.push('\n');
    text
}
