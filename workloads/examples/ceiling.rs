//! Prints what the generator alone reaches on one core: replay of a ring, and text made on the fly.

use downbeat_workloads::catalog::CATALOG;
use downbeat_workloads::generator::ceiling_per_s;
use downbeat_workloads::load::{LoadSettings, TextMode};
use downbeat_workloads::schedule::{Arrivals, FACTOR_ONE};

// An example's output is its purpose.
#[allow(clippy::print_stdout)]
fn main() -> Result<(), downbeat_workloads::error::LoadError> {
    for job in CATALOG {
        for arrivals in [
            Arrivals::Constant,
            Arrivals::Ramp { from: 0, to: 2 * FACTOR_ONE, over_ns: 1_000_000_000 },
            Arrivals::Poisson,
            Arrivals::Bursty { factor: 4 * FACTOR_ONE, burst_ns: 200_000_000, calm_ns: 1_800_000_000 },
        ] {
            for (mode, text, ring_bytes) in [
                ("ring 64 MiB", TextMode::Ring, 64 << 20),
                ("ring 256 MiB", TextMode::Ring, 256 << 20),
                ("live", TextMode::Live, 1),
            ] {
                let load = LoadSettings { text, ring_bytes, arrivals: arrivals.clone(), ..LoadSettings::default() };
                let per_s = ceiling_per_s(&job.payload(&load)?, &load)?;
                println!("{:<10} {:<24} {mode:<12} {:>8.2} M lines/s", job.name(), arrivals.to_string(), per_s / 1e6);
            }
        }
    }
    Ok(())
}
