//! Receivers of one's own: restarts, panics, errors, and what stored records are cut into.

use crate::bench::{Bench, collect};
use crate::live::{Lines, Live, Messages, quick, wait_for};
use downbeat_engine::clock::{Clock, MonotonicClock, Wake};
use downbeat_engine::record::{Column, Text, TextColumn};
use downbeat_engine::source::{Receiver, Stopped, Store};
use downbeat_engine::{DStream, EngineError, Settings, StreamingContext};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// What happened to a receiver, in order.
type Events = Arc<Mutex<Vec<String>>>;

/// A receiver made of a closure that each start runs, with the number of that start.
struct Scripted<F> {
    events: Events,
    starts: u64,
    start: F,
}

impl<F: FnMut(u64, Store<Text>) -> Result<(), EngineError> + Send> Receiver<Text> for Scripted<F> {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        self.starts += 1;
        self.events.lock().expect("no panic").push(format!("start {}", self.starts));
        (self.start)(self.starts, store)
    }

    fn on_stop(&mut self) {
        self.events.lock().expect("no panic").push(format!("stop {}", self.starts));
    }
}

fn scripted<F>(start: F) -> (Events, Scripted<F>)
where
    F: FnMut(u64, Store<Text>) -> Result<(), EngineError> + Send,
{
    let events = Events::default();
    (events.clone(), Scripted { events, starts: 0, start })
}

fn heard(events: &Events) -> Vec<String> {
    events.lock().expect("no panic").clone()
}

fn broken(problem: &str) -> EngineError {
    EngineError::Source { source_name: "scripted".into(), problem: problem.into() }
}

/// Runs a thread until its start ends.
fn linger(store: &Store<Text>) {
    while !store.is_stopped() {
        store.wake().sleep(Duration::from_secs(1));
    }
}

#[test]
fn a_restart_ends_the_old_start_and_begins_another() {
    let live = Live::new(quick());
    let old_stores = Arc::new(Mutex::new(Vec::new()));
    let kept = old_stores.clone();
    let (events, receiver) = scripted(move |start, store| {
        kept.lock().expect("no panic").push(store.clone());
        store.clone().spawn("scripted", move || {
            store.store(format!("from {start}").as_bytes()).expect("not stopped");
            if start < 3 {
                store.restart("the peer has gone");
                // Only the first counts, and the old start's thread is told to end.
                store.restart_after("again", Duration::from_secs(3600));
            }
            linger(&store);
        })
    });
    let lines = Lines::of(&live.context.receiver_stream("scripted", receiver));
    live.context.start().expect("starts");
    lines.wait_for(&["from 1", "from 2", "from 3"]);
    let stores = old_stores.lock().expect("no panic");
    assert_eq!(stores[0].store(b"from the past"), Err(Stopped));
    assert_eq!(stores[1].store_block(TextColumn::default()), Err(Stopped));
    assert!(!stores[2].is_stopped());
    assert_eq!(live.stop()["receiver_restarts"], 2);
    assert!(stores[2].is_stopped());
    assert_eq!(heard(&events), ["start 1", "stop 1", "start 2", "stop 2", "start 3", "stop 3"]);
    assert_eq!(live.messages.count("scripted: the peer has gone; starting the receiver again in 5ms"), 2);
    assert_eq!(lines.all().len(), 3);
}

#[test]
fn a_thread_that_on_stop_joins_may_ask_for_the_restart() {
    struct Joining {
        thread: Option<JoinHandle<()>>,
        starts: Arc<AtomicU64>,
    }
    impl Receiver<Text> for Joining {
        fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
            let first = self.starts.fetch_add(1, Ordering::Relaxed) == 0;
            self.thread = Some(std::thread::spawn(move || {
                if first {
                    store.restart("once more");
                }
                linger(&store);
            }));
            Ok(())
        }
        fn on_stop(&mut self) {
            self.thread.take().expect("started").join().expect("no panic");
        }
    }
    let live = Live::new(quick());
    let starts = Arc::new(AtomicU64::new(0));
    Lines::of(&live.context.receiver_stream("joining", Joining { thread: None, starts: starts.clone() }));
    live.context.start().expect("starts");
    wait_for("the second start", || starts.load(Ordering::Relaxed) == 2);
    // A thread that joins itself panics.
    assert_eq!(live.stop(), BTreeMap::from([("receiver_restarts", 1)]));
}

