//! What the examples share: arguments, and running until the time is over.

use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_engine::{EngineError, StreamingContext};
use std::sync::Arc;
use std::time::Duration;

/// What sources report, on the standard error.
struct Told;

impl BatchListener for Told {
    fn batch_completed(&self, report: &BatchReport) {
        if let Some(failure) = &report.failure {
            eprintln!("{failure}");
        }
    }

    fn source_reported(&self, source: &str, message: &str) {
        eprintln!("{source}: {message}");
    }
}

/// The arguments of this program; without the wanted ones, how to call it, and the end.
pub(crate) fn arguments<const WANTED: usize>(usage: &str) -> ([String; WANTED], Option<Duration>) {
    let mut given: Vec<String> = std::env::args().skip(1).collect();
    let seconds = if given.len() == WANTED + 1 { given.pop() } else { None };
    let time = seconds.as_deref().map(|text| text.parse::<u32>().map(|seconds| Duration::from_secs(seconds.into())));
    match (<[String; WANTED]>::try_from(given), time.transpose()) {
        (Ok(wanted), Ok(time)) => (wanted, time),
        _ => {
            eprintln!("usage: {usage} [SECONDS]\nWithout SECONDS it runs until it is ended.");
            std::process::exit(2);
        }
    }
}

/// Runs the job for so long, or until a batch fails; then stops it gracefully and says what was taken.
pub(crate) fn run(context: &StreamingContext, time: Option<Duration>) -> Result<(), EngineError> {
    context.print_to(Box::new(std::io::stdout()));
    context.add_listener(Arc::new(Told));
    context.start()?;
    let ended = context.await_termination_or_timeout(time.unwrap_or(Duration::MAX));
    let report = context.stop(Duration::from_secs(10))?;
    eprintln!(
        "{} records taken, {} of them in no finished batch; {:?}",
        report.accepted, report.unfinished, report.input
    );
    ended.map(drop)
}
