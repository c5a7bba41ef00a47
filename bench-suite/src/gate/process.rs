//! Fresh processes of the arms: one by itself, or those of a block, which take turns. What was asked of them, what they left, what
//! disturbed the host meanwhile.

use super::figures;
use super::measured::BlocksRecord;
use crate::failure::Failure;
use crate::machine::{Canary, Counters, cores};
use crate::plan::{Blocks, Mode, PROTOCOL, TrialSpec};
use crate::progress::Progress;
use crate::signals::Signals;
use crate::source::Source;
use crate::subject::embedded::{self, Files, Program};
use crate::subject::together::{self, Child};
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::record::{ArmRun, HostNoise};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Where processes of arms run.
pub(super) struct Processes {
    directory: PathBuf,
    signals: Signals,
    progress: Progress,
    canary: Canary,
    cores: Vec<usize>,
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
    /// Their files go below `directory`, which exists, and those that are measured run on these cores.
    pub(super) fn new(directory: &Path, cores: Vec<usize>, signals: Signals, progress: Progress) -> Self {
        let canary = cores::on(&cores, Canary::new);
        Processes { directory: directory.to_owned(), signals, progress, canary, cores, started: 0 }
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
        let (files, spec) = self.prepare(task);
        let ended = embedded::run_program(program, &spec, &files, &self.signals, &mut self.progress);
        self.ended(ended, &files)
    }

    fn prepare(&mut self, task: &Task<'_>) -> (Files, TrialSpec) {
        self.started += 1;
        let name = format!("process-{}", self.started);
        let files = Files::new(&self.directory, &name);
        let spec = spec(task, &name, &files);
        (files, spec)
    }

    fn ended<T: DeserializeOwned>(&self, ended: Result<(), Failure>, files: &Files) -> Result<T, Failure> {
        if let Some(exit) = self.signals.exit() {
            return Err(Failure::new(exit, "interrupted"));
        }
        let read = ended.and_then(|()| read(&files.record));
        for file in [&files.spec, &files.record, &files.status, &files.failure] {
            let _ = std::fs::remove_file(file);
        }
        read
    }

    /// Runs the processes of a block, one turn of each after another, with a look at the host right before them and a watch over it
    /// in each turn. One run for each program, in their order, which is that of the first round of turns.
    ///
    /// # Errors
    /// A signal came, an arm speaks another protocol (exit 125), or the surroundings failed (exit 7). An arm that fails otherwise is a
    /// run with a failure.
    pub(super) fn measure(&mut self, programs: &[Program], task: &Task<'_>) -> Result<Vec<ArmRun>, Failure> {
        let Mode::Blocks(blocks) = task.mode else {
            return Err(Failure::internal("an arm's process measures blocks only"));
        };
        let seen = cores::on(&self.cores, || self.canary.look());
        let (before, begun) = (Counters::read(&self.cores), Instant::now());
        let (ended, noises) = self.together(programs, task)?;
        let foreign_ns = Counters::read(&self.cores).since(&before).foreign_ns();
        let wall_ns: u64 = noises.iter().map(|noise| noise.wall_ns).sum();
        // Between two turns the cores are free for others.
        let between_ns = (begun.elapsed().as_nanos() as u64).saturating_sub(wall_ns);
        let foreign_ns = foreign_ns.map(|ns| ns.saturating_sub(between_ns));
        let mut runs = runs(ended, &blocks)?;
        for (run, noise) in runs.iter_mut().zip(noises) {
            // Whose turn it was when others ran is not known: each has its share.
            let share = noise.wall_ns as f64 / wall_ns.max(1) as f64;
            let foreign_ns = foreign_ns.map(|ns| (ns as f64 * share) as u64);
            run.noise = HostNoise { foreign_ns, canary_ns: seen.work_ns, hiccup_ns: seen.hiccup_ns, ..noise };
        }
        Ok(runs)
    }

