//! Runs programs on downbeat, on the manual clock.

use super::answers::{Answers, Seen};
use super::datum::{Datum, Kind};
use super::function::{FlatMapFunction, MapFunction, Predicate, ReduceFunction};
use super::program::{Input, Op, Output, Program, Step};
use downbeat_engine::clock::ManualClock;
use downbeat_engine::exchange::Key;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::{Family, Pair, Text};
use downbeat_engine::source::QueueHandle;
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Labels are the same as Spark's manual clock gives: batch 1 is the one at 1000 ms.
const BATCH_MS: u64 = 1000;

/// Each partition of an input is what came within one block interval.
const BLOCK_MS: u64 = 10;

/// Operations and outputs that the engine does not have yet. Programs that use them are the ignored test.
pub(crate) const PENDING: &[&str] = &[
    "map_partitions",
    "glom",
    "repartition",
    "union of many",
    "reduce",
    "transform",
    "transform_with",
    "map_values",
    "flat_map_values",
    "group_by_key",
    "combine_by_key",
    "cogroup",
    "join",
    "left_outer_join",
    "right_outer_join",
    "full_outer_join",
    "join_dataset",
    "reduce_by_window",
    "count_by_window",
    "count_by_value_and_window",
    "group_by_key_and_window",
    "update_state_by_key",
    "map_with_state",
    "save_as_text_files",
    "slice",
];

/// What a program needs that the engine does not have yet.
pub(crate) fn pending(program: &Program) -> Vec<&'static str> {
    let op = |step: &Step| match &step.op {
        Op::Union if step.of.len() > 2 => "union of many".to_owned(),
        op => op.name(),
    };
    let needs: Vec<String> =
        program.steps.iter().map(op).chain(program.outputs.iter().map(|output| output.name().to_owned())).collect();
    PENDING.iter().copied().filter(|name| needs.iter().any(|need| need == name)).collect()
}

/// A stream of any kind.
#[derive(Clone)]
enum Stream {
    Text(DStream<Text>),
    Number(DStream<i64>),
    Pair(DStream<Pair<Text, i64>>),
}

/// Does the same with the stream of whatever kind.
macro_rules! with {
    ($stream:expr, $inner:ident => $result:expr) => {
        match $stream {
            Stream::Text($inner) => $result,
            Stream::Number($inner) => $result,
            Stream::Pair($inner) => $result,
        }
    };
}

/// The same, giving a stream of the same kind.
macro_rules! same_kind {
    ($stream:expr, $inner:ident => $result:expr) => {
        match $stream {
            Stream::Text($inner) => Stream::Text($result),
            Stream::Number($inner) => Stream::Number($result),
            Stream::Pair($inner) => Stream::Pair($result),
        }
    };
}

/// A stream, and at every how many batches it has records.
#[derive(Clone)]
struct Made {
    stream: Stream,
    slide: u64,
}

/// Feeds an input of any kind.
enum Feed {
    Text(QueueHandle<Text>),
    Number(QueueHandle<i64>),
    Pair(QueueHandle<Pair<Text, i64>>),
}

impl Feed {
    fn push(&self, partition: &[Datum]) {
        let pushed = match self {
            Feed::Text(feed) => feed.push(partition.iter().map(|record| record.text().as_bytes())),
            Feed::Number(feed) => feed.push(partition.iter().map(Datum::number)),
            Feed::Pair(feed) => {
                feed.push(partition.iter().map(Datum::pair).map(|(key, value)| (key.as_bytes(), value)))
            }
        };
        pushed.expect("not stopped");
    }
}

/// A family whose records programs know.
trait Shown: Family {
    fn shown(view: Self::View<'_>) -> String;
}

impl Shown for Text {
    fn shown(view: &[u8]) -> String {
        String::from_utf8_lossy(view).into_owned()
    }
}

impl Shown for i64 {
    fn shown(view: i64) -> String {
        view.to_string()
    }
}

impl Shown for Pair<Text, i64> {
    fn shown((key, value): (&[u8], i64)) -> String {
        format!("({},{value})", Text::shown(key))
    }
}

/// New text as a view. Views borrow from the records they are made of, so text that is made must live as long as the process.
fn interned(text: String) -> &'static [u8] {
    static TEXTS: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut texts = TEXTS.lock().expect("no panic");
    if let Some(known) = texts.get(text.as_str()) {
        return known.as_bytes();
    }
    let text: &'static str = Box::leak(text.into_boxed_str());
    texts.insert(text);
    text.as_bytes()
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
    streams: BTreeMap<String, Made>,
    feeds: Vec<Feed>,
}

impl<'p> Run<'p> {
    fn new(program: &'p Program, settings: Settings) -> Self {
        let clock = Arc::new(ManualClock::new(0));
        let settings = Settings { block_interval_ns: Some(BLOCK_MS * 1_000_000), ..settings };
        let context = StreamingContext::with_clock(settings.interval(Duration::from_millis(BATCH_MS)), clock.clone())
            .expect("settings that work");
        let (reports, page) = (Arc::new(Reports::default()), Page::default());
        context.add_listener(reports.clone());
        context.print_to(Box::new(page.clone()));
        let (collected, streams) = (Collected::default(), BTreeMap::new());
        Run { program, clock, context, reports, page, collected, streams, feeds: Vec::new() }
    }

