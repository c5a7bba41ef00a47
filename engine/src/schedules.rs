//! Orders of execution: the queue of batches, the limits on senders and the shutdown, under a scheduler that tries many of them.
//!
//! The ticker, the job threads and the inputs are the real ones, on locks of [shuttle](https://docs.rs/shuttle), which stops at a
//! deadlock and replays the order in which anything failed. No time-out ever fires there: what ends, ends because it was told.
//! Built and run by `scripts/schedules`.

use crate::clock::{Clock, Wake};
use crate::context::runner::Runner;
use crate::dstream::{Label, Output, Parts, Scheduled};
use crate::error::EngineError;
use crate::metrics::{BatchListener, BatchReport};
use crate::schedule::backpressure::Backpressure;
use crate::schedule::job::JobRun;
use crate::schedule::pool::Pool;
use crate::schedule::queue::Queue;
use crate::schedule::ticker::Ticker;
use crate::settings::{Overload, PoolKind, Settings};
use crate::source::Stopped;
use crate::source::budget::{Budget, Request};
use crate::source::input::{AnyInput, Input};
use crate::source::limiter::Limiter;
use crate::source::shared::Shared;
use crate::storage::Disk;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex, lock, wait};
use shuttle::rand::Rng;
use shuttle::thread;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const MS: u64 = 1_000_000;

/// Orders that are tried at random, and with few but well placed changes of thread (PCT, Burckhardt et al. 2010).
fn in_many_orders(orders: usize, scenario: impl Fn() + Send + Sync + Clone + 'static) {
    shuttle::check_random(scenario.clone(), orders);
    shuttle::check_pct(scenario, orders / 2, 3);
}

/// Time passes while somebody sleeps.
#[derive(Default)]
struct DreamClock {
    now_ns: AtomicU64,
}

impl Clock for DreamClock {
    fn now_ns(&self) -> u64 {
        1_000 * MS + self.now_ns.load(Ordering::SeqCst)
    }

    fn wall_offset_ns(&self) -> i64 {
        0
    }

    fn sleep_until(&self, deadline_ns: u64, wake: &Wake) {
        while self.now_ns() < deadline_ns && !wake.is_set() {
            self.now_ns.fetch_add(MS / 4, Ordering::SeqCst);
            thread::yield_now();
        }
    }

    fn join(&self) {}

    fn leave(&self) {}
}

/// A node whose batches must take turns: it waits until the batch before is released.
#[derive(Default)]
struct TurnTaker {
    released: Mutex<BTreeSet<u64>>,
    passed: Condvar,
}

impl Scheduled for TurnTaker {
    fn observe(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        let mut released = lock(&self.released);
        while run.batch > 0 && !released.contains(&(run.batch - 1)) {
            released = wait(&self.passed, released);
        }
        Ok(())
    }

    fn release(&self, batch: u64) {
        assert!(lock(&self.released).insert(batch), "batch {batch} is released twice");
        self.passed.notify_all();
    }
}

/// Keeps the numbers of each batch; fails now and then.
struct Keep {
    input: Arc<Input<u64>>,
    seen: Mutex<BTreeMap<u64, Vec<u64>>>,
    fails: bool,
}

impl Output for Keep {
    fn slide_batches(&self) -> u64 {
        1
    }

    fn run(&self, run: &mut JobRun<'_>, _: Label) -> Result<(), EngineError> {
        let blocks = self.input.blocks(run.batch);
        thread::yield_now();
        let parts = blocks.iter().flat_map(|block| &block.parts);
        let numbers = parts.flat_map(|part| part.column[part.range.clone()].to_vec()).collect();
        let before = lock(&self.seen).insert(run.batch, numbers);
        assert!(before.is_none(), "batch {} is run twice", run.batch);
        if self.fails && shuttle::rand::thread_rng().gen_bool(0.2) {
            return Err(EngineError::Codec { codec: "none", problem: "planted".into() });
        }
        Ok(())
    }
}

#[derive(Default)]
struct Reports(Mutex<Vec<BatchReport>>);

