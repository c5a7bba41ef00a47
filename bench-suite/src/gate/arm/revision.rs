//! A revision's binary: built in a worktree and a target directory of its own, kept under the commit's hash.
//!
//! `<cache>/<repository>/<commit>/` holds `binary` and, once that is whole, `built.json`. Whatever lies there without it is half built
//! and is never used. The paths of two commits are equally long, so that they make no difference to the layout of the binaries.

use super::entry::{BUILT, LOCK};
use super::{cargo, git, hash, pruning};
use crate::failure::Failure;
use downbeat_reports::store::RunDirectory;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_64;

/// Proof that a build was finished.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Built {
    commit: String,
    /// The compiler and its flags: another one makes another binary.
    compiler: String,
    /// Hash of the binary's bytes.
    binary_hash: String,
}

/// The binary of a commit of the repository of the current directory, built now if it was not before.
///
/// # Errors
/// It does not build, or the cache cannot be written (exit 7).
pub(super) fn build(text: &str, commit: &str, cache: &Path, say: &mut dyn FnMut(&str)) -> Result<PathBuf, Failure> {
    let repository = Repository::here(commit)?;
    let entry = RunDirectory::open(cache.join(&repository.name).join(commit))?;
    let lock = lock(&entry, say)?;
    let compiler = compiler();
    let binary = entry.file("binary");
    if is_built(&entry, commit, &compiler) {
        say(&format!("{text} is built already: commit {}", &commit[..12.min(commit.len())]));
        pruning::mark_used(entry.path());
        return Ok(binary);
    }
    say(&format!("building {text}: commit {}, which takes a while", &commit[..12.min(commit.len())]));
    let built = repository.build(commit, &entry).map_err(|failure| match failure.help {
        Some(_) => Failure { message: format!("{text} {}", failure.message), ..failure },
        None => failure,
    })?;
    keep(&built, &binary)?;
    let proof = Built { commit: commit.to_owned(), compiler, binary_hash: hash(&binary)? };
    let json = serde_json::to_vec(&proof).map_err(|error| Failure::internal(error.to_string()))?;
    entry.write(BUILT, &json)?;
    repository.clear(&entry);
    drop(lock);
    pruning::prune(&cache.join(&repository.name));
    Ok(binary)
}

fn is_built(entry: &RunDirectory, commit: &str, compiler: &str) -> bool {
    let proof = fs::read(entry.file(BUILT)).ok().and_then(|bytes| serde_json::from_slice::<Built>(&bytes).ok());
    let found = hash(&entry.file("binary")).unwrap_or_default();
    proof.is_some_and(|proof| proof.commit == commit && proof.compiler == compiler && proof.binary_hash == found)
}

