//! Worker pools: how the tasks of one stage are spread over lanes, a lane being a thread that takes one task after another.

use super::own_thread;
use crate::affinity::{self, Placement};
use crate::clock::{Clock, lock};
use crate::error::EngineError;
use crate::settings::{PoolKind, Settings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The threads that run tasks. The thread that runs the job is lane 0 and one of them; with several such threads, each of them
/// is lane 0 of its own batch, and they share the others.
pub(crate) struct Pool {
    threads: usize,
    workers: Option<rayon::ThreadPool>,
    /// Each task belongs to a lane.
    owns_tasks: bool,
    placement: Placement,
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
        let placement = Placement::of(settings, &affinity::allowed_cores());
        let placement = placement.ok_or_else(|| cannot_pin(std::io::Error::last_os_error()))?;
        let workers = if threads > 1 { Some(workers(threads - 1)?) } else { None };
        if let Some(workers) = &workers
            && !placement.workers.is_empty()
        {
            let pinned = workers.broadcast(|worker| affinity::pin_to(placement.workers[worker.index()]));
            pinned.into_iter().collect::<Result<(), _>>().map_err(cannot_pin)?;
        }
        Ok(Pool { threads, workers, owns_tasks: settings.pool == PoolKind::Pinned, placement })
    }

    /// Threads that run tasks.
    pub(crate) fn threads(&self) -> usize {
        self.threads
    }

    /// Puts the calling thread, a job thread and so lane 0 of its batches, where it belongs.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn pin_job(&self, job: usize) -> Result<(), EngineError> {
        self.placement.jobs.get(job).map_or(Ok(()), |core| affinity::pin_to(*core).map_err(cannot_pin))
    }

    /// Cores that are left to those who bring records; empty when they may run anywhere.
    pub(crate) fn other_cores(&self) -> &[usize] {
        &self.placement.others
    }

    /// Runs `tasks` tasks on at most `lanes` lanes. A lane makes its state when it takes its first task, so that there are
    /// no more states than lanes that worked. The first error ends the stage. On pinned threads, task i is always lane
    /// i % lanes's; on others, a lane takes whatever is next.
    pub(crate) fn run<L: Send>(
        &self,
        tasks: usize,
        lanes: usize,
        clock: Option<&dyn Clock>,
        make: impl Fn() -> Result<L, EngineError> + Sync,
        task: impl Fn(&mut L, usize) -> Result<(), EngineError> + Sync,
    ) -> Result<Vec<LaneReport<L>>, EngineError> {
        let work = Work { tasks, clock, next: AtomicUsize::new(0), failed: AtomicBool::new(false) };
        let lanes = lanes.min(tasks).clamp(1, self.threads);
        let done = Mutex::new((Vec::with_capacity(lanes), None));
        self.on_lanes(lanes, &|share| {
            let mut lane: Option<L> = None;
            let result = work.take(share, &mut |index| {
                let made = match &mut lane {
                    Some(made) => made,
                    none => none.insert(make()?),
                };
                task(made, index)
            });
            let mut done = lock(&done);
            match result {
                Ok(task_ns) => done.0.extend(lane.map(|made| LaneReport { made, task_ns })),
                Err(error) => done.1 = done.1.take().or(Some(error)),
            }
        });
        let (reports, error) = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        error.map_or(Ok(reports), Err)
    }

    /// Runs `lane` on so many threads at once, this one among them; returns when all have ended. Not generic: every stage of
    /// every job would have a copy of it.
    fn on_lanes(&self, lanes: usize, lane: &(dyn Fn(Share) + Sync)) {
        match &self.workers {
            Some(workers) if lanes > 1 && !self.owns_tasks => workers.in_place_scope(|scope| {
                (1..lanes).for_each(|_| scope.spawn(|_| lane(Share::Next)));
                lane(Share::Next);
            }),
            Some(workers) if lanes > 1 => workers.in_place_scope(|scope| {
                scope.spawn_broadcast(|_, worker| {
                    if worker.index() + 1 < lanes {
                        lane(Share::Own { lane: worker.index() + 1, lanes });
                    }
                });
                lane(Share::Own { lane: 0, lanes });
            }),
            _ => lane(Share::Next),
        }
    }
}

/// Which tasks a lane takes.
#[derive(Clone, Copy)]
enum Share {
    /// Whatever is next.
    Next,
    /// Always the same ones.
    Own { lane: usize, lanes: usize },
}

/// The tasks of one stage.
struct Work<'c> {
    tasks: usize,
    clock: Option<&'c dyn Clock>,
    next: AtomicUsize,
    failed: AtomicBool,
}

