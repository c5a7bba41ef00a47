//! `downbeat history`: each gate leaves a line, and the lines of one kind of host show where a workload is going.
//!
//! Numbers of other hosts are never compared: lines are told apart by a fingerprint of what decides how fast a machine is.

use crate::failure::Failure;
use crate::request::HistoryRequest;
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::record::{ArmRun, Block, GateRecord, Pass};
use downbeat_reports::inert;
use downbeat_reports::quantity::{counted, duration, rate};
use downbeat_reports::stats::percentiles::median;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Version of the lines. Others are left alone and counted.
const SCHEMA: u32 = 1;

/// Name of the file in the results directory.
pub(crate) const FILE: &str = "history.jsonl";

/// What decides how fast a machine is. Not its name, which a CI host changes each time, and not its kernel, which only gets newer.
const DECIDES: [&str; 6] = ["cpu", "cores", "memory_bytes", "target", "cgroup_cpu_max", "cpu_governor"];

/// Gates of a trend that are shown.
const SHOWN: usize = 10;

/// One metric of a process.
struct Metric {
    name: &'static str,
    of: fn(&ArmRun) -> Option<f64>,
    show: fn(f64) -> String,
}

const METRICS: [Metric; 4] = [
    Metric { name: "median", of: |run| run.median_ns, show: |ns| duration(ns as u64) },
    Metric { name: "p95", of: |run| run.p95_ns, show: |ns| duration(ns as u64) },
    Metric { name: "p99", of: |run| run.p99_ns, show: |ns| duration(ns as u64) },
    Metric { name: "capacity", of: |run| run.capacity_per_s, show: rate },
];

/// What a gate leaves.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Line {
    schema: u32,
    /// When it ended, UTC.
    at: String,
    run: String,
    /// Fingerprint of the host, hexadecimal.
    host: String,
    /// What the fingerprint was made of.
    facts: BTreeMap<String, String>,
    base: String,
    head: String,
    /// How the gate ended: the name of its exit code.
    verdict: String,
    /// Median over the blocks, by workload and metric.
    figures: BTreeMap<String, BTreeMap<String, Figure>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Figure {
    base: f64,
    head: f64,
}

/// Adds a gate's line to a file: in one write, so that two gates do not mix theirs.
///
/// # Errors
/// The file cannot be written (exit 7).
pub(super) fn append(path: &Path, record: &GateRecord, exit: Exit) -> Result<(), Failure> {
    let line = line(record, exit, jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let json = serde_json::to_string(&line).map_err(|error| Failure::internal(error.to_string()))? + "\n";
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let made = directory.map_or(Ok(()), std::fs::create_dir_all);
    let opened = made.and_then(|()| OpenOptions::new().create(true).append(true).open(path));
    let written = opened.and_then(|mut file: File| file.write_all(json.as_bytes()));
    written.map_err(|error| Failure::environment(format!("cannot add this gate to {}: {error}", path.display())))
}

fn line(record: &GateRecord, exit: Exit, at: String) -> Line {
    let facts: BTreeMap<String, String> =
        DECIDES.iter().filter_map(|name| Some(((*name).to_owned(), record.environment.get(*name)?.clone()))).collect();
    let name = |build: &downbeat_reports::gate::record::Build| {
        build.commit.clone().unwrap_or_else(|| build.binary_hash.clone())
    };
    Line {
        schema: SCHEMA,
        at,
        run: record.run.clone(),
        host: format!("{:016x}", xxh3_64(format!("{facts:?}").as_bytes())),
        facts,
        base: name(&record.base),
        head: name(&record.head),
        verdict: exit.name().to_owned(),
        figures: record
            .workloads
            .iter()
            .map(|workload| (workload.name.clone(), figures(record, &workload.name)))
            .collect(),
    }
}

fn figures(record: &GateRecord, workload: &str) -> BTreeMap<String, Figure> {
    let blocks = || record.blocks.iter().filter(|block| block.workload == workload && block.pass == Pass::First);
    let over = |arm: fn(&Block) -> &ArmRun, of: fn(&ArmRun) -> Option<f64>| {
        median(&blocks().filter_map(|block| of(arm(block))).collect::<Vec<_>>())
    };
    let figure = |metric: &Metric| {
        let figure =
            Figure { base: over(|block| &block.base, metric.of)?, head: over(|block| &block.head, metric.of)? };
        Some((metric.name.to_owned(), figure))
    };
    METRICS.iter().filter_map(figure).collect()
}

/// The trends in a history.
///
/// # Errors
/// The file cannot be read (exit 7).
pub(crate) fn show(request: &HistoryRequest) -> Result<String, Failure> {
    let path: PathBuf = request.file.clone();
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::environment(format!("cannot read {}: {error}", path.display()))
            .help("a gate adds its line to history.jsonl in the results directory, or to --history FILE")
    })?;
    let all: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let read = all.iter().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let lines: Vec<Line> = read.filter(|line| line.schema == SCHEMA).collect();
    let left_out = all.len() - lines.len();
    if lines.is_empty() && left_out > 0 {
        let message = format!("{} is no history of gates: none of its {left_out} lines can be read", path.display());
        return Err(Failure::environment(message).help("give the file that gates add their lines to"));
    }
    Ok(trends(&lines, left_out))
}

