//! The gate: two builds measured side by side in blocks of fresh processes, each build with its own binary.

pub(crate) mod arm;
pub(crate) mod bisect;
mod chosen;
mod counts;
mod figures;
pub(crate) mod history;
pub(crate) mod measured;
mod order;
mod plan;
mod process;
mod profiles;
pub(crate) mod run;
mod self_test;
mod sizes;
pub(crate) mod stored;
mod work;
mod workloads;
