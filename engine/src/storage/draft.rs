//! A directory that appears whole or not at all: made under a hidden name, flushed, then renamed.

use super::{Entry, Storage};
use std::ffi::OsString;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// The file whose presence says that a directory is whole.
pub(crate) const SUCCESS: &str = "_SUCCESS";

const BUFFER_BYTES: usize = 1 << 16;

/// A directory in the making.
///
/// It grows as `.NAME.unfinished` beside its place. What a crashed run left under that name is removed when the same directory is
/// drafted again. A directory that is there already is moved to `.NAME.replaced` right before the new one takes its place; a crash
/// between these two renames leaves none under the name, and the next draft brings the old one back before it begins.
/// A draft that is dropped without a commit is removed.
pub(crate) struct Draft<'s> {
    storage: &'s dyn Storage,
    place: PathBuf,
    unfinished: PathBuf,
    replaced: PathBuf,
    is_open: bool,
}

impl<'s> Draft<'s> {
    /// Starts an empty directory that is to appear at `place`; parents that are missing are made.
    ///
    /// # Errors
    /// What the system reports, with the path; or a file is at `place`.
    pub(crate) fn begin(storage: &'s dyn Storage, place: PathBuf) -> io::Result<Self> {
        let (unfinished, replaced) = (beside(&place, "unfinished")?, beside(&place, "replaced")?);
        let mut draft = Draft { storage, place, unfinished, replaced, is_open: false };
        make_directories(storage, parent(&draft.place))?;
        let old = draft.old()?;
        if storage.entry(&draft.replaced)?.is_some() {
            draft.settle_replaced(old)?;
        }
        at("remove the unfinished", &draft.unfinished, storage.remove(&draft.unfinished))?;
        draft.is_open = true;
        at("create directory", &draft.unfinished, storage.create_directory(&draft.unfinished))?;
        Ok(draft)
    }

    /// Writes one file of it; it is flushed to the disk when this returns. May be called from several threads.
    ///
    /// # Errors
    /// What `body` or the system reports, with the path.
    pub(crate) fn write(&self, name: &str, body: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let path = self.unfinished.join(name);
        let file = at("create", &path, self.storage.create_file(&path))?;
        let mut buffered = BufWriter::with_capacity(BUFFER_BYTES, file);
        let written = body(&mut buffered).and_then(|()| buffered.flush()).and_then(|()| buffered.get_mut().sync());
        // A buffer that could not be written is not tried again when it is dropped.
        drop(buffered.into_parts());
        at("write", &path, written)
    }

    /// Adds the success marker and puts the directory in its place, instead of what is there.
    ///
    /// # Errors
    /// What the system reports, with the path; what was there before is there still, unless only the last flush of the parent
    /// failed.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.write(SUCCESS, |_| Ok(()))?;
        at("flush", &self.unfinished, self.storage.sync_directory(&self.unfinished))?;
        let old = self.old()?;
        if old.is_some() {
            at("move away", &self.place, self.storage.rename(&self.place, &self.replaced))?;
        }
        let renamed = at("rename the finished directory to", &self.place, self.rename_to_place());
        if renamed.is_err() && old.is_some() {
            // If this fails too, the next draft does it.
            let _ = self.storage.rename(&self.replaced, &self.place);
        }
        renamed?;
        self.is_open = false;
        let parent = parent(&self.place);
        at("flush", parent, self.storage.sync_directory(parent))?;
        // The new directory is in place whatever becomes of the old one; the next draft removes what stays.
        let _ = self.storage.remove(&self.replaced);
        Ok(())
    }

    fn rename_to_place(&self) -> io::Result<()> {
        self.storage.rename(&self.unfinished, &self.place)
    }

    /// A directory that is in our place. A file there is somebody else's and stays.
    fn old(&self) -> io::Result<Option<Entry>> {
        let old = at("look at", &self.place, self.storage.entry(&self.place))?;
        if old == Some(Entry::File) {
            let problem = format!("{} is a file; remove it, or save under another prefix", self.place.display());
            return Err(io::Error::new(io::ErrorKind::NotADirectory, problem));
        }
        Ok(old)
    }

    /// A crashed commit left the directory that was there before.
    fn settle_replaced(&self, old: Option<Entry>) -> io::Result<()> {
        match old {
            Some(_) => {
                // Until the name of the new one is flushed, a power cut may bring back the old one, which must be whole then.
                let parent = parent(&self.place);
                at("flush", parent, self.storage.sync_directory(parent))?;
                at("remove the replaced", &self.replaced, self.storage.remove(&self.replaced))
            }
            None => at("bring back", &self.place, self.storage.rename(&self.replaced, &self.place)),
        }
    }
}

impl Drop for Draft<'_> {
    fn drop(&mut self) {
        if self.is_open {
            // Whatever made the draft fail is being told already; the next draft removes what stays.
            let _ = self.storage.remove(&self.unfinished);
        }
    }
}

/// Where a directory is; `.` for a plain name.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The hidden name of a directory at work.
fn beside(place: &Path, kind: &str) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, format!("{} names no directory", place.display()));
    let mut name = OsString::from(".");
    name.push(place.file_name().ok_or_else(no_name)?);
    name.push(".");
    name.push(kind);
    Ok(place.with_file_name(name))
}

/// Makes what is missing of a path, each with its name flushed. Another thread may be at it too.
fn make_directories(storage: &dyn Storage, path: &Path) -> io::Result<()> {
    if at("look at", path, storage.entry(path))? == Some(Entry::Directory) {
        return Ok(());
    }
    let parent = parent(path);
    if parent != path {
        make_directories(storage, parent)?;
    }
    let made = storage.create_directory(path);
    if made.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists)
        && storage.entry(path)? == Some(Entry::Directory)
    {
        return Ok(());
    }
    at("create directory", path, made)?;
    at("flush", parent, storage.sync_directory(parent))
}

/// Says what could not be done, and where.
fn at<T>(action: &str, path: &Path, result: io::Result<T>) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("cannot {action} {}: {error}", path.display())))
}

#[cfg(test)]
mod tests;
