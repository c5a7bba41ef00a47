//! The run of one batch on the job thread: stages, their times, and panics of user code turned into named failures.

use super::operator;
use super::pool::Pool;
use crate::clock::Clock;
use crate::error::{EngineError, panic_text};
use crate::metrics::{Exchanged, Stage};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// One batch while it is processed.
pub(crate) struct JobRun<'e> {
    /// Counts primed and live batches together.
    pub(crate) batch: u64,
    /// 1 for the first live batch, 0 and less for primed ones: streams fire at multiples of their slide.
    pub(crate) number: i64,
    pub(crate) time_ms: i64,
    pub(crate) pool: &'e Pool,
    clock: &'e Arc<dyn Clock>,
    metrics: bool,
    #[cfg(feature = "planted")]
    begun_ns: u64,
    last_ns: u64,
    phases: Vec<(Stage, u64)>,
    milestones: Vec<(Stage, u64)>,
    busy: Vec<(Stage, u64)>,
    longest_task_ns: u64,
    skew: Option<f64>,
    exchanged: Exchanged,
}

/// Records below which a stage is not worth waking another thread.
const WORTH_A_WAKE_UP: u64 = 2_000;

impl<'e> JobRun<'e> {
    pub(crate) fn new(
        (batch, number, time_ms): (u64, i64, i64),
        pool: &'e Pool,
        clock: &'e Arc<dyn Clock>,
        metrics: bool,
        started_ns: u64,
    ) -> Self {
        let (phases, milestones, busy) = (Vec::new(), Vec::new(), Vec::new());
        JobRun {
            batch,
            number,
            time_ms,
            pool,
            clock,
            metrics,
            #[cfg(feature = "planted")]
            begun_ns: started_ns,
            last_ns: started_ns,
            phases,
            milestones,
            busy,
            longest_task_ns: 0,
            skew: None,
            exchanged: Exchanged::default(),
        }
    }

    /// Does a stream with this slide have records at this batch?
    pub(crate) fn fires(&self, slide_batches: u64) -> bool {
        fires(self.number, slide_batches)
    }

    /// Lanes for a stage that handles about this many records.
    pub(crate) fn lanes_for(&self, records: u64) -> usize {
        if records < WORTH_A_WAKE_UP { 1 } else { self.pool.threads() }
    }

    /// Runs the tasks of one stage and books their time.
    pub(crate) fn stage<L: Send>(
        &mut self,
        stage: Stage,
        tasks: usize,
        records: u64,
        make: impl Fn() -> L + Sync,
        task: impl Fn(&mut L, usize) -> Result<(), EngineError> + Sync,
    ) -> Result<Vec<L>, EngineError> {
        let clock: Option<&dyn Clock> = self.metrics.then_some(&**self.clock);
        let time_ms = self.time_ms;
        let make = || guarded(time_ms, || Ok(make()));
        let caught = |lane: &mut L, index: usize| guarded(time_ms, || task(lane, index));
        let reports = self.pool.run(tasks, self.lanes_for(records), clock, make, caught);
        let mut task_ns: Vec<u64> = Vec::new();
        let made = reports.map(|reports| {
            reports
                .into_iter()
                .map(|report| {
                    task_ns.extend(report.task_ns);
                    report.made
                })
                .collect()
        });
        self.book_tasks(stage, &mut task_ns);
        self.milestone(stage);
        made
    }

    /// Runs something on the job thread alone, as one task of a stage.
    pub(crate) fn alone<T>(
        &mut self,
        stage: Stage,
        body: impl FnOnce() -> Result<T, EngineError>,
    ) -> Result<T, EngineError> {
        let begin = if self.metrics { self.clock.now_ns() } else { 0 };
        let result = guarded(self.time_ms, body);
        if self.metrics {
            let busy_ns = self.clock.now_ns() - begin;
            add(&mut self.busy, stage, busy_ns);
        }
        self.milestone(stage);
        result
    }

    #[inline(never)]
    fn book_tasks(&mut self, stage: Stage, task_ns: &mut [u64]) {
        if task_ns.is_empty() {
            return;
        }
        add(&mut self.busy, stage, task_ns.iter().sum());
        task_ns.sort_unstable();
        let longest = task_ns[task_ns.len() - 1];
        if task_ns.len() >= 3 && longest > self.longest_task_ns {
            self.longest_task_ns = longest;
            self.skew = Some(longest as f64 / task_ns[task_ns.len() / 2].max(1) as f64);
        }
    }

    /// All time since the last milestone was this stage's.
    #[inline(never)]
    fn milestone(&mut self, stage: Stage) {
        let now = self.clock.now_ns();
        add(&mut self.phases, stage, now - self.last_ns);
        self.last_ns = now;
        self.book_milestone(stage, now);
    }

    /// Stages in a row of the same name are one; their number is bounded by that of the job's operators either way.
    fn book_milestone(&mut self, stage: Stage, now_ns: u64) {
        match self.milestones.last_mut() {
            Some((last, at_ns)) if *last == stage => *at_ns = now_ns,
            _ => self.milestones.push((stage, now_ns)),
        }
    }

    /// Books what went through one exchange.
    pub(crate) fn book_exchanged(&mut self, exchanged: Exchanged) {
        let sum = &mut self.exchanged;
        sum.records_in += exchanged.records_in;
        sum.records += exchanged.records;
        sum.encoded_bytes += exchanged.encoded_bytes;
        sum.wire_bytes += exchanged.wire_bytes;
    }

    /// Ends the run: what is left is the commit's. Returns when, and the books.
    pub(crate) fn finish(mut self) -> Books {
        #[cfg(feature = "planted")]
        super::planted::slow_down(self.batch, self.begun_ns, &**self.clock);
        self.milestone(Stage::Commit);
        let JobRun { last_ns: done_ns, phases, milestones, busy, skew, exchanged, .. } = self;
        Books { done_ns, phases, milestones, busy, skew, exchanged }
    }
}

/// Streams have records at multiples of their slide, counted from the first live batch.
pub(crate) fn fires(number: i64, slide_batches: u64) -> bool {
    number.rem_euclid(slide_batches.max(1) as i64) == 0
}

/// Where the time of a batch went.
pub(crate) struct Books {
    pub(crate) done_ns: u64,
    pub(crate) phases: Vec<(Stage, u64)>,
    pub(crate) milestones: Vec<(Stage, u64)>,
    pub(crate) busy: Vec<(Stage, u64)>,
    pub(crate) skew: Option<f64>,
    pub(crate) exchanged: Exchanged,
}

fn add(spans: &mut Vec<(Stage, u64)>, stage: Stage, ns: u64) {
    match spans.iter_mut().find(|(booked, _)| *booked == stage) {
        Some((_, sum)) => *sum += ns,
        None => spans.push((stage, ns)),
    }
}

/// Runs user code; a panic becomes a failure that names the operator it happened in. An unwinding error of the engine, which had to
/// pass through user code, arrives as itself.
pub(crate) fn guarded<T>(time_ms: i64, body: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    operator::clear();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| Err(failure_of(time_ms, panic)))
}

#[cold]
fn failure_of(time_ms: i64, panic: Box<dyn Any + Send>) -> EngineError {
    match panic.downcast::<EngineError>() {
        // Not user code: an operator's failure, on its way through the closure of an output.
        Ok(failure) => *failure,
        Err(panic) => EngineError::Batch {
            time_ms,
            operator: operator::current(),
            problem: format!("user code panicked: {}", panic_text(&*panic)),
        },
    }
}
