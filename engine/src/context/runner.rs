//! The job thread: takes batches from the queue and runs the job on them, one after another.

use crate::allocator;
use crate::dstream::{Label, Parts};
use crate::error::EngineError;
use crate::metrics::BatchReport;
use crate::schedule::job::{Books, JobRun, fires, guarded};
use crate::schedule::pool::Pool;
use crate::schedule::queue::{Batch, Queue};
use crate::source::input::{Allotment, Settled, Shared};
use std::sync::{Arc, PoisonError};

pub(super) struct Runner {
    pub(super) shared: Arc<Shared>,
    pub(super) queue: Arc<Queue>,
    pub(super) pool: Pool,
    pub(super) metrics: bool,
    pub(super) primed_batches: u64,
    pub(super) parts: Parts,
}

impl Runner {
    pub(super) fn run(&self) {
        while let Some(batch) = self.queue.pop() {
            self.shared.budget.batch_started();
            let report = self.process(&batch);
            self.parts.scheduled.iter().for_each(|node| node.release(batch.id));
            self.parts.inputs.iter().for_each(|input| input.release(batch.id));
            self.shared.budget.batch_done(batch.sum(|allotment| allotment.bytes));
            if let Some(failure) = &report.failure {
                self.shared.fail(failure.clone());
            }
            self.tell(&report);
            self.queue.done(report.failure.is_none(), report.records);
            self.shared.clock.leave();
        }
    }

    /// A listener that panics fails the context, not the batches.
    fn tell(&self, report: &BatchReport) {
        let listeners = self.shared.listeners.read().unwrap_or_else(PoisonError::into_inner);
        for listener in listeners.iter() {
            if let Err(error) = guarded(report.time_ns / 1_000_000, || {
                listener.batch_completed(report);
                Ok(())
            }) {
                self.shared.fail(error);
            }
        }
    }

    fn process(&self, batch: &Batch) -> BatchReport {
        let before = if self.metrics { allocator::totals() } else { None };
        let started_ns = self.shared.clock.now_ns();
        let number =
            if batch.primed { batch.index as i64 + 1 - self.primed_batches as i64 } else { batch.index as i64 + 1 };
        let ids = (batch.id, number, batch.time_ns / 1_000_000);
        let mut run = JobRun::new(ids, &self.pool, &self.shared.clock, self.metrics, started_ns);
        let (has_job, failure) = self.run_job(&mut run, batch);
        let books = run.finish();
        let used = before.zip(allocator::totals()).map(|(before, after)| (after.0 - before.0, after.1 - before.1));
        self.report(batch, started_ns, books, has_job, failure, used)
    }

    /// Windows and state first, then the outputs in the order in which the job names them. An output that fails does not
    /// keep the others from running.
    fn run_job(&self, run: &mut JobRun<'_>, batch: &Batch) -> (bool, Option<EngineError>) {
        let mut failure = None;
        for node in &self.parts.scheduled {
            if let Err(error) = node.observe(run) {
                failure.get_or_insert(error);
            }
        }
        let label = Label { index: batch.index, time_ns: batch.time_ns, primed: batch.primed };
        let (number, mut has_job) = (run.number, false);
        for output in self.parts.outputs.iter().filter(|output| fires(number, output.slide_batches())) {
            has_job = true;
            if let Err(error) = output.run(run, label) {
                failure.get_or_insert(error);
            }
        }
        (has_job, failure)
    }

    fn report(
        &self,
        batch: &Batch,
        started_ns: u64,
        books: Books,
        has_job: bool,
        failure: Option<EngineError>,
        used: Option<(u64, u64)>,
    ) -> BatchReport {
        let settled: Vec<Settled> = self.parts.inputs.iter().map(|input| input.settle(batch.id)).collect();
        let first = batch.allotments.first().cloned().unwrap_or_default();
        let worked = self.pool.threads() as u64 * (books.done_ns - started_ns);
        let busy: u64 = books.busy.iter().map(|(_, ns)| ns).sum();
        let handed = batch.allotments.iter().flat_map(|Allotment { stamps, .. }| stamps.iter().copied());
        BatchReport {
            index: batch.index,
            time_ns: batch.time_ns,
            due_ns: batch.due_ns,
            submitted_ns: batch.submitted_ns,
            started_ns,
            done_ns: books.done_ns,
            primed: batch.primed,
            has_job,
            records: batch.sum(|allotment| allotment.records) + settled.iter().map(|read| read.records).sum::<u64>(),
            bytes: batch.sum(|allotment| allotment.bytes) + settled.iter().map(|read| read.bytes).sum::<u64>(),
            blocks: batch.sum(|allotment| allotment.blocks),
            first_sequence: first.first_sequence,
            end_sequence: first.end_sequence,
            phases: books.phases,
            busy: books.busy,
            idle_ns: worked.saturating_sub(busy),
            skew: books.skew,
            queue_depth: batch.queue_depth,
            blocked_ns: batch.sum(|allotment| allotment.blocked_ns),
            stamps: handed.chain(settled.iter().flat_map(|read| read.stamps.iter().copied())).collect(),
            failure,
            allocations: used.map(|(allocations, _)| allocations),
            allocated_bytes: used.map(|(_, bytes)| bytes),
        }
    }
}
