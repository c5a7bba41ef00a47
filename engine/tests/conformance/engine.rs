//! Runs programs on downbeat, on the manual clock.

use super::answers::{Answers, Files, Seen};
use super::datum::{Datum, Kind};
use super::operations::{BATCH_MS, Made, Shown, Stream, Streams, batches, with};
use super::program::{Input, Output, Program};
use downbeat_engine::clock::ManualClock;
use downbeat_engine::dstream::Slice;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::source::QueueHandle;
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tempfile::TempDir;

/// Feeds an input of any kind.
enum Feed {
    Text(QueueHandle<Text>),
    Number(QueueHandle<i64>),
    Pair(QueueHandle<Pair<Text, i64>>),
}

impl Feed {
    /// The partitions of one batch, empty ones too.
    fn push(&self, partitions: &[Vec<Datum>]) {
        let pushed = match self {
            Feed::Text(feed) => feed.push_partitions(
                partitions.iter().map(|partition| partition.iter().map(|record| record.text().as_bytes())),
            ),
            Feed::Number(feed) => {
                feed.push_partitions(partitions.iter().map(|partition| partition.iter().map(Datum::number)))
            }
            Feed::Pair(feed) => feed.push_partitions(
                partitions
                    .iter()
                    .map(|partition| partition.iter().map(Datum::pair).map(|(key, value)| (key.as_bytes(), value))),
            ),
        };
        pushed.expect("not stopped");
    }
}

/// Records by stream and batch.
type Collected = Arc<Mutex<BTreeMap<(String, u64), Vec<String>>>>;

/// What `print` writes to.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Page {
    fn take(&self) -> String {
        String::from_utf8(std::mem::take(&mut *self.0.lock().expect("no panic"))).expect("text")
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Reports(Mutex<Vec<BatchReport>>);

impl BatchListener for Reports {
    fn batch_completed(&self, report: &BatchReport) {
        self.0.lock().expect("no panic").push(report.clone());
    }
}

/// Runs a program under settings, which must not matter; the intervals are the runner's own.
pub(crate) fn run(program: &Program, settings: Settings) -> Answers {
    Run::new(program, settings).answers().unwrap_or_else(|refusal| Answers::refusal(refusal.to_string()))
}

/// A program on its way.
struct Run<'p> {
    program: &'p Program,
    clock: Arc<ManualClock>,
    context: StreamingContext,
    reports: Arc<Reports>,
    page: Page,
    collected: Collected,
    streams: Streams,
    feeds: Vec<Feed>,
    slices: Vec<Sliced>,
    saved: TempDir,
}

impl<'p> Run<'p> {
    fn new(program: &'p Program, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let context = StreamingContext::with_clock(settings.interval(Duration::from_millis(BATCH_MS)), clock.clone())
            .expect("settings that work");
        let (reports, page) = (Arc::new(Reports::default()), Page::default());
        context.add_listener(reports.clone());
        context.print_to(Box::new(page.clone()));
        let (collected, streams) = (Collected::default(), Streams::default());
        let (feeds, slices, saved) = (Vec::new(), Vec::new(), TempDir::new().expect("a place for files"));
        Run { program, clock, context, reports, page, collected, streams, feeds, slices, saved }
    }

    fn answers(mut self) -> Result<Answers, EngineError> {
        for (number, input) in self.program.inputs.iter().enumerate() {
            self.input(Program::input_name(number), input);
        }
        for step in &self.program.steps {
            self.streams.operate(&self.context, step);
        }
        self.program.outputs.iter().for_each(|output| self.output(output));
        self.context.start()?;
        let (mut printed, mut sliced) = (Vec::new(), BTreeMap::new());
        for batch in 1..=self.program.batches {
            printed.push(self.batch(batch));
            let due = self.slices.iter().enumerate().filter(|(_, slice)| slice.after == batch);
            sliced.extend(due.map(|(number, slice)| (number, (slice.read)())));
        }
        let answers = Answers { sliced: sliced.into_values().collect(), ..self.gathered(printed) };
        self.context.stop(Duration::from_secs(10))?;
        Ok(answers)
    }

    fn input(&mut self, name: String, input: &Input) {
        let (feed, stream) = match input.kind {
            Kind::Text => {
                let (feed, stream) = self.context.queue_stream();
                (Feed::Text(feed), Stream::Text(stream))
            }
            Kind::Number => {
                let (feed, stream) = self.context.queue_stream();
                (Feed::Number(feed), Stream::Number(stream))
            }
            Kind::Pair => {
                let (feed, stream) = self.context.queue_stream();
                (Feed::Pair(feed), Stream::Pair(stream))
            }
        };
        self.feeds.push(feed);
        self.streams.made.insert(name, Made { stream, slide: 1 });
    }

