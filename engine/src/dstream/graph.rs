//! The graph of a job: inputs, scheduled nodes, outputs, and what is wrong with it.

use super::versions::Versions;
use super::{Output, PrintSink, Scheduled, operator};
use crate::clock::lock;
use crate::error::EngineError;
use crate::exchange::KeyHasher;
use crate::schedule::operator::Operator;
use crate::settings::{KNOBS, Settings, WindowMethod, find_knob};
use crate::source::input::AnyInput;
use crate::source::shared::Shared;
use crate::storage::Storage;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What was there when a context stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Records taken from all sources.
    pub accepted: u64,
    /// Records that sources brought and that were dropped because there was no room. With `accepted`, all that they brought.
    pub shed: u64,
    /// Records of batches that were not done after the drain, failed ones among them, and of none yet.
    pub unfinished: u64,
    /// Oddities of input that were taken, refusals, and troubles of receivers, by kind.
    pub input: Vec<(&'static str, u64)>,
}

/// The graph of a job. Streams of one context share it.
pub struct Graph {
    settings: Arc<Settings>,
    hasher: KeyHasher,
    /// Of a batch that a `transform` is given, not of a job.
    one_batch: bool,
    parts: Mutex<Parts>,
    print_sink: PrintSink,
    versions: Arc<Versions>,
    storage: Arc<dyn Storage>,
    /// Hears of what is refused after the start.
    shared: Arc<Shared>,
    build: Mutex<Build>,
}

/// What runs.
#[derive(Clone, Default)]
pub(crate) struct Parts {
    pub(crate) inputs: Vec<Arc<dyn AnyInput>>,
    pub(crate) has_planned: bool,
    pub(crate) scheduled: Vec<Arc<dyn Scheduled>>,
    pub(crate) outputs: Vec<Arc<dyn Output>>,
}

#[derive(Default)]
struct Build {
    frozen: bool,
    refused: Option<EngineError>,
    needs_print_sink: Option<Operator>,
    /// Names of the directories that outputs write.
    directories: BTreeSet<String>,
    has_window_reduction: bool,
}

impl Graph {
    pub(crate) fn new(settings: Settings, shared: Arc<Shared>, storage: Arc<dyn Storage>) -> Self {
        let versions = Arc::new(Versions::default());
        let scheduled: Vec<Arc<dyn Scheduled>> = vec![versions.clone()];
        Graph {
            hasher: KeyHasher::of(settings.hasher),
            settings: Arc::new(settings),
            one_batch: false,
            parts: Mutex::new(Parts { scheduled, ..Parts::default() }),
            print_sink: PrintSink::default(),
            versions,
            storage,
            shared,
            build: Mutex::default(),
        }
    }

    /// A graph for what a `transform` makes of one batch.
    pub(crate) fn for_one_batch(&self) -> Self {
        Graph {
            settings: self.settings.clone(),
            hasher: self.hasher.clone(),
            one_batch: true,
            parts: Mutex::default(),
            print_sink: self.print_sink.clone(),
            versions: self.versions.clone(),
            storage: self.storage.clone(),
            shared: self.shared.clone(),
            build: Mutex::default(),
        }
    }

    /// The first reason why the job cannot work.
    pub(crate) fn refusal(&self) -> Option<EngineError> {
        lock(&self.build).refused.clone()
    }

    /// For operators that look at more than one batch, or act.
    pub(crate) fn refuse_in_one_batch(&self, operator: Operator) {
        if self.one_batch {
            self.refuse(operator, "inside `transform` there is one batch only; put it behind the `transform`".into());
        }
    }

