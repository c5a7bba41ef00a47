//! The dispatching, counting global allocator: one binary holds several, an environment variable chooses before the first
//! allocation. Binaries, benches and examples declare it; libraries never do.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, Ordering};

/// The environment variable: `system` or `mimalloc`, with `,uncounted` behind it to count nothing.
pub const VARIABLE: &str = "DOWNBEAT_ALLOCATOR";
const VARIABLE_C: &std::ffi::CStr = c"DOWNBEAT_ALLOCATOR";

/// Names that the variable may have.
pub const NAMES: &[&str] = &["mimalloc", "system"];

const UNDECIDED: u8 = 0;
const SYSTEM: u8 = 1;
const MIMALLOC: u8 = 2;
const KIND: u8 = 0x0F;
const UNKNOWN: u8 = 0x40;
const COUNTED: u8 = 0x80;

/// Fixed by the first allocation, never changed: what gave a block must take it back.
static CHOICE: AtomicU8 = AtomicU8::new(UNDECIDED);

/// The type to declare: `#[global_allocator] static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;`
pub struct DispatchingAllocator;

/// The allocator in use, read back: `mimalloc`, `system`, `unknown` when the variable named none of these (the system's is
/// used then), or `undeclared` when this program has another global allocator.
pub fn kind() -> &'static str {
    let choice = CHOICE.load(Ordering::Relaxed);
    match choice & KIND {
        _ if choice & UNKNOWN != 0 => "unknown",
        SYSTEM => "system",
        MIMALLOC => "mimalloc",
        _ => "undeclared",
    }
}

/// Allocations of all threads so far, and their bytes; `None` when they are not counted.
pub fn totals() -> Option<(u64, u64)> {
    if CHOICE.load(Ordering::Relaxed) & COUNTED == 0 {
        return None;
    }
    let (mut allocations, mut bytes) = (0, 0);
    let mut next = COUNTERS.load(Ordering::Acquire);
    // SAFETY: the list holds counters that were leaked by `own_counters` and are never freed.
    while let Some(counters) = unsafe { next.as_ref() } {
        allocations += counters.allocations.load(Ordering::Relaxed);
        bytes += counters.bytes.load(Ordering::Relaxed);
        next = counters.next.load(Ordering::Relaxed);
    }
    Some((allocations, bytes))
}

/// Counters of one thread; written by it alone, read by `totals`.
#[repr(align(128))]
struct Counters {
    allocations: AtomicU64,
    bytes: AtomicU64,
    next: AtomicPtr<Counters>,
}

/// Where a thread counts for which there is no memory; nobody reads it.
static UNLISTED: Counters =
    Counters { allocations: AtomicU64::new(0), bytes: AtomicU64::new(0), next: AtomicPtr::new(std::ptr::null_mut()) };

static COUNTERS: AtomicPtr<Counters> = AtomicPtr::new(std::ptr::null_mut());

thread_local! {
    static OWN: Cell<*const Counters> = const { Cell::new(std::ptr::null()) };
}

#[inline(always)]
fn count(bytes: usize) {
    let own = OWN.get();
    // SAFETY: null, or counters of this thread, which are never freed.
    let counters = unsafe { own.as_ref() }.unwrap_or_else(own_counters);
    // One writer only: a plain add, without a locked instruction.
    counters.allocations.store(counters.allocations.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    counters.bytes.store(counters.bytes.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
}

/// Makes this thread's counters, straight from the system's allocator, and links them into the list for ever: threads of a
/// trial are few, and what a thread counted must outlive it.
#[cold]
fn own_counters() -> &'static Counters {
    // SAFETY: the layout has a size.
    let memory = unsafe { System.alloc_zeroed(Layout::new::<Counters>()) }.cast::<Counters>();
    // SAFETY: null, or zeroed memory of this layout, which is valid for atomics; it is leaked.
    let Some(counters) = (unsafe { memory.as_ref() }) else {
        return &UNLISTED;
    };
    let place = std::ptr::from_ref(counters).cast_mut();
    let mut head = COUNTERS.load(Ordering::Acquire);
    loop {
        counters.next.store(head, Ordering::Relaxed);
        match COUNTERS.compare_exchange_weak(head, place, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    OWN.set(counters);
    counters
}

#[inline(always)]
fn choice() -> u8 {
    match CHOICE.load(Ordering::Relaxed) {
        UNDECIDED => decide(),
        decided => decided,
    }
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
    let (name, counted) = match value.strip_suffix(b",uncounted") {
        Some(name) => (name, 0),
        None => (value, COUNTED),
    };
    match name {
        b"system" => SYSTEM | counted,
        b"mimalloc" | b"" => MIMALLOC | counted,
        _ => SYSTEM | UNKNOWN | counted,
    }
}

macro_rules! dispatch {
    ($method:ident($($argument:expr),*)) => {
        // SAFETY: the caller's promises are handed on; the kind never changes, so a block goes back to where it came from.
        unsafe {
            if choice() & KIND == MIMALLOC { mimalloc::MiMalloc.$method($($argument),*) } else { System.$method($($argument),*) }
        }
    };
}

// SAFETY: every method hands its arguments on to an allocator that keeps the contract, always the same one.
unsafe impl GlobalAlloc for DispatchingAllocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if choice() & COUNTED != 0 {
            count(layout.size());
        }
        dispatch!(alloc(layout))
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if choice() & COUNTED != 0 {
            count(layout.size());
        }
        dispatch!(alloc_zeroed(layout))
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        if choice() & COUNTED != 0 {
            count(new_size);
        }
        dispatch!(realloc(block, layout, new_size))
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        dispatch!(dealloc(block, layout));
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
        assert_eq!(parse(b"jemaloc"), SYSTEM | UNKNOWN | COUNTED);
        for name in NAMES {
            assert_eq!(parse(name.as_bytes()) & UNKNOWN, 0);
        }
    }
}
