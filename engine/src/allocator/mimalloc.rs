//! mimalloc by its short entries: the crate's own type asks for an alignment with each block, which few blocks need.

use mimalloc::MiMalloc;
use std::alloc::{GlobalAlloc, Layout};
use std::ffi::c_void;

unsafe extern "C" {
    fn mi_malloc(size: usize) -> *mut c_void;
    fn mi_zalloc(size: usize) -> *mut c_void;
}

/// What every block of mimalloc is aligned to.
const WORD: usize = size_of::<usize>();

/// mimalloc.
pub(super) struct Mimalloc;

// SAFETY: mimalloc gives blocks of at least the size asked for, aligned to a word, and takes back what any of its entries gave.
unsafe impl GlobalAlloc for Mimalloc {
    #[inline(always)]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: any size may be asked for; the caller's promises are handed on.
        unsafe { if layout.align() <= WORD { mi_malloc(layout.size()).cast() } else { MiMalloc.alloc(layout) } }
    }

    #[inline(always)]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { if layout.align() <= WORD { mi_zalloc(layout.size()).cast() } else { MiMalloc.alloc_zeroed(layout) } }
    }

    #[inline(always)]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller's promises are handed on.
        unsafe { MiMalloc.realloc(block, layout, new_size) }
    }

    #[inline(always)]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(block, layout) }
    }
}
