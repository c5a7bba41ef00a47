//! The dispatching, counting global allocator: one binary holds several, an environment variable chooses before the first
//! allocation. Binaries, benches and examples declare it; libraries never do.

mod counters;
mod mimalloc;
mod options;

pub use options::{Arenas, Options, is_option};

use counters::Allocations;
use mimalloc::Mimalloc;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU8, Ordering};
use tikv_jemallocator::Jemalloc;

/// The environment variable: one of [`NAMES`], with [`UNCOUNTED`] behind it to count nothing.
pub const VARIABLE: &str = "DOWNBEAT_ALLOCATOR";
const VARIABLE_C: &std::ffi::CStr = c"DOWNBEAT_ALLOCATOR";

/// Names that the variable may have.
pub const NAMES: &[&str] = &["system", "mimalloc", "jemalloc"];

/// Ends the name of an allocator whose calls are not counted.
pub const UNCOUNTED: &str = ",uncounted";

const UNDECIDED: u8 = 0;
const SYSTEM: u8 = 1;
const MIMALLOC: u8 = 2;
const JEMALLOC: u8 = 3;
const KIND: u8 = 0x0F;
const UNKNOWN: u8 = 0x40;
const COUNTED: u8 = 0x80;

/// Fixed by the first allocation, never changed: what gave a block must take it back.
static CHOICE: AtomicU8 = AtomicU8::new(UNDECIDED);

/// The type to declare: `#[global_allocator] static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;`
pub struct DispatchingAllocator;

/// The allocator in use, read back: one of [`NAMES`], `unknown` when the variable named none of these (the system's is used
/// then), or `undeclared` when this program has another global allocator.
pub fn kind() -> &'static str {
    let choice = CHOICE.load(Ordering::Relaxed);
    match choice & KIND {
        _ if choice & UNKNOWN != 0 => "unknown",
        SYSTEM => "system",
        MIMALLOC => "mimalloc",
        JEMALLOC => "jemalloc",
        _ => "undeclared",
    }
}

/// Allocations of all threads so far, and their bytes; `None` when they are not counted.
pub fn totals() -> Option<(u64, u64)> {
    (CHOICE.load(Ordering::Relaxed) & COUNTED != 0).then(counters::totals)
}

/// Runs inside the first allocation, before `main`: must not allocate, lock or panic. Threads that race here read the same
/// environment and store the same.
#[cold]
fn decide() -> u8 {
    // SAFETY: the name ends in NUL; nothing in a process that declares this allocator sets the variable.
    let value = unsafe { libc::getenv(VARIABLE_C.as_ptr()) };
    let decided = if value.is_null() {
        MIMALLOC | COUNTED
    } else {
        // SAFETY: getenv returned a string that ends in NUL.
        parse(unsafe { std::ffi::CStr::from_ptr(value) }.to_bytes())
    };
    CHOICE.store(decided, Ordering::Relaxed);
    decided
}

fn parse(value: &[u8]) -> u8 {
    let (name, counted) = match value.strip_suffix(UNCOUNTED.as_bytes()) {
        Some(name) => (name, 0),
        None => (value, COUNTED),
    };
    match name {
        b"system" => SYSTEM | counted,
        b"mimalloc" | b"" => MIMALLOC | counted,
        b"jemalloc" => JEMALLOC | counted,
        _ => SYSTEM | UNKNOWN | counted,
    }
}

/// The choice that most programs run with.
const USUAL: u8 = MIMALLOC | COUNTED;

/// Whether another choice than the usual one was made, and this allocation is counted if it wants that.
#[inline(always)]
fn is_ready(choice: u8, size: usize) -> bool {
    if choice & COUNTED == 0 { choice != UNDECIDED } else { counters::count(Allocations::Other, size) }
}

/// The first allocation of the process or of a thread: decides, begins to count and counts.
#[cold]
fn first(size: usize) -> u8 {
    let choice = match CHOICE.load(Ordering::Relaxed) {
        UNDECIDED => decide(),
        decided => decided,
    };
    if choice & COUNTED != 0 {
        let of = if choice == USUAL { Allocations::Usual } else { Allocations::Other };
        counters::begin(of);
        counters::count(of, size);
    }
    choice
}

macro_rules! dispatch {
    ($choice:expr, $method:ident($($argument:expr),*)) => {
        // SAFETY: the caller's promises are handed on; the kind never changes, so a block goes back to where it came from.
        unsafe {
            match $choice & KIND {
                MIMALLOC => Mimalloc.$method($($argument),*),
                JEMALLOC => Jemalloc.$method($($argument),*),
                _ => System.$method($($argument),*),
            }
        }
    };
}

/// The usual choice costs one look at a variable of the thread; every other one a second look. What is rare is called last, so that
/// nothing has to be saved for it.
macro_rules! allocate {
    ($size:expr, $method:ident($($argument:ident: $type:ty),*)) => {{
        #[cold]
        #[inline(never)]
        unsafe fn first_of_all($($argument: $type),*) -> *mut u8 {
            dispatch!(first($size), $method($($argument),*))
        }
        if counters::count(Allocations::Usual, $size) {
            // SAFETY: the caller's promises are handed on.
            return unsafe { Mimalloc.$method($($argument),*) };
        }
        let choice = CHOICE.load(Ordering::Relaxed);
        if is_ready(choice, $size) {
            return dispatch!(choice, $method($($argument),*));
        }
        // SAFETY: the caller's promises are handed on.
        unsafe { first_of_all($($argument),*) }
    }};
}

// SAFETY: every method hands its arguments on to an allocator that keeps the contract, always the same one.
unsafe impl GlobalAlloc for DispatchingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocate!(layout.size(), alloc(layout: Layout))
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocate!(layout.size(), alloc_zeroed(layout: Layout))
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        allocate!(new_size, realloc(block: *mut u8, layout: Layout, new_size: usize))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // Who has a block to give back has allocated: it is decided.
        dispatch!(CHOICE.load(Ordering::Relaxed), dealloc(block, layout));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_exactly_and_others_are_marked() {
        assert_eq!(parse(b"mimalloc"), MIMALLOC | COUNTED);
        assert_eq!(parse(b"mimalloc,uncounted"), MIMALLOC);
        assert_eq!(parse(b"system"), SYSTEM | COUNTED);
        assert_eq!(parse(b"jemalloc,uncounted"), JEMALLOC);
        assert_eq!(parse(b"jemaloc"), SYSTEM | UNKNOWN | COUNTED);
        for name in NAMES {
            assert_eq!(parse(name.as_bytes()) & UNKNOWN, 0);
        }
    }
}
