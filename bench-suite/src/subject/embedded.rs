//! The engine of this repository, in a fresh process of this very program, or of another build of it: started, watched, stopped.
//!
//! The parent writes the spec and starts `<binary> trial --spec FILE --record FILE`. A byte on the child's stdin, or its end,
//! tells it to stop and save. The child leaves a record, or a failure beside it, or nothing when it died.

use crate::failure::Failure;
use crate::machine::cores;
use crate::plan::{DRAIN_NS, Mode, NS_PER_S, TrialSpec};
use crate::progress::Progress;
use crate::run_settings::RunSettings;
use crate::signals::Signals;
use crate::status::{Stage, Status};
use downbeat_engine::{Settings, allocator};
use downbeat_reports::exit::Exit;
use std::ffi::OsString;
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Name of the subject in records.
pub(crate) const NAME: &str = "embedded";

/// How often it is asked whether the child has ended.
const PERIOD: Duration = Duration::from_millis(50);

/// How often its status is read: what is done meanwhile is done on cores that are measured.
const STATUS_PERIOD: Duration = Duration::from_millis(500);

/// What a child may need beyond its own time limit, to load before it and to save after it.
const GRACE_NS: u64 = 60 * NS_PER_S;

/// The right answer is computed on one thread after the load has ended: a long trial needs long for it.
const CHECKING: Duration = Duration::from_secs(1800);

/// Where a child finds its spec and leaves what it has to say.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    /// What to do.
    pub(crate) spec: PathBuf,
    /// The record, renamed to this when it is complete.
    pub(crate) record: PathBuf,
    /// Why there is none.
    pub(crate) failure: PathBuf,
    /// How far it is.
    pub(crate) status: PathBuf,
}

impl Files {
    /// Names for the files of one child inside a directory.
    pub(crate) fn new(directory: &Path, name: &str) -> Self {
        let record = directory.join(format!("{name}.record.json"));
        Files {
            spec: directory.join(format!("{name}.spec.json")),
            failure: failure_path(&record),
            status: directory.join(format!("{name}.status.json")),
            record,
        }
    }
}

/// Where the failure lies that belongs to a record's path.
pub(crate) fn failure_path(record: &Path) -> PathBuf {
    record.with_extension("failure")
}

/// What is started.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The binary.
    pub(crate) path: PathBuf,
    /// What runs it, with its arguments, such as a tool that counts instructions; empty for nothing.
    pub(crate) under: Vec<OsString>,
    /// Cores that it may use; empty for any.
    pub(crate) cores: Vec<usize>,
    /// Variables that it finds in its environment beside those of this process.
    pub(crate) variables: Vec<(String, String)>,
    /// How long after its own time limit it is killed.
    pub(crate) patience: Duration,
}

impl Program {
    /// This very program.
    ///
    /// # Errors
    /// The system does not tell which it is (exit 70).
    pub(crate) fn this() -> Result<Self, Failure> {
        let path =
            std::env::current_exe().map_err(|error| Failure::internal(format!("cannot find this program: {error}")))?;
        Ok(Program { patience: Duration::from_nanos(DRAIN_NS + GRACE_NS), ..Program::at(path) })
    }

    /// The one at this path, which is killed right after its time limit.
    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Program {
            path: path.into(),
            under: Vec::new(),
            cores: Vec::new(),
            variables: Vec::new(),
            patience: Duration::ZERO,
        }
    }
}

/// Starts a child and waits for its end. When this returns, there is a record at `files.record`.
///
/// # Errors
/// The failure that the child left; exit 70 when it died or hung; exit 130 or 143 when a second signal dropped it.
pub(crate) fn run(spec: &TrialSpec, files: &Files, signals: &Signals, progress: &mut Progress) -> Result<(), Failure> {
    run_program(&Program::this()?, spec, files, signals, progress)
}

/// The same with a child that runs another program.
///
/// # Errors
/// As [`run`].
pub(crate) fn run_program(
    program: &Program,
    spec: &TrialSpec,
    files: &Files,
    signals: &Signals,
    progress: &mut Progress,
) -> Result<(), Failure> {
    write_spec(spec, files)?;
    let settings = spec.trial_settings()?;
    let mut child = start(program, files, &settings.run)?;
    let stdin = child.stdin.take();
    let limit = Duration::from_nanos(spec.time_limit_ns).saturating_add(program.patience);
    let watch = Watch { spec, files, signals, progress, child: &mut child, stdin, limit };
    let ended = cores::on(&beside_workers(&settings.engine), || watch.until_end());
    progress.clear();
    let status = ended?;
    if files.record.is_file() {
        return Ok(());
    }
    let failure = std::fs::read(&files.failure).ok().and_then(|bytes| serde_json::from_slice::<Failure>(&bytes).ok());
    Err(failure.unwrap_or_else(|| died(status, spec, files)))
}

/// Cores on which no thread of the engine is kept, for whoever watches it. None where these may run anywhere, or take all.
fn beside_workers(engine: &Settings) -> Vec<usize> {
    let taken = if engine.pin_cores { engine.effective_threads() + engine.concurrent_jobs } else { usize::MAX };
    cores::allowed().get(taken..).unwrap_or_default().to_vec()
}

