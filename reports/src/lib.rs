//! Records of measured trials as plain data, what they mean (statistics, verdicts) and how they are shown.
//!
//! Nothing here runs or measures anything: a report is a function of a record.

pub mod capacity;
pub mod columns;
pub mod compare;
pub mod exit;
pub mod explain;
pub mod figures;
pub mod flame;
pub mod format;
pub mod gate;
pub mod inert;
pub mod judged;
pub mod limit;
pub mod quantity;
pub mod record;
pub mod samples;
pub mod search;
pub mod stats;
pub mod store;
pub mod summary;
pub mod verdict;

// The hand-made records name this crate as users of it do.
#[cfg(test)]
extern crate self as downbeat_reports;

#[cfg(test)]
#[path = "../tests/examples.rs"]
mod examples;

#[cfg(test)]
#[path = "../tests/gates.rs"]
mod gates;