#[test]
fn panics_anywhere_in_a_receiver_restart_it_and_end_nothing_else() {
    struct Clumsy {
        starts: u64,
    }
    impl Receiver<Text> for Clumsy {
        fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
            self.starts += 1;
            match self.starts {
                1 => panic!("no start today"),
                2 => store.spawn("clumsy", || panic!("tripped")),
                _ => store.clone().spawn("clumsy", move || {
                    store.store(b"at last").expect("not stopped");
                    linger(&store);
                }),
            }
        }
        fn on_stop(&mut self) {
            assert!(self.starts != 2, "cannot stop");
        }
    }
    let live = Live::new(quick());
    let lines = Lines::of(&live.context.receiver_stream("clumsy", Clumsy { starts: 0 }));
    let (feed, others) = live.context.queue_stream::<Text>();
    let others = Lines::of(&others);
    live.context.start().expect("starts");
    lines.wait_for(&["at last"]);
    feed.push([&b"still here"[..]]).expect("not stopped");
    others.wait_for(&["still here"]);
    assert!(!live.context.await_termination_or_timeout(Duration::ZERO).expect("nothing failed"));
    let counts = live.stop();
    assert_eq!((counts["receiver_panics"], counts["receiver_restarts"]), (3, 2));
    for told in [
        "panicked in on_start: no start today; st",
        "panicked in thread clumsy: tripped; st",
        "panicked in on_stop: cannot",
    ] {
        assert_eq!(live.messages.count(told), 1, "{told}: {:?}", live.messages.all());
    }
}

#[test]
fn an_error_at_the_start_is_the_contexts_and_at_a_restart_it_is_tried_again() {
    let live = Live::new(quick());
    let (events, receiver) = scripted(|_, _| Err(broken("no such device")));
    Lines::of(&live.context.receiver_stream("scripted", receiver));
    assert_eq!(live.context.start(), Err(broken("no such device")));
    assert_eq!(heard(&events), ["start 1", "stop 1"]);

    let live = Live::new(quick());
    let (events, receiver) = scripted(|start, store| match start {
        2 | 3 => Err(broken("not yet")),
        _ => store.clone().spawn("scripted", move || {
            store.store(b"here").expect("not stopped");
            if start == 1 {
                store.restart("lost it");
            }
            linger(&store);
        }),
    });
    let lines = Lines::of(&live.context.receiver_stream("scripted", receiver));
    live.context.start().expect("starts");
    lines.wait_for(&["here", "here"]);
    assert_eq!(live.stop()["receiver_errors"], 2);
    assert_eq!(live.messages.count("cannot start again: source scripted: not yet; trying again in 5ms"), 2);
    let pairs = [1, 2, 3, 4].map(|start| [format!("start {start}"), format!("stop {start}")]);
    assert_eq!(heard(&events), pairs.concat());
}

#[test]
fn a_reported_error_is_heard_and_counted_and_receiving_goes_on() {
    let live = Live::new(quick());
    let (events, receiver) = scripted(|_, store| {
        store.clone().spawn("scripted", move || {
            store.report_error("a bad packet");
            store.store(b"a good one").expect("not stopped");
            linger(&store);
        })
    });
    let lines = Lines::of(&live.context.receiver_stream("scripted", receiver));
    live.context.start().expect("starts");
    lines.wait_for(&["a good one"]);
    assert_eq!(live.stop()["receiver_errors"], 1);
    assert_eq!(live.messages.count("scripted: a bad packet"), 1);
    assert_eq!(heard(&events), ["start 1", "stop 1"]);
}

