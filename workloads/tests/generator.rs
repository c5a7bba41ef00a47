//! The generator on a manual clock: exactly the planned records, none early, none skipped when late.

use crate::harness::{Bench, MS};
use downbeat_engine::EngineError;
use downbeat_engine::record::{Column, TextColumn};
use downbeat_engine::settings::Settings;
use downbeat_engine::source::LineCounts;
use downbeat_workloads::load::LoadSettings;
use downbeat_workloads::payload::{BLOCK_LINES, LineSource, Payload, Ring, Words};
use downbeat_workloads::schedule::Arrivals;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const INTERVAL_NS: u64 = 10 * MS;

fn settings() -> Settings {
    Settings { interval_ns: INTERVAL_NS, threads: 2, ..Settings::default() }
}

fn load(rate_per_s: f64) -> LoadSettings {
    LoadSettings { rate_per_s, ..LoadSettings::default() }
}

fn small_ring() -> Payload {
    Payload::replayed(Ring::generate(&Words::new(1), 10_000))
}

/// Every line in the order in which the job saw it.
fn collect_lines(bench: &Bench) -> Arc<Mutex<Vec<Vec<u8>>>> {
    let lines: Arc<Mutex<Vec<Vec<u8>>>> = Arc::default();
    let seen = lines.clone();
    bench.lines.for_each_batch(move |batch| batch.for_each(|line| seen.lock().unwrap().push(line.to_vec())));
    lines
}

fn sizes(bench: &Bench) -> Vec<u64> {
    bench.reports().iter().map(|report| report.records).collect()
}

#[test]
fn each_batch_has_the_records_intended_in_its_interval_and_none_comes_early() {
    let bench = Bench::new(settings(), small_ring(), &load(1000.0), 5, 0);
    let lines = collect_lines(&bench);
    bench.context.start().unwrap();
    let start = bench.live_start_ns();
    bench.clock.advance_to(start - 1);
    assert_eq!(bench.stats.summary().handed_records, 0, "not before the live start");
    bench.clock.advance_to(start);
    assert_eq!(bench.stats.summary().handed_records, 1, "record 0 is due at the start itself");
    bench.clock.advance_to(start + 4 * MS - 1);
    assert_eq!(bench.stats.summary().handed_records, 4);
    bench.clock.advance_to(start + 4 * MS);
    assert_eq!(bench.stats.summary().handed_records, 5);
    (1..=5).for_each(|batch| bench.clock.advance_to(start + batch * INTERVAL_NS));
    bench.wait_for_end().unwrap();
    assert_eq!(sizes(&bench), [10; 5]);
    let summary = bench.stats.summary();
    assert!(summary.finished && summary.handed_records == 50, "{summary:?}");
    let Payload::Replayed { ring, .. } = small_ring() else { unreachable!() };
    let lines = lines.lock().unwrap();
    assert!(lines.len() == 50 && lines.iter().enumerate().all(|(record, line)| line == ring.line(record as u64)));
}

#[test]
fn a_clock_that_jumps_skips_no_record_and_moves_none_to_another_batch() {
    let bench = Bench::new(settings(), small_ring(), &load(100_000.0), 8, 0);
    collect_lines(&bench);
    bench.context.start().unwrap();
    bench.clock.advance_to(bench.live_start_ns() + 3 * INTERVAL_NS + 7 * MS);
    bench.clock.advance_to(bench.live_start_ns() + 100 * INTERVAL_NS);
    bench.wait_for_end().unwrap();
    assert_eq!(sizes(&bench), [1000; 8]);
    let summary = bench.stats.summary();
    assert_eq!(summary.measured_records, 8000);
    // Of the first 37 ms, all but the last 5 ms were late; of the rest, all.
    assert_eq!(summary.late_records, 8000 - 500 - 1, "{summary:?}");
    assert!(summary.lag_max_ns > 900 * MS, "{summary:?}");
}

#[test]
fn poisson_arrivals_are_the_same_records_in_the_same_batches_however_they_are_paced() {
    let load = LoadSettings { arrivals: Arrivals::Poisson, ..load(20_000.0) };
    let run = |steps: &[u64], settings: Settings| {
        let bench = Bench::new(settings, small_ring(), &load, 6, 0);
        let lines = collect_lines(&bench);
        bench.context.start().unwrap();
        steps.iter().for_each(|step| bench.clock.advance_to(bench.live_start_ns() + step * MS));
        bench.wait_for_end().unwrap();
        let lines = lines.lock().unwrap().clone();
        (sizes(&bench), lines)
    };
    let every_ms: Vec<u64> = (0..=60).collect();
    let paced = run(&every_ms, settings());
    assert_eq!(paced.0.len(), 6);
    assert_eq!(paced.1.len() as u64, load.schedule(60 * MS, None).unwrap().records());
    assert_eq!(paced, run(&[33, 60], settings()));
    let blocks_of_1_ms = Settings { block_interval_ns: Some(MS), threads: 1, ..settings() };
    assert_eq!(paced, run(&every_ms, blocks_of_1_ms));
}