fn trends(lines: &[Line], left_out: usize) -> String {
    let mut hosts: BTreeMap<&str, Vec<&Line>> = BTreeMap::new();
    lines.iter().for_each(|line| hosts.entry(&line.host).or_default().push(line));
    let mut shown = String::new();
    for (host, lines) in hosts {
        let facts = lines.last().map(|line| &line.facts).into_iter().flatten();
        let facts: Vec<String> = facts.map(|(name, value)| format!("{name} {value}")).collect();
        shown.push_str(&format!("host {}: {}\n", inert::line(host), inert::line(&facts.join(", "))));
        let trends = of_host(&lines);
        let said = if trends.is_empty() { "  none of its gates compared anything\n" } else { &trends };
        shown.push_str(said);
    }
    if left_out > 0 {
        shown.push_str(&format!("left out: {left_out} lines, which are damaged or of another version\n"));
    }
    if shown.is_empty() { "nothing yet\n".to_owned() } else { shown }
}

fn of_host(lines: &[&Line]) -> String {
    let mut workloads: Vec<&String> = lines.iter().flat_map(|line| line.figures.keys()).collect();
    workloads.sort();
    workloads.dedup();
    let mut shown = String::new();
    for workload in workloads {
        for metric in &METRICS {
            let figure = |line: &&&Line| line.figures.get(workload)?.get(metric.name).copied();
            let known: Vec<(&&Line, Figure)> = lines.iter().filter_map(|line| Some((line, figure(&line)?))).collect();
            let (Some((_, first)), Some((_, last))) = (known.first(), known.last()) else { continue };
            let change = (last.head / first.head - 1.0) * 100.0;
            let name = inert::line(workload);
            shown.push_str(&format!(
                "  {name} {}: {}, {} at first, {} now ({change:+.1} %)\n",
                metric.name,
                counted(known.len(), "gate"),
                (metric.show)(first.head),
                (metric.show)(last.head)
            ));
            for (line, figure) in &known[known.len().saturating_sub(SHOWN)..] {
                let step = (figure.head / figure.base - 1.0) * 100.0;
                let head = inert::short(&line.head, 12);
                let (at, verdict) = (inert::short(&line.at, 20), inert::short(&line.verdict, 16));
                let value = (metric.show)(figure.head);
                shown.push_str(&format!("    {at}  {head:<12}  {value:>12}  {step:+6.1} % to its base  {verdict}\n"));
            }
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::gate::record::Workload;

    fn record(cpu: &str, head_ns: f64) -> GateRecord {
        let run = |ns| ArmRun { median_ns: Some(ns), ..ArmRun::default() };
        let block = |ns: f64| Block { workload: "w".into(), base: run(2_000_000.0), head: run(ns), ..Block::default() };
        GateRecord {
            environment: BTreeMap::from([("cpu".to_owned(), cpu.to_owned()), ("host".to_owned(), "x".to_owned())]),
            workloads: vec![Workload { name: "w".into(), ..Workload::default() }],
            blocks: vec![block(head_ns), block(head_ns * 5.0), block(head_ns)],
            ..GateRecord::default()
        }
    }

    #[test]
    fn trends_are_told_apart_by_host_and_damaged_lines_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("history.jsonl");
        for (cpu, ns) in [("a", 2_000_000.0), ("b", 9_000_000.0), ("a", 2_200_000.0)] {
            append(&path, &record(cpu, ns), Exit::Ok).unwrap();
        }
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        writeln!(file, "{{\"schema\":1,\"half").unwrap();
        let text = show(&HistoryRequest { file: path }).unwrap();
        assert!(text.contains("w median: 2 gates, 2 ms at first, 2.2 ms now (+10.0 %)"), "{text}");
        assert!(text.contains("w median: 1 gate, 9 ms at first"), "{text}");
        assert!(text.contains("left out: 1 lines"), "{text}");
        assert!(!text.contains("w p99"), "what was not measured has no trend: {text}");
    }

    #[test]
    fn the_host_is_what_decides_its_speed() {
        let of = |record: &GateRecord| line(record, Exit::Ok, String::new()).host;
        let mut renamed = record("a", 1.0);
        renamed.environment.insert("host".into(), "y".into());
        assert_eq!(of(&record("a", 1.0)), of(&renamed));
        assert_ne!(of(&record("a", 1.0)), of(&record("b", 1.0)));
    }

    #[test]
    fn an_empty_history_says_so_and_another_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("history.jsonl");
        let shown = |text: &str| {
            std::fs::write(&file, text).unwrap();
            show(&HistoryRequest { file: file.clone() })
        };
        assert_eq!(shown("\n").unwrap(), "nothing yet\n");
        let refused = shown("# notes\n\nof another kind\n").unwrap_err();
        assert!(refused.message.contains("none of its 2 lines"), "{}", refused.message);
    }
}
