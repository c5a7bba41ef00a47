//! What git says about a revision, a checkout and the working tree.

use std::path::Path;
use std::process::{Command, Stdio};

/// Variables with which git tells its own hooks where they are: they would lead astray what runs elsewhere.
const OF_HOOKS: [&str; 4] = ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX"];

/// What stands behind a commit from which the files of its checkout differ.
pub(super) const DIRTY: &str = "-dirty";

/// A git command in a directory.
pub(crate) fn command(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(directory).args(arguments).stdin(Stdio::null());
    for name in OF_HOOKS {
        command.env_remove(name);
    }
    command
}

/// Runs git; its stdout without the last line end, or its own words of what is wrong.
pub(crate) fn run(directory: &Path, arguments: &[&str]) -> Result<String, String> {
    let output = command(directory, arguments).output().map_err(|error| format!("cannot start git: {error}"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match (output.status.success(), text(&output.stdout), text(&output.stderr)) {
        (true, said, _) => Ok(said),
        (false, said, complaint) if complaint.is_empty() => Err(said),
        (false, _, complaint) => Err(complaint),
    }
}

/// The full hash of a revision's commit in the repository of the current directory.
pub(crate) fn commit(revision: &str) -> Result<String, String> {
    let of_commit = format!("{revision}^{{commit}}");
    run(Path::new("."), &["rev-parse", "--verify", "--end-of-options", &of_commit])
}

/// Whether the working tree of the current directory is at this commit and has changes beside it.
pub(super) fn changes_beside(commit: &str) -> bool {
    state_of(Path::new(".")) == Some(format!("{commit}{DIRTY}"))
}

/// The commit of a checkout, [`DIRTY`] behind it when files differ. `None` when it is none of git's.
pub(super) fn state_of(directory: &Path) -> Option<String> {
    let commit = run(directory, &["rev-parse", "--verify", "HEAD"]).ok()?;
    let changes = run(directory, &["status", "--porcelain", "--untracked-files=no"]).ok()?;
    Some(if changes.is_empty() { commit } else { format!("{commit}{DIRTY}") })
}
