//! What is compared: a binary, a checkout or a revision of this repository becomes a binary of its own.

mod cargo;
mod entry;
pub(super) mod git;
mod pruning;
mod revision;

use crate::failure::Failure;
use downbeat_reports::gate::record::Build;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// What the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// An executable file.
    Binary(PathBuf),
    /// A checkout of sources, built in place.
    Directory(PathBuf),
    /// A revision of the repository of the current directory, by its full hash.
    Revision {
        /// The commit.
        commit: String,
    },
}

/// A build that can be measured.
#[derive(Clone, Debug)]
pub(crate) struct Arm {
    /// What the record tells of it.
    pub(crate) build: Build,
    /// Its binary.
    pub(crate) binary: PathBuf,
}

impl Asked {
    /// Finds what `text` names: what lies at that path, or a revision. Nothing is built yet.
    ///
    /// # Errors
    /// Neither a file nor a revision (exit 2, with git's words); a file that cannot be started (exit 2).
    pub(crate) fn find(flag: &str, text: &str) -> Result<Self, Failure> {
        let path = Path::new(text);
        match std::fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => Asked::directory(flag, path),
            Ok(metadata) if metadata.permissions().mode() & 0o111 != 0 => Ok(Asked::Binary(absolute(path)?)),
            Ok(_) => Err(Failure::usage(format!("{flag} {text} is a file that cannot be started"))
                .help("give an executable file, a checkout with a Cargo.toml, or a revision")),
            Err(_) => match git::commit(text) {
                Ok(commit) => Ok(Asked::Revision { commit }),
                Err(why) => Err(Failure::usage(format!("{flag} {text} is no file and no revision: {why}"))
                    .help("give an executable file, a checkout with a Cargo.toml, or a revision of this repository")),
            },
        }
    }

    fn directory(flag: &str, path: &Path) -> Result<Self, Failure> {
        if !path.join("Cargo.toml").is_file() {
            let message = format!("{flag} {} has no Cargo.toml", path.display());
            return Err(Failure::usage(message).help("give the checkout's directory in which cargo build works"));
        }
        Ok(Asked::Directory(absolute(path)?))
    }

    /// How it is named in plans.
    pub(crate) fn describe(&self, text: &str) -> String {
        match self {
            Asked::Binary(_) => format!("{text} (a binary)"),
            Asked::Directory(_) => format!("{text} (a checkout, built in place)"),
            Asked::Revision { commit } => format!("{text} (revision {})", &commit[..commit.len().min(12)]),
        }
    }

    /// Builds it if it must be built. `say` is told what takes time.
    ///
    /// # Errors
    /// It does not build (exit 7, with the compiler's words); the cache cannot be written (exit 7).
    pub(crate) fn build(&self, text: &str, cache: &Path, say: &mut dyn FnMut(&str)) -> Result<Arm, Failure> {
        let (binary, commit, remark) = match self {
            Asked::Binary(path) => (path.clone(), None, None),
            Asked::Directory(path) => {
                say(&format!("building {text}"));
                let binary = cargo::build(path, &path.join("target"))
                    .map_err(|failure| Failure { message: format!("{text} {}", failure.message), ..failure })?;
                let commit = git::state_of(path);
                let is_changed = commit.as_ref().is_some_and(|commit| commit.ends_with(git::DIRTY));
                let remark = format!("{text} is not its commit: it holds changes that are in none");
                (binary, commit, is_changed.then_some(remark))
            }
            Asked::Revision { commit } => {
                let binary = revision::build(text, commit, cache, say)?;
                let remark = format!(
                    "{text} is the commit: changes of the working tree are not in it; name the directory to measure them"
                );
                (binary, Some(commit.clone()), git::changes_beside(commit).then_some(remark))
            }
        };
        let remarks = remark.into_iter().collect();
        let build = Build { asked: text.to_owned(), commit, binary_hash: hash(&binary)?, remarks };
        Ok(Arm { build, binary })
    }
}

/// XXH3 (128 bits, hexadecimal) of a file.
pub(crate) fn hash(path: &Path) -> Result<String, Failure> {
    let bytes = std::fs::read(path)
        .map_err(|error| Failure::environment(format!("cannot read {}: {error}", path.display())))?;
    Ok(format!("{:032x}", xxh3_128(&bytes)))
}

/// Where builds of revisions are kept when the user does not say: in the user's cache.
///
/// # Errors
/// There is no home (exit 7).
pub(crate) fn default_cache() -> Result<PathBuf, Failure> {
    let directory = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cache = directory("XDG_CACHE_HOME").or_else(|| Some(directory("HOME")?.join(".cache")));
    cache.map(|cache| cache.join("downbeat/builds")).ok_or_else(|| {
        Failure::environment("neither HOME nor XDG_CACHE_HOME says where builds can be kept").help("give --cache DIR")
    })
}

fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path).map_err(|error| Failure::environment(format!("{}: {error}", path.display())))
}