#[test]
fn a_receiver_that_stops_for_good_leaves_an_empty_stream_and_a_running_context() {
    let mut bench = Bench::new(Settings::default());
    let messages = Arc::new(Messages::default());
    bench.context.add_listener(messages.clone());
    let (events, receiver) = scripted(|_, store| {
        store.clone().spawn("scripted", move || {
            store.stop("all said");
            store.restart("too late");
            linger(&store);
        })
    });
    // A planned stream, whose batches would wait for its watermark.
    let seen = collect(&bench.context.planned_stream("scripted", receiver).count(), |count| count);
    bench.context.start().expect("starts");
    wait_for("the end", || heard(&events) == ["start 1", "stop 1"]);
    bench.tick();
    bench.tick();
    // The watermark goes up only after `on_stop`, which has just been heard, and a batch that waits for it is no work to the clock.
    wait_for("the batch", || !seen.lock().expect("no panic").is_empty());
    assert_eq!(*seen.lock().expect("no panic"), [vec![0]]);
    bench.context.stop(Duration::from_secs(5)).expect("stops");
    assert_eq!(heard(&events), ["start 1", "stop 1"]);
    assert_eq!(messages.all(), ["scripted: all said; the receiver has ended for good"]);
}

/// Where a receiver puts its store.
type Place = Arc<Mutex<Option<Store<Text>>>>;

/// A receiver that only hands its store out.
fn handed_out(context: &StreamingContext) -> (Place, DStream<Text>) {
    let place = Place::default();
    let into = place.clone();
    let (_, receiver) = scripted(move |_, store| {
        *into.lock().expect("no panic") = Some(store);
        Ok(())
    });
    (place, context.receiver_stream("handed out", receiver))
}

fn texts(lines: &[&str]) -> TextColumn {
    let mut column = TextColumn::default();
    lines.iter().for_each(|line| column.push(line.as_bytes()));
    column
}

#[test]
fn single_records_share_a_block_and_a_stored_block_is_one_task() {
    let mut bench = Bench::new(Settings { block_interval_ns: Some(50_000_000), ..Settings::default() });
    let (place, stream) = handed_out(&bench.context);
    let seen = collect(&stream, |line| String::from_utf8_lossy(line).into_owned());
    bench.context.start().expect("starts");
    let store = place.lock().expect("no panic").clone().expect("started");
    for line in ["a", "b"] {
        store.store(line.as_bytes()).expect("not stopped");
    }
    store.store_column(texts(&["c", "d"])).expect("not stopped");
    store.store(b"e").expect("not stopped");
    store.store_block(texts(&["f", "g"])).expect("not stopped");
    store.store_block(texts(&[])).expect("not stopped");
    store.store_block(texts(&["h"])).expect("not stopped");
    store.store(b"i").expect("not stopped");
    // The block interval has passed: `j` is in another block than `i`.
    bench.clock.advance_to(crate::bench::START_NS + 60_000_000);
    store.store(b"j").expect("not stopped");
    bench.tick();
    let report = &bench.reports()[0];
    // [a b c d e] [f g] [] [h] [i] [j]
    assert_eq!((report.blocks, report.records, report.bytes), (6, 10, 20));
    assert_eq!((report.first_sequence, report.end_sequence), (0, 10));
    assert_eq!(report.stamps.iter().map(|stamp| stamp.records).sum::<u64>(), 10);
    let expected: Vec<String> = "abcdefghij".chars().map(String::from).collect();
    assert_eq!(*seen.lock().expect("no panic"), [expected]);
}

#[test]
fn many_single_records_are_kept_in_few_columns_and_few_stamps() {
    let mut bench = Bench::new(Settings::default());
    let (place, stream) = handed_out(&bench.context);
    let seen = collect(&stream.count(), |count| count);
    bench.context.start().expect("starts");
    let store = place.lock().expect("no panic").clone().expect("started");
    let line = [b'x'; 99];
    for _ in 0..30_000 {
        store.store(&line).expect("not stopped");
    }
    bench.tick();
    let report = &bench.reports()[0];
    assert_eq!((report.blocks, report.records, report.bytes), (1, 30_000, 3_000_000));
    assert!(report.stamps.len() <= 3, "one stamp a column of 1 MiB, at one and the same time: {}", report.stamps.len());
    assert_eq!(*seen.lock().expect("no panic"), [vec![30_000]]);
}

thread_local! {
    static SLOW: Cell<bool> = const { Cell::new(false) };
}

/// The real clock, which takes its time on threads that are slow.
struct SlowClock(MonotonicClock);

impl Clock for SlowClock {
    fn now_ns(&self) -> u64 {
        if SLOW.get() {
            std::thread::sleep(Duration::from_millis(300));
        }
        self.0.now_ns()
    }
    fn wall_offset_ns(&self) -> i64 {
        self.0.wall_offset_ns()
    }
    fn sleep_until(&self, deadline_ns: u64, wake: &Wake) {
        self.0.sleep_until(deadline_ns, wake);
    }
    fn join(&self) {}
    fn leave(&self) {}
}

