//! Counts of allocations: each thread counts for itself, and whoever asks adds up all threads without stopping any.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Allocations of all threads so far, and their bytes.
pub(super) fn totals() -> (u64, u64) {
    let (mut allocations, mut bytes) = (0, 0);
    let mut next = COUNTERS.load(Ordering::Acquire);
    // SAFETY: the list holds counters that were leaked by `own_counters` and are never freed.
    while let Some(counters) = unsafe { next.as_ref() } {
        allocations += counters.allocations.load(Ordering::Relaxed);
        bytes += counters.bytes.load(Ordering::Relaxed);
        next = counters.next.load(Ordering::Relaxed);
    }
    (allocations, bytes)
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

/// Counts one allocation of the calling thread.
#[inline(always)]
pub(super) fn count(bytes: usize) {
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