impl BatchListener for Reports {
    fn batch_completed(&self, report: &BatchReport) {
        lock(&self.0).push(report.clone());
    }
}

/// How the context ends.
#[derive(Clone, Copy, PartialEq)]
enum Stop {
    /// What waits is processed.
    Drains,
    /// What waits is given up.
    Abandons,
}

/// When it is stopped.
#[derive(Clone, Copy, PartialEq)]
enum When {
    AtOnce,
    AllIsSent,
}

/// A whole context but for its threads: one input of numbers, a node that takes turns, an output.
struct Engine {
    shared: Arc<Shared>,
    queue: Arc<Queue>,
    input: Arc<Input<u64>>,
    node: Arc<TurnTaker>,
    output: Arc<Keep>,
    reports: Arc<Reports>,
    ticker_wake: Arc<Wake>,
    /// Of the senders' start, as a receiver has one.
    sender_wake: Arc<Wake>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Engine {
    fn start(settings: Settings, planned: bool, fails: bool) -> Self {
        let settings = Settings { pool: PoolKind::Sequential, metrics: false, threads: 1, ..settings };
        let clock: Arc<dyn Clock> = Arc::new(DreamClock::default());
        let shared = Arc::new(Shared::new(clock, Arc::new(Disk), &settings));
        let reports = Arc::new(Reports::default());
        shared.listeners.write().expect("no panic").push(reports.clone());
        let queue = Arc::new(Queue::new(settings.queue_capacity));
        let input = Arc::new(Input::<u64>::new(shared.clone(), "numbers".into(), planned, &settings));
        let node = Arc::new(TurnTaker::default());
        let output = Arc::new(Keep { input: input.clone(), seen: Mutex::default(), fails });
        let parts = Parts {
            inputs: vec![input.clone()],
            has_planned: planned,
            scheduled: vec![node.clone()],
            outputs: vec![output.clone()],
        };
        let ticker_wake: Arc<Wake> = Arc::default();
        let ticker = Ticker {
            shared: shared.clone(),
            wake: ticker_wake.clone(),
            queue: queue.clone(),
            inputs: parts.inputs.clone(),
            has_planned: planned,
            primed_batches: 0,
            overload: settings.overload,
        };
        let runner = Arc::new(Runner {
            shared: shared.clone(),
            queue: queue.clone(),
            pool: Pool::new(&settings).expect("no threads to start"),
            backpressure: Backpressure::new(&settings, &parts.inputs),
            concurrent_jobs: settings.concurrent_jobs,
            metrics: settings.metrics,
            primed_batches: 0,
            parts,
        });
        let mut threads = vec![thread::spawn(move || ticker.run())];
        for _ in 0..settings.concurrent_jobs {
            let runner = runner.clone();
            threads.push(thread::spawn(move || runner.run()));
        }
        let sender_wake = Arc::default();
        Engine { shared, queue, input, node, output, reports, ticker_wake, sender_wake, threads }
    }

    /// A sender of so many numbers, two at a time; returns how many it was told were taken or shed.
    fn send(&self, records: u64) -> thread::JoinHandle<u64> {
        let (input, wake) = (self.input.clone(), self.sender_wake.clone());
        thread::spawn(move || {
            let mut sent = 0;
            while sent < records {
                if input.receive(&Arc::new(vec![sent, sent + 1]), &wake).is_err() {
                    break;
                }
                sent += 2;
            }
            sent
        })
    }

    /// The order of [`crate::StreamingContext::stop`]; returns accepted and shed records.
    fn stop(mut self, stop: Stop, when: When, senders: Vec<thread::JoinHandle<u64>>) -> (u64, u64) {
        let join = |senders: Vec<thread::JoinHandle<u64>>| -> u64 {
            senders.into_iter().map(|sender| sender.join().expect("no panic")).sum()
        };
        // A sender that nobody lets in or tells to stop would never end.
        let (sent, senders) = if when == When::AllIsSent { (join(senders), Vec::new()) } else { (0, senders) };
        // As the supervisor does it: first the context's wake, then that of each start, then whoever waits is told.
        self.shared.wake.set();
        self.sender_wake.set();
        self.shared.interrupt();
        self.input.interrupt();
        let offered = sent + join(senders);
        self.ticker_wake.set();
        if stop == Stop::Abandons {
            self.queue.abandon(&self.shared.clock);
        }
        self.threads.drain(..).for_each(|thread| thread.join().expect("no panic"));
        self.check(offered)
    }

    /// No record is lost, doubled or in two places; every batch that ran was released once.
    fn check(&self, offered: u64) -> (u64, u64) {
        let (accepted, shed) = (self.input.accepted(), self.input.shed());
        // A sender that was stopped in the middle of a piece is not told of what went in before.
        assert!(accepted + shed >= offered);
        let unfinished = self.queue.unfinished_records() + self.input.waiting();
        let mut reports = lock(&self.reports.0).clone();
        reports.sort_by_key(|report| report.index);
        let seen = lock(&self.output.seen);
        assert_eq!(seen.len(), reports.len());
        let committed = reports.iter().filter(|report| report.failure.is_none());
        assert_eq!(committed.map(|report| report.records).sum::<u64>() + unfinished, accepted);
        let failure = self.shared.failure();
        assert!(matches!(failure, None | Some(EngineError::Codec { .. })), "{failure:?}");
        let mut last_end = 0;
        for (index, report) in (0..).zip(&reports) {
            assert_eq!(report.index, index, "batches are taken in order, and all that were taken are done");
            assert_eq!(report.ranges.iter().map(|range| range.end - range.start).sum::<u64>(), report.records);
            assert_eq!(seen[&index].len() as u64, report.records, "the records of a batch are there until it is done");
            for range in &report.ranges {
                assert!(range.start >= last_end, "records are in two batches");
                last_end = range.end;
            }
        }
        assert!(lock(&self.node.released).iter().copied().eq(0..reports.len() as u64));
        (accepted, shed)
    }
}

fn settings(overload: Overload, concurrent_jobs: usize, queue_capacity: usize) -> Settings {
    Settings { overload, concurrent_jobs, queue_capacity, interval_ns: 2 * MS, ..Settings::default() }
}

/// Sends from two threads under a discipline; stops in the middle or after all was sent.
fn overloaded(overload: Overload, concurrent_jobs: usize, stop: Stop, when: When) {
    let engine = Engine::start(settings(overload, concurrent_jobs, 1), false, true);
    let senders = vec![engine.send(6), engine.send(4)];
    let (accepted, shed) = engine.stop(stop, when, senders);
    assert!(when == When::AtOnce || accepted + shed == 10);
    assert!(shed == 0 || overload == Overload::Shed);
}

macro_rules! disciplines {
    ($($name:ident: $overload:expr, $jobs:expr;)*) => {$(
        #[test]
        fn $name() {
            for stop in [Stop::Drains, Stop::Abandons] {
                for when in [When::AtOnce, When::AllIsSent] {
                    in_many_orders(1_500, move || overloaded($overload, $jobs, stop, when));
                }
            }
        }
    )*};
}

disciplines! {
    schedules_of_queue: Overload::Queue, 1;
    schedules_of_queue_with_two_jobs: Overload::Queue, 2;
    schedules_of_block: Overload::Block, 1;
    schedules_of_merge: Overload::Merge, 1;
    schedules_of_merge_with_two_jobs: Overload::Merge, 2;
    schedules_of_shed: Overload::Shed, 1;
    schedules_of_shed_with_two_jobs: Overload::Shed, 2;
}

#[test]
fn schedules_of_a_stop_while_senders_wait_for_room() {
    in_many_orders(4_000, || {
        let (budget, wake) = (Arc::new(Budget::new(10)), Arc::new(Wake::default()));
        let clock = Arc::new(DreamClock::default());
        let request = Request { bytes: 6, waiting_most: 1, completes_a_batch: false };
        let senders: Vec<_> = (0..3)
            .map(|_| {
                let (budget, wake, clock) = (budget.clone(), wake.clone(), clock.clone());
                thread::spawn(move || budget.acquire(request, &wake, &*clock, |_| ()))
            })
            .collect();
        // One is let in, the others until the first batch is done, or for ever.
        thread::yield_now();
        budget.batch_queued();
        budget.batch_started();
        if shuttle::rand::thread_rng().gen_bool(0.5) {
            budget.batch_done(6);
        }
        wake.set();
        budget.interrupt();
        let let_in = senders.into_iter().filter_map(|sender| sender.join().expect("no panic")).count();
        assert!(let_in <= 2, "{let_in} times 6 bytes within 10");
    });
}

#[test]
fn schedules_of_a_stop_while_the_ticker_waits_for_a_planned_sender() {
    in_many_orders(4_000, || {
        let engine = Engine::start(settings(Overload::Queue, 1, 1), true, false);
        let (input, wake) = (engine.input.clone(), engine.sender_wake.clone());
        let sender = thread::spawn(move || {
            let Ok(start_ns) = input.shared.live_start_ns(&wake) else { return 0 };
            let column = Arc::new(vec![1u64, 2]);
            for batch in 0..2 {
                let intended_ns = start_ns + 2 * MS * batch;
                if input.plan(&column, 0..2, (intended_ns, intended_ns), &wake) == Err(Stopped) {
                    return 2 * batch;
                }
                input.advance_watermark(intended_ns + 2 * MS);
            }
            // From now on the ticker waits for a watermark that does not come.
            4
        });
        let when = if shuttle::rand::thread_rng().gen_bool(0.5) { When::AtOnce } else { When::AllIsSent };
        engine.stop(Stop::Drains, when, vec![sender]);
    });
}

#[test]
fn schedules_of_the_limiter() {
    in_many_orders(4_000, || {
        let (per_s, saved_ns) = (1_000.0, 2 * MS);
        let limiter = Arc::new(Limiter::new(Some(per_s), None, saved_ns));
        let (clock, wake) = (Arc::new(DreamClock::default()), Arc::new(Wake::default()));
        let begin_ns = clock.now_ns();
        let let_in = Arc::new(Mutex::new(Vec::new()));
        let senders: Vec<_> = (1..4u64)
            .map(|records| {
                let (limiter, clock, wake, let_in) = (limiter.clone(), clock.clone(), wake.clone(), let_in.clone());
                thread::spawn(move || {
                    for _ in 0..3 {
                        limiter.acquire(records, &*clock, &wake, MS, |_| ()).expect("nobody stops it");
                        lock(&let_in).push((clock.now_ns(), records));
                    }
                })
            })
            .collect();
        // The rate changes meanwhile, and comes back.
        limiter.set_rate(per_s / 2.0);
        thread::yield_now();
        limiter.set_rate(per_s);
        senders.into_iter().for_each(|sender| sender.join().expect("no panic"));
        let mut let_in = lock(&let_in).clone();
        let_in.sort_unstable();
        let mut sum = 0;
        for (at_ns, records) in let_in {
            sum += records;
            let most = per_s * (at_ns - begin_ns + saved_ns) as f64 / 1e9;
            assert!(sum as f64 <= most, "{sum} records, {most} are allowed");
        }
        assert_eq!(sum, 18);
    });
}

#[test]
fn schedules_of_a_stop_while_senders_wait_for_the_limit() {
    in_many_orders(2_000, || {
        let limit = Settings { max_rate_per_s: Some(1.0), ..settings(Overload::Queue, 1, 1) };
        let engine = Engine::start(limit, false, false);
        let senders = vec![engine.send(100), engine.send(100)];
        (0..shuttle::rand::thread_rng().gen_range(0..20)).for_each(|_| thread::yield_now());
        let (accepted, _) = engine.stop(Stop::Drains, When::AtOnce, senders);
        assert!(accepted < 20, "one a second");
    });
}
