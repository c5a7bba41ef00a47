//! Batches remembered, to be asked for by their time: Spark's `remember` and `slice`.

use super::partitions::gathered;
use super::{DStream, Graph, Node, Scheduled, operator};
use crate::clock::lock;
use crate::error::EngineError;
use crate::record::{Column, Family};
use crate::schedule::job::JobRun;
use crate::schedule::turns::Turns;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

impl<A: Family> DStream<A> {
    /// Keeps the batches of the last `duration`, to be read by [`Remembered::slice`] from any thread, also after the stop.
    /// It makes the stream be computed at every batch, as an output does, but is none.
    #[track_caller]
    pub fn remember(&self, duration: Duration) -> Remembered<A> {
        let operator = operator("remember");
        self.graph.refuse_in_one_batch(operator);
        let slide_ns = u128::from(self.graph.settings().interval_ns) * u128::from(self.slide_batches);
        if duration.as_nanos() < slide_ns {
            let problem =
                format!("{duration:?} is shorter than the slide of the stream, so that nothing would be kept");
            self.graph.refuse(operator, problem);
        }
        let kept = Arc::new(Kept {
            parent: self.node.clone(),
            batches: usize::try_from(duration.as_nanos() / slide_ns.max(1)).unwrap_or(usize::MAX).max(1),
            slide_batches: self.slide_batches,
            slices: Mutex::default(),
            turns: Turns::default(),
        });
        self.graph.schedule(kept.clone());
        Remembered { kept, graph: self.graph.clone() }
    }
}

/// The last batches of a stream.
pub struct Remembered<A: Family> {
    kept: Arc<Kept<A>>,
    graph: Arc<Graph>,
}

impl<A: Family> Clone for Remembered<A> {
    fn clone(&self) -> Self {
        Remembered { kept: self.kept.clone(), graph: self.graph.clone() }
    }
}

impl<A: Family> Remembered<A> {
    /// The batches whose labels lie in `from_ms..=to_ms` (milliseconds since 1970), oldest first. Times that are no label
    /// count as the label before them, as Spark floors them; times before the first batch or beyond the last are empty.
    ///
    /// # Errors
    /// The end lies before the beginning, or a batch of the range is older than what is remembered.
    pub fn slice(&self, from_ms: i64, to_ms: i64) -> Result<Vec<Slice<A>>, EngineError> {
        if to_ms < from_ms {
            return Err(EngineError::State { call: "slice", reason: "the end of the range lies before its beginning" });
        }
        let slices = lock(&self.kept.slices);
        let slide_ms = (self.graph.settings().interval_ns / 1_000_000 * self.kept.slide_batches) as i64;
        let Some(first_ms) = slices.first_ms else { return Ok(Vec::new()) };
        let is_label = |time_ms: i64| slices.kept.iter().any(|slice| slice.time_ms == time_ms);
        let floored = |time_ms: i64| {
            if is_label(time_ms) { time_ms } else { time_ms - (time_ms - first_ms).rem_euclid(slide_ms) }
        };
        let (from_ms, to_ms) = (floored(from_ms), floored(to_ms));
        if slices.forgotten_ms.is_some_and(|forgotten_ms| from_ms <= forgotten_ms) {
            return Err(EngineError::State {
                call: "slice",
                reason: "the beginning of the range is older than what the stream remembers; remember a longer duration",
            });
        }
        Ok(slices.kept.iter().filter(|slice| (from_ms..=to_ms).contains(&slice.time_ms)).cloned().collect())
    }
}

/// One remembered batch.
pub struct Slice<A: Family> {
    time_ms: i64,
    columns: Arc<Vec<A::Column>>,
}

impl<A: Family> Clone for Slice<A> {
    fn clone(&self) -> Self {
        Slice { time_ms: self.time_ms, columns: self.columns.clone() }
    }
}

impl<A: Family> Slice<A> {
    /// Label of the batch, milliseconds since 1970.
    pub fn time_ms(&self) -> i64 {
        self.time_ms
    }

    /// Shows each record.
    pub fn for_each(&self, mut visit: impl FnMut(A::View<'_>)) {
        for column in &*self.columns {
            (0..column.len()).for_each(|index| visit(column.view(index)));
        }
    }

    /// Number of records.
    pub fn len(&self) -> usize {
        self.columns.iter().map(A::Column::len).sum()
    }

    /// True when there is no record.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

struct Kept<A: Family> {
    parent: Arc<dyn Node<A>>,
    batches: usize,
    slide_batches: u64,
    slices: Mutex<Slices<A>>,
    turns: Turns,
}

struct Slices<A: Family> {
    kept: VecDeque<Slice<A>>,
    /// Label of the first batch ever: the others follow at multiples of the slide, but for the last of a stop.
    first_ms: Option<i64>,
    /// Label of the newest batch that is remembered no more.
    forgotten_ms: Option<i64>,
}

impl<A: Family> Default for Slices<A> {
    fn default() -> Self {
        Slices { kept: VecDeque::new(), first_ms: None, forgotten_ms: None }
    }
}

impl<A: Family> Scheduled for Kept<A> {
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        if !run.fires(self.slide_batches) {
            return Ok(());
        }
        let columns = Arc::new(gathered(run, &self.parent)?);
        self.turns.wait_for(run.batch);
        let mut slices = lock(&self.slices);
        slices.first_ms.get_or_insert(run.time_ms);
        slices.kept.push_back(Slice { time_ms: run.time_ms, columns });
        while slices.kept.len() > self.batches {
            slices.forgotten_ms = slices.kept.pop_front().map(|slice| slice.time_ms);
        }
        Ok(())
    }

    fn release(&self, batch: u64) {
        self.turns.pass(batch);
    }
}
