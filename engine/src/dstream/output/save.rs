//! `save_as_text_files`, `save_as_object_files`, `save_as_files`: a directory of part files per batch.

use super::for_each::on_all_lanes;
use super::{Batch, Label, Output, Partition};
use crate::dstream::{BatchTime, DStream, Node, Printable, operator};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::object_file::ObjectWriter;
use crate::record::Family;
use crate::schedule::job::JobRun;
use crate::schedule::operator::Operator;
use crate::storage::{Draft, Storage};
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

impl<R: Printable> DStream<R> {
    /// Saves each batch as text: one record a line, in the text that `print` shows. See [`save_as_files`](Self::save_as_files) for
    /// the files.
    #[track_caller]
    pub fn save_as_text_files(&self, prefix: &str, suffix: &str) {
        self.save(operator("save_as_text_files"), prefix, suffix, |records, out| {
            let mut line = String::new();
            records.try_for_each(|view| {
                line.clear();
                R::print(view, &mut line);
                line.push('\n');
                out.write_all(line.as_bytes())
            })
        });
    }
}

impl<R: Family> DStream<R> {
    /// Saves each batch as object files, which [`read_object_file`](crate::object_file::read_object_file) reads back. See
    /// [`save_as_files`](Self::save_as_files) for the files.
    #[track_caller]
    pub fn save_as_object_files(&self, prefix: &str, suffix: &str) {
        self.save(operator("save_as_object_files"), prefix, suffix, |records, out| {
            let mut objects = ObjectWriter::<R>::begin(out)?;
            records.try_for_each(|view| objects.push(view))?;
            objects.finish()
        });
    }

    /// Saves each batch as files whose bytes `write` makes of each partition's records; it is called on all threads at once.
    ///
    /// A batch is a directory `PREFIX-TIME.SUFFIX`, its time in milliseconds; an empty prefix or suffix is left out with its
    /// separator. It has a file `part-00000`, `part-00001`, … for each partition, empty ones too, and `_SUCCESS`. Missing parents
    /// are made. The directory grows under a hidden name beside its place (`.NAME.unfinished`), all of it is flushed to the disk, then it
    /// is renamed: whoever sees it sees all of it, also after a crash. A directory of an earlier run is replaced as a whole; what a
    /// crashed run left unfinished is removed when the same batch is saved again. Each output commits its own directory, whatever
    /// becomes of the batch's other outputs.
    ///
    /// What cannot be written fails the batch by this output's name.
    #[track_caller]
    pub fn save_as_files(
        &self,
        prefix: &str,
        suffix: &str,
        write: impl Fn(&Partition<'_, R>, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) {
        self.save(operator("save_as_files"), prefix, suffix, write);
    }

    fn save(
        &self,
        operator: Operator,
        prefix: &str,
        suffix: &str,
        write: impl Fn(&Partition<'_, R>, &mut dyn Write) -> io::Result<()> + Send + Sync + 'static,
    ) {
        if suffix.contains('/') {
            self.graph.refuse(operator, format!("the suffix {suffix:?} has a slash; directories belong to the prefix"));
        }
        let names = Names { prefix: prefix.to_owned(), suffix: suffix.to_owned() };
        self.graph.claim_directories(operator, names.pattern());
        let (node, storage) = (self.node.clone(), self.graph.storage());
        let save = Save { node, storage, names, write, operator, slide_batches: self.slide_batches };
        self.graph.output(operator, Arc::new(save));
    }
}

/// What the directories of an output are called.
struct Names {
    prefix: String,
    suffix: String,
}

impl Names {
    fn around(&self, time: &str) -> String {
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("{}-", self.prefix) };
        let suffix = if self.suffix.is_empty() { String::new() } else { format!(".{}", self.suffix) };
        format!("{prefix}{time}{suffix}")
    }

    fn of(&self, time: BatchTime) -> PathBuf {
        self.around(&time.milliseconds().to_string()).into()
    }

    /// The same for all outputs that would get in each other's way.
    fn pattern(&self) -> String {
        self.around("TIME")
    }
}

struct Save<R: Family, F> {
    node: Arc<dyn Node<R>>,
    storage: Arc<dyn Storage>,
    names: Names,
    write: F,
    operator: Operator,
    slide_batches: u64,
}

impl<R, F> Output for Save<R, F>
where
    R: Family,
    F: Fn(&Partition<'_, R>, &mut dyn Write) -> io::Result<()> + Send + Sync,
{
    fn slide_batches(&self) -> u64 {
        self.slide_batches
    }

    fn run(&self, run: &mut JobRun<'_>, label: Label) -> Result<(), EngineError> {
        let prepared = self.node.prepare(run)?;
        let batch = Batch::new(&*self.node, run, prepared, label, self.operator);
        let time_ms = run.time_ms;
        let failed = |error: io::Error| EngineError::Batch {
            time_ms,
            operator: self.operator.to_string(),
            problem: error.to_string(),
        };
        let place = self.names.of(batch.time());
        let draft = run.alone(Stage::Output, || Draft::begin(&*self.storage, place).map_err(failed))?;
        on_all_lanes(run, &batch, self.operator, |records| {
            let name = format!("part-{:05}", records.number());
            draft.write(&name, |out| (self.write)(records, out)).map_err(|error| error.to_string())
        })?;
        run.alone(Stage::Commit, || draft.commit().map_err(failed))
    }
}
