//! The ticker: cuts a batch at every tick and puts it into the queue. No tick is skipped; late ones come back to back.

use super::merge::move_forward;
use super::queue::{Batch, Queue};
use crate::clock::Wake;
use crate::settings::Overload;
use crate::source::Timeline;
use crate::source::input::AnyInput;
use crate::source::shared::Shared;
use std::sync::Arc;

pub(crate) struct Ticker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) wake: Arc<Wake>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) inputs: Vec<Arc<dyn AnyInput>>,
    pub(crate) has_planned: bool,
    pub(crate) primed_batches: u64,
    pub(crate) overload: Overload,
}

/// Labels are whole milliseconds.
const LABEL_NS: u64 = 1_000_000;

impl Ticker {
    /// Primes, then ticks until told to stop or until no input has anything left; then cuts what is there and closes the queue.
    pub(crate) fn run(&self) {
        let mut next_id = 0;
        if let Some(primed_until_ns) = self.prime(&mut next_id) {
            self.tick(&mut next_id, primed_until_ns);
        }
        self.shut_inputs();
        self.queue.close();
    }

    /// Whoever stores from now on is told that it is over, and does not take it for stored.
    fn shut_inputs(&self) {
        self.inputs.iter().for_each(|input| input.close());
    }

    /// The last multiple of the interval in wall time, as a monotonic time; the next one when the clock has not seen any.
    fn last_boundary_ns(&self) -> u64 {
        let now = self.shared.clock.now_ns();
        let wall = now as i64 + self.shared.clock.wall_offset_ns();
        let since_ns = wall.rem_euclid(self.shared.interval_ns as i64) as u64;
        // Within the first interval of a machine's life there is only the next one.
        now.checked_sub(since_ns).unwrap_or(now + self.shared.interval_ns - since_ns)
    }

    /// Returns the end of the last primed interval; `None` when told to stop meanwhile.
    fn prime(&self, next_id: &mut u64) -> Option<u64> {
        let interval_ns = self.shared.interval_ns;
        let (now_ns, span_ns) = (self.last_boundary_ns(), self.primed_batches * interval_ns);
        // A machine that booted a moment ago has no past that is long enough: then the first live batch comes later.
        let prime_start_ns = now_ns.checked_sub(span_ns).unwrap_or(now_ns % interval_ns);
        self.shared.set_timeline(Timeline { prime_start_ns, primed_batches: self.primed_batches, interval_ns });
        for index in 0..self.primed_batches {
            let due_ns = prime_start_ns + (index + 1) * interval_ns;
            if self.wake.is_set() || !self.cut(next_id, index, (due_ns, due_ns), true) {
                return None;
            }
        }
        self.queue.wait_empty();
        Some(prime_start_ns + span_ns)
    }

    fn tick(&self, next_id: &mut u64, primed_until_ns: u64) {
        let interval_ns = self.shared.interval_ns;
        // A planned source needs all of its first interval; for the others it began with the last tick, as in Spark.
        let zero_ns = self.last_boundary_ns() + if self.has_planned { interval_ns } else { 0 };
        let zero_ns = zero_ns.max(primed_until_ns);
        self.shared.set_live_start(zero_ns);
        for index in 0.. {
            let due_ns = zero_ns + (index + 1) * interval_ns;
            self.shared.clock.sleep_until(due_ns, &self.wake);
            let stopping = self.wake.is_set();
            // The last batch of a stop is due at once, but has a label of its own: outputs are named by it.
            let at_once_ns = self.shared.clock.now_ns();
            let label_ns = if stopping { due_ns.min(at_once_ns.max(due_ns - interval_ns + LABEL_NS)) } else { due_ns };
            let due_ns = if stopping { due_ns.min(at_once_ns) } else { due_ns };
            if stopping {
                self.shut_inputs();
            }
            if !self.cut(next_id, index, (label_ns, due_ns), false) || stopping || self.is_exhausted() {
                return;
            }
        }
    }

    fn is_exhausted(&self) -> bool {
        !self.inputs.is_empty() && self.inputs.iter().all(|input| input.is_exhausted())
    }

    fn cut(&self, next_id: &mut u64, index: u64, (label_ns, due_ns): (u64, u64), primed: bool) -> bool {
        let id = *next_id;
        *next_id += 1;
        let batch = Batch {
            id,
            index,
            time_ns: label_ns as i64 + self.shared.clock.wall_offset_ns(),
            due_ns,
            submitted_ns: 0,
            primed,
            queue_depth: 0,
            allotments: self.inputs.iter().map(|input| input.allot(id, due_ns)).collect(),
        };
        // Primed batches are history, which does not change.
        let merges = self.overload == Overload::Merge && !primed;
        self.queue.push(batch, &self.shared.clock, &self.shared.budget, |waiting, newest| {
            if merges {
                move_forward(&self.inputs, waiting, newest);
            }
        })
    }
}
