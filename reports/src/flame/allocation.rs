//! The share of CPU time that goes to allocating memory, by the samples of a profile.

use crate::flame::{Stack, stacks};
use crate::record::Profile;

/// Functions of the C library's allocator that samples are taken in.
const SYSTEM: &[&str] = &[
    "malloc",
    "calloc",
    "realloc",
    "free",
    "cfree",
    "posix_memalign",
    "_int_malloc",
    "_int_free",
    "_int_realloc",
    "_int_memalign",
    "malloc_consolidate",
    "sysmalloc",
    "systrim",
    "unlink_chunk",
    "arena_get2",
    "tcache_init",
];

/// How the functions of mimalloc, of jemalloc as its crate names them, and the C library's public ones begin.
const BEGINNINGS: &[&str] =
    &["mi_", "_mi_", "_rjem_", "__libc_malloc", "__libc_calloc", "__libc_realloc", "__libc_free"];

/// What Rust's own calls of the global allocator have in their names.
const RUST: &[&str] = &["__rust_alloc", "__rust_dealloc", "__rust_realloc", "as core::alloc::global::GlobalAlloc>"];

/// Samples inside the allocator ÷ all samples, of all threads. What the allocator calls counts as its own. `None` without
/// samples.
pub fn allocation_share(profile: &Profile) -> Option<f64> {
    let stacks = stacks(profile);
    let sum = |wanted: &dyn Fn(&Stack) -> bool| {
        stacks.iter().filter(|stack| wanted(stack)).map(|stack| stack.samples).fold(0_u64, u64::saturating_add)
    };
    let all = sum(&|_| true);
    // The first frame is the name of the thread.
    let inside = sum(&|stack| stack.frames.iter().skip(1).any(|frame| is_allocator(frame)));
    (all > 0).then(|| inside as f64 / all as f64)
}

fn is_allocator(frame: &str) -> bool {
    SYSTEM.contains(&frame)
        || BEGINNINGS.iter().any(|beginning| frame.starts_with(beginning))
        || RUST.iter().any(|part| frame.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_inside_any_allocator_count_and_no_others() {
        let share = |folded: &[&str]| {
            let folded = folded.iter().map(|line| (*line).to_owned()).collect();
            allocation_share(&Profile { folded, ..Profile::default() })
        };
        for frame in [
            "_mi_page_malloc_zero",
            "mi_free",
            "_rjem_je_tcache_bin_flush_small",
            "_int_malloc;unlink_chunk",
            "malloc",
            "__libc_free",
            "__rustc[58bb4dbab64ff45a]::__rust_alloc",
            "<downbeat_engine::allocator::DispatchingAllocator as core::alloc::global::GlobalAlloc>::alloc",
            "mi_malloc_aligned;mmap64",
        ] {
            assert_eq!(share(&[&format!("db-worker-0;work;{frame} 1"), "db-worker-0;work 3"]), Some(0.25), "{frame}");
        }
        for frame in ["permi_ssion", "free_list::push", "core::mem::drop", "malloc_trace", "user::calloc"] {
            assert_eq!(share(&[&format!("free;work;{frame} 1")]), Some(0.0), "{frame}");
        }
        assert_eq!(share(&[]), None);
    }
}
