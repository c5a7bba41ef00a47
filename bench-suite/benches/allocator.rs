//! Group `allocator`: an allocation-heavy word count on each allocator. The allocator is chosen before the first allocation, so
//! this program starts itself again for each of them, with its own arguments.

mod support;

use criterion::{Criterion, Throughput};
use downbeat_engine::allocator::{self, DispatchingAllocator};
use std::process::{Command, ExitCode};

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

const LINES: u64 = 20_000;

fn main() -> ExitCode {
    if std::env::var_os(allocator::VARIABLE).is_some() {
        measure();
        return ExitCode::SUCCESS;
    }
    let program = std::env::current_exe().expect("this program");
    for name in allocator::NAMES {
        let mut command = Command::new(&program);
        let ended = command.args(std::env::args_os().skip(1)).env(allocator::VARIABLE, name).status();
        if !ended.is_ok_and(|status| status.success()) {
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn measure() {
    let mut criterion = Criterion::default().configure_from_args();
    let ring = support::text("word-count", 4 << 20);
    let words = support::owned_words::count(&ring, 0, LINES);
    let mut group = criterion.benchmark_group("allocator");
    group.throughput(Throughput::Elements(words));
    group.bench_function(allocator::kind(), |bencher| {
        bencher.iter(|| support::owned_words::count(&ring, 0, LINES));
    });
    group.finish();
    criterion.final_summary();
}
