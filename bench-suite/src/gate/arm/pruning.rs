//! Which built revisions are kept: those that were used last.

use super::entry::{BUILT, LOCK};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Binaries of a repository that are kept: each has some 100 MB, and a bisection of a thousand commits builds ten.
const KEPT: usize = 20;

/// Says that this entry is used now.
pub(super) fn mark_used(entry: &Path) {
    // Where that cannot be written the entry only seems older than it is.
    let _ = File::open(entry.join(BUILT)).and_then(|proof| proof.set_modified(SystemTime::now()));
}

/// Removes the binaries of all entries of a repository but those used last. What a gate holds is left alone, and so is what cannot be
/// removed.
pub(super) fn prune(repository: &Path) {
    let Ok(entries) = fs::read_dir(repository) else { return };
    let mut used: Vec<(SystemTime, PathBuf)> = entries.flatten().filter_map(|entry| last_used(entry.path())).collect();
    used.sort_unstable();
    let too_many = used.len().saturating_sub(KEPT);
    used.iter().take(too_many).for_each(|(_, entry)| remove_binary(entry));
}

fn last_used(entry: PathBuf) -> Option<(SystemTime, PathBuf)> {
    let modified = fs::metadata(entry.join(BUILT)).and_then(|proof| proof.modified()).ok()?;
    Some((modified, entry))
}

/// The directory and its lock stay: whoever waits for the lock builds again.
fn remove_binary(entry: &Path) {
    let Ok(lock) = File::create(entry.join(LOCK)) else { return };
    if lock.try_lock().is_err() {
        return;
    }
    // Without its proof a binary is not used, so the proof goes first.
    let _ = fs::remove_file(entry.join(BUILT)).and_then(|()| fs::remove_file(entry.join("binary")));
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_oldest_go_unless_somebody_holds_them_or_has_just_used_them() {
        let repository = tempfile::tempdir().unwrap();
        let entry = |number: usize| repository.path().join(format!("commit-{number:02}"));
        for number in 0..KEPT + 4 {
            fs::create_dir(entry(number)).unwrap();
            fs::write(entry(number).join("binary"), "bytes").unwrap();
            let proof = File::create(entry(number).join(BUILT)).unwrap();
            proof.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64)).unwrap();
        }
        fs::create_dir(repository.path().join("half-built")).unwrap();
        mark_used(&entry(1));
        let held = File::create(entry(2).join(LOCK)).unwrap();
        held.lock().unwrap();
        prune(repository.path());
        let is_kept = |number: usize| entry(number).join("binary").exists() && entry(number).join(BUILT).exists();
        let gone: Vec<usize> = (0..KEPT + 4).filter(|number| !is_kept(*number)).collect();
        assert_eq!(gone, [0, 3, 4], "1 was used, 2 is held");
        assert!(entry(0).is_dir() && !entry(0).join("binary").exists());
    }
}
