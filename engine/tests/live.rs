//! What tests against real peers share: a context on the real clock, what its listeners heard, and patience.

use downbeat_engine::context::State;
use downbeat_engine::dstream::StopReport;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::record::Text;
use downbeat_engine::{DStream, Settings, StreamingContext};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What sources reported.
#[derive(Default)]
pub(crate) struct Messages(Mutex<Vec<String>>);

impl BatchListener for Messages {
    fn batch_completed(&self, _: &BatchReport) {}
    fn source_reported(&self, source: &str, message: &str) {
        self.0.lock().expect("no panic").push(format!("{source}: {message}"));
    }
}

impl Messages {
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    pub(crate) fn count(&self, part: &str) -> usize {
        self.all().iter().filter(|message| message.contains(part)).count()
    }
}

/// A short interval, short pauses, lines of at most 20 bytes.
pub(crate) fn quick() -> Settings {
    Settings { restart_delay_ns: 5_000_000, line_limit_bytes: 20, ..Settings::default() }
        .interval(Duration::from_millis(5))
}

pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A context on the real clock, and the lines that its streams gave.
pub(crate) struct Live {
    pub(crate) context: StreamingContext,
    pub(crate) messages: Arc<Messages>,
}

/// Lines in the order in which they came.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    pub(crate) fn of(stream: &DStream<Text>) -> Self {
        let lines = Lines::default();
        let into = lines.clone();
        stream.for_each_batch(move |batch| {
            batch.for_each(|line| into.0.lock().expect("no panic").push(String::from_utf8_lossy(line).into_owned()));
        });
        lines
    }

    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().expect("no panic").clone()
    }

    pub(crate) fn wait_for(&self, expected: &[&str]) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while self.all().len() < expected.len() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(self.all(), expected);
    }
}

impl Live {
    pub(crate) fn new(settings: Settings) -> Self {
        let context = StreamingContext::new(settings).expect("works");
        let messages = Arc::new(Messages::default());
        context.add_listener(messages.clone());
        Live { context, messages }
    }

    /// Stops and returns what was counted.
    pub(crate) fn stop(&self) -> BTreeMap<&'static str, u64> {
        assert_eq!(self.context.state(), State::Active);
        let report: StopReport = self.context.stop(Duration::from_secs(5)).expect("stops");
        report.input.into_iter().collect()
    }
}
