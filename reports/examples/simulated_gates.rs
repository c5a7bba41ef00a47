//! The gate's rule on recorded blocks of real hosts: false alarms of equal builds, and how often changes of several sizes are seen.
//!
//! `cargo run --release -p downbeat-reports --example simulated_gates -- reports/recorded/gate-blocks.jsonl [GATES] [SEED]`
//!
//! The file has one block a line, as `gate.json` has them, of gates whose builds were equal. GATES gates of equal builds are played,
//! 1,049 when it is not given, and a fifth as many of each changed build.

#![allow(clippy::print_stdout, reason = "a program that prints a table")]

use downbeat_reports::gate::judgement::Verdict;
use downbeat_reports::gate::metric::Metric;
use downbeat_reports::gate::record::Block;
use downbeat_reports::gate::simulated::{Plant, SimulationError, Study, Tally, simulate};
use std::error::Error;

const GATES: u64 = 1_049;
const SEED: u64 = 14;
/// Gates of a changed build, as a share of those of equal builds.
const SHARE_OF_CHANGED: u64 = 5;
/// How many times slower the changed builds are.
const FACTORS: [f64; 7] = [0.97, 1.01, 1.02, 1.03, 1.04, 1.05, 1.10];
const FACTORS_OF_P99: [f64; 5] = [1.05, 1.10, 1.15, 1.20, 1.30];

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or("which file of recorded blocks? (reports/recorded/gate-blocks.jsonl)")?;
    let gates = arguments.next().map_or(Ok(GATES), |text| text.parse())?;
    let seed = arguments.next().map_or(Ok(SEED), |text| text.parse())?;
    let blocks = blocks(&file)?;
    println!("{} blocks of {file}, seed {seed}", blocks.len());
    println!("{HEAD}");
    show("equal builds", &blocks, Study { gates, seed, plant: None })?;
    let changed = gates / SHARE_OF_CHANGED;
    let everywhere = [Metric::Median, Metric::P95, Metric::P99, Metric::Capacity];
    for factor in FACTORS {
        let plant = Plant { factor, metrics: everywhere.to_vec(), workloads: Vec::new() };
        show(&format!("all times x {factor}"), &blocks, Study { gates: changed, seed, plant: Some(plant) })?;
    }
    for factor in FACTORS_OF_P99 {
        let plant = Plant { factor, metrics: vec![Metric::P99], workloads: Vec::new() };
        show(&format!("p99 x {factor}"), &blocks, Study { gates: changed, seed, plant: Some(plant) })?;
    }
    Ok(())
}

const HEAD: &str =
    "change            gates  regressed      95 % interval   pass  improved  cannot judge  blocks a gate";

fn show(name: &str, blocks: &[Block], study: Study) -> Result<(), SimulationError> {
    let tally: Tally = simulate(blocks, &study)?;
    let red = tally.share(Verdict::Regressed);
    println!(
        "{name:<16} {:>6} {:>10}   [{:.4}, {:.4}] {:>6} {:>9} {:>13} {:>14.1}",
        tally.gates,
        tally.count(Verdict::Regressed),
        red.lower,
        red.upper,
        tally.count(Verdict::Pass),
        tally.count(Verdict::Improved),
        tally.count(Verdict::CannotJudge),
        tally.blocks as f64 / tally.gates.max(1) as f64
    );
    Ok(())
}

fn blocks(file: &str) -> Result<Vec<Block>, Box<dyn Error>> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {file}: {error}"))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| serde_json::from_str(line).map_err(|error| format!("{file}:{}: {error}", at + 1).into()))
        .collect()
}
