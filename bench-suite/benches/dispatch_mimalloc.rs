//! An arm of `dispatch`: the same work with mimalloc linked statically.

mod support;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    if std::env::args().any(|argument| argument == "--arm") {
        support::owned_words::arm("mimalloc");
    }
}
