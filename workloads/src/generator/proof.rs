//! How fast the generator is through the engine: its records taken by a job that does nothing with them.

use super::Generator;
use crate::error::LoadError;
use crate::load::LoadSettings;
use crate::payload::Payload;
use downbeat_engine::StreamingContext;
use downbeat_engine::clock::Wake;
use downbeat_engine::error::EngineError;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::settings::Settings;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Batches of this many records, so many that they do not run out within [`BUDGET`].
const INTERVAL_NS: u64 = 1_000_000;
const RATE_PER_S: f64 = 10e6;
const BATCHES: u64 = 20_000;

/// Time that the measurement takes, or twice that if text is so slow that nothing can be said before.
const BUDGET: Duration = Duration::from_millis(200);

/// Fewest batches from which a rate is told.
const BATCHES_LEAST: u64 = 5;

/// What went through, and when.
#[derive(Default)]
struct Taken {
    state: Mutex<State>,
}

#[derive(Clone, Copy, Default)]
struct State {
    batches: u64,
    /// Records of all batches but the first.
    records: u64,
    first_done_ns: u64,
    last_done_ns: u64,
}

impl Taken {
    fn state(&self) -> State {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BatchListener for Taken {
    fn batch_completed(&self, report: &BatchReport) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.batches == 0 {
            state.first_done_ns = report.done_ns;
        } else {
            state.records += report.records;
        }
        state.batches += 1;
        state.last_done_ns = report.done_ns;
    }
}

/// Records per second that the generator sends through an engine of so many threads whose job counts them, flat out, in
/// batches of 10,000: arrivals and text as the load has them. `None` when it came to no result within 400 ms. Takes 200 ms.
///
/// # Errors
/// A setting of the load or the threads that cannot work.
pub fn proven_ceiling_per_s(payload: &Payload, load: &LoadSettings, threads: usize) -> Result<Option<f64>, ProofError> {
    let load = LoadSettings { rate_per_s: RATE_PER_S, ..load.clone() };
    let payload = payload.endless();
    let schedule = Arc::new(load.schedule(BATCHES * INTERVAL_NS, None)?);
    let (generator, _) = Generator::new(payload, schedule, 0);
    let context = StreamingContext::new(Settings { interval_ns: INTERVAL_NS, threads, ..Settings::default() })?;
    context.planned_stream("ceiling", generator).count().for_each_batch(|_| {});
    // Primed batches are sent as fast as they are taken.
    context.prime(BATCHES);
    let taken = Arc::new(Taken::default());
    context.add_listener(taken.clone());
    let (begin, nap) = (Instant::now(), Wake::default());
    context.start()?;
    while begin.elapsed() < BUDGET || (taken.state().batches < BATCHES_LEAST && begin.elapsed() < 2 * BUDGET) {
        nap.sleep(Duration::from_millis(5));
    }
    let state = taken.state();
    context.stop(Duration::ZERO)?;
    let span_ns = state.last_done_ns.saturating_sub(state.first_done_ns);
    // Text that fails leaves empty batches behind.
    let is_told = state.batches >= BATCHES_LEAST && state.records > 0 && span_ns > 0;
    Ok(is_told.then(|| state.records as f64 * 1e9 / span_ns as f64))
}

/// Why nothing was proven.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ProofError {
    /// The load cannot be made.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The engine cannot run it.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{BLOCK_LINES, LineSource, Ring, Words};
    use downbeat_engine::record::{Column, TextColumn};

    #[test]
    fn the_ceiling_of_text_that_takes_its_time_is_that_of_the_text() {
        struct Slow;
        impl LineSource for Slow {
            fn name(&self) -> &'static str {
                "slow"
            }
            fn seed(&self) -> u64 {
                0
            }
            fn fill(&self, _: u64, column: &mut TextColumn) {
                std::thread::sleep(Duration::from_millis(1));
                (0..BLOCK_LINES).for_each(|_| column.push(b"x"));
            }
        }
        let load = LoadSettings::default();
        let slow = proven_ceiling_per_s(&Payload::Live(Arc::new(Slow)), &load, 1).unwrap().unwrap();
        // At the very best 1024 lines a millisecond.
        assert!(slow < 1_024_000.0, "{slow}");
        let ring = Payload::replayed(Ring::generate(&Words::new(1), 100_000));
        assert!(proven_ceiling_per_s(&ring, &load, 1).unwrap().is_some_and(|fast| fast > slow));
    }

    #[test]
    fn text_that_panics_proves_nothing_and_ends() {
        struct Broken;
        impl LineSource for Broken {
            fn name(&self) -> &'static str {
                "broken"
            }
            fn seed(&self) -> u64 {
                0
            }
            fn fill(&self, _: u64, _: &mut TextColumn) {
                panic!("no ink");
            }
        }
        assert_eq!(proven_ceiling_per_s(&Payload::Live(Arc::new(Broken)), &LoadSettings::default(), 1), Ok(None));
    }
}
