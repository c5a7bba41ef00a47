//! One fresh process of one arm: what was asked of it, what it left, what disturbed the host meanwhile.

use super::measured::BlocksRecord;
use super::stretches;
use crate::failure::Failure;
use crate::machine::{Canary, Counters};
use crate::plan::{Blocks, Mode, PROTOCOL, TrialSpec};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::source::Source;
use crate::subject::embedded::{self, Files, Program};
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::record::{ArmRun, HostNoise};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Where processes of arms run.
pub(super) struct Processes {
    directory: PathBuf,
    signals: Signals,
    progress: Progress,
    canary: Canary,
    started: u64,
}

/// What one process is to do.
#[derive(Clone, Debug)]
pub(super) struct Task<'t> {
    /// Name of the workload.
    pub(super) workload: &'t str,
    /// The settings that were chosen; the arm has its own defaults for the others.
    pub(super) settings: BTreeMap<String, String>,
    /// How it runs.
    pub(super) mode: Mode,
    /// When it hangs, nanoseconds.
    pub(super) limit_ns: u64,
}

impl Processes {
    /// Their files go below `directory`, which exists.
    pub(super) fn new(directory: &Path, signals: Signals, progress: Progress) -> Self {
        Processes { directory: directory.to_owned(), signals, progress, canary: Canary::new(), started: 0 }
    }

    /// Says something on stderr.
    pub(super) fn say(&mut self, message: &str) {
        if !self.progress.is_quiet() {
            self.progress.say(message);
        }
    }

    /// Runs a process to its end. What it left, or why it left nothing.
    ///
    /// # Errors
    /// The failure that it told, or that it died, hung or left what cannot be read (exit 70); a signal came (exit 130 or 143).
    pub(super) fn run<T: DeserializeOwned>(&mut self, program: &Program, task: &Task<'_>) -> Result<T, Failure> {
        self.started += 1;
        let name = format!("process-{}", self.started);
        let files = Files::new(&self.directory, &name);
        let spec = spec(task, &name, &files);
        let ended = embedded::run_program(program, &spec, &files, &self.signals, &mut self.progress);
        if let Some(exit) = self.signals.exit() {
            return Err(Failure::new(exit, "interrupted"));
        }
        let read = ended.and_then(|()| read(&files.record));
        for file in [&files.spec, &files.record, &files.status, &files.failure] {
            let _ = std::fs::remove_file(file);
        }
        read
    }

    /// Runs a process of a block, with a look at the host right before it and a watch over it meanwhile.
    ///
    /// # Errors
    /// A signal came, the arm speaks another protocol (exit 125), or the surroundings failed (exit 7). An arm that fails otherwise is a
    /// run with a failure.
    pub(super) fn measure(&mut self, program: &Program, task: &Task<'_>) -> Result<ArmRun, Failure> {
        let Mode::Blocks(blocks) = task.mode else {
            return Err(Failure::internal("an arm's process measures blocks only"));
        };
        let seen = self.canary.look();
        let (before, begun) = (Counters::read(), Instant::now());
        let ended = self.run::<BlocksRecord>(program, task);
        let wall_ns = begun.elapsed().as_nanos() as u64;
        let grown = Counters::read().since(&before);
        let noise = HostNoise {
            wall_ns,
            steal_ns: grown.steal_ns,
            throttled_ns: grown.throttled_ns,
            foreign_ns: grown.foreign_ns(),
            pressure_ns: grown.pressure_ns,
            canary_ns: seen.work_ns,
            hiccup_ns: seen.hiccup_ns,
        };
        let run = match ended {
            Ok(record) => figures(&record, &blocks).unwrap_or_else(failed),
            Err(failure) if ends_the_gate(&failure) => return Err(failure),
            Err(failure) => failed(failure.message),
        };
        Ok(ArmRun { noise, ..run })
    }
}

/// Whether a failure is none of the arm's, or one that no measurement can get round.
pub(super) fn ends_the_gate(failure: &Failure) -> bool {
    matches!(failure.exit(), Exit::NotJudged | Exit::Interrupted | Exit::Terminated | Exit::Environment)
}

fn failed(why: String) -> ArmRun {
    ArmRun { failure: Some(why), ..ArmRun::default() }
}

fn spec(task: &Task<'_>, name: &str, files: &Files) -> TrialSpec {
    TrialSpec {
        protocol: PROTOCOL,
        mode: task.mode,
        run: name.to_owned(),
        command: String::new(),
        subject: embedded::NAME.to_owned(),
        workload: task.workload.to_owned(),
        settings: task.settings.clone(),
        origins: BTreeMap::new(),
        source: Source::Generator,
        batches: None,
        warmup_batches: 0,
        // Nothing is paced, so there is nothing that a generator could be too slow for.
        ceiling_per_s: Some(0),
        time_limit_ns: task.limit_ns,
        time_limit_is_given: false,
        answer: None,
        status: files.status.clone(),
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let unreadable = |why: String| Failure::internal(format!("it left a record that cannot be read: {why}"));
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
}

/// The figures of a process that did what was asked of it; or what it did instead.
fn figures(record: &BlocksRecord, asked: &Blocks) -> Result<ArmRun, String> {
    let done = Blocks {
        batch_records: record.batch_records,
        batches: record.processing_ns.len() as u64,
        large_records: record.large_records,
        large_batches: record.large_processing_ns.len() as u64,
    };
    if done != *asked {
        return Err(format!(
            "it ran {} batches of {} records and {} of {}, not {} of {} and {} of {}",
            done.batches,
            done.batch_records,
            done.large_batches,
            done.large_records,
            asked.batches,
            asked.batch_records,
            asked.large_batches,
            asked.large_records
        ));
    }
    let figures = stretches::figures(&record.processing_ns, record.large_records, &record.large_processing_ns);
    Ok(ArmRun { answer_hash: Some(record.answer_hash.clone()), ..figures })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Blocks = Blocks { batch_records: 10, batches: 4, large_records: 1_000, large_batches: 3 };

    fn record() -> BlocksRecord {
        BlocksRecord {
            workload: "w".into(),
            batch_records: 10,
            processing_ns: vec![5, 1, 3, 3],
            large_records: 1_000,
            large_processing_ns: vec![1_000_000, 90_000_000, 2_000_000],
            answer_hash: "aa".into(),
        }
    }

    #[test]
    fn a_process_that_did_what_was_asked_has_its_figures_and_answers() {
        let run = figures(&record(), &ASKED).unwrap();
        assert_eq!((run.median_ns, run.batches, run.answer_hash.as_deref()), (Some(3.0), 4, Some("aa")));
        assert_eq!(run.capacity_per_s, Some(1e6), "1,000 records in the quietest millisecond of three");
        assert!(run.p99_ns > run.median_ns && run.failure.is_none());
    }

    #[test]
    fn who_did_something_else_has_no_figures() {
        let fewer = BlocksRecord { processing_ns: vec![5, 1], ..record() };
        let smaller = BlocksRecord { batch_records: 9, ..record() };
        let none = BlocksRecord { large_processing_ns: Vec::new(), ..record() };
        for other in [fewer, smaller, none] {
            assert!(figures(&other, &ASKED).unwrap_err().contains("not 4 of 10 and 3 of 1000"));
        }
    }
}
