//! What measuring costs: the same batches with timestamps, counters and allocation counting, and without.
//!
//! The allocator is chosen before the first allocation, so each arm is a process of its own: this program, started again. Arms
//! alternate in the order on-off, off-on; the figure is the mean of the log ratios of pairs with its 95 % interval.

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

mod support;

use downbeat_engine::Settings;
use downbeat_engine::allocator::{self, DispatchingAllocator};
use downbeat_engine::metrics::BatchReport;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const PAIRS: usize = 40;
/// Student's t for 39 degrees of freedom, two-sided 95 %.
const T_95: f64 = 2.0227;

/// Batch sizes, and how many batches make an arm long enough to time.
const SIZES: [(u64, u64); 2] = [(200_000, 40), (1_000, 4_000)];

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, child, lines, batches, metrics] = &arguments[..]
        && child == "--arm"
    {
        return arm(lines.parse().expect("a number"), batches.parse().expect("a number"), metrics == "on");
    }
    if arguments.iter().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    println!(
        "own cost: timestamps, counters and allocation counting, on against off, {PAIRS} interleaved pairs of processes"
    );
    for (lines, batches) in SIZES {
        let ratios: Vec<f64> = (0..PAIRS).map(|pair| pair_ratio(pair, lines, batches)).collect();
        let mean = ratios.iter().sum::<f64>() / PAIRS as f64;
        let variance = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / (PAIRS - 1) as f64;
        let half = T_95 * (variance / PAIRS as f64).sqrt();
        let percent = |log: f64| (log.exp() - 1.0) * 100.0;
        let (low, high) = (percent(mean - half), percent(mean + half));
        println!("  batches of {lines:>7} lines  {:+.2} % [{low:+.2}, {high:+.2}]", percent(mean));
    }
}

/// Logarithm of on ÷ off.
fn pair_ratio(pair: usize, lines: u64, batches: u64) -> f64 {
    let (on, off) = if pair.is_multiple_of(2) {
        let on = run_arm(lines, batches, true);
        (on, run_arm(lines, batches, false))
    } else {
        let off = run_arm(lines, batches, false);
        (run_arm(lines, batches, true), off)
    };
    (on / off).ln()
}

fn run_arm(lines: u64, batches: u64, on: bool) -> f64 {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(["--arm", &lines.to_string(), &batches.to_string(), if on { "on" } else { "off" }]);
    command.env(allocator::VARIABLE, if on { "mimalloc" } else { "mimalloc,uncounted" });
    let output = command.output().expect("the arm starts");
    let text = String::from_utf8_lossy(&output.stdout);
    text.trim().parse().unwrap_or_else(|_| panic!("the arm failed: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Prints the median of the seconds from the end of one batch to that of the next; the first fifth warms up.
fn arm(lines: u64, batches: u64, metrics: bool) {
    assert_eq!(allocator::totals().is_some(), metrics, "the allocator counts exactly when it should");
    let ring = support::text("word-count", 32 << 20);
    let settings = Settings { metrics, ..Settings::default().threads(2) };
    let job = |stream: &_| drop(support::word_count(stream));
    let reports = support::replay(settings, &ring, lines, batches, support::Pace::Unpaced, job);
    let measured = &reports[batches as usize / 5..];
    let between = |pair: &[BatchReport]| (pair[1].done_ns - pair[0].done_ns) as f64 / 1e9;
    let mut seconds: Vec<f64> = measured.windows(2).map(between).collect();
    println!("{}", support::median(&mut seconds));
}