#[test]
fn what_was_stored_is_in_a_batch_and_what_was_refused_is_not() {
    let context = StreamingContext::with_clock(quick(), Arc::new(SlowClock(MonotonicClock::new()))).expect("works");
    let (place, stream) = handed_out(&context);
    let lines = Lines::of(&stream);
    context.start().expect("starts");
    let store = place.lock().expect("no panic").clone().expect("started");
    // A thread that the engine does not know, so that nothing waits for it, in the middle of storing when the last batch is
    // cut: the clock keeps it there.
    let (sender, begins) = std::sync::mpsc::channel();
    let storing = std::thread::spawn(move || {
        store.store_block(texts(&["first"])).expect("not stopped");
        SLOW.set(true);
        sender.send(()).expect("somebody waits");
        store.store_block(texts(&["second"])).is_ok()
    });
    begins.recv().expect("it begins");
    std::thread::sleep(Duration::from_millis(50));
    context.stop(Duration::from_secs(5)).expect("stops");
    let expected = if storing.join().expect("no panic") { vec!["first", "second"] } else { vec!["first"] };
    assert_eq!(lines.all(), expected);
}

#[test]
fn a_restart_frees_a_thread_that_waits_for_room() {
    let mut bench =
        Bench::new(Settings { memory_limit_bytes: 1 << 20, restart_delay_ns: 1_000_000, ..Settings::default() });
    let events = Arc::new(Mutex::new(Vec::new()));
    let told = events.clone();
    let (_, receiver) = scripted(move |start, store| {
        if start > 1 {
            told.lock().expect("no panic").push(Ok(()));
            return Ok(());
        }
        let (told, blocked) = (told.clone(), store.clone());
        blocked.clone().spawn("blocked", move || {
            blocked.store(&[b'x'; 900_000]).expect("there is room");
            // On a clock that stands still nothing makes room.
            told.lock().expect("no panic").push(blocked.store(&[b'x'; 900_000]));
        })?;
        store.clone().spawn("restarter", move || {
            std::thread::sleep(Duration::from_millis(50));
            store.restart("enough");
        })
    });
    let seen = collect(&bench.context.receiver_stream("blocked", receiver).count(), |count| count);
    bench.context.start().expect("starts");
    wait_for("the second start", || events.lock().expect("no panic").len() == 2);
    assert_eq!(*events.lock().expect("no panic"), [Err(Stopped), Ok(())]);
    bench.tick();
    assert_eq!(*seen.lock().expect("no panic"), [vec![1]]);
}

#[test]
fn a_stop_during_the_pause_of_a_restart_does_not_wait_for_it() {
    let live = Live::new(quick());
    let (events, receiver) = scripted(|_, store| {
        store.restart_after("see you tomorrow", Duration::from_secs(24 * 3600));
        Ok(())
    });
    Lines::of(&live.context.receiver_stream("scripted", receiver));
    live.context.start().expect("starts");
    wait_for("the pause", || heard(&events).len() == 2);
    live.stop();
    assert_eq!(heard(&events), ["start 1", "stop 1"]);
}

#[test]
fn a_listener_that_panics_at_a_report_harms_no_source() {
    struct Touchy;
    impl downbeat_engine::metrics::BatchListener for Touchy {
        fn batch_completed(&self, _: &downbeat_engine::metrics::BatchReport) {}
        fn source_reported(&self, _: &str, _: &str) {
            panic!("do not tell me");
        }
    }
    let live = Live::new(quick());
    live.context.add_listener(Arc::new(Touchy));
    let (_, receiver) = scripted(|_, store| {
        store.clone().spawn("scripted", move || {
            store.report_error("a bad packet");
            store.store(b"a good one").expect("not stopped");
        })
    });
    let lines = Lines::of(&live.context.receiver_stream("scripted", receiver));
    live.context.start().expect("starts");
    lines.wait_for(&["a good one"]);
    assert!(live.context.await_termination().expect_err("told").to_string().contains("do not tell me"));
    assert!(!live.stop().contains_key("receiver_panics"));
}
