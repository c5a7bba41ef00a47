//! Trials of a sweep on disk: one small file for each setting and round, whole or not there, under the hash of the sweep.

use crate::failure::Failure;
use crate::request::SweepRequest;
use downbeat_reports::search::sweep::SweepRecord;
use downbeat_reports::store::RunDirectory;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::xxh3_128;

/// Version of the files.
const SCHEMA: u32 = 1;

/// Which sweep it is, and how it was started.
const PLAN: &str = "plan.json";

/// Which sweep a directory belongs to.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    schema: u32,
    hash: String,
    arguments: Vec<String>,
}

/// One setting in one round.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Key {
    /// The job.
    pub(super) workload: String,
    /// The values of the knobs that vary.
    pub(super) values: BTreeMap<String, String>,
    /// The round, from 0.
    pub(super) round: u64,
}

/// What is kept of a trial.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    schema: u32,
    hash: String,
    key: Key,
    response: Option<f64>,
    failure: Option<String>,
}

/// The directory of a sweep.
pub(super) struct Store {
    directory: RunDirectory,
    trials: RunDirectory,
    hash: String,
    results: BTreeMap<Key, Result<f64, String>>,
}

/// Hash of everything that decides what is measured: workloads, settings, axes, response, source, seed and this build. Not the number
/// of rounds, so that a sweep can be made longer.
pub(super) fn hash(request: &SweepRequest, record: &SweepRecord) -> String {
    let build = std::env::current_exe().ok().and_then(|path| fs::read(path).ok()).map_or(0, |bytes| xxh3_128(&bytes));
    let axes: Vec<String> = request.axes.iter().map(|axis| format!("{}={:?}", axis.knob, axis.values)).collect();
    // A budget decides how much is measured, not what.
    let settings: Vec<_> = record.settings.iter().filter(|(name, _)| *name != "max_time").collect();
    let text = format!(
        "{:?} {settings:?} {axes:?} {:?} {:?} {} {build:032x}",
        request.workloads, request.response, request.source, request.one_at_a_time
    );
    format!("{:016x}", xxh3_128(text.as_bytes()) as u64)
}

/// The arguments with which a sweep was started, the program's name first.
///
/// # Errors
/// The directory holds no sweep.
pub(crate) fn arguments(directory: &Path) -> Result<Vec<OsString>, Failure> {
    let path = directory.join(PLAN);
    let refuse = |why: String| {
        Failure::usage(format!("{} is no sweep that can go on: {why}", directory.display()))
            .help("give the directory of a sweep that was stopped")
    };
    let bytes = fs::read(&path).map_err(|error| refuse(format!("{}: {error}", path.display())))?;
    let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| refuse(format!("{}: {error}", path.display())))?;
    let mut arguments = Vec::new();
    let mut stored = plan.arguments.into_iter();
    while let Some(argument) = stored.next() {
        // The directory may have been named from another place, or moved.
        match argument.as_str() {
            "--out" => drop(stored.next()),
            other if other.starts_with("--out=") => {}
            _ => arguments.push(OsString::from(argument)),
        }
    }
    arguments.extend([OsString::from("--out"), directory.as_os_str().to_owned()]);
    Ok(arguments)
}

impl Key {
    /// Name of its files: what varies, shortened by a hash.
    pub(super) fn name(&self) -> String {
        let text = format!("{} {:?}", self.workload, self.values);
        format!("{:016x}-{}", xxh3_128(text.as_bytes()) as u64, self.round)
    }

    fn result_file(&self) -> String {
        format!("{}.result.json", self.name())
    }
}

