//! The queries of the Nexmark benchmark on events of an online auction; the events are those of
//! [`Nexmark`](crate::payload::Nexmark).
//!
//! How the queries differ from nexmark/nexmark (`queries/q*.sql`): windows slide with each batch and hold batches, not event
//! times; `q1` calculates in whole cents; `q3` forgets auctions whose seller has not come yet; `q5` gives ten auctions, not
//! those with the highest count alone.

mod digest;
mod event;
mod q0;
mod q1;
mod q2;
mod q3;
mod q5;
mod q8;

pub(super) use q0::Q0;
pub(super) use q1::Q1;
pub(super) use q2::Q2;
pub(super) use q3::Q3;
pub(super) use q5::Q5;
pub(super) use q8::Q8;

use crate::load::LoadSettings;
use crate::payload::{LineSource, Nexmark};
use std::sync::Arc;
use std::time::Duration;

fn events(load: &LoadSettings) -> Arc<dyn LineSource> {
    Arc::new(Nexmark::drawn(load.seed, &load.keys))
}

/// Batches that fill the window.
fn window_batches(load: &LoadSettings, interval_ns: u64) -> u64 {
    load.window_ns.div_ceil(interval_ns)
}

/// Window and slide of a job whose window slides with each batch.
fn window_and_slide(load: &LoadSettings, interval_ns: u64) -> (Duration, Duration) {
    (Duration::from_nanos(load.window_ns), Duration::from_nanos(interval_ns))
}

/// Batches that the oracle has in its window; one at least.
fn oracle_batches(load: &LoadSettings, interval_ns: u64) -> usize {
    usize::try_from(load.window_ns / interval_ns).unwrap_or(usize::MAX).max(1)
}
