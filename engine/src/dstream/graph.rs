//! The graph of a job: inputs, scheduled nodes, outputs, and what is wrong with it.

use super::{Output, PrintSink, Scheduled};
use crate::clock::lock;
use crate::error::EngineError;
use crate::schedule::operator::Operator;
use crate::settings::Settings;
use crate::source::input::AnyInput;
use std::collections::BTreeMap;
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
    /// Oddities of input that were taken, and refusals, by kind.
    pub input: Vec<(&'static str, u64)>,
}

/// Starts and stops one receiver, whatever its records are.
pub(crate) trait AnyReceiver: Send {
    fn start(&mut self) -> Result<(), EngineError>;
    fn stop(&mut self);
}

/// The graph of a job. Streams of one context share it.
pub struct Graph {
    settings: Settings,
    parts: Mutex<Parts>,
    receivers: Mutex<Vec<Box<dyn AnyReceiver>>>,
    print_sink: PrintSink,
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
}

impl Graph {
    pub(crate) fn new(settings: Settings) -> Self {
        Graph {
            settings,
            parts: Mutex::default(),
            receivers: Mutex::default(),
            print_sink: PrintSink::default(),
            build: Mutex::default(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn input(&self, input: Arc<dyn AnyInput>, receiver: Box<dyn AnyReceiver>, planned: bool) {
        let mut parts = lock(&self.parts);
        parts.inputs.push(input);
        parts.has_planned |= planned;
        lock(&self.receivers).push(receiver);
    }

    pub(crate) fn schedule(&self, node: Arc<dyn Scheduled>) {
        lock(&self.parts).scheduled.push(node);
    }

    /// Adds an output; one that comes after the start is refused.
    pub(crate) fn output(&self, operator: Operator, output: Arc<dyn Output>) {
        if lock(&self.build).frozen {
            self.refuse(operator, "the graph is frozen at the start; add outputs before".into());
        }
        lock(&self.parts).outputs.push(output);
    }

    /// The job cannot work; the first reason is what `start` returns.
    pub(crate) fn refuse(&self, operator: Operator, problem: String) {
        lock(&self.build).refused.get_or_insert(EngineError::Job { operator: operator.to_string(), problem });
    }

    pub(crate) fn needs_print_sink(&self, operator: Operator) {
        lock(&self.build).needs_print_sink.get_or_insert(operator);
    }

    pub(crate) fn print_sink(&self) -> PrintSink {
        self.print_sink.clone()
    }

    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let build = lock(&self.build);
        if let Some(refused) = &build.refused {
            return Err(refused.clone());
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

    pub(crate) fn start_receivers(&self) -> Result<(), EngineError> {
        lock(&self.receivers).iter_mut().try_for_each(|receiver| receiver.start())
    }

    /// Whoever waits for an input's records goes on without them.
    pub(crate) fn interrupt_inputs(&self) {
        lock(&self.parts).inputs.iter().for_each(|input| input.interrupt());
    }

    pub(crate) fn stop_receivers(&self) {
        lock(&self.receivers).drain(..).for_each(|mut receiver| receiver.stop());
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
