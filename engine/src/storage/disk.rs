//! The file system of this machine.

use super::{Entry, Storage, StorageFile};
use std::fs::{self, File};
use std::io;
use std::path::Path;

/// The file system of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Disk;

impl StorageFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl Storage for Disk {
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        let kind = |metadata: fs::Metadata| if metadata.is_dir() { Entry::Directory } else { Entry::File };
        absent_is_fine(fs::metadata(path).map(kind))
    }

    fn create_directory(&self, path: &Path) -> io::Result<()> {
        fs::create_dir(path)
    }

    fn create_file(&self, path: &Path) -> io::Result<Box<dyn StorageFile>> {
        Ok(Box::new(File::create_new(path)?))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn io::Read + Send>> {
        Ok(Box::new(File::open(path)?))
    }

    fn sync_directory(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        // The link itself, not what it points to.
        let Some(metadata) = absent_is_fine(fs::symlink_metadata(path))? else { return Ok(()) };
        let removed = if metadata.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
        absent_is_fine(removed).map(drop)
    }
}

fn absent_is_fine<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
