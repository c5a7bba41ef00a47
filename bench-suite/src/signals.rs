//! Ctrl-C and SIGTERM: noted, counted and left to whoever asks; nothing ends by itself.

use crate::failure::Failure;
use downbeat_reports::exit::Exit;
use signal_hook::consts::{SIGINT, SIGTERM};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The signals that this process got.
#[derive(Clone, Default)]
pub(crate) struct Signals {
    interrupts: Arc<AtomicUsize>,
    terminations: Arc<AtomicUsize>,
}

impl Signals {
    /// From now on SIGINT and SIGTERM do not end the process: a thread counts them.
    ///
    /// # Errors
    /// The system refuses the handlers or the thread (exit 70).
    pub(crate) fn catch() -> Result<Self, Failure> {
        let failed = |error: std::io::Error| Failure::internal(format!("cannot catch Ctrl-C: {error}"));
        let signals = Signals::default();
        let mut caught = signal_hook::iterator::Signals::new([SIGINT, SIGTERM]).map_err(failed)?;
        let counts = signals.clone();
        let count = move || {
            for signal in caught.forever() {
                let counter = if signal == SIGTERM { &counts.terminations } else { &counts.interrupts };
                counter.fetch_add(1, Ordering::Relaxed);
            }
        };
        std::thread::Builder::new().name("signals".into()).spawn(count).map_err(failed)?;
        Ok(signals)
    }

    /// How many came.
    pub(crate) fn count(&self) -> usize {
        self.interrupts.load(Ordering::Relaxed) + self.terminations.load(Ordering::Relaxed)
    }

    /// The exit code that a signal asks for: 143 after SIGTERM, 130 after SIGINT.
    pub(crate) fn exit(&self) -> Option<Exit> {
        if self.terminations.load(Ordering::Relaxed) > 0 {
            return Some(Exit::Terminated);
        }
        (self.interrupts.load(Ordering::Relaxed) > 0).then_some(Exit::Interrupted)
    }
}
