//! Results on disk: one directory a run, written file by file, each whole or not at all.

use crate::exit::Exit;
use crate::format::json;
use crate::record::{self, RecordError, TrialRecord};
use crate::samples::{self, Samples};
use crate::summary::Summary;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Name of the file that holds the record and what was derived from it.
pub const RESULT_FILE: &str = "result.json";

/// Why results could not be written or read.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The directory already has something in it.
    #[error("{path} already holds files, results are never overwritten; give another --out, or remove it first")]
    Occupied {
        /// The directory.
        path: PathBuf,
    },
    /// No room on the disk or in the quota.
    #[error("cannot write {path}: the disk is full; free some space or give --out on another disk, then run again")]
    DiskFull {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory or file cannot be created or written.
    #[error("cannot write {path}: {source}; give --out a directory that you may write to")]
    NotWritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The directory or file cannot be read.
    #[error("cannot read {path}: {source}; give a result directory, or the result.json inside one")]
    NotReadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is there and is no record that this build can read.
    #[error("{path}: {source}")]
    NotARecord {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: RecordError,
    },
}

impl StoreError {
    /// The exit code for this error.
    pub fn exit(&self) -> Exit {
        match self {
            StoreError::Occupied { .. } => Exit::Usage,
            _ => Exit::Environment,
        }
    }
}

/// The directory of one run's results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// Creates the directory, with those above it. An existing one is taken only when it is empty.
    ///
    /// # Errors
    /// [`StoreError::Occupied`], [`StoreError::NotWritable`], [`StoreError::DiskFull`].
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|error| write_error(parent, error))?;
        }
        match fs::create_dir(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => require_empty(&path)?,
            Err(error) => return Err(write_error(&path, error)),
        }
        let directory = Self { path };
        // A directory that exists and is empty may still be read-only: better told before the run than after it.
        let probe = directory.file(".writable");
        File::create(&probe).map_err(|error| write_error(&directory.path, error))?;
        fs::remove_file(&probe).map_err(|error| write_error(&directory.path, error))?;
        Ok(directory)
    }

    /// The directory of results that go on being added to, created with those above it if it is not there.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`], [`StoreError::DiskFull`].
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        fs::create_dir_all(&path).map_err(|error| write_error(&path, error))?;
        Ok(Self { path })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file inside.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file under a temporary name, syncs and renames it: a reader sees all of it or nothing. Returns its path.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`], [`StoreError::DiskFull`].
    pub fn write(&self, name: &str, content: &[u8]) -> Result<PathBuf, StoreError> {
        let target = self.file(name);
        let temporary = self.file(&format!(".{name}.partial"));
        let written = write_synced(&temporary, content).and_then(|()| {
            fs::rename(&temporary, &target)?;
            // The rename itself is durable once the directory is.
            File::open(&self.path)?.sync_all()
        });
        written.map_err(|error| {
            // The first error is the one to tell; a leftover is no result and is overwritten by the next attempt.
            let _ = fs::remove_file(&temporary);
            write_error(&target, error)
        })?;
        Ok(target)
    }

    /// Writes [`RESULT_FILE`]. Returns its path.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`], [`StoreError::DiskFull`].
    pub fn write_result(&self, summary: &Summary<'_>) -> Result<PathBuf, StoreError> {
        self.write(RESULT_FILE, json::render(summary).as_bytes())
    }
}

/// Loads the record of a run: from a result directory, a `result.json`, or the bare record that a trial wrote.
///
/// # Errors
/// [`StoreError::NotReadable`], [`StoreError::NotARecord`].
pub fn load(path: &Path) -> Result<TrialRecord, StoreError> {
    let file = if path.is_dir() { path.join(RESULT_FILE) } else { path.to_owned() };
    let bytes = fs::read(&file).map_err(|source| StoreError::NotReadable { path: file.clone(), source })?;
    record::parse(&bytes).map_err(|source| StoreError::NotARecord { path: file, source })
}

/// Loads the samples that lie beside the record of a run. `None` where there are none, or only those of another run.
///
/// # Errors
/// [`StoreError::NotReadable`], [`StoreError::NotARecord`].
pub fn load_samples(path: &Path, record: &TrialRecord) -> Result<Option<Samples>, StoreError> {
    let directory = if path.is_dir() { Some(path) } else { path.parent() };
    let file = directory.unwrap_or(Path::new("")).join(samples::FILE);
    read_samples(&file).map(|found| found.filter(|samples| samples.run == record.run))
}

