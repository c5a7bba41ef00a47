//! The open-loop generator: hands over each record when its time has come, whatever the engine is doing.

mod ceiling;
mod proof;
mod sender;
mod stats;

pub use ceiling::ceiling_per_s;
pub use proof::{ProofError, proven_ceiling_per_s};
pub use stats::{Delivery, GeneratorStats, GeneratorSummary};

use crate::payload::Payload;
use crate::schedule::Schedule;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::Text;
use downbeat_engine::source::{Receiver, Store};
use sender::Sender;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Name of the generator's thread.
pub const THREAD_NAME: &str = "db-generator";

/// A planned source: sends the records of a payload by a schedule, from a thread of its own.
///
/// Offsets of the first batches, which prime windows, are sent as fast as they are taken; the others never before their
/// time, and at once when that has passed: no record is skipped, and no lateness moves the times of later ones. After
/// the last record it tells the engine that no more will come.
pub struct Generator {
    payload: Payload,
    schedule: Arc<Schedule>,
    stats: GeneratorStats,
    measured_from_batch: u64,
    thread: Option<JoinHandle<()>>,
}

impl Generator {
    /// A generator, and what it will tell about itself. Lag, lateness, CPU and blocked time are taken from the live batch
    /// `measured_from_batch` on, which is the number of batches that warm up.
    pub fn new(payload: Payload, schedule: Arc<Schedule>, measured_from_batch: u64) -> (Self, GeneratorStats) {
        let stats = GeneratorStats::default();
        let generator = Generator { payload, schedule, stats: stats.clone(), measured_from_batch, thread: None };
        (generator, stats)
    }
}

impl Receiver<Text> for Generator {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        if let Payload::Replayed { ring, .. } = &self.payload {
            ring.counts()
                .iter()
                .filter(|(_, count)| *count > 0)
                .for_each(|(kind, count)| store.count_input(kind, count));
        }
        let sender = Sender::new(
            store.clone(),
            self.payload.reader(),
            self.schedule.cursor(),
            self.stats.clone(),
            self.measured_from_batch,
        );
        let clock = store.clock().clone();
        // A manual clock waits for the thread from here on, so it is not overtaken before it has begun.
        clock.join();
        let thread = std::thread::Builder::new().name(THREAD_NAME.into()).spawn(move || {
            store.keep_off_workers();
            run_guarded(sender, &store);
            store.clock().leave();
        });
        let thread = thread.map_err(|error| {
            clock.leave();
            EngineError::Thread { thread: THREAD_NAME.into(), problem: error.to_string() }
        })?;
        self.thread = Some(thread);
        Ok(())
    }

    fn on_stop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // A panic was reported by the thread itself.
            let _ = thread.join();
        }
    }
}

/// The text of a user's job is user code: when it panics, the source has failed, and nobody waits for it.
fn run_guarded(sender: Sender, store: &Store<Text>) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| sender.run())) {
        let message =
            panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        store.fail(format!("making the text panicked: {}; its lines end here", message.unwrap_or("no message")));
    }
}
