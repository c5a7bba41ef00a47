//! `downbeat run`: check, plan, measure, profile, judge, store, show.

pub(crate) mod command_line;
mod preparation;
mod results;

use crate::ceiling::{self, Ceilings};
use crate::failure::Failure;
use crate::load::UNWRITTEN_ANSWER;
use crate::plan::{Mode, TrialSpec};
use crate::profile;
use crate::progress::Progress;
use crate::request::RunRequest;
use crate::signals::Signals;
use crate::subject::embedded::{self, Files};
use downbeat_reports::exit::Exit;
use downbeat_reports::record::TrialRecord;
use downbeat_reports::store::{self, RunDirectory};
use downbeat_workloads::catalog::Job;
pub(crate) use preparation::run_name;
use results::Results;
use std::ffi::OsString;
use std::path::Path;

/// What goes to stdout, and how the command ends.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// The verdict in the format that was asked for.
    pub(crate) text: Vec<u8>,
    /// Errors and hints for stderr.
    pub(crate) message: Option<String>,
    /// How the command ends.
    pub(crate) exit: Exit,
}

impl Outcome {
    /// Text that was asked for.
    pub(crate) fn shown(text: String) -> Self {
        Outcome { text: text.into_bytes(), message: None, exit: Exit::Ok }
    }
}

/// Measures one setting.
///
/// # Errors
/// Before anything is written: what is wrong with the request (exit 2) or the surroundings (exit 7).
pub(crate) fn run(request: &RunRequest, arguments: &[OsString], jobs: &[&dyn Job]) -> Result<Outcome, Failure> {
    let job = crate::jobs::find(jobs, &request.workload)?;
    preparation::check(request, job)?;
    let spec = preparation::spec(request, arguments)?;
    if request.dry_run {
        let text = preparation::describe(&spec, request);
        return Ok(Outcome::shown(text));
    }
    let signals = Signals::catch()?;
    let settings = &request.resolved.settings;
    let ceiling_per_s = Ceilings::default().per_s(job, settings, &request.source);
    ceiling::check(&settings.load, ceiling_per_s)?;
    let spec = TrialSpec { ceiling_per_s: ceiling_per_s.map(|per_s| per_s as u64), ..spec };
    let directory = result_directory(request.out.as_deref(), &spec.run)?;
    Session { request, spec, signals, directory }.measure()
}

/// The directory that was asked for, or one of the run's own.
///
/// # Errors
/// It holds files (exit 2) or cannot be written (exit 7).
pub(crate) fn result_directory(out: Option<&Path>, run: &str) -> Result<RunDirectory, Failure> {
    Ok(RunDirectory::create(out.map_or_else(|| Path::new("results").join(run), Path::to_owned))?)
}

/// One run with a directory to write to.
struct Session<'r> {
    request: &'r RunRequest,
    spec: TrialSpec,
    signals: Signals,
    directory: RunDirectory,
}

impl Session<'_> {
    fn measure(mut self) -> Result<Outcome, Failure> {
        let work = self.directory.file(".trial");
        let unwritable =
            |error: std::io::Error| Failure::environment(format!("cannot write {}: {error}", work.display()));
        std::fs::create_dir(&work).map_err(unwritable)?;
        let mut progress = Progress::new(self.request.quiet, self.interval_ns()).with_stages();
        let mut record = match self.trial(&Files::new(&work, "trial"), &mut progress) {
            Ok(record) => record,
            Err(failure) => {
                if failure.exit() != Exit::Internal {
                    self.leave_nothing(&work);
                }
                return Ok(results::missing(&self.spec, &failure, self.request.output));
            }
        };
        let files = Files::new(&work, "profile");
        record.profile = self.profile(&record, &files, &mut progress);
        drop(progress);
        let trial = Files::new(&work, "trial");
        let results = Results {
            directory: &self.directory,
            protobuf: profile::protobuf_path(&files.record),
            samples: crate::trial::samples_path(&trial.record),
        };
        let mut outcome = results.finish(&record, self.request.output, self.signals.exit());
        if outcome.exit.code() == 0 && record.warnings.iter().any(|warning| warning.starts_with(UNWRITTEN_ANSWER)) {
            outcome.exit = Exit::Environment;
        }
        if outcome.exit != Exit::Internal {
            // What is left there is of no more use; a leftover harms nobody.
            let _ = std::fs::remove_dir_all(&work);
        }
        Ok(outcome)
    }

    /// Nothing was measured, and the reason is known: a directory without a result would only puzzle.
    fn leave_nothing(&self, work: &Path) {
        let _ = std::fs::remove_dir_all(work);
        // Fails when something else is in there, which is then kept.
        let _ = std::fs::remove_dir(self.directory.path());
    }

    fn interval_ns(&self) -> u64 {
        self.request.resolved.settings.engine.interval_ns
    }

    fn trial(&mut self, files: &Files, progress: &mut Progress) -> Result<TrialRecord, Failure> {
        self.spec.status.clone_from(&files.status);
        embedded::run(&self.spec, files, &self.signals, progress)?;
        Ok(store::load(&files.record)?)
    }

    fn profile(
        &self,
        record: &TrialRecord,
        files: &Files,
        progress: &mut Progress,
    ) -> downbeat_reports::record::Profile {
        if !self.request.profile {
            return profile::unavailable("--no-profile was given");
        }
        if !self.request.replay {
            return profile::unavailable("--no-replay was given");
        }
        if record.interrupted || record.failure.is_some() || record.batches.iter().any(|batch| batch.failure.is_some())
        {
            return profile::unavailable("the trial did not run to its end");
        }
        let limit_ns = crate::plan::PROFILE_NS * 4;
        let spec = TrialSpec {
            mode: Mode::Profile,
            status: files.status.clone(),
            time_limit_ns: limit_ns,
            ..self.spec.clone()
        };
        profile::take(&spec, files, &self.signals, progress)
    }
}
