//! An allocation-heavy word count: every word becomes a `String` of its own, as one would write it first.

use downbeat_engine::clock::process_cpu_ns;
use downbeat_workloads::payload::Ring;
use std::collections::HashMap;

/// Rounds of one arm; the first ones warm up.
const ROUNDS: usize = 24;
const WARM_UP: usize = 4;
/// Lines of a round.
const LINES: u64 = 20_000;

/// Words of so many lines from `first` on, counted; returns how many there were.
pub fn count(ring: &Ring, first: u64, lines: u64) -> u64 {
    let mut counts: HashMap<String, u64, foldhash::fast::FixedState> = HashMap::default();
    let mut seen = 0;
    for line in first..first + lines {
        for word in ring.line(line).split(|byte| *byte == b' ').filter(|word| !word.is_empty()) {
            *counts.entry(String::from_utf8_lossy(word).into_owned()).or_default() += 1;
            seen += 1;
        }
    }
    assert_eq!(counts.values().sum::<u64>(), seen);
    seen
}

/// One arm of a comparison of processes: prints the median CPU time of its rounds in nanoseconds a word. CPU time, because a
/// neighbour on the same machine takes wall time from both arms alike, but never at the same moment.
pub fn arm(allocator: &str) {
    let ring = super::text("word-count", 4 << 20);
    let round = |number: usize| {
        let before_ns = process_cpu_ns();
        let words = count(&ring, number as u64 * LINES, LINES);
        (process_cpu_ns() - before_ns) as f64 / words as f64
    };
    let mut rounds: Vec<f64> = (0..ROUNDS).map(round).collect();
    println!("{allocator} {}", super::median(&mut rounds[WARM_UP..]));
}
