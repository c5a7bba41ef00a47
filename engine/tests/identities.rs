//! The two identities, and what each batch reports.

use crate::bench::{Bench, INTERVAL_NS, collect};
use downbeat_engine::metrics::{BatchReport, Stage};
use downbeat_engine::record::Text;
use downbeat_engine::settings::{CodecKind, PoolKind};
use downbeat_engine::{Settings, StreamingContext};
use std::sync::Arc;
use std::time::Duration;

/// On the real clock, because on the manual one all of these times are 0.
fn reports_of(settings: Settings) -> Vec<BatchReport> {
    let context = StreamingContext::new(settings.interval(Duration::from_millis(10))).expect("works");
    let reports = Arc::new(crate::bench::Reports::default());
    context.add_listener(reports.clone());
    let (feed, lines) = context.queue_stream::<Text>();
    let counts = lines.words().map_to_pair::<Text, u64>(|word| (word, 1)).reduce_by_key(|a, b| a + b);
    let windowed = counts.reduce_by_key_and_inverse_window(
        |a, b| a + b,
        |a, b| a - b,
        Duration::from_millis(30),
        Duration::from_millis(10),
    );
    collect(&windowed, |(word, count)| (word.to_vec(), count));
    context.start().expect("starts");
    let lines: Vec<String> = (0..3_000).map(|number| format!("some words and number {number}")).collect();
    for _ in 0..5 {
        feed.push(lines.iter().map(|line| line.as_bytes())).expect("not stopped");
        std::thread::sleep(Duration::from_millis(7));
    }
    context.stop(Duration::from_secs(10)).expect("stops");
    std::mem::take(&mut *reports.0.lock().expect("no panic"))
}

#[test]
fn phases_add_up_to_the_processing_time_and_busy_and_idle_to_all_threads() {
    for (codec, pool) in [
        (CodecKind::None, PoolKind::Rayon),
        (CodecKind::Rkyv, PoolKind::Rayon),
        (CodecKind::None, PoolKind::Pinned),
        (CodecKind::Json, PoolKind::Sequential),
    ] {
        let settings = Settings { codec, pool, threads: 2, ..Settings::default() };
        let threads = settings.effective_threads() as u64;
        let reports = reports_of(settings);
        assert!(reports.iter().any(|report| report.records > 0));
        for report in &reports {
            assert!(
                report.due_ns <= report.submitted_ns || report.queue_depth == 0,
                "only the last batch of a stop is cut early"
            );
            assert!(report.submitted_ns <= report.started_ns && report.started_ns <= report.done_ns);
            let processing_ns = report.done_ns - report.started_ns;
            let phases: u64 = report.phases.iter().map(|(_, ns)| ns).sum();
            assert_eq!(phases, processing_ns, "{codec:?}");
            let busy: u64 = report.busy.iter().map(|(_, ns)| ns).sum();
            assert_eq!(busy + report.idle_ns, threads * processing_ns, "{codec:?} {report:?}");
        }
    }
}

#[test]
fn stages_carry_the_names_of_what_ran() {
    let reports = reports_of(Settings { codec: CodecKind::Rkyv, threads: 2, ..Settings::default() });
    let report = reports.iter().max_by_key(|report| report.records).expect("some");
    let stages: Vec<Stage> = report.phases.iter().map(|(stage, _)| *stage).collect();
    let expected = [Stage::Combine, Stage::Exchange, Stage::Reduce, Stage::Window, Stage::Output, Stage::Commit];
    assert_eq!(stages, expected);
}

#[test]
fn without_metrics_only_the_phases_are_known() {
    let reports = reports_of(Settings { metrics: false, threads: 2, ..Settings::default() });
    assert!(
        reports.iter().all(|report| report.busy.is_empty() && report.skew.is_none() && report.allocations.is_none())
    );
    assert!(
        reports
            .iter()
            .all(|report| report.phases.iter().map(|(_, ns)| ns).sum::<u64>() == report.done_ns - report.started_ns)
    );
}

#[test]
fn sequence_ranges_have_no_gap_and_no_overlap() {
    let mut bench = Bench::new(Settings::default());
    let (feed, lines) = bench.context.queue_stream::<Text>();
    collect(&lines.count(), |count| count);
    bench.context.start().expect("starts");
    for records in [3usize, 0, 5, 1] {
        feed.push(std::iter::repeat_n(&b"x"[..], records)).expect("not stopped");
        bench.tick();
    }
    let ranges: Vec<(u64, u64)> =
        bench.reports().iter().map(|report| (report.first_sequence, report.end_sequence)).collect();
    assert_eq!(ranges, [(0, 3), (3, 3), (3, 8), (8, 9)]);
    let stamps = &bench.reports()[2].stamps;
    assert_eq!(stamps.iter().map(|stamp| stamp.records).sum::<u64>(), 5);
    assert!(stamps.iter().all(|stamp| stamp.first_ns == crate::bench::START_NS + 2 * INTERVAL_NS));
}