/// One gate at a time builds a commit; the others wait for it.
fn lock(entry: &RunDirectory, say: &mut dyn FnMut(&str)) -> Result<File, Failure> {
    let path = entry.file(LOCK);
    let failed = |error: std::io::Error| Failure::environment(format!("cannot lock {}: {error}", path.display()));
    let file = File::create(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => say("another gate builds it: waiting"),
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    file.lock().map_err(failed)?;
    Ok(file)
}

/// The compiler and the flags that the environment gives it.
fn compiler() -> String {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    let version = std::process::Command::new(rustc).arg("-vV").output().ok();
    let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let mut flags: Vec<String> = std::env::vars_os()
        .filter(|(name, _)| name.to_str().is_some_and(changes_a_build))
        .map(|(name, value)| format!("{}={}", name.display(), value.display()))
        .collect();
    flags.sort_unstable();
    format!("{version}{}\n{}", cargo::ALIGNED, flags.join("\n"))
}

/// Whether a variable of this name may make cargo build another binary of the same source.
fn changes_a_build(name: &str) -> bool {
    let exact = ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WRAPPER", "CC", "CFLAGS", "CXX", "CXXFLAGS"];
    let begins = ["CARGO_PROFILE_RELEASE_", "CARGO_TARGET_", "CARGO_BUILD_"];
    exact.contains(&name) || name != "CARGO_TARGET_DIR" && begins.iter().any(|begin| name.starts_with(begin))
}

/// A copy under a temporary name, renamed when it is whole.
fn keep(built: &Path, binary: &Path) -> Result<(), Failure> {
    let temporary = binary.with_extension("partial");
    let copied = fs::copy(built, &temporary).and_then(|_| fs::rename(&temporary, binary));
    copied.map_err(|error| {
        Failure::environment(format!("cannot write {}: {error}", binary.display()))
            .help("free some space, or give --cache")
    })
}

/// The repository of the current directory.
struct Repository {
    /// Its name in the cache.
    name: String,
    /// Where the package lies in it.
    prefix: String,
    /// Its top directory.
    top: PathBuf,
}

impl Repository {
    fn here(commit: &str) -> Result<Self, Failure> {
        let ask = |arguments: &[&str]| {
            git::run(Path::new("."), arguments)
                .map_err(|why| Failure::usage(format!("git knows {commit} no more: {why}")))
        };
        // Worktrees of one repository share what is built.
        let common = ask(&["rev-parse", "--path-format=absolute", "--git-common-dir"])?;
        let prefix = ask(&["rev-parse", "--show-prefix"])?;
        let top = ask(&["rev-parse", "--path-format=absolute", "--show-toplevel"])?;
        let name = format!("{:016x}", xxh3_64(format!("{common}\n{prefix}").as_bytes()));
        Ok(Repository { name, prefix, top: PathBuf::from(top) })
    }

    fn build(&self, commit: &str, entry: &RunDirectory) -> Result<PathBuf, Failure> {
        let source = entry.file("source");
        self.remove_worktree(&source);
        let path = source.to_string_lossy();
        // Hooks are for people who work in a checkout.
        let add =
            ["-c", "core.hooksPath=/dev/null", "worktree", "add", "--quiet", "--force", "--detach", &path, commit];
        git::run(&self.top, &add).map_err(|why| Failure::environment(format!("cannot check out {commit}: {why}")))?;
        let built = cargo::build(&source.join(&self.prefix), &entry.file("target"));
        if built.is_err() {
            self.clear(entry);
        }
        built
    }

    /// Sources and what cargo made of them are of no more use, and large.
    fn clear(&self, entry: &RunDirectory) {
        self.remove_worktree(&entry.file("source"));
        let _ = fs::remove_dir_all(entry.file("target"));
    }

    /// A worktree of a gate that was killed may still be there, in whole or in part, or be known to git only.
    fn remove_worktree(&self, source: &Path) {
        let _ = git::run(&self.top, &["worktree", "remove", "--force", &source.to_string_lossy()]);
        let _ = fs::remove_dir_all(source);
        let _ = git::run(&self.top, &["worktree", "prune"]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_half_built_or_changed_is_not_used() {
        let cache = tempfile::tempdir().unwrap();
        let entry = RunDirectory::open(cache.path()).unwrap();
        assert!(!is_built(&entry, "c", "rustc"), "nothing is there");
        fs::write(entry.file("binary"), "half").unwrap();
        assert!(!is_built(&entry, "c", "rustc"), "a binary without its proof");
        let binary_hash = hash(&entry.file("binary")).unwrap();
        let proof = Built { commit: "c".into(), compiler: "rustc".into(), binary_hash };
        entry.write(BUILT, &serde_json::to_vec(&proof).unwrap()).unwrap();
        assert!(is_built(&entry, "c", "rustc"));
        assert!(!is_built(&entry, "c", "rustc --cfg other"), "another compiler");
        assert!(!is_built(&entry, "d", "rustc"), "another commit");
        fs::write(entry.file("binary"), "other").unwrap();
        assert!(!is_built(&entry, "c", "rustc"), "another binary");
    }

    #[test]
    fn two_gates_do_not_build_at_once() {
        let cache = tempfile::tempdir().unwrap();
        let entry = RunDirectory::open(cache.path()).unwrap();
        let first = lock(&entry, &mut |_| {}).unwrap();
        let waiting = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            let second = scope.spawn(|| {
                lock(&entry, &mut |_| waiting.store(true, std::sync::atomic::Ordering::SeqCst)).unwrap();
            });
            while !waiting.load(std::sync::atomic::Ordering::SeqCst) {
                std::thread::yield_now();
            }
            drop(first);
            second.join().unwrap();
        });
    }

    #[test]
    fn what_changes_a_build_makes_another_entry() {
        for name in
            ["RUSTFLAGS", "CARGO_PROFILE_RELEASE_OPT_LEVEL", "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS", "CC"]
        {
            assert!(changes_a_build(name), "{name}");
        }
        for name in ["CARGO_TARGET_DIR", "CARGO_PKG_NAME", "PATH", "CCACHE"] {
            assert!(!changes_a_build(name), "{name}");
        }
    }
}
