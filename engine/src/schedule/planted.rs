//! Regressions that are built in on purpose, to see whether the gate finds them. Only with the feature `planted`, which is for studies
//! alone; `PLANTED_IN_DOWNBEAT` names one while it is built:
//!
//! | name | what it does |
//! |---|---|
//! | `spin3`, `spin5` | after its reduce, each batch spins for 3 % or 5 % of the time that it has taken |
//! | `alloc` | one more allocation for each record |
//! | `tail` | 2 % of the batches take half as long again |
//! | `stall` | every 100 ms whatever runs stands still for 3 ms |
//!
//! An improvement is one of these in the base and not in the head. A name that is none of these does not compile.

use crate::clock::Clock;
use crate::sync::{Mutex, lock};
use std::hint::{black_box, spin_loop};

/// What is built in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Planted {
    Nothing,
    /// Spins for that many percent of a batch's time.
    Spin(u64),
    Alloc,
    Tail,
    Stall,
}

const PLANTED: Planted = match option_env!("PLANTED_IN_DOWNBEAT") {
    None => Planted::Nothing,
    Some(name) => match name.as_bytes() {
        b"" => Planted::Nothing,
        b"spin3" => Planted::Spin(3),
        b"spin5" => Planted::Spin(5),
        b"alloc" => Planted::Alloc,
        b"tail" => Planted::Tail,
        b"stall" => Planted::Stall,
        _ => panic!("PLANTED_IN_DOWNBEAT names nothing that can be planted"),
    },
};

/// One batch in so many has a longer tail, which takes so many percent more.
const TAIL_EVERY: u64 = 50;
const TAIL_PERCENT: u64 = 50;

/// When it stalls, and for how long.
const STALL_EVERY_NS: u64 = 100_000_000;
const STALL_NS: u64 = 3_000_000;

/// When it stalled last.
static STALLED_NS: Mutex<u64> = Mutex::new(0);

/// At the end of a batch that began at `begun_ns`.
pub(crate) fn slow_down(batch: u64, begun_ns: u64, clock: &dyn Clock) {
    let now_ns = clock.now_ns();
    let taken_ns = now_ns.saturating_sub(begun_ns);
    let more_ns = match PLANTED {
        Planted::Spin(percent) => taken_ns * percent / 100,
        Planted::Tail if batch % TAIL_EVERY == TAIL_EVERY / 2 => taken_ns * TAIL_PERCENT / 100,
        Planted::Stall if is_due(now_ns) => STALL_NS,
        _ => return,
    };
    while clock.now_ns() < now_ns + more_ns {
        spin_loop();
    }
}

fn is_due(now_ns: u64) -> bool {
    let mut stalled_ns = lock(&STALLED_NS);
    let is_due = now_ns >= *stalled_ns + STALL_EVERY_NS;
    if is_due {
        *stalled_ns = now_ns;
    }
    is_due
}

/// At the begin of a batch of so many records.
pub(crate) fn allocate(records: u64) {
    if PLANTED == Planted::Alloc {
        (0..records).for_each(|record| drop(black_box(Box::new(record))));
    }
}
