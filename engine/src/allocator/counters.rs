//! Counts of allocations: each thread counts for itself, and whoever asks adds up all threads without stopping any.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU64, Ordering};

/// Allocations of all threads so far, and their bytes.
pub(super) fn totals() -> (u64, u64) {
    let (mut allocations, mut bytes) = (0, 0);
    let mut next = COUNTERS.load(Ordering::Acquire);
    // SAFETY: the list holds counters that were leaked by `begin` and are never freed.
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

static COUNTERS: AtomicPtr<Counters> = AtomicPtr::new(std::ptr::null_mut());

thread_local! {
    /// Of this thread, once it has counted; of [`Allocations::Usual`] and of [`Allocations::Other`].
    static USUAL: Cell<*const Counters> = const { Cell::new(std::ptr::null()) };
    static OTHER: Cell<*const Counters> = const { Cell::new(std::ptr::null()) };
}

/// Whose allocations are counted: a thread that counts the usual ones needs to ask nothing else to know that it may.
#[derive(Clone, Copy)]
pub(super) enum Allocations {
    /// Those of the choice that most programs run with.
    Usual,
    /// Those of any other.
    Other,
}

/// Counts one allocation of the calling thread; false, and nothing counted, if it has not begun to.
#[inline(always)]
pub(super) fn count(of: Allocations, bytes: usize) -> bool {
    let own = match of {
        Allocations::Usual => USUAL.get(),
        Allocations::Other => OTHER.get(),
    };
    // SAFETY: null, or counters of this thread, which are never freed.
    let Some(counters) = (unsafe { own.as_ref() }) else { return false };
    // One writer only: a plain add, without a locked instruction.
    counters.allocations.store(counters.allocations.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    counters.bytes.store(counters.bytes.load(Ordering::Relaxed) + bytes as u64, Ordering::Relaxed);
    true
}

/// Begins to count in the calling thread, if there is memory for it: straight from the system's allocator, linked into the list for
/// ever, because threads of a trial are few, and what a thread counted must outlive it.
#[cold]
pub(super) fn begin(of: Allocations) {
    // SAFETY: the layout has a size.
    let memory = unsafe { System.alloc_zeroed(Layout::new::<Counters>()) }.cast::<Counters>();
    // SAFETY: null, or zeroed memory of this layout, which is valid for atomics; it is leaked.
    let Some(counters) = (unsafe { memory.as_ref() }) else { return };
    let place = std::ptr::from_ref(counters).cast_mut();
    let mut head = COUNTERS.load(Ordering::Acquire);
    loop {
        counters.next.store(head, Ordering::Relaxed);
        match COUNTERS.compare_exchange_weak(head, place, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    match of {
        Allocations::Usual => USUAL.set(counters),
        Allocations::Other => OTHER.set(counters),
    }
}
