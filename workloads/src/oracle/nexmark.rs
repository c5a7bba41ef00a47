//! The right answers of the Nexmark queries.

mod event;
mod facts;
mod q0;
mod q1;
mod q2;
mod q3;
mod q5;
mod q8;
mod window;

pub use q0::NexmarkQ0Oracle;
pub use q1::NexmarkQ1Oracle;
pub use q2::NexmarkQ2Oracle;
pub use q3::NexmarkQ3Oracle;
pub use q5::NexmarkQ5Oracle;
pub use q8::NexmarkQ8Oracle;

use super::Row;
use crate::answers::sort_rows;
use std::collections::BTreeMap;

/// Final rows in their order.
fn sorted(totals: BTreeMap<Vec<u8>, u64>) -> Vec<Row> {
    let mut rows: Vec<Row> = totals.into_iter().map(|(key, count)| Row { key, count }).collect();
    sort_rows(&mut rows);
    rows
}

#[cfg(test)]
mod tests;
