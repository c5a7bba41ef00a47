//! The streaming context: sources, streams and outputs are made on it; it starts, stops and waits.

pub(crate) mod runner;
mod sources;

pub use crate::dstream::StopReport;

use crate::clock::{Clock, MonotonicClock, Wake, lock};
use crate::dstream::{BatchTime, DStream, Graph, operator};
use crate::error::EngineError;
use crate::metrics::BatchListener;
use crate::record::Family;
use crate::schedule::backpressure::Backpressure;
use crate::schedule::job::guarded;
use crate::schedule::own_thread;
use crate::schedule::pool::Pool;
use crate::schedule::queue::Queue;
use crate::schedule::ticker::Ticker;
use crate::settings::Settings;
use crate::source::Supervisor;
use crate::source::shared::Shared;
use crate::storage::{Disk, Storage};
use runner::Runner;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Where jobs are defined and run.
///
/// The graph is frozen at the start. A stopped context cannot be started again.
pub struct StreamingContext {
    settings: Settings,
    shared: Arc<Shared>,
    graph: Arc<Graph>,
    receivers: Supervisor,
    queue: Arc<Queue>,
    ticker_wake: Arc<Wake>,
    primed_batches: Mutex<u64>,
    life: Arc<Life>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Where a context is in its life, for those who wait for its end.
#[derive(Default)]
struct Life {
    state: Mutex<State>,
    changed: Condvar,
}

/// Where a context is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Sources, streams and outputs can be added.
    #[default]
    Initialized,
    /// Started; batches run.
    Active,
    /// Stopped, or all its sources have ended and the last batch is done.
    Stopped,
}

impl StreamingContext {
    /// A context on the system's clock.
    ///
    /// # Errors
    /// A setting that cannot work, or threads that cannot be started.
    pub fn new(settings: Settings) -> Result<Self, EngineError> {
        Self::with_clock(settings, Arc::new(MonotonicClock::new()))
    }

