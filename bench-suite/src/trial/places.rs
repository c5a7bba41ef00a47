//! The places in memory of an unpaced trial's code, changed between its slices, so that none of them decides about the result.

use crate::machine::CodePages;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A place is kept for so long; moving takes about 5 ms.
const KEPT: Duration = Duration::from_millis(25);

/// Where the code is and was.
pub(super) struct Places {
    told: Mutex<Told>,
}

struct Told {
    /// `None` where the system does not tell, or refused.
    code: Option<CodePages>,
    since: Instant,
    moves: u64,
}

impl Places {
    /// It is where the system put it.
    pub(super) fn new() -> Self {
        Places { told: Mutex::new(Told { code: CodePages::find().ok(), since: Instant::now(), moves: 0 }) }
    }

    /// Moves it, when it has been where it is for long enough. Where the system refuses, it stays from then on.
    pub(super) fn change(&self) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.since.elapsed() < KEPT {
            return;
        }
        let Some(moved) = told.code.as_mut().map(CodePages::shuffle) else { return };
        match moved {
            Ok(()) => told.moves += 1,
            Err(_) => told.code = None,
        }
        told.since = Instant::now();
    }

    /// How often it was moved.
    pub(super) fn moves(&self) -> u64 {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).moves
    }
}