#[test]
fn priming_is_sent_at_once_and_then_the_schedule_goes_on() {
    let bench = Bench::new(settings(), small_ring(), &load(5000.0), 7, 1);
    collect_lines(&bench);
    bench.context.prime(3);
    bench.context.start().unwrap();
    bench.clock.advance_to(bench.live_start_ns() - 1);
    assert_eq!(bench.stats.summary().handed_records, 150, "three batches of 50, before the live start");
    (0..=4).for_each(|batch| bench.clock.advance_to(bench.live_start_ns() + batch * INTERVAL_NS));
    bench.wait_for_end().unwrap();
    let primed: Vec<(bool, u64, u64)> =
        bench.reports().iter().map(|report| (report.primed, report.records, report.first_sequence)).collect();
    let expected: Vec<(bool, u64, u64)> = (0..7).map(|batch| (batch < 3, 50, batch * 50)).collect();
    assert_eq!(primed, expected);
    let summary = bench.stats.summary();
    assert_eq!((summary.handed_records, summary.measured_records), (350, 150), "one batch warms up");
}

#[test]
fn batches_without_a_record_are_complete_up_to_the_horizon() {
    let bench = Bench::new(settings(), small_ring(), &load(25.0), 10, 0);
    collect_lines(&bench);
    bench.context.start().unwrap();
    (0..=10).for_each(|batch| bench.clock.advance_to(bench.live_start_ns() + batch * INTERVAL_NS));
    bench.wait_for_end().unwrap();
    assert_eq!(sizes(&bench), [1, 0, 0, 0, 1, 0, 0, 0, 1, 0]);
}

#[test]
fn a_file_once_through_ends_with_its_last_line_and_tells_its_oddities() {
    let mut column = TextColumn::default();
    (0..25).for_each(|line| column.push(format!("line {line}").as_bytes()));
    let ring = Ring::from_columns(vec![column], LineCounts { crlf: 3, ..LineCounts::default() }).unwrap();
    let payload = Payload::Replayed { ring: Arc::new(ring), once: true };
    let bench = Bench::new(settings(), payload, &load(1000.0), 1000, 0);
    let lines = collect_lines(&bench);
    bench.context.start().unwrap();
    (0..=3).for_each(|batch| bench.clock.advance_to(bench.live_start_ns() + batch * INTERVAL_NS));
    bench.wait_for_end().unwrap();
    assert_eq!(sizes(&bench), [10, 10, 5]);
    assert_eq!(lines.lock().unwrap().len(), 25);
    let report = bench.context.stop(Duration::ZERO).unwrap();
    assert_eq!((report.accepted, report.input), (25, vec![("crlf", 3)]));
}

#[test]
fn stopping_ends_the_generator_in_the_middle() {
    let bench = Bench::new(settings(), small_ring(), &load(1000.0), 1_000_000, 0);
    collect_lines(&bench);
    bench.context.start().unwrap();
    bench.clock.advance_to(bench.live_start_ns() + 2 * INTERVAL_NS);
    let report = bench.context.stop(Duration::from_secs(5)).unwrap();
    let summary = bench.stats.summary();
    assert!(!summary.finished);
    assert_eq!((report.accepted, summary.handed_records), (21, 21));
    assert_eq!((sizes(&bench).iter().sum::<u64>(), report.unfinished), (21, 0));
}

#[test]
fn text_that_panics_is_a_failed_source_and_nobody_hangs() {
    struct Broken;
    impl LineSource for Broken {
        fn name(&self) -> &'static str {
            "broken"
        }
        fn seed(&self) -> u64 {
            0
        }
        fn fill(&self, _: u64, _: &mut TextColumn) {
            panic!("no ink");
        }
    }
    let bench = Bench::new(settings(), Payload::Live(Arc::new(Broken)), &load(1000.0), 3, 0);
    collect_lines(&bench);
    bench.context.start().unwrap();
    bench.clock.advance_to(bench.live_start_ns() + INTERVAL_NS);
    let failure = bench.wait_for_end().expect_err("the source failed");
    assert!(matches!(&failure, EngineError::Source { .. }) && failure.to_string().contains("no ink"), "{failure}");
}

#[test]
fn with_pinned_cores_the_generator_is_kept_off_the_worker() {
    /// Notes where the generator's thread, which makes the text, may run.
    struct Placed(Arc<Mutex<String>>);
    impl LineSource for Placed {
        fn name(&self) -> &'static str {
            "placed"
        }
        fn seed(&self) -> u64 {
            0
        }
        fn fill(&self, _: u64, column: &mut TextColumn) {
            *self.0.lock().unwrap() = allowed_cores();
            (0..BLOCK_LINES).for_each(|_| column.push(b"line"));
        }
    }
    let place = |pin_cores| {
        let seen: Arc<Mutex<String>> = Arc::default();
        let settings = Settings { threads: 1, pin_cores, ..settings() };
        let bench = Bench::new(settings, Payload::Live(Arc::new(Placed(seen.clone()))), &load(1000.0), 3, 0);
        let worker: Arc<Mutex<String>> = Arc::default();
        let noted = worker.clone();
        bench.lines.for_each_batch(move |_| *noted.lock().unwrap() = allowed_cores());
        bench.context.start().unwrap();
        bench.clock.advance_to(bench.live_start_ns() + 3 * INTERVAL_NS);
        bench.wait_for_end().unwrap();
        [seen, worker].map(|place| place.lock().unwrap().clone())
    };
    let all = allowed_cores();
    assert_eq!(place(false), [all.clone(), all.clone()]);
    let [generator, worker] = place(true);
    if all.contains([',', '-']) {
        assert!(
            !generator.is_empty() && generator != all && worker.parse::<u32>().is_ok() && generator != worker,
            "{generator}, {worker}"
        );
    } else {
        assert_eq!([generator, worker], [all.clone(), all], "there is one core only");
    }
}

/// Cores that the calling thread may run on, as the system lists them.
fn allowed_cores() -> String {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap();
    list.trim().to_owned()
}