    fn output(&mut self, output: &Output) {
        let stream = |of: &String| self.streams.made[of].stream.clone();
        match output {
            Output::Collect { of } => with!(stream(of), stream => self.collect(of, &stream)),
            Output::Print { of, records } => with!(stream(of), stream => stream.print(*records)),
            Output::SaveAsTextFiles { of, prefix, suffix } => {
                let prefix = self.saved.path().join(prefix).to_str().expect("a plain name").to_owned();
                with!(stream(of), stream => stream.save_as_text_files(&prefix, suffix.as_deref().unwrap_or_default()));
            }
            Output::Slice { of, after, from, to } => {
                let duration = batches(self.program.remember.unwrap_or(1));
                let read = with!(stream(of), stream => sliced(&stream, duration, *from, *to));
                self.slices.push(Sliced { after: *after, read });
            }
        }
    }

    fn collect<R: Shown>(&self, name: &str, stream: &DStream<R>) {
        let (name, collected) = (name.to_owned(), self.collected.clone());
        stream.for_each_batch(move |batch| {
            let mut records = Vec::new();
            batch.for_each(|view| records.push(R::shown(view)));
            collected.lock().expect("no panic").insert((name.clone(), batch.index() + 1), records);
        });
    }

    /// Feeds a batch and waits until it is done; returns what it printed.
    fn batch(&self, batch: u64) -> String {
        self.streams.replace_datasets(batch);
        for (feed, input) in self.feeds.iter().zip(&self.program.inputs) {
            feed.push(input.batches.get(batch as usize - 1).map_or(&[][..], Vec::as_slice));
        }
        self.clock.advance_to(batch * BATCH_MS * 1_000_000);
        self.page.take()
    }

    fn gathered(&self, printed: Vec<String>) -> Answers {
        let reports = self.reports.0.lock().expect("no panic");
        let prints = self.program.outputs.iter().any(|output| matches!(output, Output::Print { .. }));
        let saves = self.program.outputs.iter().any(|output| matches!(output, Output::SaveAsTextFiles { .. }));
        let mut answers = Answers {
            completed: self.program.list_completed.then(|| reports.iter().map(|report| report.index + 1).collect()),
            printed: prints.then_some(printed),
            files: saves.then(|| files(self.saved.path())),
            ..Answers::default()
        };
        let collected = self.collected.lock().expect("no panic");
        for output in &self.program.outputs {
            if let Output::Collect { of } = output {
                let seen = (1..=self.program.batches).zip(&*reports).map(|(batch, report)| {
                    let failed = report.failure.as_ref().map(|_| Seen::Failed("failed".to_owned()));
                    failed.or_else(|| collected.get(&(of.clone(), batch)).cloned().map(Seen::Records))
                });
                answers.collected.insert(of.clone(), seen.collect());
            }
        }
        answers
    }
}

/// A slice that is read once a batch is done.
struct Sliced {
    after: u64,
    read: Box<dyn Fn() -> Vec<Vec<String>>>,
}

fn sliced<R: Shown>(stream: &DStream<R>, duration: Duration, from: u64, to: u64) -> Box<dyn Fn() -> Vec<Vec<String>>> {
    let remembered = stream.remember(duration);
    let label = |batch: u64| (batch * BATCH_MS) as i64;
    Box::new(move || {
        let slices = remembered.slice(label(from), label(to)).expect("remembered");
        let shown = |slice: &Slice<R>| {
            let mut records = Vec::new();
            slice.for_each(|view| records.push(R::shown(view)));
            records
        };
        slices.iter().map(shown).collect()
    })
}

/// The lines of all files of all directories that were saved.
fn files(saved: &Path) -> Files {
    let names = |of: &Path| -> Vec<String> {
        let entries = std::fs::read_dir(of).expect("a directory").map(|entry| entry.expect("an entry").file_name());
        entries.map(|name| name.into_string().expect("a plain name")).collect()
    };
    let lines = |file: &Path| std::fs::read_to_string(file).expect("text").lines().map(str::to_owned).collect();
    let directory = |name: String| {
        let path = saved.join(&name);
        (name, names(&path).into_iter().map(|file| (file.clone(), lines(&path.join(file)))).collect())
    };
    names(saved).into_iter().map(directory).collect()
}
