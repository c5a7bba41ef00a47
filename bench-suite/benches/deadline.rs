//! The main question for plain `cargo bench`: does each workload keep its interval at a modest rate? Short paced trials, each
//! in a process of its own, each with its verdict, histogram and flamegraph under `target/tmp/deadline/`.

use downbeat::CATALOG;
use downbeat::engine::allocator::DispatchingAllocator;
use std::ffi::OsString;
use std::path::Path;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: DispatchingAllocator = DispatchingAllocator;

/// Flags of each trial. 60 batches of 100 ms show a late share of 5 % and more; a study needs more of them.
const FLAGS: [&str; 6] = ["--interval", "100ms", "--rate", "50k/s", "--batches", "60"];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_some_and(|argument| argument == "trial") {
        return downbeat::main_with(CATALOG);
    }
    // `cargo test --benches` and listing ask for no measurement.
    if arguments.iter().any(|argument| argument == "--test" || argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&String> = arguments.iter().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted =
        |name: &str| filters.is_empty() || filters.iter().any(|filter| format!("deadline/{name}").contains(*filter));
    let mut worst = 0;
    for job in CATALOG.iter().filter(|job| wanted(job.name())) {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("deadline").join(job.name());
        // Results of an earlier bench; a directory that is not there is as good.
        let _ = std::fs::remove_dir_all(&out);
        let mut command: Vec<OsString> = ["downbeat", "run", job.name()].map(OsString::from).to_vec();
        command.extend(FLAGS.map(OsString::from));
        command.extend(["--out".into(), out.into_os_string()]);
        worst = worst.max(downbeat::command(command, CATALOG).code());
    }
    // A verdict is a result, not a failure of the bench; only what kept it from judging is.
    if matches!(worst, 0 | 125) { ExitCode::SUCCESS } else { ExitCode::from(worst) }
}