impl Work<'_> {
    /// Runs the tasks of a lane until one of any lane fails; returns how long each took.
    fn take(
        &self,
        share: Share,
        task: &mut dyn FnMut(usize) -> Result<(), EngineError>,
    ) -> Result<Vec<u64>, EngineError> {
        let mut task_ns = Vec::new();
        let mut nth = 0;
        while !self.failed.load(Ordering::Relaxed) {
            let index = match share {
                Share::Next => self.next.fetch_add(1, Ordering::Relaxed),
                Share::Own { lane, lanes } => lane + nth * lanes,
            };
            if index >= self.tasks {
                break;
            }
            nth += 1;
            let begin = self.clock.map(Clock::now_ns);
            task(index).inspect_err(|_| self.failed.store(true, Ordering::Relaxed))?;
            if let (Some(clock), Some(begin)) = (self.clock, begin) {
                task_ns.push(clock.now_ns().saturating_sub(begin));
            }
        }
        Ok(task_ns)
    }
}

fn workers(count: usize) -> Result<rayon::ThreadPool, EngineError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(count).thread_name(|index| format!("db-worker-{index}"));
    let pool = pool.start_handler(|_| own_thread::mark());
    pool.build().map_err(|error| EngineError::Thread { thread: "db-worker".into(), problem: error.to_string() })
}

fn cannot_pin(error: std::io::Error) -> EngineError {
    EngineError::Pin { problem: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::thread::ThreadId;

    fn pool(kind: PoolKind, threads: usize) -> Pool {
        Pool::new(&Settings { pool: kind, threads, ..Settings::default() }).expect("threads and cores are there")
    }

    /// Which thread ran each task, and where it may run.
    fn places(pool: &Pool, tasks: usize) -> BTreeMap<usize, (ThreadId, Vec<usize>)> {
        let make = || Ok(Vec::new());
        let reports = pool.run(tasks, pool.threads(), None, make, |ran, task| {
            ran.push((task, (std::thread::current().id(), affinity::allowed_cores())));
            Ok(())
        });
        reports.expect("no task fails").into_iter().flat_map(|report| report.made).collect()
    }

    #[test]
    fn each_task_runs_once_whatever_the_pool() {
        for kind in [PoolKind::Rayon, PoolKind::Pinned, PoolKind::Sequential] {
            for (threads, tasks) in [(1, 5), (2, 0), (2, 1), (3, 2), (3, 100)] {
                let ran = AtomicUsize::new(0);
                let pool = pool(kind, threads);
                let reports = pool.run(
                    tasks,
                    threads,
                    None,
                    || Ok(Vec::new()),
                    |seen: &mut Vec<usize>, task| {
                        seen.push(task);
                        ran.fetch_add(1, Ordering::Relaxed);
                        Ok(())
                    },
                );
                let mut seen: Vec<usize> =
                    reports.expect("no task fails").into_iter().flat_map(|report| report.made).collect();
                seen.sort_unstable();
                assert_eq!(seen, (0..tasks).collect::<Vec<_>>(), "{kind:?} {threads} {tasks}");
                assert_eq!(ran.into_inner(), tasks);
            }
        }
    }

    #[test]
    fn a_pinned_task_is_always_the_same_threads_on_one_core() {
        let pool = pool(PoolKind::Pinned, 3);
        // On a thread of its own: the test's must not stay pinned.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                pool.pin_job(0).expect("an allowed core");
                let first = places(&pool, 12);
                assert!(first.values().all(|(_, cores)| cores.len() == 1), "{first:?}");
                assert!((3..12).all(|task| first[&task] == first[&(task - 3)]), "{first:?}");
                assert_eq!(first[&0].0, std::thread::current().id(), "lane 0 is the job's thread");
                let lanes: std::collections::BTreeSet<_> = (0..3).map(|task| format!("{:?}", first[&task].0)).collect();
                assert_eq!(lanes.len(), 3);
                (0..50).for_each(|_| assert_eq!(places(&pool, 12), first));
            });
        });
    }

    #[test]
    fn the_first_error_ends_a_stage_on_every_pool() {
        for kind in [PoolKind::Rayon, PoolKind::Pinned, PoolKind::Sequential] {
            let pool = pool(kind, 2);
            let failing = |_: &mut (), task| match task {
                3 => Err(EngineError::Pin { problem: "planted".into() }),
                _ => Ok(()),
            };
            let result = pool.run(1_000, 2, None, || Ok(()), failing);
            assert!(matches!(result, Err(EngineError::Pin { .. })), "{kind:?}");
        }
    }
}
