//! `--profile-time`: an adapter of pprof to criterion's `Profiler`, which writes a flamegraph per benchmark.

use criterion::Criterion;
use criterion::profiler::Profiler;
use downbeat_reports::flame;
use downbeat_reports::record::TrialRecord;
use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use std::path::Path;

const FREQUENCY_HZ: i32 = 99;

/// Criterion with flamegraphs on `--profile-time`.
pub fn criterion() -> Criterion {
    Criterion::default().with_profiler(Flamegraphs { guard: None })
}

struct Flamegraphs {
    guard: Option<ProfilerGuard<'static>>,
}

impl Profiler for Flamegraphs {
    fn start_profiling(&mut self, _: &str, _: &Path) {
        let guard =
            ProfilerGuardBuilder::default().frequency(FREQUENCY_HZ).blocklist(downbeat::profile::BLOCKLIST).build();
        self.guard = guard.inspect_err(|error| eprintln!("no profile: {error}")).ok();
    }

    fn stop_profiling(&mut self, benchmark_id: &str, directory: &Path) {
        let Some(guard) = self.guard.take() else { return };
        let written = guard.report().build().map_err(|error| error.to_string()).and_then(|report| {
            let svg = flamegraph(benchmark_id, &report)?;
            std::fs::create_dir_all(directory).map_err(|error| error.to_string())?;
            let path = directory.join("flamegraph.svg");
            std::fs::write(&path, svg).map_err(|error| error.to_string())?;
            Ok(path)
        });
        match written {
            Ok(path) => eprintln!("flamegraph: {}", path.display()),
            Err(error) => eprintln!("no flamegraph of {benchmark_id}: {error}"),
        }
    }
}

fn flamegraph(benchmark_id: &str, report: &pprof::Report) -> Result<String, String> {
    let mut record = TrialRecord { workload: benchmark_id.to_owned(), ..TrialRecord::default() };
    record.profile.frequency_hz = FREQUENCY_HZ.unsigned_abs();
    record.profile.folded = downbeat::profile::fold(report);
    record.profile.samples = report.data.values().map(|count| count.unsigned_abs() as u64).sum();
    flame::render(&record).map_err(|error| error.to_string())
}
