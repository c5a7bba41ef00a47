//! Backpressure: each batch that is done tells the estimator of each input, and that the input's limiter.

use super::pid::{Completed, Pid, PidSettings};
use super::queue::Batch;
use crate::clock::lock;
use crate::settings::Settings;
use crate::source::input::AnyInput;
use std::sync::{Arc, Mutex};

/// The estimators of a context, one an input.
pub(crate) struct Backpressure {
    inputs: Vec<(Arc<dyn AnyInput>, Mutex<Pid>)>,
}

impl Backpressure {
    pub(crate) fn new(settings: &Settings, inputs: &[Arc<dyn AnyInput>]) -> Self {
        let with_estimator =
            |input: &Arc<dyn AnyInput>| (input.clone(), Mutex::new(Pid::new(PidSettings::of(settings))));
        let inputs = if settings.backpressure { inputs } else { &[] };
        Backpressure { inputs: inputs.iter().map(with_estimator).collect() }
    }

    /// A batch is done, whether it failed or not, as in Spark. Primed ones tell nothing: they do not come at their pace.
    pub(crate) fn completed(&self, batch: &Batch, started_ns: u64, done_ns: u64) {
        if batch.primed {
            return;
        }
        for ((input, pid), allotment) in self.inputs.iter().zip(&batch.allotments) {
            let completed = Completed {
                time_ms: milliseconds(done_ns),
                records: allotment.records,
                processing_ms: milliseconds(done_ns - started_ns),
                scheduling_delay_ms: milliseconds(started_ns - batch.submitted_ns),
            };
            let rate_per_s = lock(pid).completed(completed);
            // Spark publishes whole records; a rate that becomes 0 by that is none.
            if let Some(rate_per_s) = rate_per_s {
                input.limit(rate_per_s.trunc());
            }
        }
    }
}

fn milliseconds(ns: u64) -> f64 {
    ns as f64 / 1e6
}