/// Loads samples from a file of their own. `None` when it is not there.
///
/// # Errors
/// [`StoreError::NotReadable`], [`StoreError::NotARecord`].
pub fn read_samples(file: &Path) -> Result<Option<Samples>, StoreError> {
    match fs::read(file) {
        Ok(bytes) => {
            let parsed = Samples::parse(&bytes).map(Some);
            parsed.map_err(|source| StoreError::NotARecord { path: file.to_owned(), source })
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(StoreError::NotReadable { path: file.to_owned(), source }),
    }
}

/// The directories directly below `root` that hold one of these files, in the order of their names, whether or not it can be read.
///
/// # Errors
/// [`StoreError::NotReadable`] when `root` cannot be listed.
pub fn list(root: &Path, files: &[&str]) -> Result<Vec<PathBuf>, StoreError> {
    let not_readable = |source| StoreError::NotReadable { path: root.to_owned(), source };
    let mut runs = Vec::new();
    for entry in fs::read_dir(root).map_err(not_readable)? {
        let path = entry.map_err(not_readable)?.path();
        if files.iter().any(|file| path.join(file).is_file()) {
            runs.push(path);
        }
    }
    runs.sort();
    Ok(runs)
}

fn require_empty(path: &Path) -> Result<(), StoreError> {
    let mut entries = fs::read_dir(path).map_err(|error| write_error(path, error))?;
    match entries.next() {
        None => Ok(()),
        Some(_) => Err(StoreError::Occupied { path: path.to_owned() }),
    }
}

fn write_synced(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn write_error(path: &Path, source: io::Error) -> StoreError {
    let path = path.to_owned();
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::DiskFull { path, source },
        _ => StoreError::NotWritable { path, source },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ENOSPC on Linux.
    const NO_SPACE: i32 = 28;

    #[test]
    fn a_full_disk_is_its_own_error_and_exits_with_7() {
        let error = write_error(Path::new("x"), io::Error::from_raw_os_error(NO_SPACE));
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
        assert_eq!(error.exit().code(), 7);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_system_says_when_the_disk_is_full() {
        let path = Path::new("/dev/full");
        let error = write_error(path, write_synced(path, b"x").unwrap_err());
        assert!(matches!(error, StoreError::DiskFull { .. }), "{error}");
    }

    #[test]
    fn other_results_are_never_overwritten() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("deep/run");
        let directory = RunDirectory::create(&path).unwrap();
        RunDirectory::create(&path).unwrap();
        directory.write("a.txt", b"1").unwrap();
        let error = RunDirectory::create(&path).unwrap_err();
        assert!(matches!(error, StoreError::Occupied { .. }), "{error}");
        assert_eq!(error.exit().code(), 2);
    }

    #[test]
    fn files_appear_whole_and_leave_nothing_beside_them() {
        let root = tempfile::tempdir().unwrap();
        let directory = RunDirectory::create(root.path().join("run")).unwrap();
        let path = directory.write("a.txt", b"first").unwrap();
        directory.write("a.txt", b"second").unwrap();
        assert_eq!(fs::read(path).unwrap(), b"second");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_place_that_cannot_be_written_is_named() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("file");
        fs::write(&file, b"").unwrap();
        for path in [file.clone(), file.join("below")] {
            let error = RunDirectory::create(&path).unwrap_err();
            assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
            assert!(error.to_string().contains("file"), "{error}");
            assert_eq!(error.exit().code(), 7);
        }
    }

    #[test]
    fn missing_and_foreign_files_are_named() {
        let root = tempfile::tempdir().unwrap();
        let error = load(root.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotReadable { .. }), "{error}");
        let file = root.path().join(RESULT_FILE);
        fs::write(&file, br#"{"schema":99}"#).unwrap();
        let error = load(root.path()).unwrap_err();
        assert!(error.to_string().contains("schema 99"), "{error}");
        assert!(list(&root.path().join("none"), &[RESULT_FILE]).is_err());
    }
}
