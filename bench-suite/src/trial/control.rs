//! When a trial must end early: its parent says so or is gone, or a signal came.

use crate::signals::Signals;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Tells whether the trial should end, keeping what it has.
#[derive(Clone)]
pub(super) struct Control {
    signals: Signals,
    parent_wants: Arc<AtomicBool>,
}

impl Control {
    /// Listens on stdin: a byte means stop, and so does its end, because then the parent is gone.
    pub(super) fn listen(signals: Signals) -> Self {
        let parent_wants = Arc::new(AtomicBool::new(false));
        let control = Control { signals, parent_wants: parent_wants.clone() };
        let listener = move || {
            let _ = std::io::stdin().read(&mut [0]);
            parent_wants.store(true, Ordering::Relaxed);
        };
        // Without this thread signals still work; the thread ends with the process.
        let _ = std::thread::Builder::new().name("control".into()).spawn(listener);
        control
    }

    /// Should the trial end?
    pub(super) fn is_stopped(&self) -> bool {
        self.parent_wants.load(Ordering::Relaxed) || self.signals.count() > 0
    }
}