    /// A context on any clock.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn with_clock(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, EngineError> {
        Self::with_seams(settings, clock, Arc::new(Disk))
    }

    /// A context on any clock and any storage.
    ///
    /// # Errors
    /// A setting that cannot work.
    pub fn with_seams(
        settings: Settings,
        clock: Arc<dyn Clock>,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, EngineError> {
        settings.validate()?;
        let shared = Arc::new(Shared::new(clock, storage.clone(), &settings));
        Ok(StreamingContext {
            graph: Arc::new(Graph::new(settings.clone(), shared.clone(), storage)),
            receivers: Supervisor::default(),
            queue: Arc::new(Queue::new(settings.queue_capacity)),
            settings,
            shared,
            ticker_wake: Arc::default(),
            primed_batches: Mutex::default(),
            life: Arc::default(),
            threads: Mutex::default(),
        })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The records of all streams together. They must belong to this context, slide alike and be at least one.
    #[track_caller]
    pub fn union<R: Family>(&self, streams: &[DStream<R>]) -> DStream<R> {
        DStream::union_of(&self.graph, streams, operator("union"))
    }

    /// What `function` makes of each batch of several streams, as [`DStream::transform`] does of one.
    #[track_caller]
    pub fn transform<A: Family, B: Family>(
        &self,
        streams: &[DStream<A>],
        function: impl Fn(&[DStream<A>], BatchTime) -> DStream<B> + Send + Sync + 'static,
    ) -> DStream<B> {
        DStream::transform_of(&self.graph, streams, function, operator("transform"))
    }

    /// Runs this many batches back to back, with past labels, before the first live one: fills windows and state. Needs
    /// planned sources.
    pub fn prime(&self, batches: u64) {
        *lock(&self.primed_batches) = batches;
    }

    /// Adds a listener.
    pub fn add_listener(&self, listener: Arc<dyn BatchListener>) {
        self.shared.listeners.write().unwrap_or_else(PoisonError::into_inner).push(listener);
    }

    /// Where `print` writes to. The engine never writes to the standard output by itself.
    pub fn print_to(&self, sink: Box<dyn Write + Send>) {
        *lock(&self.graph.print_sink()) = Some(sink);
    }

    /// Where the context is in its life.
    pub fn state(&self) -> State {
        *lock(&self.life.state)
    }

    /// Checks the job as it was built.
    ///
    /// # Errors
    /// The first operator that cannot work as asked, or no output operation at all.
    pub fn check(&self) -> Result<(), EngineError> {
        self.graph.check()
    }

    /// Starts receivers and batches.
    ///
    /// # Errors
    /// The job cannot work, a receiver or thread cannot start, or the context was started before.
    pub fn start(&self) -> Result<(), EngineError> {
        {
            let mut state = lock(&self.life.state);
            match *state {
                State::Initialized => {
                    self.check()?;
                    *state = State::Active;
                }
                State::Active => {
                    return Err(EngineError::State { call: "start", reason: "the context is running already" });
                }
                State::Stopped => {
                    return Err(EngineError::State {
                        call: "start",
                        reason: "a stopped context stays stopped; make a new one",
                    });
                }
            }
        }
        let started = self.start_threads();
        if started.is_err() {
            self.end();
        }
        started
    }

    fn start_threads(&self) -> Result<(), EngineError> {
        let parts = self.graph.freeze();
        let ticker = Ticker {
            shared: self.shared.clone(),
            wake: self.ticker_wake.clone(),
            queue: self.queue.clone(),
            inputs: parts.inputs.clone(),
            has_planned: parts.has_planned,
            primed_batches: *lock(&self.primed_batches),
            overload: self.settings.overload,
        };
        let runner = Runner {
            shared: self.shared.clone(),
            queue: self.queue.clone(),
            pool: Pool::new(&self.settings)?,
            backpressure: Backpressure::new(&self.settings, &parts.inputs),
            concurrent_jobs: self.settings.concurrent_jobs,
            metrics: self.settings.metrics,
            primed_batches: ticker.primed_batches,
            parts,
        };
        self.shared.set_other_cores(runner.pool.other_cores().to_vec());
        let runner = Arc::new(runner);
        let at_work = Arc::new(AtomicUsize::new(runner.concurrent_jobs));
        for job in 0..runner.concurrent_jobs {
            let (life, jobs, runner, at_work) = (self.life.clone(), self.watched(), runner.clone(), at_work.clone());
            self.spawn(&format!("db-jobs-{job}"), move || {
                runner.take_place(job);
                jobs.guard(|| runner.run());
                if at_work.fetch_sub(1, Ordering::AcqRel) == 1 {
                    *lock(&life.state) = State::Stopped;
                    life.changed.notify_all();
                }
            })?;
        }
        self.shared.clock.join();
        let watched = self.watched();
        self.spawn("db-ticker", move || {
            watched.guard(|| ticker.run());
            watched.shared.clock.leave();
        })?;
        self.receivers.start()
    }

    fn watched(&self) -> Watched {
        Watched { shared: self.shared.clone(), queue: self.queue.clone() }
    }

    fn spawn(&self, name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), EngineError> {
        let prepared = move || {
            crate::clock::set_timer_slack();
            own_thread::mark();
            body();
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(prepared);
        let thread =
            thread.map_err(|error| EngineError::Thread { thread: name.to_owned(), problem: error.to_string() })?;
        lock(&self.threads).push(thread);
        Ok(())
    }

    /// Waits until the context has stopped, or all its sources have ended and the last batch is done.
    ///
    /// # Errors
    /// The first batch or source that failed, or what was added to the job after the start; or the call comes from a batch.
    pub fn await_termination(&self) -> Result<(), EngineError> {
        own_thread::refuse("await_termination")?;
        while !self.await_termination_or_timeout(Duration::from_secs(3600))? {}
        Ok(())
    }

    /// The same, for at most this long. True when the context has stopped.
    ///
    /// # Errors
    /// The first batch or source that failed until now.
    pub fn await_termination_or_timeout(&self, time: Duration) -> Result<bool, EngineError> {
        let deadline = deadline_in(time);
        let mut state = lock(&self.life.state);
        loop {
            if let Some(failure) = self.shared.failure() {
                return Err(failure);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if *state == State::Stopped || left.is_zero() {
                return Ok(*state == State::Stopped);
            }
            // In steps, because a failure does not end the context.
            let step = left.min(Duration::from_millis(20));
            state = self.life.changed.wait_timeout(state, step).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Stops: first the receivers, then one last batch of what they had, then waits at most `drain` for the batches that wait
    /// or run. With no time to drain, what waits is dropped and counted as unfinished.
    ///
    /// # Errors
    /// The context was never started, or the call comes from a batch (an output, a listener), which would wait for itself.
    pub fn stop(&self, drain: Duration) -> Result<StopReport, EngineError> {
        own_thread::refuse("stop")?;
        if self.state() == State::Initialized {
            return Err(EngineError::State { call: "stop", reason: "the context was never started" });
        }
        let deadline = deadline_in(drain);
        self.shared.wake.set();
        self.graph.interrupt_inputs();
        self.receivers.stop();
        self.ticker_wake.set();
        if drain.is_zero() {
            self.queue.abandon(&self.shared.clock);
        }
        if !self.wait_stopped(deadline) {
            self.queue.abandon(&self.shared.clock);
            // What runs now cannot be interrupted; a short batch may still make it.
            self.wait_stopped(deadline_in(Duration::from_millis(100)));
        }
        let report = self.graph.stop_report(self.queue.unfinished_records());
        self.end();
        Ok(report)
    }

    fn wait_stopped(&self, deadline: Instant) -> bool {
        let mut state = lock(&self.life.state);
        while *state != State::Stopped {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.life.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    /// Tells every thread to end and waits for those that can.
    fn end(&self) {
        self.shared.wake.set();
        self.graph.interrupt_inputs();
        self.receivers.stop();
        self.ticker_wake.set();
        self.queue.abandon(&self.shared.clock);
        let stopped = self.state() == State::Stopped;
        *lock(&self.life.state) = State::Stopped;
        self.life.changed.notify_all();
        for thread in lock(&self.threads).drain(..).filter(|_| stopped) {
            // A panic in there was reported as a batch's failure.
            drop(thread.join());
        }
    }
}

/// So long from now, at most a century.
fn deadline_in(time: Duration) -> Instant {
    Instant::now() + time.min(Duration::from_secs(100 * 365 * 24 * 3600))
}

/// What a thread of the engine leaves behind when it panics, so that nobody waits for it.
struct Watched {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
}

impl Watched {
    /// Runs a thread's work; a panic outside the code of a batch fails the context and ends its batches.
    fn guard(&self, work: impl FnOnce()) {
        let result = guarded(0, || {
            work();
            Ok(())
        });
        if let Err(error) = result {
            self.shared.fail(error);
            self.queue.abandon(&self.shared.clock);
        }
    }
}

impl Drop for StreamingContext {
    fn drop(&mut self) {
        if self.state() != State::Initialized {
            self.end();
        }
    }
}
