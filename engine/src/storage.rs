//! The seam to files: a real disk, and a simulated one for tests. Nothing else in the engine touches files.

mod disk;
mod draft;
mod simulated;

pub use disk::Disk;
pub(crate) use draft::Draft;
pub use simulated::{SimulatedDisk, Trouble};

use std::io;
use std::path::Path;

/// What is at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// A directory, or a link to one.
    Directory,
    /// Anything else.
    File,
}

/// A file that is being written.
pub trait StorageFile: io::Write + Send {
    /// Returns when what was written so far would survive a power cut, provided that the file's name does.
    ///
    /// # Errors
    /// What the system reports.
    fn sync(&mut self) -> io::Result<()>;
}

/// Where the engine keeps files. All methods may be called from several threads at once.
pub trait Storage: Send + Sync + 'static {
    /// What is at `path`; `None` for nothing.
    ///
    /// # Errors
    /// What the system reports, for example that a parent is a file.
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>>;

    /// Makes one directory, whose parent exists.
    ///
    /// # Errors
    /// What the system reports; [`io::ErrorKind::AlreadyExists`] if something is there.
    fn create_directory(&self, path: &Path) -> io::Result<()>;

    /// Makes a file that was not there, to be written.
    ///
    /// # Errors
    /// What the system reports; [`io::ErrorKind::AlreadyExists`] if something is there.
    fn create_file(&self, path: &Path) -> io::Result<Box<dyn StorageFile>>;

    /// Opens a file to be read from its beginning.
    ///
    /// # Errors
    /// What the system reports.
    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>>;

    /// Returns when the names in a directory would survive a power cut.
    ///
    /// # Errors
    /// What the system reports.
    fn sync_directory(&self, path: &Path) -> io::Result<()>;

    /// Gives a file or directory another name, in one step that no crash can halve. Replaces a file or an empty directory.
    ///
    /// # Errors
    /// What the system reports.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file, or a directory with all that is in it. Nothing there is no error.
    ///
    /// # Errors
    /// What the system reports; part of a directory may be gone then.
    fn remove(&self, path: &Path) -> io::Result<()>;
}
