//! One trial: the process in which a job runs under its load, is measured, and leaves a record.

mod answers;
mod blocks;
mod capacity;
mod collector;
mod control;
mod drain;
mod during;
#[cfg(test)]
mod examples;
mod integrity;
mod latency;
mod measure;
mod places;
mod record;
mod sampler;
mod spans;
mod symbols;
mod telling;

use crate::failure::Failure;
use crate::plan::{Mode, PROTOCOL, TrialSpec};
use crate::profile;
use crate::run_settings::RunSettings;
use crate::signals::Signals;
use crate::subject::embedded::failure_path;
use control::Control;
use downbeat_engine::allocator;
use downbeat_reports::exit::Exit;
use downbeat_workloads::catalog::Job;
use serde::Serialize;
use std::io::Write;
use std::path::Path;

/// Where a measured trial leaves its samples, beside its record.
pub(crate) fn samples_path(record: &Path) -> std::path::PathBuf {
    record.with_extension("samples")
}

/// Does what the spec says and writes the record, or beside it why there is none: the parent tells it to the user.
///
/// # Errors
/// The failure, when it could not be written either.
pub(crate) fn run(spec: &Path, record: &Path, jobs: &[&dyn Job]) -> Result<Exit, Failure> {
    let done = read_spec(spec).and_then(|spec| carry_out(&spec, record, jobs));
    match done {
        Ok(()) => Ok(Exit::Ok),
        Err(failure) => match write_whole(&failure_path(record), &failure) {
            Ok(()) => Ok(failure.exit()),
            Err(_) => Err(failure),
        },
    }
}

fn read_spec(path: &Path) -> Result<TrialSpec, Failure> {
    let unreadable = |reason: String| Failure::internal(format!("cannot read the plan {}: {reason}", path.display()));
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let probe: serde_json::Value = serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if probe["protocol"] != PROTOCOL {
        let found = &probe["protocol"];
        let message = format!("the plan speaks protocol {found}, this build speaks {PROTOCOL}: it cannot judge");
        return Err(Failure::new(Exit::NotJudged, message).help("use builds of the same version"));
    }
    serde_json::from_value(probe).map_err(|error| unreadable(error.to_string()))
}

fn carry_out(spec: &TrialSpec, record: &Path, jobs: &[&dyn Job]) -> Result<(), Failure> {
    check_allocator(&spec.trial_settings()?.run)?;
    let job = crate::jobs::find(jobs, &spec.workload)?;
    let control = Control::listen(Signals::catch()?);
    match spec.mode {
        Mode::Measure => {
            let (measured, samples) = measure::measure(spec, job, &control)?;
            if let Some(samples) = samples {
                write_whole(&samples_path(record), &samples)?;
            }
            write_whole(record, &measured)
        }
        Mode::Capacity { measure_ns } => write_whole(record, &capacity::measure(spec, job, measure_ns)?),
        Mode::Blocks(blocks) => write_whole(record, &blocks::measure(spec, job, &blocks)?),
        Mode::Counts { batch_records, batches } => {
            write_whole(record, &blocks::count(spec, job, batch_records, batches)?)
        }
        Mode::Profile => write_whole(record, &profile::sample(spec, job, record)?),
    }
}

/// The allocator that was asked for is in use, with the options that were asked for: what is measured is what the record says.
fn check_allocator(run: &RunSettings) -> Result<(), Failure> {
    let (asked, used) = (run.allocator_name(), allocator::kind());
    if used == "undeclared" && run.allocator_options == allocator::Options::default() {
        return Ok(());
    }
    if used != asked {
        let message = format!("the allocator in use is `{used}`, the plan asks for `{asked}`");
        return Err(Failure::internal(message).help(format!("start trials with {}={asked}", allocator::VARIABLE)));
    }
    let variables = run.allocator_options.variables(asked);
    let variables: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
    run.allocator_options.prove().map_err(|problem| {
        let given = format!("the trial needs {} in its environment, and a system that allows it", variables.join(" "));
        Failure::environment(problem).help(given)
    })
}

/// Under a temporary name first: a reader sees all of it or nothing.
fn write_whole(path: &Path, content: &impl Serialize) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::environment(format!("cannot write {}: {error}", path.display()))
            .help("give --out a directory with room")
    };
    let json =
        serde_json::to_vec(content).map_err(|error| Failure::internal(format!("cannot write the record: {error}")))?;
    let temporary = path.with_extension("partial");
    let mut file = std::fs::File::create(&temporary).map_err(failed)?;
    file.write_all(&json).and_then(|()| file.sync_all()).map_err(failed)?;
    std::fs::rename(&temporary, path).map_err(failed)
}