impl Store {
    /// Opens the directory of this sweep, new or to go on with; and what was found in it that is damaged or foreign.
    ///
    /// # Errors
    /// It holds another sweep, or something else (exit 2); it cannot be read or written (exit 7).
    pub(super) fn open(
        out: Option<PathBuf>,
        hash: &str,
        arguments: &[OsString],
    ) -> Result<(Self, Vec<String>), Failure> {
        let path = out.unwrap_or_else(|| PathBuf::from("results").join(format!("sweep-{hash}")));
        // A file that was being written when a sweep was killed is hidden, and none of somebody else's.
        let is_visible = |entry: fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
        let occupied = fs::read_dir(&path).is_ok_and(|entries| entries.flatten().any(is_visible));
        if occupied {
            let refuse = |why: String| {
                Failure::usage(format!("{} cannot be gone on with: {why}", path.display())).help("give another --out")
            };
            let bytes =
                fs::read(path.join(PLAN)).map_err(|_| refuse("it holds files that belong to no sweep".into()))?;
            let plan: Plan = serde_json::from_slice(&bytes).map_err(|error| refuse(format!("{PLAN}: {error}")))?;
            if plan.hash != hash {
                let message =
                    format!("it holds the sweep {}, and this is {hash}: settings, axes or the build differ", plan.hash);
                return Err(refuse(message));
            }
        }
        let directory = RunDirectory::open(path)?;
        if !occupied {
            let arguments = arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
            let plan = Plan { schema: SCHEMA, hash: hash.to_owned(), arguments };
            directory.write(PLAN, super::super::json(&plan)?.as_bytes())?;
        }
        let trials = RunDirectory::open(directory.file("trials"))?;
        let mut store = Store { directory, trials, hash: hash.to_owned(), results: BTreeMap::new() };
        let skipped = store.read_all()?;
        Ok((store, skipped))
    }

    /// Reads what is there. Files that are damaged or belong to something else are named and never used.
    fn read_all(&mut self) -> Result<Vec<String>, Failure> {
        let mut skipped = Vec::new();
        let trials = self.trials.path();
        let unreadable = |error| Failure::environment(format!("cannot read {}: {error}", trials.display()));
        let entries = fs::read_dir(trials).map_err(unreadable)?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.to_string_lossy().ends_with(".result.json")) {
            let read = fs::read(path).map_err(|error| error.to_string());
            let kept = read.and_then(|bytes| serde_json::from_slice::<Kept>(&bytes).map_err(|error| error.to_string()));
            match kept {
                Err(why) => skipped.push(format!("{} is damaged ({why}) and measured again", path.display())),
                Ok(kept) if kept.hash != self.hash || kept.schema != SCHEMA || *path != self.place(&kept.key) => {
                    skipped.push(format!(
                        "{} belongs to another sweep ({}) and is left alone",
                        path.display(),
                        kept.hash
                    ));
                }
                Ok(Kept { key, response: Some(value), .. }) if value > 0.0 => {
                    self.results.insert(key, Ok(value));
                }
                Ok(Kept { key, failure: Some(failure), .. }) => {
                    self.results.insert(key, Err(failure));
                }
                Ok(_) => skipped.push(format!("{} is damaged (no response) and measured again", path.display())),
            }
        }
        Ok(skipped)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    fn place(&self, key: &Key) -> PathBuf {
        self.trials.file(&key.result_file())
    }

