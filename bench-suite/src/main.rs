//! The `downbeat` command.

use downbeat_engine::allocator::DispatchingAllocator;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

fn main() -> ExitCode {
    downbeat::main_with(downbeat::CATALOG)
}
