//! A run of 10,000 batches made from a recorded one, and what its page costs.
//!
//! `cargo run --release -p downbeat-reports --example large_run -- write reports/recorded/falls-behind target/large-run`
//! `cargo run --release -p downbeat-reports --example large_run -- render target/large-run`
//!
//! The first writes `result.json`: the times of the recorded batches, at a third so that most are in time, played through a queue of one
//! batch at a time, with a stall every 997 batches. The second writes `report.html` from it and says how long that took and how much
//! memory: it fails above 300 MB or 3 MB of page, and with `--in-time` behind it also above 2 s, which a busy machine may need.

#![allow(clippy::print_stdout, reason = "a program that prints what it measured")]

use downbeat_reports::format::html;
use downbeat_reports::record::{BatchRecord, Phase, TrialRecord};
use downbeat_reports::stats::percentiles;
use downbeat_reports::stats::random::SplitMix64;
use downbeat_reports::store::load;
use downbeat_reports::summary::Summary;
use hdrhistogram::Histogram;
use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

const BATCHES: u64 = 10_000;
const WARMUP: u64 = 10;
const STALL_EVERY: u64 = 997;
const STALL: f64 = 8.0;
const SHARE_OF_RECORDED: f64 = 0.3;
const SEED: u64 = 10_000;
/// Parts of an interval at which records of a batch count in the histogram.
const PARTS: u64 = 20;

const MOST_TIME: Duration = Duration::from_secs(2);
const MOST_MEMORY_BYTES: u64 = 300_000_000;
const MOST_PAGE_BYTES: usize = 3_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["write", from, to] => write(Path::new(from), Path::new(to)),
        ["render", directory] => render(Path::new(directory), Duration::MAX),
        ["render", directory, "--in-time"] => render(Path::new(directory), MOST_TIME),
        _ => Err("write RECORDED DIR, or render DIR [--in-time]".into()),
    }
}

fn write(from: &Path, to: &Path) -> Result<(), Box<dyn Error>> {
    let record = large(load(from)?)?;
    let json = downbeat_reports::format::json::render(&Summary::new(&record, false)?);
    std::fs::create_dir_all(to)?;
    std::fs::write(to.join("result.json"), json)?;
    Ok(())
}

fn render(directory: &Path, most_time: Duration) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    let record = load(directory)?;
    let read = begun.elapsed();
    let page = html::render(&Summary::new(&record, false)?);
    let took = begun.elapsed();
    std::fs::write(directory.join("report.html"), &page)?;
    let memory_bytes = peak_memory_bytes()?;
    println!(
        "{} batches: {:.2} s, of which reading {:.2} s; {:.0} MB of memory; a page of {:.2} MB",
        record.batches.len(),
        took.as_secs_f64(),
        read.as_secs_f64(),
        memory_bytes as f64 / 1e6,
        page.len() as f64 / 1e6
    );
    match took <= most_time && memory_bytes <= MOST_MEMORY_BYTES && page.len() <= MOST_PAGE_BYTES {
        true => Ok(()),
        false => Err("more than 2 s, 300 MB of memory or 3 MB of page".into()),
    }
}

/// Largest resident size of this process.
fn peak_memory_bytes() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1_024)
}

fn large(recorded: TrialRecord) -> Result<TrialRecord, Box<dyn Error>> {
    let interval_ns = recorded.judging.interval_ns;
    let start = recorded.batches.first().cloned().ok_or("the recorded run has no batches")?;
    let mut random = SplitMix64::new(SEED);
    let (mut batches, mut free_ns): (Vec<BatchRecord>, u64) = (Vec::new(), 0);
    for index in 0..BATCHES {
        let like = &recorded.batches[(index % recorded.batches.len() as u64) as usize];
        let stall = if index % STALL_EVERY == STALL_EVERY / 2 { STALL + (index / STALL_EVERY) as f64 } else { 1.0 };
        let factor = SHARE_OF_RECORDED * (0.8 + 0.4 * random.unit()) * stall;
        let due_ns = start.due_ns + index * interval_ns;
        let batch = scaled(like, factor, due_ns, free_ns, &mut random);
        free_ns = due_ns + batch.total_delay_ns;
        let (time_ns, first) = (start.time_ns + (index * interval_ns) as i64, index * batch.records);
        batches.push(BatchRecord {
            index,
            time_ns,
            warmup: index < WARMUP,
            late: batch.total_delay_ns > interval_ns,
            queue_depth: batch.scheduling_delay_ns / interval_ns,
            first_sequence: first,
            end_sequence: first + batch.records,
            ..batch
        });
    }
    let mut record = recorded;
    record.run = "large-run".to_owned();
    record.judging.planned_batches = BATCHES - WARMUP;
    record.latency_histogram = Some(latencies(&batches, interval_ns)?);
    let records = batches.iter().map(|batch| batch.records).sum();
    (record.integrity.accepted, record.integrity.committed) = (records, records);
    (record.integrity.planned, record.schedule.records) = (Some(records), Some(records));
    record.integrity.blocked_ns = 0;
    record.noise.hiccups.clear();
    record.batches = batches;
    Ok(record)
}

/// A batch whose stages take `factor` times what they took, started when the one before it is done.
fn scaled(like: &BatchRecord, factor: f64, due_ns: u64, free_ns: u64, random: &mut SplitMix64) -> BatchRecord {
    let times = |stages: &[Phase]| -> Vec<Phase> {
        stages.iter().map(|stage| Phase { name: stage.name.clone(), ns: (stage.ns as f64 * factor) as u64 }).collect()
    };
    let (phases, busy) = (times(&like.phases), times(&like.busy));
    let processing_ns = phases.iter().map(|phase| phase.ns).sum();
    let generation_delay_ns = 20_000 + random.below(90_000) as u64;
    let scheduling_delay_ns = 4_000 + free_ns.saturating_sub(due_ns + generation_delay_ns);
    let busy_ns: u64 = busy.iter().map(|stage| stage.ns).sum();
    BatchRecord {
        due_ns,
        generation_delay_ns,
        scheduling_delay_ns,
        processing_ns,
        total_delay_ns: generation_delay_ns + scheduling_delay_ns + processing_ns,
        idle_ns: u64::saturating_sub(processing_ns, busy_ns),
        phases,
        busy,
        blocked_ns: 0,
        ..like.clone()
    }
}

fn latencies(batches: &[BatchRecord], interval_ns: u64) -> Result<String, Box<dyn Error>> {
    let mut histogram = Histogram::<u64>::new(3)?;
    for batch in batches.iter().filter(|batch| !batch.warmup) {
        for part in 0..PARTS {
            let waited_ns = interval_ns * (2 * part + 1) / (2 * PARTS);
            histogram.record_n(waited_ns + batch.total_delay_ns, batch.records / PARTS)?;
        }
    }
    Ok(percentiles::encode(&histogram)?)
}
