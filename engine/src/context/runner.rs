//! A job thread: takes batches from the queue and runs the job on them, one after another.

use crate::allocator;
use crate::dstream::{Label, Parts};
use crate::error::EngineError;
use crate::metrics::BatchReport;
use crate::schedule::backpressure::Backpressure;
use crate::schedule::job::{Books, JobRun, fires, guarded};
use crate::schedule::pool::Pool;
use crate::schedule::queue::{Batch, Queue};
use crate::source::allotment::{Allotment, Settled};
use crate::source::shared::Shared;
use crate::sync::PoisonError;
use std::sync::Arc;

/// What all job threads of a context work with.
pub(crate) struct Runner {
    pub(crate) shared: Arc<Shared>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) pool: Pool,
    pub(crate) backpressure: Backpressure,
    /// How many threads call [`Runner::run`].
    pub(crate) concurrent_jobs: usize,
    pub(crate) metrics: bool,
    pub(crate) primed_batches: u64,
    pub(crate) parts: Parts,
}

/// A batch that was popped. Whatever becomes of the thread that has it, it lets go of what the batch holds: a later batch on another
/// thread may be waiting for that.
struct Popped<'r> {
    runner: &'r Runner,
    batch: Batch,
    /// How many it turned out to have; some are known only when they were read.
    records: u64,
    is_released: bool,
    is_committed: bool,
}

impl Popped<'_> {
    /// Nodes and inputs let go of the batch.
    fn release(&mut self) {
        if std::mem::replace(&mut self.is_released, true) {
            return;
        }
        let Runner { shared, parts, .. } = self.runner;
        let id = self.batch.id;
        let release = |let_go: &dyn Fn()| {
            let released = guarded(self.batch.time_ns / 1_000_000, || {
                let_go();
                Ok(())
            });
            // The others must be released all the same.
            released.unwrap_or_else(|error| shared.fail(error));
        };
        parts.scheduled.iter().for_each(|node| release(&|| node.release(id)));
        parts.inputs.iter().for_each(|input| release(&|| input.release(id)));
        shared.budget.batch_done(self.batch.sum(|allotment| allotment.held_bytes));
    }
}

impl Drop for Popped<'_> {
    fn drop(&mut self) {
        self.release();
        let cut_records = self.batch.sum(|allotment| allotment.records);
        self.runner.queue.done(cut_records, self.records.max(cut_records), self.is_committed);
        self.runner.shared.clock.leave();
    }
}

impl Runner {
    /// The calling thread is this one of the job threads.
    pub(crate) fn take_place(&self, job: usize) {
        if let Err(error) = self.pool.pin_job(job) {
            self.shared.fail(error);
        }
    }

    pub(crate) fn run(&self) {
        while let Some(batch) = self.queue.pop() {
            let mut popped = Popped { runner: self, batch, records: 0, is_released: false, is_committed: false };
            self.shared.budget.batch_started();
            let report = self.process(&popped.batch);
            popped.release();
            if let Some(failure) = &report.failure {
                self.shared.fail(failure.clone());
            }
            self.backpressure.completed(&popped.batch, report.started_ns, report.done_ns);
            self.tell(&report);
            popped.records = report.records;
            popped.is_committed = report.failure.is_none();
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
        #[cfg(feature = "planted")]
        crate::schedule::planted::allocate(batch.sum(|allotment| allotment.records));
        let (has_job, failure) = self.run_job(&mut run, batch);
        let books = run.finish();
        let used = before.zip(allocator::totals()).map(|(before, after)| (after.0 - before.0, after.1 - before.1));
        self.report(batch, started_ns, books, has_job, failure, used)
    }

    /// Windows and state first, then the outputs in the order in which the job names them. An output that fails does not
    /// keep the others from running.
    #[inline(never)] // Instructions are counted inside it: `downbeat gate` names it to callgrind.
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
            held_bytes: batch.sum(|allotment| allotment.held_bytes),
            blocks: batch.sum(|allotment| allotment.blocks),
            first_sequence: first.ranges.first().map_or(first.end_sequence, |range| range.start),
            end_sequence: first.end_sequence,
            ranges: first.ranges,
            shed: batch.sum(|allotment| allotment.shed),
            phases: books.phases,
            milestones: books.milestones,
            busy: books.busy,
            idle_ns: worked.saturating_sub(busy),
            skew: books.skew,
            queue_depth: batch.queue_depth,
            blocked_ns: batch.sum(|allotment| allotment.blocked_ns),
            throttled_ns: batch.sum(|allotment| allotment.throttled_ns),
            rate_limit_per_s: batch.allotments.iter().find_map(|allotment| allotment.rate_limit_per_s),
            stamps: handed.chain(settled.iter().flat_map(|read| read.stamps.iter().copied())).collect(),
            failure,
            exchanged: books.exchanged,
            allocations: used.map(|(allocations, _)| allocations),
            allocated_bytes: used.map(|(_, bytes)| bytes),
        }
    }
}

