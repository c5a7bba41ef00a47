//! The statistics that verdicts and reports rest on. Every function is pure and gives the same result for the same input.

pub mod bootstrap;
pub mod clopper_pearson;
pub mod effects;
pub mod harrell_davis;
pub mod hodges_lehmann;
pub mod holm;
pub mod percentiles;
pub mod random;
pub mod signed_rank;
pub mod theil_sen;

#[cfg(test)]
mod golden;
