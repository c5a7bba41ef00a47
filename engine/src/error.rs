//! What can go wrong in the engine: what happened, where, why, and what to do.

/// An error of the engine. The engine never prints or exits: it returns these.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// A setting cannot work.
    #[error("{knob} = {value}: {rule}")]
    Setting {
        /// Name of the knob.
        knob: &'static str,
        /// The value that was asked for.
        value: String,
        /// The rule it breaks.
        rule: &'static str,
    },
    /// The job cannot be built as written.
    #[error("{operator}: {problem}")]
    Job {
        /// The operator and where it was called, for example `window at src/main.rs:12`.
        operator: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A call came in a state of the context that does not allow it.
    #[error("{call} is not possible: {reason}")]
    State {
        /// The call.
        call: &'static str,
        /// Why not, and what to do.
        reason: &'static str,
    },
    /// A source failed for good.
    #[error("source {source_name}: {problem}")]
    Source {
        /// Name of the source, for example `tcp://localhost:9999`.
        source_name: String,
        /// What happened and what to do.
        problem: String,
    },
    /// A batch failed: its outputs were not committed.
    #[error("batch at {time_ms} ms failed in {operator}: {problem}")]
    Batch {
        /// Label of the batch, milliseconds since 1970.
        time_ms: i64,
        /// The operator and where it was called.
        operator: String,
        /// What happened, for example the message of a panic.
        problem: String,
    },
    /// Encoded records could not be read back.
    #[error("codec {codec}: {problem}")]
    Codec {
        /// Name of the codec.
        codec: &'static str,
        /// What is wrong with the bytes.
        problem: String,
    },
    /// A file could not be read.
    #[error("{path}: {problem}")]
    File {
        /// Where it is.
        path: String,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A thread could not be started.
    #[error("cannot start thread {thread}: {problem}; lower `threads` or raise the limit of processes")]
    Thread {
        /// Name of the thread.
        thread: String,
        /// What the system said.
        problem: String,
    },
    /// A thread could not be kept on its core.
    #[error("cannot keep a thread on its core: {problem}; use the pool `rayon`")]
    Pin {
        /// What the system said.
        problem: String,
    },
}

/// The message of a panic.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".into())
}
