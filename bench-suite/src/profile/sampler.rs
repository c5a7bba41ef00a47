//! The sampler's process: batches back to back under pprof, until there are enough samples.
//!
//! How to live with pprof 0.15: the default unwinder with a blocklist, a process of its own, well below the kernel's tick.

use super::folded;
use crate::failure::Failure;
use crate::load::Load;
use crate::plan::{NS_PER_S, PROFILE_NS, PROFILE_SAMPLES, TrialSpec};
use crate::status::{Stage, Status};
use downbeat_engine::StreamingContext;
use downbeat_engine::clock::process_cpu_ns;
use downbeat_engine::metrics::{BatchListener, BatchReport};
use downbeat_reports::record::Profile;
use downbeat_workloads::catalog::Job;
use pprof::protos::Message;
use pprof::{ProfilerGuard, ProfilerGuardBuilder};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Objects whose code is not unwound from: a sample inside the unwinder itself can hang or crash.
pub const BLOCKLIST: &[&str] = &["libgcc", "ld-linux", "vdso"];

/// What is said about where the samples come from.
const SAMPLER: &str = "pprof 0.15, libgcc unwinder";

/// Load replayed by one context; the labels of its batches lie in the past, and the monotonic clock began with the host.
const ROUND_NS: u64 = 30 * NS_PER_S;

/// How often the progress of a round is looked at.
const PERIOD: Duration = Duration::from_millis(5);

/// Samples the job of a spec, leaves the profile in pprof's format beside the record's place.
///
/// # Errors
/// The job cannot be built, the sampler cannot start, or the file cannot be written.
pub(crate) fn sample(spec: &TrialSpec, job: &dyn Job, record: &Path) -> Result<Profile, Failure> {
    Status { stage: Stage::Profiling, ..Status::default() }.write(&spec.status);
    let load = Load::for_replay(spec, job, ROUND_NS)?;
    let frequency_hz = load.settings.run.profile_hz;
    let guard = start(frequency_hz)?;
    let (begun, cpu_before_ns) = (Instant::now(), process_cpu_ns());
    let expected = || (process_cpu_ns() - cpu_before_ns) * u64::from(frequency_hz) / NS_PER_S;
    let is_enough = || expected() >= PROFILE_SAMPLES || begun.elapsed().as_nanos() >= u128::from(PROFILE_NS);
    while !is_enough() {
        replay(&load, job, &is_enough)?;
    }
    let (expected_samples, replay_s) = (expected(), begun.elapsed().as_secs_f64());
    let report = guard.report().build().map_err(failed)?;
    let protobuf = report.pprof().map_err(failed)?.encode_to_vec();
    let path = super::protobuf_path(record);
    std::fs::write(&path, protobuf)
        .map_err(|error| Failure::environment(format!("cannot write {}: {error}", path.display())))?;
    Ok(Profile {
        sampler: Some(SAMPLER.to_owned()),
        frequency_hz,
        samples: report.data.values().map(|count| u64::try_from(*count).unwrap_or(0)).sum(),
        expected_samples,
        replay_s,
        folded: folded::fold(&report),
        unavailable: None,
    })
}

fn start(frequency_hz: u32) -> Result<ProfilerGuard<'static>, Failure> {
    let frequency = i32::try_from(frequency_hz).unwrap_or(99);
    ProfilerGuardBuilder::default().frequency(frequency).blocklist(BLOCKLIST).build().map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::internal(format!("the sampler failed: {error}"))
}

/// One context whose whole load is primed: its batches run back to back.
fn replay(load: &Load, job: &dyn Job, is_enough: &dyn Fn() -> bool) -> Result<(), Failure> {
    let batches = (ROUND_NS / load.settings.engine.interval_ns).max(1);
    let context = StreamingContext::new(load.settings.engine.clone())?;
    let built = load.build(&context, job)?;
    context.prime(batches);
    let done = Arc::new(Done::default());
    context.add_listener(done.clone());
    context.start()?;
    while done.0.load(Ordering::Relaxed) < batches && !is_enough() {
        if context.await_termination_or_timeout(PERIOD)? {
            break;
        }
    }
    context.stop(Duration::ZERO)?;
    drop(built);
    Ok(())
}

/// Counts batches.
#[derive(Default)]
struct Done(AtomicU64);

impl BatchListener for Done {
    fn batch_completed(&self, _: &BatchReport) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
