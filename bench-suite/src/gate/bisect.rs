//! `downbeat bisect`: `git bisect` with the gate as its judge, in a worktree of its own, so that nobody's files move.

use super::arm::{self, git};
use crate::failure::Failure;
use crate::request::BisectRequest;
use crate::run::{Outcome, run_name};
use crate::signals::Signals;
use downbeat_reports::exit::Exit;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a gate says about a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Good,
    Bad,
    /// It could not say: its revision does not build, the host is too noisy, the gate itself failed.
    Skip,
    /// Whoever interrupts a gate means the bisection.
    Abort(Exit),
}

/// What a gate's exit code says about its commit. Only what was measured is bad: `git bisect run` would call every code from 1 to 127
/// bad but 125.
fn step(code: Option<i32>) -> Step {
    let exit = Exit::ALL.into_iter().find(|exit| Some(i32::from(exit.code())) == code);
    match exit {
        Some(Exit::Ok) => Step::Good,
        Some(Exit::Regressed | Exit::Broken) => Step::Bad,
        Some(exit @ (Exit::Interrupted | Exit::Terminated)) => Step::Abort(exit),
        // A gate that a signal killed says nothing about the commit.
        _ => Step::Skip,
    }
}

/// Finds the first commit that the gate calls slower than the good one.
///
/// # Errors
/// Revisions that git cannot bisect (exit 2, with its words); no place for the worktree (exit 7).
pub(crate) fn bisect(request: &BisectRequest) -> Result<Outcome, Failure> {
    let signals = Signals::catch()?;
    let place = arm::default_cache()?.join(format!("bisect-{}", run_name()));
    let bisection = Bisection { request, place, signals };
    let ended = bisection.begin().and_then(|said| bisection.run(said));
    bisection.clear();
    ended
}

struct Bisection<'r> {
    request: &'r BisectRequest,
    /// The worktree; no file is ever checked out in it.
    place: PathBuf,
    signals: Signals,
}

impl Bisection<'_> {
    /// What git says about what there is to do.
    fn begin(&self) -> Result<String, Failure> {
        let BisectRequest { good, bad, .. } = self.request;
        let parent = self.place.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(parent)
            .map_err(|error| Failure::environment(format!("cannot write {}: {error}", parent.display())))?;
        let commit = |flag: &str, revision: &str| {
            git::commit(revision)
                .map_err(|why| Failure::usage(format!("{flag} {revision} is no revision of this repository: {why}")))
        };
        let (good, bad) = (commit("--good", good)?, commit("--bad", bad)?);
        let place = self.place.to_string_lossy();
        git::run(Path::new("."), &["worktree", "add", "--quiet", "--detach", "--no-checkout", &place, &bad])
            .map_err(|why| Failure::environment(format!("cannot make a worktree for the bisection: {why}")))?;
        let started = self.git(&["bisect", "start", "--no-checkout", &bad, &good]);
        started.map_err(|why| Failure::usage(format!("git cannot bisect: {why}")))
    }

    fn run(&self, mut said: String) -> Result<Outcome, Failure> {
        while !said.contains("is the first bad commit") {
            let internal = |why: String| Failure::internal(format!("git bisect: {why}"));
            let commit = self.git(&["rev-parse", "--verify", "BISECT_HEAD"]).map_err(internal)?;
            let word = match step(self.gate(&commit)?) {
                Step::Good => "good",
                Step::Bad => "bad",
                Step::Skip => "skip",
                Step::Abort(exit) => {
                    return Ok(Outcome { text: Vec::new(), message: Some("interrupted".to_owned()), exit });
                }
            };
            said = match self.git(&["bisect", word, &commit]) {
                Ok(said) => said,
                // git ends with a failure when only skipped commits are left, and names them.
                Err(left) => {
                    return Ok(Outcome { text: (left + "\n").into_bytes(), message: None, exit: Exit::NotJudged });
                }
            };
        }
        Ok(Outcome::shown(said + "\n"))
    }

    /// A gate of a commit against the good one, in a process of its own. What it says goes where messages go.
    fn gate(&self, commit: &str) -> Result<Option<i32>, Failure> {
        let program =
            std::env::current_exe().map_err(|error| Failure::internal(format!("cannot find this program: {error}")))?;
        let mut command = Command::new(&program);
        command.args(["gate", "--base", &self.request.good, "--head", commit]).args(&self.request.gate);
        command.stdin(Stdio::null()).stdout(Stdio::from(std::io::stderr()));
        let ended = command
            .status()
            .map_err(|error| Failure::environment(format!("cannot start {}: {error}", program.display())))?;
        Ok(self.signals.exit().map_or(ended.code(), |exit| Some(i32::from(exit.code()))))
    }

    fn git(&self, arguments: &[&str]) -> Result<String, String> {
        git::run(&self.place, arguments)
    }

    fn clear(&self) {
        let _ = git::run(Path::new("."), &["worktree", "remove", "--force", &self.place.to_string_lossy()]);
        let _ = std::fs::remove_dir_all(&self.place);
        let _ = git::run(Path::new("."), &["worktree", "prune"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_measured_is_bad() {
        let of = |exit: Exit| step(Some(i32::from(exit.code())));
        assert_eq!((of(Exit::Ok), of(Exit::Regressed), of(Exit::Broken)), (Step::Good, Step::Bad, Step::Bad));
        for code in [2, 3, 4, 7, 12, 70, 125, 6, 99] {
            assert_eq!(step(Some(code)), Step::Skip, "{code}");
        }
        assert_eq!(step(None), Step::Skip, "killed");
        assert_eq!(of(Exit::Interrupted), Step::Abort(Exit::Interrupted));
        assert_eq!(of(Exit::Terminated), Step::Abort(Exit::Terminated));
    }
}
