//! Where the lines of a trial come from.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Where the lines come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Source {
    /// The workload's own generator.
    Generator,
    /// A text file, replayed at the asked rate.
    File {
        /// The file.
        path: PathBuf,
        /// Again and again instead of once through.
        again: bool,
    },
    /// TCP servers that send lines.
    Tcp {
        /// `HOST:PORT` of each; at least one.
        addresses: Vec<String>,
    },
}

impl Source {
    /// The flags of a command that takes its lines from here.
    pub(crate) fn flags(&self) -> Vec<String> {
        match self {
            Source::Generator => Vec::new(),
            Source::File { path, again } => {
                let again = again.then(|| "--loop".to_owned());
                ["--input".to_owned(), path.display().to_string()].into_iter().chain(again).collect()
            }
            Source::Tcp { addresses } => {
                addresses.iter().flat_map(|address| ["--source".to_owned(), format!("tcp://{address}")]).collect()
            }
        }
    }
}

impl std::fmt::Display for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::Generator => formatter.write_str("generator"),
            Source::File { path, .. } => write!(formatter, "{}", path.display()),
            Source::Tcp { addresses } => write!(formatter, "tcp://{}", addresses.join(",")),
        }
    }
}
