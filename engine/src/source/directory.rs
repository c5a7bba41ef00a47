//! A watched directory: at each tick, which of its files belong to the batch. What is in them is read when the batch runs.
//!
//! The rule is that of Spark's `FileInputDStream`, in milliseconds as there: a file belongs to the batch labelled `t` when
//! its name passes the filter, it was modified after max(start if only new files count, `t` − remember), and at `t` or
//! before, and no batch of the remember window had a file of that name.

mod options;
mod read;

pub use options::DirectoryOptions;

use super::LineCounts;
use super::allotment::{Allotment, Settled};
use super::input::AnyInput;
use super::shared::Shared;
use crate::block::Stamp;
use crate::clock::lock;
use crate::error::panic_text;
use crate::record::TextColumn;
use read::{Found, read_lines};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::fs::Metadata;
use std::hash::{BuildHasher, RandomState};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

/// Names in one message.
const TOLD_NAMES: usize = 3;

/// The files of one batch, one partition each.
pub(crate) struct FileBatch {
    pub(crate) label_ms: i64,
    pub(crate) files: Vec<Arc<WatchedFile>>,
}

/// One file as it was when it was listed.
pub(crate) struct WatchedFile {
    name: OsString,
    pub(crate) bytes: u64,
    modified_ms: i64,
    /// What the first complete reading found.
    found: OnceLock<Found>,
}

pub(crate) struct DirectoryInput {
    shared: Arc<Shared>,
    name: String,
    directory: PathBuf,
    options: DirectoryOptions,
    remember_ms: i64,
    /// Files modified until then are no new ones; `i64::MIN` when all count.
    start_ms: i64,
    line_limit_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Names that a batch of the remember window had, and that batch's label.
    selected: HashMap<OsString, i64>,
    /// Hashes of the names in the directory that are known to be too old: each is told once. Hashes, because a directory may
    /// keep its old files for ever: 8 bytes for each of them.
    old: HashSet<u64>,
    hasher: RandomState,
    listed_before: bool,
    /// The trouble that was told last, until it is over.
    trouble: Option<String>,
    allotted: BTreeMap<u64, Arc<FileBatch>>,
    records: u64,
    counts: BTreeMap<&'static str, u64>,
}

/// What one look at the directory found.
#[derive(Default)]
struct Listing {
    files: Vec<WatchedFile>,
    /// It reached the end of the directory.
    complete: bool,
    trouble: Option<String>,
}

impl DirectoryInput {
    pub(crate) fn new(
        shared: Arc<Shared>,
        directory: PathBuf,
        options: DirectoryOptions,
        line_limit_bytes: usize,
    ) -> Self {
        let interval_ms = (shared.interval_ns / 1_000_000).max(1);
        let asked_ms = i64::try_from(options.remember.as_millis()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4);
        let now_ms = (shared.clock.now_ns() as i64 + shared.clock.wall_offset_ns()).div_euclid(1_000_000);
        DirectoryInput {
            name: format!("directory {}", directory.display()),
            remember_ms: (asked_ms.max(1) as u64).next_multiple_of(interval_ms) as i64,
            start_ms: if options.new_files_only { now_ms } else { i64::MIN },
            shared,
            directory,
            options,
            line_limit_bytes,
            state: Mutex::default(),
        }
    }

    /// The files of a batch.
    pub(crate) fn files(&self, batch: u64) -> Option<Arc<FileBatch>> {
        lock(&self.state).allotted.get(&batch).cloned()
    }

    /// Reads one file of a batch, as long as it was when it was listed, and shows its lines in columns of about 1 MiB.
    ///
    /// # Errors
    /// Which file cannot be read and why. The next tick's listing offers it again, if it is still there and within the window.
    pub(crate) fn read(&self, file: &WatchedFile, take: &mut dyn FnMut(&TextColumn)) -> Result<(), String> {
        let path = self.directory.join(&file.name);
        match read_lines(&path, file.bytes, self.line_limit_bytes, take) {
            Ok((found, odd)) => {
                // A second output reads the file again; its records count once.
                if file.found.set(found).is_ok() {
                    self.count_lines(&odd);
                }
                Ok(())
            }
            Err(problem) => {
                let mut state = lock(&self.state);
                // Another output may have found it already.
                if state.selected.remove(&file.name).is_some() {
                    *state.counts.entry("unread_files").or_default() += 1;
                }
                Err(format!("cannot read {}: {problem}", path.display()))
            }
        }
    }

    fn count_lines(&self, odd: &LineCounts) {
        let mut state = lock(&self.state);
        for (kind, count) in odd.iter().filter(|(_, count)| *count > 0) {
            *state.counts.entry(kind).or_default() += count;
        }
    }

    /// All files with their times, whatever they are; an unreadable directory is a trouble and no file.
    fn look(&self) -> Listing {
        let mut listing = Listing::default();
        let looked = catch_unwind(AssertUnwindSafe(|| self.look_into(&mut listing)));
        listing.complete = matches!(looked, Ok(Ok(())));
        let trouble = match looked {
            Ok(result) => result.err().map(|error| error.to_string()),
            Err(panic) => Some(format!("the filter of names panicked: {}", panic_text(&*panic))),
        };
        listing.trouble = trouble.or(listing.trouble);
        listing
    }

    fn look_into(&self, listing: &mut Listing) -> std::io::Result<()> {
        for entry in std::fs::read_dir(&self.directory)? {
            let name = entry?.file_name();
            if !self.options.accepts(&name.to_string_lossy()) {
                continue;
            }
            match std::fs::metadata(self.directory.join(&name)) {
                Ok(metadata) if metadata.is_file() => listing.files.push(WatchedFile {
                    name,
                    bytes: metadata.len(),
                    modified_ms: modified_ms(&metadata),
                    found: OnceLock::new(),
                }),
                Ok(_) => {}
                // Gone since it was listed, or a link to nothing.
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => listing.trouble = Some(format!("{}: {error}", name.display())),
            }
        }
        Ok(())
    }

