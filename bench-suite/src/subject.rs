//! What is measured. Each subject is a process of its own that speaks the trial protocol.

pub(crate) mod embedded;
pub(crate) mod together;