    /// The hash of all keys.
    pub(crate) fn hasher(&self) -> KeyHasher {
        self.hasher.clone()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Adds an input; one that comes after the start is refused.
    #[track_caller]
    pub(crate) fn input(&self, input: Arc<dyn AnyInput>, planned: bool) {
        if self.refuse_late(operator("a source")) {
            return;
        }
        let mut parts = lock(&self.parts);
        parts.inputs.push(input);
        parts.has_planned |= planned;
    }

    /// Adds a node with something to do at every batch; one that comes after the start is refused.
    #[track_caller]
    pub(crate) fn schedule(&self, node: Arc<dyn Scheduled>) {
        if self.refuse_late(operator("an operator")) {
            return;
        }
        lock(&self.parts).scheduled.push(node);
    }

    /// Adds an output; one that comes after the start is refused.
    pub(crate) fn output(&self, operator: Operator, output: Arc<dyn Output>) {
        self.refuse_in_one_batch(operator);
        if self.refuse_late(operator) {
            return;
        }
        lock(&self.parts).outputs.push(output);
    }

    /// What is built too late is left out, and the running context fails with the reason.
    fn refuse_late(&self, operator: Operator) -> bool {
        let is_late = lock(&self.build).frozen;
        if is_late {
            self.refuse(operator, "the graph is frozen at start; build all of the job before `start`".into());
        }
        is_late
    }

    /// The job cannot work; the first reason is what `start` returns, or after the start `await_termination`.
    pub(crate) fn refuse(&self, operator: Operator, problem: String) {
        let refused = EngineError::Job { operator: operator.to_string(), problem };
        let mut build = lock(&self.build);
        if build.frozen {
            self.shared.fail(refused.clone());
        }
        build.refused.get_or_insert(refused);
    }

    /// An output will write directories of this name; two that would replace each other's are refused.
    pub(crate) fn claim_directories(&self, operator: Operator, name: String) {
        let is_taken = !lock(&self.build).directories.insert(name.clone());
        if is_taken {
            self.refuse(operator, format!("another output of this job saves as {name} already; choose another prefix"));
        }
    }

    pub(crate) fn storage(&self) -> Arc<dyn Storage> {
        self.storage.clone()
    }

    /// There is a reduction over a window, so `window_method` says something.
    pub(crate) fn note_window_reduction(&self) {
        lock(&self.build).has_window_reduction = true;
    }

    pub(crate) fn needs_print_sink(&self, operator: Operator) {
        lock(&self.build).needs_print_sink.get_or_insert(operator);
    }

    pub(crate) fn versions(&self) -> Arc<Versions> {
        self.versions.clone()
    }

    pub(crate) fn print_sink(&self) -> PrintSink {
        self.print_sink.clone()
    }

    pub(crate) fn check(&self) -> Result<(), EngineError> {
        if let Some(refused) = self.refusal() {
            return Err(refused);
        }
        let build = lock(&self.build);
        if !build.has_window_reduction && self.settings.window_method != WindowMethod::Auto {
            let value = find_knob(KNOBS, "window_method").map_or_else(String::new, |knob| (knob.get)(&self.settings));
            let rule = "the job reduces no window, so it would change nothing; leave it at auto";
            return Err(EngineError::Setting { knob: "window_method", value, rule });
        }
        if lock(&self.parts).outputs.is_empty() {
            let problem = "no output operation, so there is nothing to do; add one, for example `print`".into();
            return Err(EngineError::Job { operator: "start".into(), problem });
        }
        if let Some(operator) = build.needs_print_sink
            && lock(&self.print_sink).is_none()
        {
            let problem = "the context has no print sink; call `print_to` before the start".into();
            return Err(EngineError::Job { operator: operator.to_string(), problem });
        }
        Ok(())
    }

    pub(crate) fn freeze(&self) -> Parts {
        lock(&self.build).frozen = true;
        lock(&self.parts).clone()
    }

    /// Whoever waits for an input's records goes on without them.
    pub(crate) fn interrupt_inputs(&self) {
        lock(&self.parts).inputs.iter().for_each(|input| input.interrupt());
    }

    /// What was there at the end; `unfinished` are the records of batches that are not done.
    pub(crate) fn stop_report(&self, unfinished: u64) -> StopReport {
        let parts = lock(&self.parts);
        let accepted: u64 = parts.inputs.iter().map(|input| input.accepted()).sum();
        let mut counts = BTreeMap::new();
        for (kind, count) in parts.inputs.iter().flat_map(|input| input.counts()) {
            *counts.entry(kind).or_default() += count;
        }
        let waiting: u64 = parts.inputs.iter().map(|input| input.waiting()).sum();
        let shed = parts.inputs.iter().map(|input| input.shed()).sum();
        StopReport { accepted, shed, unfinished: unfinished + waiting, input: counts.into_iter().collect() }
    }
}
