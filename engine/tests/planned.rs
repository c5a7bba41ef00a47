//! Planned sources: what belongs to a batch.

use crate::bench::{Bench, INTERVAL_NS, START_NS, collect};
use downbeat_engine::record::{Column, Text, TextColumn};
use downbeat_engine::source::{Receiver, Store};
use downbeat_engine::{EngineError, Settings};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Hands over `per_batch` records per batch, `late_ns` after the moment at which the last of them was due.
struct Steady {
    batches: u64,
    per_batch: u64,
    late_ns: u64,
    thread: Option<JoinHandle<()>>,
}

impl Receiver<Text> for Steady {
    fn on_start(&mut self, store: Store<Text>) -> Result<(), EngineError> {
        let (batches, per_batch, late_ns) = (self.batches, self.per_batch, self.late_ns);
        store.clock().join();
        self.thread = Some(std::thread::spawn(move || {
            hand_over(&store, batches, per_batch, late_ns);
            store.clock().leave();
        }));
        Ok(())
    }

    fn on_stop(&mut self) {
        self.thread.take().map(JoinHandle::join);
    }
}

fn hand_over(store: &Store<Text>, batches: u64, per_batch: u64, late_ns: u64) {
    let timeline = store.timeline().expect("not stopped");
    let mut column = TextColumn::default();
    (0..batches * per_batch).for_each(|record| column.push(format!("r{record:03}").as_bytes()));
    let column = Arc::new(column);
    for batch in 0..batches {
        let start_ns = if batch < timeline.primed_batches {
            timeline.prime_start_ns + batch * INTERVAL_NS
        } else {
            store.live_start_ns().expect("not stopped") + (batch - timeline.primed_batches) * INTERVAL_NS
        };
        if batch >= timeline.primed_batches {
            store.clock().sleep_until(start_ns + INTERVAL_NS + late_ns, store.wake());
        }
        let step_ns = INTERVAL_NS / per_batch;
        for record in 0..per_batch {
            let at = (batch * per_batch + record) as usize;
            let intended_ns = start_ns + record * step_ns;
            if store.store_planned(&column, at..at + 1, intended_ns, intended_ns).is_err() {
                return;
            }
        }
        store.advance_watermark(start_ns + INTERVAL_NS);
    }
    store.finish();
}

fn run(batches: u64, primed: u64, late_ns: u64, settings: Settings) -> (Bench, Vec<Vec<String>>) {
    let bench = Bench::new(settings);
    let steady = Steady { batches, per_batch: 4, late_ns, thread: None };
    let lines = bench.context.planned_stream("steady", steady);
    let seen = collect(&lines, |line| String::from_utf8_lossy(line).into_owned());
    bench.context.prime(primed);
    bench.context.start().expect("starts");
    for tick in 1..=batches + 3 {
        bench.clock.advance_to(START_NS + tick * INTERVAL_NS + late_ns);
    }
    let seen = seen.lock().expect("no panic").clone();
    (bench, seen)
}

#[test]
fn a_batch_holds_what_was_intended_for_its_interval_however_late_it_comes() {
    let expected: Vec<Vec<String>> =
        (0..3).map(|batch| (0..4).map(|record| format!("r{:03}", batch * 4 + record)).collect()).collect();
    for late_ns in [0, 30_000_000, 70_000_000] {
        let (bench, seen) = run(3, 0, late_ns, Settings::default());
        assert_eq!(seen[..3], expected, "late by {late_ns}");
        let delays: Vec<u64> =
            bench.reports().iter().take(3).map(|report| report.submitted_ns - report.due_ns).collect();
        assert_eq!(delays, [late_ns; 3], "a late sender shows as generation delay");
        assert_eq!(bench.context.await_termination(), Ok(()), "ends when the source has");
    }
}

#[test]
fn primed_batches_run_first_with_past_labels() {
    let (bench, seen) = run(5, 3, 0, Settings::default());
    assert_eq!(seen.concat().len(), 20);
    let reports = bench.reports();
    let kinds: Vec<(bool, u64)> = reports.iter().take(5).map(|report| (report.primed, report.index)).collect();
    assert_eq!(kinds, [(true, 0), (true, 1), (true, 2), (false, 0), (false, 1)]);
    assert!(reports[..3].iter().all(|report| report.due_ns <= START_NS));
    assert!(
        reports
            .windows(2)
            .all(|pair| pair[0].due_ns < pair[1].due_ns && pair[0].end_sequence == pair[1].first_sequence)
    );
}

#[test]
fn blocks_are_cut_by_intended_time() {
    let settings = Settings { block_interval_ns: Some(INTERVAL_NS / 2), ..Settings::default() };
    let (bench, _) = run(2, 0, 0, settings);
    assert_eq!(bench.reports()[0].blocks, 2);
    let settings = Settings { block_interval_ns: Some(INTERVAL_NS / 4), ..Settings::default() };
    let (bench, _) = run(2, 0, 0, settings);
    assert_eq!(bench.reports()[0].blocks, 4);
}

#[test]
fn the_first_live_batch_begins_after_the_start() {
    let (bench, _) = run(1, 0, 0, Settings::default());
    assert_eq!(bench.reports()[0].due_ns, START_NS + 2 * INTERVAL_NS);
}
