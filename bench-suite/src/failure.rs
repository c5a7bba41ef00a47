//! Why a command ended without a verdict: what happened, where, why, what to do, and the exit code for it.

use downbeat_engine::error::EngineError;
use downbeat_reports::exit::Exit;
use downbeat_reports::store::StoreError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// An error that ends the command. Also crosses from a trial's process to its parent as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The exit code, one of [`Exit`]'s.
    pub code: u8,
    /// What happened, where, why. One line, no full stop.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Failure {
    /// A failure that ends with this exit code.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Failure { code: exit.code(), message: message.into(), help: None }
    }

    /// The command line or a file of settings is wrong: exit 2.
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::new(Exit::Usage, message)
    }

    /// The surroundings failed: exit 7.
    pub fn environment(message: impl Into<String>) -> Self {
        Failure::new(Exit::Environment, message)
    }

    /// A bug of downbeat: exit 70.
    pub fn internal(message: impl Into<String>) -> Self {
        Failure::new(Exit::Internal, message)
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Message and advice as one line of a list.
    pub(crate) fn one_line(&self) -> String {
        self.to_string().replace("\nhelp: ", "; ").replace('\n', " ")
    }

    /// How the command ends.
    pub fn exit(&self) -> Exit {
        Exit::ALL.into_iter().find(|exit| exit.code() == self.code).unwrap_or(Exit::Internal)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "\nhelp: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure::new(error.exit(), error.to_string())
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let exit = match &error {
            EngineError::Setting { .. } | EngineError::Job { .. } => Exit::Usage,
            EngineError::Source { .. }
            | EngineError::File { .. }
            | EngineError::Thread { .. }
            | EngineError::Pin { .. } => Exit::Environment,
            EngineError::Batch { .. } => Exit::Broken,
            EngineError::State { .. } | EngineError::Codec { .. } => Exit::Internal,
        };
        Failure::new(exit, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exit_codes_survive_the_way_through_json() {
        for exit in Exit::ALL {
            let failure = Failure::new(exit, "x").help("y");
            let json = serde_json::to_string(&failure).unwrap();
            let back: Failure = serde_json::from_str(&json).unwrap();
            assert_eq!(back.exit(), exit);
            assert_eq!(back.to_string(), "x\nhelp: y");
        }
    }
}
