//! What choosing the allocator at run time costs: dispatch and counting against the same allocator linked statically.
//!
//! A program has one global allocator, so the arms are programs: this one, started again with the allocator in its environment,
//! and `dispatch_mimalloc` and `dispatch_system`, which declare theirs. They share the work, alternate in the order A-B, B-A,
//! and each pair of processes gives one ratio of CPU times.

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

mod support;

use downbeat_engine::allocator::{self, DispatchingAllocator};
use std::path::PathBuf;
use std::process::Command;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const PAIRS: usize = 60;
/// What the upper end of the interval must not exceed, percent.
const MOST_PERCENT: f64 = 2.0;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.iter().any(|argument| argument == "--arm") {
        return support::owned_words::arm(allocator::kind());
    }
    if arguments.iter().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    println!(
        "dispatch and counting against the same allocator linked statically, {PAIRS} interleaved pairs of processes"
    );
    let mut holds = true;
    for name in ["mimalloc", "system"] {
        let linked = linked_program(name);
        let counted = compare(name, name, &linked);
        let uncounted = compare(name, &format!("{name}{}", allocator::UNCOUNTED), &linked);
        println!("  {name:<9} counted {counted}  uncounted {uncounted}");
        holds &= counted.high <= MOST_PERCENT;
    }
    let word = if holds { "within" } else { "above" };
    println!("  {word} the limit of {MOST_PERCENT} % (upper end of the interval, counted)");
}

/// What it costs, percent.
struct Cost {
    estimate: f64,
    low: f64,
    high: f64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:+.2} % [{:+.2}, {:+.2}]", self.estimate, self.low, self.high)
    }
}

fn compare(name: &str, chosen: &str, linked: &PathBuf) -> Cost {
    let own = std::env::current_exe().expect("this program");
    let ratio = |pair: usize| {
        let [mut dispatched, mut direct] = [0.0; 2];
        for turn in [pair, pair + 1] {
            if turn.is_multiple_of(2) {
                dispatched = arm(&own, name, chosen);
            } else {
                direct = arm(linked, name, chosen);
            }
        }
        (dispatched / direct).ln()
    };
    let middle = support::paired::middle(&(0..PAIRS).map(ratio).collect::<Vec<f64>>());
    let [estimate, low, high] = [middle.estimate, middle.low, middle.high].map(|log| (log.exp() - 1.0) * 100.0);
    Cost { estimate, low, high }
}

/// Nanoseconds a word, of a process that must use the allocator of this name.
fn arm(program: &PathBuf, name: &str, chosen: &str) -> f64 {
    let output = Command::new(program).arg("--arm").env(allocator::VARIABLE, chosen).output().expect("the arm starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let figure = text.trim().strip_prefix(name).and_then(|figure| figure.trim().parse().ok());
    figure.unwrap_or_else(|| panic!("the arm failed: {text}{}", String::from_utf8_lossy(&output.stderr)))
}

/// The program with this allocator linked statically, built as this one was.
fn linked_program(name: &str) -> PathBuf {
    let target = format!("dispatch_{name}");
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--package", "downbeat", "--no-run", "--message-format", "json", "--bench", &target]);
    let output = command.output().expect("cargo starts");
    let messages = String::from_utf8_lossy(&output.stdout);
    let program = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let is_it = message["target"]["name"] == target.as_str();
        message["executable"].as_str().filter(|_| is_it).map(PathBuf::from)
    });
    program.unwrap_or_else(|| panic!("{target} was not built: {}", String::from_utf8_lossy(&output.stderr)))
}
