//! The gate: two builds measured side by side, and whether the second is slower.
//!
//! [`record`] is what was measured, as plain data. Everything that is decided and shown is a function of it.

pub mod record;
