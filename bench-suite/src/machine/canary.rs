//! A canary: a fixed piece of work, and a look at the clock, that show what the machine is like right now.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// How long the work takes on a quiet machine.
const WORK: Duration = Duration::from_millis(50);

/// How long the clock is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// Steps of the work between two calibrations of its length.
const CALIBRATION_STEPS: u64 = 200_000;

/// Calibrations: the fastest one was disturbed least.
const CALIBRATIONS: usize = 5;

/// Pieces of the work: their median does not see a single interruption, which says nothing of the process that follows.
const PIECES: usize = 9;

/// A piece of work whose size was fixed once.
pub(crate) struct Canary {
    steps: u64,
}

/// What it saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// How long the work took, were all of it as fast as its median piece, nanoseconds.
    pub(crate) work_ns: u64,
    /// The longest time between two looks at the clock, nanoseconds.
    pub(crate) hiccup_ns: u64,
}

impl Canary {
    /// Finds the size at which the work takes about 50 ms here.
    pub(crate) fn new() -> Self {
        let fastest = (0..CALIBRATIONS).map(|_| timed(|| work(CALIBRATION_STEPS))).min().unwrap_or_default();
        let steps = WORK.as_nanos() as u64 * CALIBRATION_STEPS / fastest.as_nanos().max(1) as u64;
        Canary { steps: steps.max(1) }
    }

    /// Works, then looks at the clock.
    pub(crate) fn look(&self) -> Seen {
        let mut pieces = [0; PIECES].map(|_: u64| timed(|| work(self.steps / PIECES as u64)).as_nanos() as u64);
        pieces.sort_unstable();
        let work_ns = pieces[PIECES / 2] * PIECES as u64;
        Seen { work_ns, hiccup_ns: longest_gap(LOOK).as_nanos() as u64 }
    }
}

fn timed(body: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    body();
    begin.elapsed()
}

/// A chain of dependent multiplications: no memory, no vectors, nothing that a compiler can take away.
fn work(steps: u64) {
    let mut state = black_box(0x9E37_79B9_7F4A_7C15_u64);
    for step in 0..steps {
        state = (state ^ step).wrapping_mul(0xBF58_476D_1CE4_E5B9).rotate_left(31);
    }
    black_box(state);
}

/// The longest time between two readings of the clock in a row.
fn longest_gap(length: Duration) -> Duration {
    let begin = Instant::now();
    let (mut last, mut longest) = (begin, Duration::ZERO);
    while last - begin < length {
        let now = Instant::now();
        longest = longest.max(now - last);
        last = now;
    }
    longest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_is_fixed_and_both_looks_see_something() {
        let canary = Canary::new();
        let steps = canary.steps;
        let (first, second) = (canary.look(), canary.look());
        assert_eq!(canary.steps, steps, "the same work each time");
        for seen in [first, second] {
            // However busy the machine: work takes time, and a gap is no longer than the look and what it was held up by.
            assert!(seen.work_ns > 1_000_000 && seen.hiccup_ns > 0, "{seen:?}");
        }
    }

    #[test]
    fn twice_the_work_takes_longer() {
        let canary = Canary { steps: 2_000_000 };
        let larger = Canary { steps: 20_000_000 };
        let least = |canary: &Canary| (0..5).map(|_| canary.look().work_ns).min().unwrap();
        assert!(least(&larger) > least(&canary));
    }
}
