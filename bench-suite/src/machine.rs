//! The machine: what it is (fingerprint) and what disturbs it while it is measured (noise).

mod canary;
mod code_pages;
pub(crate) mod cores;
mod disturbance;
mod fingerprint;
mod naps;
mod noise;
mod priority;

pub(crate) use canary::Canary;
pub(crate) use code_pages::CodePages;
pub(crate) use disturbance::{Counters, group_directories};
pub use fingerprint::fingerprint;
pub(crate) use naps::{Naps, naps};
pub use noise::{NoiseMeter, NoiseReading, steal_ns};
pub(crate) use priority::raise as raise_priority;

/// Largest resident size of this process so far, bytes; 0 where the system does not tell.
pub fn peak_rss_bytes() -> u64 {
    let status = procfs::process::Process::myself().and_then(|process| process.status());
    status.ok().and_then(|status| status.vmhwm).unwrap_or(0) * 1024
}