#[cfg(all(test, not(feature = "shuttle")))]
mod tests {
    use super::*;
    use crate::clock::{Clock, MonotonicClock};
    use crate::dstream::{Output, Scheduled};
    use crate::settings::{PoolKind, Settings};
    use crate::storage::Disk;
    use crate::sync::{Condvar, Mutex, lock, wait};
    use std::collections::BTreeMap;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// A node whose batches take turns, and which counts how often each is released.
    #[derive(Default)]
    struct TurnTaker {
        released: Mutex<BTreeMap<u64, u64>>,
        passed: Condvar,
        panics_at: Option<u64>,
    }

    impl Scheduled for TurnTaker {
        fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
            let mut released = lock(&self.released);
            while run.batch > 0 && !released.contains_key(&(run.batch - 1)) {
                released = wait(&self.passed, released);
            }
            Ok(())
        }

        fn release(&self, batch: u64) {
            *lock(&self.released).entry(batch).or_default() += 1;
            self.passed.notify_all();
            assert!(self.panics_at != Some(batch), "planted in a release");
        }
    }

    /// Fails every seventh batch, and at one batch panics outside of user code.
    struct Faulty {
        panics_at: Option<u64>,
    }

    impl Output for Faulty {
        fn slide_batches(&self) -> u64 {
            1
        }

        fn run(&self, run: &mut JobRun<'_>, _: Label) -> Result<(), EngineError> {
            assert!(self.panics_at != Some(run.batch), "planted in the engine");
            if run.batch % 7 == 6 {
                return Err(EngineError::Codec { codec: "none", problem: "planted".into() });
            }
            Ok(())
        }
    }

    /// Runs 100 empty batches on three threads; returns how often the nodes let go of each.
    fn released(panics_at: Option<u64>, release_panics_at: Option<u64>) -> [BTreeMap<u64, u64>; 2] {
        let settings =
            Settings { pool: PoolKind::Sequential, concurrent_jobs: 3, queue_capacity: 100, ..Settings::default() };
        let clock: Arc<dyn Clock> = Arc::new(MonotonicClock::new());
        let shared = Arc::new(Shared::new(clock.clone(), Arc::new(Disk), &settings));
        let queue = Arc::new(Queue::new(settings.queue_capacity));
        let first = Arc::new(TurnTaker { panics_at: release_panics_at, ..TurnTaker::default() });
        let second = Arc::new(TurnTaker::default());
        let parts = Parts {
            scheduled: vec![first.clone(), second.clone()],
            outputs: vec![Arc::new(Faulty { panics_at })],
            ..Parts::default()
        };
        for id in 0..100 {
            let batch = Batch {
                id,
                index: id,
                time_ns: 0,
                due_ns: 0,
                submitted_ns: 0,
                primed: false,
                queue_depth: 0,
                allotments: Vec::new(),
            };
            assert!(queue.push(batch, &clock, &shared.budget, |_, _| ()));
        }
        queue.close();
        let runner = Runner {
            shared: shared.clone(),
            queue: queue.clone(),
            pool: Pool::new(&settings).expect("no threads to start"),
            backpressure: Backpressure::new(&settings, &[]),
            concurrent_jobs: settings.concurrent_jobs,
            metrics: false,
            primed_batches: 0,
            parts,
        };
        std::thread::scope(|scope| {
            for _ in 0..settings.concurrent_jobs {
                scope.spawn(|| {
                    if catch_unwind(AssertUnwindSafe(|| runner.run())).is_err() {
                        queue.abandon(&clock);
                    }
                });
            }
        });
        assert!(shared.failure().is_some());
        [first, second].map(|node| lock(&node.released).clone())
    }

    #[test]
    fn every_batch_passes_its_turn_once_though_some_fail() {
        let expected: BTreeMap<u64, u64> = (0..100).map(|batch| (batch, 1)).collect();
        assert_eq!(released(None, None), [expected.clone(), expected]);
    }

    #[test]
    fn a_release_that_panics_keeps_no_other_from_its_turn() {
        let expected: BTreeMap<u64, u64> = (0..100).map(|batch| (batch, 1)).collect();
        assert_eq!(released(None, Some(31)), [expected.clone(), expected]);
    }

    #[test]
    fn a_job_thread_that_dies_passes_its_turn_first() {
        let [first, second] = released(Some(50), None);
        assert_eq!(first, second);
        // What was popped was released, in order; of what still waited then, some was given up.
        assert!(first.len() > 50, "{}", first.len());
        assert!((0..).zip(&first).all(|(batch, (released, times))| batch == *released && *times == 1));
    }
}