    /// Whether this trial was made.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.results.contains_key(key)
    }

    /// What it gave, if it was made.
    pub(super) fn result(&self, key: &Key) -> Option<Result<f64, String>> {
        self.results.get(key).cloned()
    }

    /// Keeps what a trial gave: a whole file under its name, or none.
    pub(super) fn keep(&mut self, key: &Key, result: &Result<f64, String>) -> Result<(), Failure> {
        let kept = Kept {
            schema: SCHEMA,
            hash: self.hash.clone(),
            key: key.clone(),
            response: result.as_ref().ok().copied(),
            failure: result.as_ref().err().cloned(),
        };
        self.trials.write(&key.result_file(), super::super::json(&kept)?.as_bytes())?;
        self.results.insert(key.clone(), result.clone());
        Ok(())
    }

    /// Writes a file beside the trials.
    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), Failure> {
        self.directory.write(name, content)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(codec: &str, round: u64) -> Key {
        Key { workload: "w".into(), values: BTreeMap::from([("codec".into(), codec.into())]), round }
    }

    fn open(path: &Path, hash: &str) -> Result<(Store, Vec<String>), Failure> {
        Store::open(Some(path.to_owned()), hash, &["downbeat".into(), "sweep".into()])
    }

    #[test]
    fn what_was_kept_is_there_again_exactly_once() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, skipped) = open(directory.path(), "h").unwrap();
        assert!(skipped.is_empty());
        store.keep(&key("none", 0), &Ok(2.5)).unwrap();
        store.keep(&key("none", 1), &Err("it hung".into())).unwrap();
        let (store, skipped) = open(directory.path(), "h").unwrap();
        assert!(skipped.is_empty());
        assert_eq!(store.result(&key("none", 0)), Some(Ok(2.5)));
        assert_eq!(store.result(&key("none", 1)), Some(Err("it hung".into())));
        assert!(!store.has(&key("rkyv", 0)));
        let again = arguments(directory.path()).unwrap();
        assert_eq!(again[..3], ["downbeat", "sweep", "--out"]);
    }

    #[test]
    fn a_sweep_goes_on_in_the_directory_that_is_named_wherever_it_was_started() {
        let directory = tempfile::tempdir().unwrap();
        let started = ["downbeat", "sweep", "--out", "elsewhere", "--out=there", "null"].map(OsString::from);
        Store::open(Some(directory.path().to_owned()), "h", &started).unwrap();
        let again = arguments(directory.path()).unwrap();
        assert_eq!(again[..3], ["downbeat", "sweep", "null"]);
        assert_eq!(again[3..], [OsString::from("--out"), directory.path().into()]);
    }

    #[test]
    fn a_sweep_that_was_killed_while_it_wrote_its_plan_can_begin() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(".plan.json.partial"), "{").unwrap();
        assert!(open(directory.path(), "h").is_ok());
    }

    #[test]
    fn damaged_and_foreign_results_are_named_and_never_mixed_in() {
        let directory = tempfile::tempdir().unwrap();
        let (mut store, _) = open(directory.path(), "h").unwrap();
        for codec in ["none", "rkyv", "json"] {
            store.keep(&key(codec, 0), &Ok(1.0)).unwrap();
        }
        let place = |codec: &str| store.place(&key(codec, 0));
        let text = fs::read_to_string(place("none")).unwrap();
        fs::write(place("none"), &text[..text.len() / 2]).unwrap();
        fs::write(place("rkyv"), text.replace("\"h\"", "\"other\"")).unwrap();
        // A result under another one's name.
        fs::write(directory.path().join("trials/stolen.result.json"), &text).unwrap();
        fs::write(directory.path().join("trials/x.partial"), "half").unwrap();
        let (store, skipped) = open(directory.path(), "h").unwrap();
        assert_eq!(skipped.len(), 3, "{skipped:?}");
        assert!(skipped.iter().any(|line| line.contains("damaged")));
        assert!(skipped.iter().any(|line| line.contains("another sweep")));
        assert_eq!(
            [store.has(&key("none", 0)), store.has(&key("rkyv", 0)), store.has(&key("json", 0))],
            [false, false, true]
        );
    }

    #[test]
    fn a_directory_of_something_else_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        open(directory.path(), "h").unwrap();
        let error = open(directory.path(), "other").err().unwrap();
        assert!(error.message.contains("holds the sweep h"), "{error}");
        let foreign = tempfile::tempdir().unwrap();
        fs::write(foreign.path().join("thesis.txt"), "x").unwrap();
        assert!(open(foreign.path(), "h").err().unwrap().message.contains("belong to no sweep"));
        assert!(arguments(foreign.path()).is_err());
    }
}
