//! One start of a receiver: from its `on_start` until its threads have ended. A restart makes a new one.

use crate::clock::{Wake, lock};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// What comes after a start.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Next {
    /// Another start, after a pause.
    Again(Duration),
    /// Nothing: the receiver has ended for good.
    Nothing,
}

/// Who ends the starts of a receiver.
pub(crate) trait Owner: Send + Sync {
    /// Ends the current start and does what comes next, on a thread of its own: the caller may be one that is joined.
    fn end(self: Arc<Self>, next: Next);
    /// The pause before another start, unless told otherwise.
    fn restart_delay(&self) -> Duration;
}

pub(crate) struct Start {
    /// Ends the threads of this start and no others.
    pub(crate) wake: Arc<Wake>,
    ending: AtomicBool,
    threads: Mutex<Vec<JoinHandle<()>>>,
    owner: Weak<dyn Owner>,
}

impl Start {
    pub(crate) fn new(owner: Weak<dyn Owner>) -> Self {
        Start { wake: Arc::default(), ending: AtomicBool::new(false), threads: Mutex::default(), owner }
    }

    /// True for the first who wants to end this start; the others come too late.
    pub(crate) fn claim_end(&self) -> bool {
        !self.ending.swap(true, Ordering::AcqRel)
    }

    /// Has the owner end it. For whoever claimed the end.
    pub(crate) fn end(&self, next: Next) {
        if let Some(owner) = self.owner.upgrade() {
            owner.end(next);
        }
    }

    pub(crate) fn restart_delay(&self) -> Duration {
        self.owner.upgrade().map_or(Duration::ZERO, |owner| owner.restart_delay())
    }

    /// Keeps a thread to be joined at the end of this start.
    pub(crate) fn keep(&self, thread: JoinHandle<()>) {
        let mut threads = lock(&self.threads);
        // A receiver with a thread per connection would otherwise gather them for ever.
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }

    /// Waits for the threads of this start, those that they start meanwhile among them.
    pub(crate) fn join(&self) {
        let own = std::thread::current().id();
        loop {
            let Some(thread) = lock(&self.threads).pop() else { return };
            if thread.thread().id() != own {
                // A panic in there was caught and reported.
                drop(thread.join());
            }
        }
    }
}
