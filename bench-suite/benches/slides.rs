//! What single slides of a window cost: whatever the length of the window, none may pay for all of it at once.
//!
//! Each arm slides by 1 s over the same batches, on one thread. All arms are run in each of some rounds, and each slide counts
//! with its fastest round: a slide does the same work in each of them, so that what is left of the slowest slide is its own.
//! Every window has all keys long before its first slide is measured.

// Its figures are for the terminal.
#![allow(clippy::print_stdout)]

mod support;

use downbeat_engine::allocator::DispatchingAllocator;
use downbeat_engine::record::{Pair, Text};
use downbeat_engine::{DStream, Settings};
use downbeat_workloads::payload::Ring;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::{Pace, median};

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const SLIDE: Duration = Duration::from_secs(1);
const LINES_PER_BATCH: u64 = 500;
/// So few that a window of a minute has them all, or all but one in a hundred.
const KEYS: usize = 4_096;
const ROUNDS: usize = 7;

static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| (0..KEYS).map(|number| format!("key-{number}")).collect());

type Counts = DStream<Pair<Text, u64>>;

/// One kind of window of one length.
struct Arm {
    name: &'static str,
    seconds: u64,
    /// Slides that are measured once the window is full: those of a full cycle, unless each is far too dear.
    slides: u64,
    windowed: fn(&Counts, Duration) -> Counts,
    /// The fastest round of each slide.
    slide_us: Vec<f64>,
}

impl Arm {
    fn new(name: &'static str, seconds: u64, slides: u64, windowed: fn(&Counts, Duration) -> Counts) -> Self {
        Arm { name, seconds, slides, windowed, slide_us: vec![f64::MAX; slides as usize] }
    }

    fn run(&mut self, ring: &Arc<Ring>) {
        let settings = Settings::default().interval(SLIDE).threads(1);
        let batches = self.seconds + self.slides;
        let reports = support::replay(settings, ring, LINES_PER_BATCH, batches, Pace::Unpaced, |lines| {
            let windowed = (self.windowed)(&ones(lines), Duration::from_secs(self.seconds));
            let window_batches = self.seconds;
            windowed.count().for_each_batch(move |batch| {
                let is_full = batch.index() >= window_batches;
                batch.for_each(|keys| assert!(keys as usize * 100 >= KEYS * 99 || !is_full, "{keys} keys"));
            });
        });
        for (slide_us, report) in self.slide_us.iter_mut().zip(&reports[self.seconds as usize..]) {
            *slide_us = slide_us.min((report.done_ns - report.started_ns) as f64 / 1e3);
        }
    }

    fn median_us(&self) -> f64 {
        median(&mut self.slide_us.clone())
    }

    fn worst_us(&self) -> f64 {
        self.slide_us.iter().copied().fold(0.0, f64::max)
    }
}

/// Words as one of [`KEYS`] keys each.
fn ones(lines: &DStream<Text>) -> Counts {
    let key = |word: &[u8]| BuildHasherDefault::<DefaultHasher>::default().hash_one(word) as usize % KEYS;
    lines.words().map_to_pair::<Text, u64>(move |word| (NAMES[key(word)].as_bytes(), 1))
}

fn inverse(ones: &Counts, window: Duration) -> Counts {
    ones.reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, window, SLIDE)
}

fn sliding(ones: &Counts, window: Duration) -> Counts {
    ones.reduce_by_key_and_window(|a, b| a + b, window, SLIDE)
}

/// What Spark does without an inverse: every pane is combined anew at each slide.
fn recomputed(ones: &Counts, window: Duration) -> Counts {
    ones.reduce_by_key(|a, b| a + b).window(window, SLIDE).reduce_by_key(|a, b| a + b)
}

fn main() {
    let asked = |name| std::env::args().any(|argument| argument == name);
    if asked("--test") || asked("--list") {
        return;
    }
    let ring = support::text("word-count", 32 << 20);
    let mut arms = [
        Arm::new("inverse", 60, 600, inverse),
        Arm::new("inverse", 600, 600, inverse),
        Arm::new("no inverse", 60, 600, sliding),
        Arm::new("no inverse", 600, 600, sliding),
        Arm::new("recomputed", 60, 60, recomputed),
        Arm::new("recomputed", 600, 20, recomputed),
    ];
    for _ in 0..ROUNDS {
        arms.iter_mut().for_each(|arm| arm.run(&ring));
    }
    println!(
        "slides of 1 s, {LINES_PER_BATCH} lines, {KEYS} keys, 1 thread; each slide with the fastest of {ROUNDS} rounds"
    );
    for arm in &arms {
        let (median, worst) = (arm.median_us(), arm.worst_us());
        println!(
            "  {:<10} {:>3} s  median {median:8.1} µs  worst {worst:8.1} µs  worst ÷ median {:.2}",
            arm.name,
            arm.seconds,
            worst / median
        );
    }
    let [inverse_60, inverse_600, sliding_60, sliding_600, recomputed_60, recomputed_600] = &arms;
    let ratio = |a: &Arm, b: &Arm| a.median_us() / b.median_us();
    println!("  inverse: 600 s ÷ 60 s = {:.3}", ratio(inverse_600, inverse_60));
    println!("  no inverse: 600 s ÷ 60 s = {:.3}", ratio(sliding_600, sliding_60));
    println!(
        "  recomputed ÷ no inverse: {:.1} at 60 s, {:.1} at 600 s",
        ratio(recomputed_60, sliding_60),
        ratio(recomputed_600, sliding_600)
    );
}