    fn answers(mut self) -> Result<Answers, EngineError> {
        for (number, input) in self.program.inputs.iter().enumerate() {
            self.input(Program::input_name(number), input);
        }
        for step in &self.program.steps {
            let made = self.operate(step);
            self.streams.insert(step.name.clone(), made);
        }
        self.program.outputs.iter().for_each(|output| self.output(output));
        self.context.start()?;
        let printed = (1..=self.program.batches).map(|batch| self.batch(batch)).collect();
        let answers = self.gathered(printed);
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
        self.streams.insert(name, Made { stream, slide: 1 });
    }

    fn output(&self, output: &Output) {
        match output {
            Output::Collect { of } => with!(&self.streams[of].stream, stream => self.collect(of, stream)),
            Output::Print { of, records } => with!(&self.streams[of].stream, stream => stream.print(*records)),
            Output::SaveAsTextFiles { .. } | Output::Slice { .. } => not_yet(output.name()),
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

    /// Feeds a batch, block by block, and waits until it is done; returns what it printed.
    fn batch(&self, batch: u64) -> String {
        let (index, start_ms) = (batch as usize - 1, (batch - 1) * BATCH_MS);
        let contents: Vec<_> =
            self.program.inputs.iter().map(|input| input.batches.get(index).map_or(&[][..], Vec::as_slice)).collect();
        let blocks = contents.iter().map(|partitions| partitions.len()).max().unwrap_or(0);
        for block in 0..blocks {
            self.clock.advance_to((start_ms + block as u64 * BLOCK_MS) * 1_000_000);
            for (feed, partitions) in self.feeds.iter().zip(&contents) {
                partitions.get(block).into_iter().for_each(|partition| feed.push(partition));
            }
        }
        self.clock.advance_to((start_ms + BATCH_MS) * 1_000_000);
        self.page.take()
    }

    fn gathered(&self, printed: Vec<String>) -> Answers {
        let reports = self.reports.0.lock().expect("no panic");
        let prints = self.program.outputs.iter().any(|output| matches!(output, Output::Print { .. }));
        let mut answers = Answers {
            completed: self.program.list_completed.then(|| reports.iter().map(|report| report.index + 1).collect()),
            printed: prints.then_some(printed),
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

    fn operate(&self, step: &Step) -> Made {
        let first = &self.streams[&step.of[0]];
        let stream = &first.stream;
        let (stream, slide) = match &step.op {
            Op::Map { function } => (map(*function, stream), first.slide),
            Op::Filter { function } => (filter(*function, stream), first.slide),
            Op::FlatMap { function } => (flat_map(*function, stream), first.slide),
            Op::Union => (union(stream, &self.streams[&step.of[1]].stream), first.slide),
            Op::Count => {
                (with!(stream, of => Stream::Number(of.count().map::<i64>(|count| count as i64))), first.slide)
            }
            Op::CountByValue => (Stream::Pair(count_by_value(stream)), first.slide),
            Op::ReduceByKey { function } => {
                let function = *function;
                (Stream::Pair(pairs(stream).reduce_by_key(move |a, b| function.numbers(a, b))), first.slide)
            }
            Op::Window { length, slide } => {
                let slide = slide.unwrap_or(first.slide);
                (same_kind!(stream, of => of.window(batches(*length), batches(slide))), slide)
            }
            Op::ReduceByKeyAndWindow { function, length, slide } => {
                (Stream::Pair(reduce_by_key_and_window(stream, *function, *length, *slide)), *slide)
            }
            Op::ReduceByKeyAndInverseWindow { filter: kept, length, slide } => {
                let (length, between) = (batches(*length), batches(*slide));
                let sums = Stream::Pair(pairs(stream).reduce_by_key_and_inverse_window(
                    |a, b| a + b,
                    |a, b| a - b,
                    length,
                    between,
                ));
                (kept.map_or(sums.clone(), |kept| filter(kept, &sums)), *slide)
            }
            op => not_yet(&op.name()),
        };
        Made { stream, slide }
    }
}

fn not_yet(operation: &str) -> ! {
    panic!("{operation} is not in the engine yet; it is listed in PENDING")
}

fn batches(count: u64) -> Duration {
    Duration::from_millis(count * BATCH_MS)
}

fn pairs(stream: &Stream) -> &DStream<Pair<Text, i64>> {
    match stream {
        Stream::Pair(pairs) => pairs,
        _ => panic!("a keyed operation needs pairs"),
    }
}

/// A program asks for a function that its records are not made for.
fn misfit(function: &dyn std::fmt::Debug) -> ! {
    panic!("{function:?} is not for records of this kind")
}

/// As the definitions of `MapFunction` say, in the engine's own terms: nothing is copied where a view can be borrowed.
fn map(function: MapFunction, stream: &Stream) -> Stream {
    match (function, stream) {
        (MapFunction::Same, Stream::Text(of)) => Stream::Text(of.map::<Text>(|text| text)),
        (MapFunction::Same, Stream::Number(of)) => Stream::Number(of.map::<i64>(|number| number)),
        (MapFunction::Same, Stream::Pair(of)) => Stream::Pair(of.map::<Pair<Text, i64>>(|pair| pair)),
        (MapFunction::Head, Stream::Text(of)) => {
            Stream::Text(of.map::<Text>(|text| &text[..first_character_bytes(text)]))
        }
        (MapFunction::Length, Stream::Text(of)) => Stream::Number(of.map::<i64>(characters)),
        (MapFunction::One, Stream::Text(of)) => Stream::Pair(of.map_to_pair::<Text, i64>(|text| (text, 1))),
        (MapFunction::Increment, Stream::Number(of)) => Stream::Number(of.map::<i64>(|number| number + 1)),
        (MapFunction::Negate, Stream::Number(of)) => Stream::Number(of.map::<i64>(|number| -number)),
        (MapFunction::ByParity, Stream::Number(of)) => Stream::Pair(
            of.map_to_pair::<Text, i64>(|number| (if number % 2 == 0 { &b"even"[..] } else { &b"odd"[..] }, number)),
        ),
        (MapFunction::Key, Stream::Pair(of)) => Stream::Text(of.map::<Text>(|(key, _)| key)),
        (MapFunction::Value, Stream::Pair(of)) => Stream::Number(of.map::<i64>(|(_, value)| value)),
        (MapFunction::ToX, Stream::Pair(of)) => {
            Stream::Pair(of.map_to_pair::<Text, i64>(|(_, value)| (&b"x"[..], value)))
        }
        _ => misfit(&function),
    }
}

/// The first byte of each character: all but continuations of UTF-8.
fn is_boundary(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}

fn first_character_bytes(text: &[u8]) -> usize {
    text.iter().skip(1).position(|byte| is_boundary(*byte)).map_or(text.len(), |continuations| continuations + 1)
}

fn characters(text: &[u8]) -> i64 {
    text.iter().filter(|byte| is_boundary(**byte)).count() as i64
}

fn filter(predicate: Predicate, stream: &Stream) -> Stream {
    match stream {
        Stream::Text(of) => Stream::Text(of.filter(move |text| match predicate {
            Predicate::All => true,
            Predicate::None => false,
            Predicate::Long => characters(text) > 1,
            _ => misfit(&predicate),
        })),
        Stream::Number(of) => Stream::Number(of.filter(move |number| predicate.keeps(&Datum::Number(number)))),
        Stream::Pair(of) => Stream::Pair(of.filter(move |(_, value)| predicate.keeps(&Datum::Number(value)))),
    }
}

fn flat_map(function: FlatMapFunction, stream: &Stream) -> Stream {
    match (function, stream) {
        (FlatMapFunction::Words, Stream::Text(of)) => Stream::Text(of.flat_map::<Text>(|text, out| {
            text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).for_each(out)
        })),
        (FlatMapFunction::Countdown, Stream::Number(of)) => {
            Stream::Number(of.flat_map::<i64>(|number, out| (1..=number).rev().for_each(out)))
        }
        (FlatMapFunction::Spell, Stream::Pair(of)) => {
            Stream::Text(of.flat_map::<Text>(|(key, times), out| (0..times).for_each(|_| out(key))))
        }
        (FlatMapFunction::Twice, Stream::Text(of)) => {
            Stream::Text(of.flat_map::<Text>(|text, out| [text, text].into_iter().for_each(out)))
        }
        (FlatMapFunction::Twice, Stream::Number(of)) => {
            Stream::Number(of.flat_map::<i64>(|number, out| [number, number].into_iter().for_each(out)))
        }
        (FlatMapFunction::Twice, Stream::Pair(of)) => {
            Stream::Pair(of.flat_map::<Pair<Text, i64>>(|pair, out| [pair, pair].into_iter().for_each(out)))
        }
        _ => misfit(&function),
    }
}

fn union(left: &Stream, right: &Stream) -> Stream {
    match (left, right) {
        (Stream::Text(left), Stream::Text(right)) => Stream::Text(left.union(right)),
        (Stream::Number(left), Stream::Number(right)) => Stream::Number(left.union(right)),
        (Stream::Pair(left), Stream::Pair(right)) => Stream::Pair(left.union(right)),
        _ => panic!("a union is of streams of one kind"),
    }
}

fn count_by_value(stream: &Stream) -> DStream<Pair<Text, i64>> {
    fn counted<K: Key + Shown>(of: &DStream<K>) -> DStream<Pair<Text, i64>> {
        of.count_by_value().map_to_pair::<Text, i64>(|(value, count)| (interned(K::shown(value)), count as i64))
    }
    with!(stream, of => counted(of))
}

fn reduce_by_key_and_window(
    stream: &Stream,
    function: ReduceFunction,
    length: u64,
    slide: u64,
) -> DStream<Pair<Text, i64>> {
    pairs(stream).reduce_by_key_and_window(move |a, b| function.numbers(a, b), batches(length), batches(slide))
}
