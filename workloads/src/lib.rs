//! Load generators, the catalog of jobs, and for each job an oracle that computes the right answer independently.
//!
//! The way of the load: [`load::LoadSettings`] → [`payload::Payload`] (what is sent) and [`schedule::Schedule`] (when) →
//! [`generator::Generator`] (an engine's receiver) → a job of the [`catalog`] → [`answers::Answers`] → its
//! [`oracle::Oracle`].

pub mod answers;
mod call;
pub mod catalog;
pub mod error;
pub mod generator;
pub mod keys;
pub mod load;
pub mod oracle;
pub mod payload;
mod random;
pub mod records;
pub mod schedule;
