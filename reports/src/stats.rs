//! The statistics that verdicts and reports rest on. Every function is pure and gives the same result for the same input.

pub mod bootstrap;
pub mod clopper_pearson;
pub mod effects;
pub mod percentiles;
pub mod random;
pub mod theil_sen;
