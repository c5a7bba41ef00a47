//! The gate: two builds measured side by side, and whether the second is slower.
//!
//! [`record`] is what was measured, as plain data. [`rule`] is what is decided, one step at a time: it asks for blocks until it can say
//! a [`judgement`]. Everything that is decided and shown is a function of the record.

pub mod advice;
pub mod counted;
pub mod exclusion;
pub mod format;
pub mod judgement;
pub mod metric;
pub mod noise;
pub mod null_control;
pub mod record;
pub mod resolution;
pub mod rule;
pub mod sentence;
pub mod shown;
pub mod simulated;
pub mod soundness;
