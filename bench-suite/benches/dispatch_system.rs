//! An arm of `dispatch`: the same work with system linked statically.

mod support;

#[global_allocator]
static ALLOCATOR: std::alloc::System = std::alloc::System;

fn main() {
    if std::env::args().any(|argument| argument == "--arm") {
        support::owned_words::arm("system");
    }
}
