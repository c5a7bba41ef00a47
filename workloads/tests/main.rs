//! Integration tests of the workloads on the real engine.
//!
//! - `generator`: what is handed over, when, on a clock that stands still
//! - `jobs`: each job agrees with its oracle under every codec, pool and number of partitions
//! - `harness`: what both need

mod generator;
mod harness;
mod jobs;
