//! Where the CPU time goes: a second child replays the batches unpaced under a sampling profiler.
//!
//! The sampler may crash or hang its process, so it gets one of its own, twice if need be; without it the run is as good.

mod folded;
mod sampler;

pub use folded::fold;
pub use sampler::BLOCKLIST;
pub(crate) use sampler::sample;

use crate::failure::Failure;
use crate::plan::TrialSpec;
use crate::progress::Progress;
use crate::signals::Signals;
use crate::source::Source;
use crate::subject::embedded::{self, Files};
use downbeat_reports::record::Profile;
use std::path::Path;

/// Times that a profile is tried.
const ATTEMPTS: usize = 2;

/// Where the sampler leaves its profile in pprof's own format, beside its record.
pub(crate) fn protobuf_path(record: &Path) -> std::path::PathBuf {
    record.with_extension("pb")
}

/// Takes a profile, or says why there is none. Never fails: the trial is measured already.
pub(crate) fn take(spec: &TrialSpec, files: &Files, signals: &Signals, progress: &mut Progress) -> Profile {
    if matches!(spec.source, Source::Tcp { .. }) {
        return unavailable("lines from a TCP source cannot be replayed");
    }
    let mut last = Failure::internal("it was not tried");
    for _ in 0..ATTEMPTS {
        let before = signals.count();
        let tried = embedded::run(spec, files, signals, progress).and_then(|()| read(files));
        match tried {
            Ok(profile) => return profile,
            Err(_) if signals.count() > before => return unavailable("interrupted"),
            Err(failure) => last = failure,
        }
    }
    unavailable(&format!("tried {ATTEMPTS} times: {}", last.message))
}

/// No profile, and why.
pub(crate) fn unavailable(reason: &str) -> Profile {
    Profile { unavailable: Some(reason.to_owned()), ..Profile::default() }
}

fn read(files: &Files) -> Result<Profile, Failure> {
    let unreadable = |reason: String| Failure::internal(format!("the profile is unreadable: {reason}"));
    let bytes = std::fs::read(&files.record).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
}
