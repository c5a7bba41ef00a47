//! What can be wrong with a load: what, where, why, and what to do.

use std::path::PathBuf;

/// A load cannot be made as asked.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LoadError {
    /// A setting of the load cannot work.
    #[error("{knob} = {value}: {rule}")]
    Setting {
        /// Name of the knob.
        knob: &'static str,
        /// The value that was asked for.
        value: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The file to replay cannot be opened or read.
    #[error("cannot read the input file {}: {problem}; check the path and its permissions", path.display())]
    InputUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        problem: String,
    },
    /// The file with recorded times cannot be used.
    #[error("cannot replay the times of {}: {problem}", path.display())]
    ArrivalsUnreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// A line of the file with recorded times.
    #[error("cannot replay the times of {}:{line}: `{text}` is not {expected}", path.display())]
    ArrivalsLine {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is there.
        text: String,
        /// What should be.
        expected: &'static str,
    },
    /// The file to replay has no record.
    #[error(
        "the input file {} has no line to replay{}",
        path.display(),
        if *too_long > 0 { format!(": all its {too_long} lines are longer than line_limit; raise it") } else { "; it is empty".into() }
    )]
    InputEmpty {
        /// The file.
        path: PathBuf,
        /// Lines that were left out because they were too long.
        too_long: u64,
    },
    /// The file to replay does not fit.
    #[error(
        "the input file {} is larger than {limit_bytes} bytes, and it is held in memory while it is replayed; \
         replay a part of it, for example `head -c 1G`",
        path.display()
    )]
    InputTooLarge {
        /// The file.
        path: PathBuf,
        /// What is held at most.
        limit_bytes: u64,
    },
}
