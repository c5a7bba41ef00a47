//! What the closure of an output returns: nothing, or whether it worked.

use std::fmt::Display;

/// What the closure of an output may return: `()`, or a `Result<(), E>` whose error fails the batch by the output's name.
pub trait Outcome {
    /// The reason why it did not work.
    ///
    /// # Errors
    /// Exactly that.
    fn outcome(self) -> Result<(), String>;
}

impl Outcome for () {
    fn outcome(self) -> Result<(), String> {
        Ok(())
    }
}

impl<E: Display> Outcome for Result<(), E> {
    fn outcome(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}
