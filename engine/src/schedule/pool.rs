//! Worker pools: how the tasks of one stage are spread over lanes, a lane being a thread that takes one task after another.

use super::own_thread;
use crate::clock::{Clock, lock};
use crate::error::EngineError;
use crate::settings::{PoolKind, Settings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The threads that run tasks. The thread that runs the job is lane 0 and one of them.
pub(crate) struct Pool {
    threads: usize,
    workers: Option<rayon::ThreadPool>,
}

/// What one lane did in a stage.
pub(crate) struct LaneReport<L> {
    /// What its tasks made.
    pub(crate) made: L,
    /// Duration of each of its tasks; empty when metrics are off.
    pub(crate) task_ns: Vec<u64>,
}

impl Pool {
    pub(crate) fn new(settings: &Settings) -> Result<Self, EngineError> {
        let threads = settings.effective_threads();
        let workers = match settings.pool {
            PoolKind::Rayon if threads > 1 => Some(Self::workers(threads - 1)?),
            PoolKind::Rayon | PoolKind::Sequential => None,
        };
        Ok(Pool { threads, workers })
    }

    fn workers(count: usize) -> Result<rayon::ThreadPool, EngineError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("db-worker-{index}"));
        let pool = pool.start_handler(|_| own_thread::mark());
        pool.build().map_err(|error| EngineError::Thread { thread: "db-worker".into(), problem: error.to_string() })
    }

    /// Threads that run tasks.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Runs `tasks` tasks on at most `lanes` lanes. A lane makes its state when it takes its first task, so that there are
    /// no more states than lanes that worked. The first error ends the stage.
    pub(crate) fn run<L: Send>(
        &self,
        tasks: usize,
        lanes: usize,
        clock: Option<&dyn Clock>,
        make: impl Fn() -> Result<L, EngineError> + Sync,
        task: impl Fn(&mut L, usize) -> Result<(), EngineError> + Sync,
    ) -> Result<Vec<LaneReport<L>>, EngineError> {
        let lanes = lanes.min(tasks).clamp(1, self.threads);
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let done = Mutex::new((Vec::with_capacity(lanes), None));
        let lane = || {
            let result = run_lane(tasks, &next, &failed, clock, &make, &task);
            let mut done = lock(&done);
            match result {
                Ok(report) => done.0.extend(report),
                Err(error) => done.1 = done.1.take().or(Some(error)),
            }
        };
        match &self.workers {
            Some(workers) if lanes > 1 => workers.in_place_scope(|scope| {
                (1..lanes).for_each(|_| scope.spawn(|_| lane()));
                lane();
            }),
            _ => lane(),
        }
        let (reports, error) = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        error.map_or(Ok(reports), Err)
    }
}

fn run_lane<L>(
    tasks: usize,
    next: &AtomicUsize,
    failed: &AtomicBool,
    clock: Option<&dyn Clock>,
    make: &(impl Fn() -> Result<L, EngineError> + Sync),
    task: &(impl Fn(&mut L, usize) -> Result<(), EngineError> + Sync),
) -> Result<Option<LaneReport<L>>, EngineError> {
    let mut report: Option<LaneReport<L>> = None;
    while !failed.load(Ordering::Relaxed) {
        let index = next.fetch_add(1, Ordering::Relaxed);
        if index >= tasks {
            break;
        }
        let begin = clock.map(Clock::now_ns);
        let lane = match &mut report {
            Some(lane) => Ok(lane),
            none => make().map(|made| none.insert(LaneReport { made, task_ns: Vec::new() })),
        };
        let lane = lane.and_then(|lane| task(&mut lane.made, index).map(|()| lane));
        let lane = lane.inspect_err(|_| failed.store(true, Ordering::Relaxed))?;
        if let (Some(clock), Some(begin)) = (clock, begin) {
            lane.task_ns.push(clock.now_ns().saturating_sub(begin));
        }
    }
    Ok(report)
}