    /// The files of the batch labelled `label_ms`, in the order of their modification, then by name.
    fn select(&self, label_ms: i64) -> Vec<WatchedFile> {
        let listing = self.look();
        let mut state = lock(&self.state);
        let window_ms = label_ms - self.remember_ms;
        if listing.complete {
            // Otherwise a file that was read would be news when it is seen again.
            state.selected.retain(|_, selected_ms| *selected_ms >= window_ms);
        }
        let (mut chosen, mut too_old, mut old) = (Vec::new(), Vec::new(), HashSet::new());
        for file in listing.files {
            if file.modified_ms <= window_ms.max(self.start_ms) {
                let hash = state.hasher.hash_one(&file.name);
                let known = state.old.contains(&hash) || state.selected.contains_key(&file.name);
                // What was there before the stream began is no news.
                let existed = !state.listed_before && file.modified_ms <= self.start_ms;
                old.insert(hash);
                if !known && !existed {
                    too_old.push(file.name);
                }
            } else if file.modified_ms <= label_ms && !state.selected.contains_key(&file.name) {
                chosen.push(file);
            }
        }
        chosen.sort_by(|left, right| (left.modified_ms, &left.name).cmp(&(right.modified_ms, &right.name)));
        state.selected.extend(chosen.iter().map(|file| (file.name.clone(), label_ms)));
        if listing.complete {
            state.old = old;
        } else {
            // What was not seen this time is still known the next time.
            state.old.extend(old);
        }
        state.listed_before = true;
        let messages =
            [state.book_trouble(&self.directory, listing.trouble), state.book_old(too_old, self.remember_ms)];
        drop(state);
        messages.iter().flatten().for_each(|message| self.shared.report(&self.name, message));
        chosen
    }
}

impl State {
    /// Counts a look that failed; says so when the trouble is a new one, or is over.
    fn book_trouble(&mut self, directory: &Path, trouble: Option<String>) -> Option<String> {
        let Some(trouble) = trouble else {
            return self.trouble.take().map(|_| format!("{} can be listed again", directory.display()));
        };
        *self.counts.entry("listing_failures").or_default() += 1;
        let directory = directory.display();
        let message = format!(
            "cannot list {directory}: {trouble}; batches get what can be seen and every tick tries again (does it exist, and may this user read it?)"
        );
        let is_new = self.trouble.replace(trouble) != self.trouble;
        is_new.then_some(message)
    }

    fn book_old(&mut self, too_old: Vec<OsString>, remember_ms: i64) -> Option<String> {
        if too_old.is_empty() {
            return None;
        }
        *self.counts.entry("too_old").or_default() += too_old.len() as u64;
        let names: Vec<_> = too_old.iter().take(TOLD_NAMES).map(|name| name.display().to_string()).collect();
        let more = too_old.len() - names.len();
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        Some(format!(
            "too old when first seen, so never read: {}{more} (modified before the start or more than {:?} ago; `touch` them, or remember longer)",
            names.join(", "),
            Duration::from_millis(remember_ms as u64),
        ))
    }
}

impl AnyInput for DirectoryInput {
    /// Lists the directory: this takes time on the ticker's thread, which is the batch's generation delay.
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment {
        let label_ms = (due_ns as i64 + self.shared.clock.wall_offset_ns()).div_euclid(1_000_000);
        let files = self.select(label_ms);
        let files: Vec<_> = files.into_iter().map(Arc::new).collect();
        let allotment = Allotment { blocks: files.len() as u64, ..Allotment::default() };
        lock(&self.state).allotted.insert(batch, Arc::new(FileBatch { label_ms, files }));
        allotment
    }

    fn settle(&self, batch: u64) -> Settled {
        let mut settled = Settled::default();
        for file in self.files(batch).iter().flat_map(|batch| &batch.files) {
            let Some(found) = file.found.get() else { continue };
            settled.records += found.records;
            settled.bytes += found.bytes;
            let wall_ns = file.modified_ms.saturating_mul(1_000_000);
            let modified_ns = wall_ns.saturating_sub(self.shared.clock.wall_offset_ns());
            let modified_ns = u64::try_from(modified_ns).unwrap_or(0);
            if found.records > 0 {
                settled.stamps.push(Stamp { records: found.records, first_ns: modified_ns, last_ns: modified_ns });
            }
        }
        lock(&self.state).records += settled.records;
        settled
    }

    fn forward(&self, batch: u64, later: u64) {
        let mut state = lock(&self.state);
        let Some(earlier) = state.allotted.remove(&batch) else { return };
        let Some(own) = state.allotted.get_mut(&later) else { return };
        let files = earlier.files.iter().chain(&own.files).cloned().collect();
        *own = Arc::new(FileBatch { label_ms: own.label_ms, files });
    }

    fn release(&self, batch: u64) {
        lock(&self.state).allotted.remove(&batch);
    }

    fn close(&self) {}

    /// Records of the files that batches have read.
    fn accepted(&self) -> u64 {
        lock(&self.state).records
    }

    fn waiting(&self) -> u64 {
        0
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        lock(&self.state).counts.iter().map(|(kind, count)| (*kind, *count)).collect()
    }

    fn is_exhausted(&self) -> bool {
        false
    }
}

fn modified_ms(metadata: &Metadata) -> i64 {
    metadata.mtime().saturating_mul(1000).saturating_add(metadata.mtime_nsec() / 1_000_000)
}
