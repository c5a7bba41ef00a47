//! Regressions that are built in on purpose, to see whether the gate finds them. Only with the feature `planted`, which is for studies
//! alone. Which of them a program has is the last line of its own file, `planted=NAME`, so that one build serves all of them:
//!
//! | name | what it does |
//! |---|---|
//! | `spin3`, `spin5` | after its reduce, each batch spins for 3 % or 5 % of the time that it has taken |
//! | `alloc` | one more allocation for each record |
//! | `tail` | 2 % of the batches, spread at random, take half as long again |
//! | `stall` | after every 100 ms of work whatever runs stands still for 3 ms |
//!
//! An improvement is one of these in the base and not in the head. A program without such a line has none of them.

use crate::clock::Clock;
use crate::sync::{Mutex, lock};
use std::fs::File;
use std::hint::{black_box, spin_loop};
use std::io::{Read, Seek, SeekFrom};
use std::sync::LazyLock;

/// What is built in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// Spins for that many percent of a batch's time.
    Spin(u64),
    Alloc,
    Tail,
    Stall,
}

static PLANTED: LazyLock<Planted> = LazyLock::new(|| named(&last_bytes().unwrap_or_default()));

/// The longest last line.
const LINE_BYTES: i64 = 32;

fn last_bytes() -> std::io::Result<Vec<u8>> {
    let mut program = File::open(std::env::current_exe()?)?;
    program.seek(SeekFrom::End(-LINE_BYTES))?;
    let mut bytes = Vec::new();
    program.read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn named(end_of_program: &[u8]) -> Planted {
    let line = end_of_program.strip_suffix(b"\n").and_then(|bytes| bytes.rsplit(|byte| *byte == b'\n').next());
    let Some(name) = line.and_then(|line| line.strip_prefix(b"planted=")) else { return Planted::Nothing };
    match name {
        b"spin3" => Planted::Spin(3),
        b"spin5" => Planted::Spin(5),
        b"alloc" => Planted::Alloc,
        b"tail" => Planted::Tail,
        b"stall" => Planted::Stall,
        other => panic!("nothing is planted by the name of {}", String::from_utf8_lossy(other)),
    }
}

/// One batch in so many has a longer tail, which takes so many percent more.
const TAIL_EVERY: u64 = 50;
const TAIL_PERCENT: u64 = 50;

/// After how much work it stalls, and for how long.
const STALL_EVERY_NS: u64 = 100_000_000;
const STALL_NS: u64 = 3_000_000;

/// Work since it stalled last.
static WORKED_NS: Mutex<u64> = Mutex::new(0);

/// At the end of a batch that began at `begun_ns`.
pub(crate) fn slow_down(batch: u64, begun_ns: u64, clock: &dyn Clock) {
    let now_ns = clock.now_ns();
    let taken_ns = now_ns.saturating_sub(begun_ns);
    let more_ns = match *PLANTED {
        Planted::Spin(percent) => taken_ns * percent / 100,
        Planted::Tail if is_of_the_tail(batch) => taken_ns * TAIL_PERCENT / 100,
        Planted::Stall if is_due(taken_ns) => STALL_NS,
        _ => return,
    };
    while clock.now_ns() < now_ns + more_ns {
        spin_loop();
    }
}

fn is_of_the_tail(batch: u64) -> bool {
    // The golden ratio in 64 bits: neighbours are spread over all remainders.
    (batch.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32).is_multiple_of(TAIL_EVERY)
}

fn is_due(taken_ns: u64) -> bool {
    let mut worked_ns = lock(&WORKED_NS);
    *worked_ns += taken_ns;
    let is_due = *worked_ns >= STALL_EVERY_NS;
    if is_due {
        *worked_ns = 0;
    }
    is_due
}

/// At the begin of a batch of so many records.
pub(crate) fn allocate(records: u64) {
    if *PLANTED == Planted::Alloc {
        (0..records).for_each(|record| drop(black_box(Box::new(record))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_the_program_says_what_is_planted() {
        assert_eq!(named(b"\x7fELF\x00\nplanted=spin3\n"), Planted::Spin(3));
        assert_eq!(named(b"\x00\x01\nplanted=stall\n"), Planted::Stall);
        for nothing in [&b""[..], b"\n", b"\x7fELF", b"planted=spin3", b"planted=spin3\nother\n"] {
            assert_eq!(named(nothing), Planted::Nothing, "{nothing:?}");
        }
    }

    #[test]
    #[should_panic(expected = "spin4")]
    fn an_unknown_name_is_no_base_by_accident() {
        named(b"\nplanted=spin4\n");
    }

    #[test]
    fn one_batch_in_fifty_belongs_to_the_tail() {
        let tail = (0..10_000).filter(|batch| is_of_the_tail(*batch)).count();
        assert!((150..=250).contains(&tail), "{tail}");
    }
}