fn write_spec(spec: &TrialSpec, files: &Files) -> Result<(), Failure> {
    let json = serde_json::to_vec_pretty(spec)
        .map_err(|error| Failure::internal(format!("cannot write the plan: {error}")))?;
    std::fs::write(&files.spec, json).map_err(|error| {
        Failure::environment(format!("cannot write {}: {error}", files.spec.display()))
            .help("give --out a directory with room")
    })
}

fn start(program: &Program, files: &Files, run: &RunSettings) -> Result<Child, Failure> {
    let mut words = program.under.iter().map(OsString::as_os_str).chain([program.path.as_os_str()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).arg("trial").arg("--spec").arg(&files.spec).arg("--record").arg(&files.record);
    // The settings alone say what the allocator does: options that this process happens to have stay here.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(allocator::is_option)) {
        command.env_remove(name);
    }
    command.env(allocator::VARIABLE, &run.allocator);
    command.envs(run.allocator_options.variables(run.allocator_name()));
    command.envs(program.variables.iter().map(|(name, value)| (name, value)));
    // stdout carries the verdict only: what a job prints goes where messages go.
    command.stdin(Stdio::piped()).stdout(Stdio::from(std::io::stderr())).stderr(Stdio::inherit());
    let started = cores::on(&program.cores, || command.spawn());
    started.map_err(|error| Failure::environment(format!("cannot start {}: {error}", program.path.display())))
}

/// Looks after a running child.
struct Watch<'a> {
    spec: &'a TrialSpec,
    files: &'a Files,
    signals: &'a Signals,
    progress: &'a mut Progress,
    child: &'a mut Child,
    stdin: Option<ChildStdin>,
    /// When it hangs.
    limit: Duration,
}

impl Watch<'_> {
    fn until_end(mut self) -> Result<ExitStatus, Failure> {
        let started = Instant::now();
        let mut checking: Option<Instant> = None;
        let (mut stage, mut looked) = (None, None::<Instant>);
        // A signal that came before this child was started has ended another one.
        let before = self.signals.count();
        loop {
            let failed = |error: std::io::Error| Failure::internal(format!("cannot wait for the trial: {error}"));
            if let Some(status) = self.child.try_wait().map_err(failed)? {
                return Ok(status);
            }
            if looked.is_none_or(|looked| looked.elapsed() >= STATUS_PERIOD) {
                looked = Some(Instant::now());
                if let Some(status) = Status::read(&self.files.status) {
                    stage = Some(status.stage);
                    self.progress.update(&status);
                }
            }
            if stage == Some(Stage::Checking) {
                checking.get_or_insert_with(Instant::now);
            }
            match self.signals.count() - before {
                0 => {}
                1 => self.ask_to_stop(),
                _ => return Err(self.drop_trial()),
            }
            let hangs = checking.map_or(started.elapsed() > self.limit, |checking| checking.elapsed() > CHECKING);
            if hangs {
                return Err(self.kill_hung(stage));
            }
            std::thread::sleep(PERIOD);
        }
    }

    fn ask_to_stop(&mut self) {
        if let Some(mut stdin) = self.stdin.take() {
            // A child that is gone needs no telling.
            let _ = stdin.write_all(b"s");
            match self.spec.mode {
                Mode::Measure => self.progress.say("stopping: what was measured is saved (again: drop it)"),
                // A profile or a drain cut short is worth nothing.
                Mode::Profile | Mode::Capacity { .. } | Mode::Blocks(_) | Mode::Counts { .. } => self.kill(),
            }
        }
    }

    fn drop_trial(&mut self) -> Failure {
        self.kill();
        let exit = self.signals.exit().unwrap_or(Exit::Interrupted);
        Failure::new(exit, "interrupted twice: the trial was dropped, nothing was judged")
    }

    fn kill_hung(&mut self, stage: Option<Stage>) -> Failure {
        self.kill();
        let doing = stage.map_or("starting", Stage::name);
        let message = format!("the trial of {} hung while {doing} and was killed", self.spec.workload);
        Failure::internal(message).help(evidence(self.files))
    }

    fn kill(&mut self) {
        // It may have ended meanwhile, which is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn died(status: ExitStatus, spec: &TrialSpec, files: &Files) -> Failure {
    if status.code() == Some(i32::from(Exit::Environment.code())) {
        let message = format!("the trial of {} could not write its record; it says why above", spec.workload);
        return Failure::environment(message).help("give --out a directory with room");
    }
    let how = match (status.signal(), status.code()) {
        (Some(signal), _) => format!("was killed by signal {signal}"),
        (None, Some(code)) => format!("ended with code {code} and left no record"),
        (None, None) => "ended in an unknown way".to_owned(),
    };
    Failure::internal(format!("the process of the trial of {} {how}", spec.workload)).help(evidence(files))
}

fn evidence(files: &Files) -> String {
    let spec = files.spec.display();
    format!("evidence: {spec} and the files beside it; messages of the trial are above")
}
