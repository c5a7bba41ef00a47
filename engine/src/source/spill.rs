//! Encoded blocks for which the memory has no room: a file each, gone with its block.

use crate::error::EngineError;
use crate::exchange::codec::Encoded;
use crate::storage::{Entry, Storage};
use crate::sync::{Mutex, lock};
use rkyv::util::AlignedVec;
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A directory of its own below the system's place for temporary files; it is made by the first block and removed with the last.
pub(crate) struct Spill {
    storage: Arc<dyn Storage>,
    directory: PathBuf,
    next: Mutex<u64>,
}

/// An encoded block in a file.
pub(crate) struct Spilled {
    spill: Arc<Spill>,
    path: PathBuf,
    bytes: usize,
}

impl Spill {
    pub(crate) fn new(storage: Arc<dyn Storage>) -> Arc<Self> {
        // Contexts of one process each have their own.
        static CONTEXTS: AtomicU64 = AtomicU64::new(0);
        let name = format!("downbeat-blocks-{}-{}", std::process::id(), CONTEXTS.fetch_add(1, Relaxed));
        Arc::new(Spill { storage, directory: std::env::temp_dir().join(name), next: Mutex::default() })
    }

    /// Writes a block to a file.
    ///
    /// # Errors
    /// What the system reports: most often that the disk is full. Nothing is left of the file then.
    pub(crate) fn write(self: &Arc<Self>, encoded: &Encoded) -> io::Result<Spilled> {
        let number = {
            let mut next = lock(&self.next);
            if *next == 0 {
                self.make_directory()?;
            }
            *next += 1;
            *next
        };
        let path = self.directory.join(format!("{number}.block"));
        let spilled = Spilled { spill: self.clone(), path, bytes: encoded.len_bytes() };
        let mut file = self.storage.create_file(&spilled.path)?;
        file.write_all(encoded.bytes())?;
        file.flush()?;
        Ok(spilled)
    }

    /// A process that had our number before us may have died and left its files.
    fn make_directory(&self) -> io::Result<()> {
        if self.storage.entry(&self.directory)? == Some(Entry::Directory) {
            self.storage.remove(&self.directory)?;
        }
        self.storage.create_directory(&self.directory)
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if *lock(&self.next) > 0 {
            // What cannot be removed now is found in the way by whoever needs the name.
            let _ = self.storage.remove(&self.directory);
        }
    }
}

impl Spilled {
    /// Reads the block back.
    ///
    /// # Errors
    /// The file is gone, cannot be read, or is not as long as it was.
    pub(crate) fn read(&self) -> Result<Encoded, EngineError> {
        let problem = |error: io::Error| EngineError::File {
            path: self.path.display().to_string(),
            problem: format!("a block that was moved to disk cannot be read back: {error}"),
        };
        let mut file = self.spill.storage.open(&self.path).map_err(problem)?;
        let mut bytes = AlignedVec::with_capacity(self.bytes);
        bytes.resize(self.bytes, 0);
        file.read_exact(&mut bytes).map_err(problem)?;
        match file.read(&mut [0]).map_err(problem)? {
            0 => Ok(Encoded::of_bytes(bytes)),
            _ => Err(problem(io::Error::other("it is longer than it was"))),
        }
    }
}

impl Drop for Spilled {
    fn drop(&mut self) {
        let _ = self.spill.storage.remove(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::Disk;

    fn encoded(text: &[u8]) -> Encoded {
        let mut bytes = AlignedVec::new();
        bytes.extend_from_slice(text);
        Encoded::of_bytes(bytes)
    }

    #[test]
    fn a_block_comes_back_as_it_was_and_leaves_nothing() {
        let spill = Spill::new(Arc::new(Disk));
        let directory = spill.directory.clone();
        assert!(!directory.exists(), "nothing is made before there is a block");
        let (one, other) = (spill.write(&encoded(b"one")).unwrap(), spill.write(&encoded(b"other")).unwrap());
        assert_eq!((one.read().unwrap().bytes(), other.read().unwrap().bytes()), (&b"one"[..], &b"other"[..]));
        let path = one.path.clone();
        drop(one);
        assert!(!path.exists() && other.path.exists());
        drop((spill, other));
        assert!(!directory.exists());
    }

    #[test]
    fn a_file_that_changed_is_an_error_with_its_path() {
        let spill = Spill::new(Arc::new(Disk));
        let spilled = spill.write(&encoded(b"block")).unwrap();
        for changed in [&b"bloc"[..], b"blocks"] {
            std::fs::write(&spilled.path, changed).unwrap();
            let error = spilled.read().err().unwrap().to_string();
            assert!(error.contains(spilled.path.to_str().unwrap()) && error.contains("cannot be read back"), "{error}");
        }
    }

    #[test]
    fn what_a_dead_process_left_is_not_in_the_way() {
        let spill = Spill::new(Arc::new(Disk));
        std::fs::create_dir(&spill.directory).unwrap();
        std::fs::write(spill.directory.join("1.block"), "of another").unwrap();
        assert_eq!(spill.write(&encoded(b"ours")).unwrap().read().unwrap().bytes(), b"ours");
    }
}
