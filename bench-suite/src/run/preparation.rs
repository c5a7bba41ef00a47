//! Before a run: everything that can be known to fail is found here, before anything is written.

use super::command_line;
use crate::failure::Failure;
use crate::load::Load;
use crate::plan::{Length, Mode, NS_PER_S, PROTOCOL, TrialSpec, time_limit_ns};
use crate::request::RunRequest;
use crate::source::Source;
use crate::subject::embedded;
use downbeat_reports::quantity::duration;
use downbeat_workloads::catalog::Job;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The job can be built with these settings, the input can be read, the answer can be written.
///
/// # Errors
/// What cannot: exit 2 for the job and its settings, 7 for files.
pub(super) fn check(request: &RunRequest, job: &dyn Job) -> Result<(), Failure> {
    Load::check(&request.resolved.settings, job)?;
    if let Source::Tcp { .. } = &request.source
        && let Some(name) = ["rate", "arrivals", "keys", "seed", "text", "ring"]
            .into_iter()
            .find(|name| request.resolved.is_given(name))
    {
        let message = format!("{name} is given, but with --source the sender decides what comes, and when");
        return Err(Failure::usage(message).help(format!("leave {name} out, or leave --source out")));
    }
    if let Source::File { path, .. } = &request.source {
        let opened = std::fs::File::open(path).and_then(|file| file.metadata());
        match opened {
            Ok(metadata) if metadata.is_dir() => {
                return Err(
                    Failure::environment(format!("--input {} is a directory", path.display())).help("give a text file")
                );
            }
            Ok(_) => Load::check_input(&request.resolved.settings, path)?,
            Err(error) => {
                return Err(Failure::environment(format!("cannot read --input {}: {error}", path.display()))
                    .help("give a readable file"));
            }
        }
    }
    if let Some(answer) = &request.answer {
        let directory = answer.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if !directory.is_dir() || answer.is_dir() {
            let message =
                format!("cannot write --answer {}: there is no such directory, or it is one itself", answer.display());
            return Err(Failure::environment(message).help("name a file in a directory that exists"));
        }
    }
    Ok(())
}

/// The trial that the request asks for; `status` is filled in when there is a directory.
pub(super) fn spec(request: &RunRequest, arguments: &[OsString]) -> Result<TrialSpec, Failure> {
    let settings = &request.resolved.settings;
    let length = Length::of(&request.resolved, &request.source);
    let input_ns = input_ns(request);
    let seed_is_given = request.resolved.is_given("seed");
    Ok(TrialSpec {
        protocol: PROTOCOL,
        mode: Mode::Measure,
        run: run_name(),
        command: command_line::reproducing(arguments.iter().cloned(), settings.load.seed, seed_is_given),
        subject: embedded::NAME.to_owned(),
        workload: request.workload.clone(),
        settings: settings.values(),
        origins: request.resolved.origins.clone(),
        source: absolute(&request.source)?,
        batches: length.batches,
        warmup_batches: length.warmup_batches,
        time_limit_ns: time_limit_ns(length, &settings.run, &settings.engine, &request.source, input_ns),
        time_limit_is_given: settings.run.max_time_ns.is_some(),
        answer: request.answer.clone(),
        status: PathBuf::new(),
        ceiling_per_s: None,
        samples: request.profile,
        seat: None,
    })
}

/// Longest time that a file can take at the asked rate: a line has at least one byte.
fn input_ns(request: &RunRequest) -> Option<u64> {
    let Source::File { path, again: false } = &request.source else { return None };
    let bytes = std::fs::metadata(path).ok()?.len();
    Some((bytes as f64 / request.resolved.settings.load.rate_per_s * NS_PER_S as f64) as u64)
}

fn absolute(source: &Source) -> Result<Source, Failure> {
    match source {
        Source::File { path, again } => {
            let path = std::path::absolute(path)
                .map_err(|error| Failure::environment(format!("{}: {error}", path.display())))?;
            Ok(Source::File { path, again: *again })
        }
        other => Ok(other.clone()),
    }
}

/// Date, time (UTC) and four digits that tell runs of one minute apart.
pub(crate) fn run_name() -> String {
    let now = jiff::Timestamp::now();
    let mixed = (now.as_nanosecond() as u64 ^ u64::from(std::process::id()) << 32).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    format!("{}-{:04x}", now.strftime("%Y%m%d-%H%M"), mixed >> 48)
}

/// The plan for people: what would be measured, for how long, with which settings.
pub(super) fn describe(spec: &TrialSpec, request: &RunRequest) -> String {
    let interval_ns = request.resolved.settings.engine.interval_ns;
    let judged = spec.batches.map_or("all".to_owned(), |batches| batches.to_string());
    let length = Length { batches: spec.batches, warmup_batches: spec.warmup_batches };
    let time = length
        .planned_ns(interval_ns)
        .map_or("until the input ends".to_owned(), |ns| format!("about {}", duration(ns)));
    let mut text = format!(
        "plan     1 trial of {}: {} warm-up batches and {judged} judged ones, {time}\nload     {}\nends     after {} at the latest\n",
        spec.workload,
        spec.warmup_batches,
        request.source,
        duration(spec.time_limit_ns),
    );
    for (name, value) in &spec.settings {
        let origin = spec.origins.get(name).map_or("", String::as_str);
        text.push_str(&format!("         {name:<16} {value:<12} {origin}\n"));
    }
    text
}