    /// What each process left, and what disturbed it.
    fn together(&mut self, programs: &[Program], task: &Task<'_>) -> Result<(Vec<Told>, Vec<HostNoise>), Failure> {
        let mut children = Vec::new();
        for program in programs {
            let (files, spec) = self.prepare(task);
            let program = Program { cores: self.cores.clone(), ..program.clone() };
            children.push(Child { program, spec, files });
        }
        let files: Vec<Files> = children.iter().map(|child| child.files.clone()).collect();
        let mut noises = vec![HostNoise::default(); children.len()];
        let mut before = Counters::read(&self.cores);
        let ended = together::run(children, &self.signals, Duration::from_nanos(task.limit_ns), |at, played| {
            let now = Counters::read(&self.cores);
            if let Some(played) = played {
                add(&mut noises[at], played, &now.since(&before));
            }
            before = now;
        })?;
        let left = ended.into_iter().zip(&files).map(|(ended, files)| self.ended(ended, files));
        Ok((left.collect(), noises))
    }
}

/// What a process left, or why it left nothing.
type Told = Result<BlocksRecord, Failure>;

fn add(noise: &mut HostNoise, played: Duration, grown: &Counters) {
    let sum = |all: &mut Option<u64>, some: Option<u64>| *all = some.map(|some| all.unwrap_or(0) + some);
    noise.wall_ns += played.as_nanos() as u64;
    sum(&mut noise.steal_ns, grown.steal_ns);
    sum(&mut noise.throttled_ns, grown.throttled_ns);
    sum(&mut noise.pressure_ns, grown.pressure_ns);
}

/// The figures of those that did what was asked of them; of the others what they did instead.
fn runs(told: Vec<Told>, asked: &Blocks) -> Result<Vec<ArmRun>, Failure> {
    let mut checked: Vec<Result<BlocksRecord, String>> = Vec::new();
    for told in told {
        checked.push(match told {
            Ok(record) => did(record, asked),
            Err(failure) if ends_the_gate(&failure) => return Err(failure),
            Err(failure) => Err(failure.message),
        });
    }
    let records: Vec<&BlocksRecord> = checked.iter().flatten().collect();
    let mut figures = figures::of_block(&records).into_iter();
    let run = |checked: &Result<BlocksRecord, String>| match checked {
        Ok(_) => figures.next().unwrap_or_default(),
        Err(why) => ArmRun { failure: Some(why.clone()), ..ArmRun::default() },
    };
    Ok(checked.iter().map(run).collect())
}

/// Whether a failure is none of the arm's, or one that no measurement can get round.
pub(super) fn ends_the_gate(failure: &Failure) -> bool {
    matches!(failure.exit(), Exit::NotJudged | Exit::Interrupted | Exit::Terminated | Exit::Environment)
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
        samples: false,
        seat: None,
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let unreadable = |why: String| Failure::internal(format!("it left a record that cannot be read: {why}"));
    let bytes = std::fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))
}

/// The record, if it is of what was asked for; or what it is of.
fn did(record: BlocksRecord, asked: &Blocks) -> Result<BlocksRecord, String> {
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
    Ok(record)
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
            code_moves: 7,
        }
    }

    #[test]
    fn processes_that_did_what_was_asked_have_figures_and_answers() {
        let runs = runs(vec![Ok(record()), Ok(record())], &ASKED).unwrap();
        for run in &runs {
            assert_eq!((run.median_ns.map(f64::round), run.batches), (Some(3.0), 4));
            assert_eq!(run.capacity_per_s.map(f64::round), Some(500_000.0), "1,000 records in the median of three");
            assert!(run.p99_ns > run.median_ns && run.failure.is_none() && run.answer_hash.as_deref() == Some("aa"));
        }
    }

    #[test]
    fn who_did_something_else_has_no_figures_and_the_others_keep_theirs() {
        let fewer = BlocksRecord { processing_ns: vec![5, 1], ..record() };
        let smaller = BlocksRecord { batch_records: 9, ..record() };
        let none = BlocksRecord { large_processing_ns: Vec::new(), ..record() };
        for other in [fewer, smaller, none] {
            let runs = runs(vec![Ok(other), Ok(record())], &ASKED).unwrap();
            assert!(
                runs[0].failure.as_ref().unwrap().contains("not 4 of 10 and 3 of 1000") && runs[0].median_ns.is_none()
            );
            assert!(runs[1].failure.is_none() && runs[1].median_ns.is_some());
        }
        let died = || Err(Failure::internal("killed by signal 9"));
        assert_eq!(runs(vec![Ok(record()), died()], &ASKED).unwrap()[1].failure.as_deref(), Some("killed by signal 9"));
        let foreign = Err(Failure::new(Exit::NotJudged, "another protocol"));
        assert!(runs(vec![Ok(record()), foreign], &ASKED).is_err());
    }
}
