//! downbeat: will every batch be done before the next one is due?
//!
//! The `downbeat` command as a library, so that a program with jobs of its own is the same command over those jobs:
//!
//! ```no_run
//! use std::process::ExitCode;
//!
//! #[global_allocator]
//! static ALLOCATOR: downbeat::engine::allocator::DispatchingAllocator = downbeat::engine::allocator::DispatchingAllocator;
//!
//! fn main() -> ExitCode {
//!     downbeat::main_with(downbeat::CATALOG)
//! }
//! ```

mod ceiling;
pub mod cli;
mod completions;
mod doctor;
mod explain;
pub mod failure;
pub(crate) mod gate;
mod init;
mod jobs;
mod list;
mod load;
pub mod machine;
pub mod plan;
pub mod profile;
mod progress;
mod report;
pub mod request;
mod run;
pub mod run_settings;
pub mod search;
mod sending;
pub mod settings;
pub mod shard;
mod signals;
pub mod source;
mod status;
mod subject;
mod terminal;
mod trial;
mod turns;

pub use downbeat_engine as engine;
pub use downbeat_workloads as workloads;
pub use downbeat_workloads::catalog::{CATALOG, Job};

use downbeat_engine::allocator;
use downbeat_reports::exit::Exit;
use failure::Failure;
use request::Request;
use run::Outcome;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The whole command over these jobs: parse, plan, run, report. Call it from `main`, with nothing before it: the processes of
/// trials are this very program, started again.
pub fn main_with(jobs: &[&dyn Job]) -> ExitCode {
    ExitCode::from(command(std::env::args_os().collect(), jobs).code())
}

/// The same with other arguments than the process was started with, the program's name first. The program's `main` must hand
/// `trial` and what follows it to [`main_with`], because the processes of trials are this very program, started again.
pub fn command(arguments: Vec<OsString>, jobs: &[&dyn Job]) -> Exit {
    let outcome = fitted(arguments, jobs).unwrap_or_else(|failure| Outcome {
        text: Vec::new(),
        message: Some(format!("error: {failure}")),
        exit: failure.exit(),
    });
    let shown = std::io::stdout().write_all(&outcome.text).and_then(|()| std::io::stdout().flush());
    if let Some(message) = outcome.message {
        let columns = terminal::stderr_columns();
        let message = columns.map_or_else(|| message.clone(), |columns| terminal::fit(&message, columns));
        let _ = writeln!(std::io::stderr(), "{message}");
    }
    match shown {
        // A reader of stdout that has left, as `head` does, wants no more and no error.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            let _ = writeln!(std::io::stderr(), "error: cannot write to the standard output: {error}");
            Exit::Environment
        }
        _ => outcome.exit,
    }
}

/// What is for people is broken between words where their terminal is narrow; other formats are theirs who asked for them.
fn fitted(arguments: Vec<OsString>, jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let request = cli::parse(arguments.clone(), &cli::environment())?;
    let columns = terminal::stdout_columns().filter(|_| request.is_for_people());
    let outcome = carry_out(request, arguments, jobs)?;
    let Some(columns) = columns else { return Ok(outcome) };
    // Of the formats for people all are text.
    let text = String::from_utf8_lossy(&outcome.text);
    Ok(Outcome { text: terminal::fit(&text, columns).into_bytes(), ..outcome })
}

fn carry_out(request: Request, arguments: Vec<OsString>, jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let shown = |text| Ok(Outcome::shown(text));
    match request {
        Request::Show(text) => shown(text),
        Request::List(request) => shown(list::list(&request, jobs)?),
        Request::Completions(shell) => {
            shown(completions::script(shell, arguments.first().map(OsString::as_os_str), jobs))
        }
        Request::Doctor(request) => shown(doctor::doctor(&request)?),
        Request::Run(request) => {
            check_allocator()?;
            run::run(&request, &arguments, jobs)
        }
        Request::Max(request) => {
            check_allocator()?;
            search::max::run(&request, &arguments, jobs)
        }
        Request::Sweep(request) => {
            check_allocator()?;
            search::sweep::run(&request, &arguments, jobs)
        }
        Request::Tune(request) => {
            check_allocator()?;
            search::tune::run(&request, &arguments, jobs)
        }
        Request::Gate(request) => gate::run::run(&request, &arguments, jobs),
        Request::Bisect(request) => gate::bisect::bisect(&request),
        Request::History(request) => shown(gate::history::show(&request)?),
        Request::Resume(directory) => fitted(search::sweep::arguments(&directory)?, jobs),
        Request::Init(request) => shown(init::init(&request)?),
        Request::Load(request) => sending::send(&request, jobs),
        Request::Report(request) => {
            let (text, exit) = report::report(&request)?;
            Ok(Outcome { text, message: None, exit })
        }
        Request::Compare(request) => shown(report::compare(&request)?),
        Request::Explain(request) => shown(explain::explain(&request)?),
        Request::Trial { spec, record } => {
            let exit = trial::run(&spec, &record, jobs)?;
            Ok(Outcome { text: Vec::new(), message: None, exit })
        }
    }
}

/// Without the dispatching allocator, `--allocator` would choose nothing.
fn check_allocator() -> Result<(), Failure> {
    match allocator::kind() {
        "undeclared" => {
            let help = "declare #[global_allocator] static ALLOCATOR: downbeat_engine::allocator::DispatchingAllocator";
            Err(Failure::internal("this program does not use downbeat's allocator, so it cannot choose one").help(help))
        }
        _ => Ok(()),
    }
}
