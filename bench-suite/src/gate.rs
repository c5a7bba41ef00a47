//! The gate: two builds measured side by side in blocks of fresh processes, each build with its own binary.

pub(crate) mod arm;
pub(crate) mod measured;
