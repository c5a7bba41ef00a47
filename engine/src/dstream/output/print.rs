//! `print`: the first records of each batch, as Spark shows them.

use super::{Batch, Label, Output};
use crate::clock::lock;
use crate::dstream::{BatchTime, DStream, Node, Printable, operator};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use std::io::Write;
use std::sync::{Arc, Mutex};

/// Where `print` writes to.
pub(crate) type PrintSink = Arc<Mutex<Option<Box<dyn Write + Send>>>>;

impl<R: Printable> DStream<R> {
    /// Prints the first `records` records of each batch, exactly as Spark does, to the context's print sink. Spark's `print()` is
    /// `print(10)`.
    #[track_caller]
    pub fn print(&self, records: usize) {
        let operator = operator("print");
        self.graph.needs_print_sink(operator);
        let sink = self.graph.print_sink();
        let output = Print { node: self.node.clone(), records, sink, operator, slide_batches: self.slide_batches };
        self.graph.output(operator, Arc::new(output));
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
        let batch = Batch::new(&*self.node, run, prepared, label, self.operator);
        let time_ms = run.time_ms;
        run.alone(Stage::Output, || {
            let text = printed(&batch, batch.time(), self.records);
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
fn printed<R: Printable>(batch: &Batch<'_, R>, time: BatchTime, wanted: usize) -> String {
    let mut text = format!("{RULE}\nTime: {time}\n{RULE}\n");
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
