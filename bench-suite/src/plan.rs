//! The plan: everything about a trial is known before it starts, and is handed to its process as one versioned file.

use crate::failure::Failure;
use crate::run_settings::RunSettings;
use crate::settings::{Resolved, TrialSettings};
use crate::source::Source;
use downbeat_engine::settings::Settings;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Version of the trial protocol. A trial's process refuses any other. 2: the modes of a gate's arms. 3: these take turns. 4: they
/// move their code meanwhile.
pub const PROTOCOL: u32 = 4;

/// Longest time for which a trial drains after its last batch.
pub const DRAIN_NS: u64 = 10 * NS_PER_S;

/// How long a TCP source may bring nothing at all, when `max_time` does not say otherwise.
pub const TCP_PATIENCE_NS: u64 = 60 * NS_PER_S;

/// A profile is complete with this many samples,
pub const PROFILE_SAMPLES: u64 = 500;

/// or after this time.
pub const PROFILE_NS: u64 = 5 * NS_PER_S;

pub(crate) const NS_PER_S: u64 = 1_000_000_000;

/// What a trial's process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Runs the load at its pace and records every batch.
    Measure,
    /// Drains batches of two sizes unpaced, to see what a batch and a record cost.
    Capacity {
        /// For about this long, nanoseconds; making the lines and finding the sizes come on top.
        measure_ns: u64,
    },
    /// Runs the same batches unpaced under the profiler.
    Profile,
    /// Runs batches of two fixed sizes unpaced, and tells how long each took.
    Blocks(Blocks),
    /// Runs few batches unpaced, and tells what they took that can be counted.
    Counts {
        /// Records in each.
        batch_records: u64,
        /// How many, beside those that fill windows.
        batches: u64,
    },
}

/// Small batches of a slice, after which another process has its turn. One more runs before them and is not counted: it finds what the
/// other processes left in the caches.
pub const SLICE_BATCHES: u64 = 10;

/// How much one process of a gate's arm runs: the same for both arms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocks {
    /// Records in each of the batches whose processing times are compared.
    pub batch_records: u64,
    /// How many of them, beside those that warm up and the first one of each slice.
    pub batches: u64,
    /// Records in each of the large batches that capacity is measured with.
    pub large_records: u64,
    /// How many of them, beside those that warm up.
    pub large_batches: u64,
}

/// One trial, as its process gets it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrialSpec {
    /// Always [`PROTOCOL`].
    pub protocol: u32,
    /// What to do.
    pub mode: Mode,
    /// Identifies the trial.
    pub run: String,
    /// The command line, ready to be pasted.
    pub command: String,
    /// What is measured.
    pub subject: String,
    /// Name of the job.
    pub workload: String,
    /// Every setting by name, with its unit.
    pub settings: BTreeMap<String, String>,
    /// Where each setting's value came from.
    pub origins: BTreeMap<String, String>,
    /// Where the lines come from.
    pub source: Source,
    /// Batches to be judged; `None` means until the input ends.
    pub batches: Option<u64>,
    /// Batches before them that are not judged.
    pub warmup_batches: u64,
    /// The trial ends itself after this time, keeping what it has, nanoseconds.
    pub time_limit_ns: u64,
    /// Whether the user set that limit: an end by a limit of ours says that the trial was too slow.
    pub time_limit_is_given: bool,
    /// Where the job's final answer goes.
    pub answer: Option<PathBuf>,
    /// Where the process tells how far it is.
    pub status: PathBuf,
    /// Records per second that the generator was proven to send into a job that does nothing, if it was.
    #[serde(default)]
    pub ceiling_per_s: Option<u64>,
    /// Whether a measured trial takes samples, if its settings want them: those of searches and gates never do.
    #[serde(default)]
    pub samples: bool,
    /// The seat at which this process waits for its turns; `None` for one that has the machine to itself.
    #[serde(default)]
    pub seat: Option<String>,
}

impl TrialSpec {
    /// The settings, read from their names and values.
    ///
    /// # Errors
    /// A name or a value that this build does not know (exit 2).
    pub(crate) fn trial_settings(&self) -> Result<TrialSettings, Failure> {
        let mut settings = TrialSettings::default();
        for (name, value) in &self.settings {
            let refused = |error| Failure::usage(format!("the plan's {name} = {value}: {error}"));
            settings.set(name, value).map_err(refused)?;
        }
        Ok(settings)
    }
}

/// Batches to be judged and the warm-up before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Judged batches; `None` means until the input ends.
    pub batches: Option<u64>,
    /// Warm-up batches.
    pub warmup_batches: u64,
}

impl Length {
    /// The length that these settings ask for. A file that is replayed once is replayed whole, unless a length was given.
    pub fn of(resolved: &Resolved, source: &Source) -> Self {
        let (run, engine) = (&resolved.settings.run, &resolved.settings.engine);
        let asked = match run.duration_ns {
            Some(duration_ns) => duration_ns.div_ceil(engine.interval_ns),
            None => run.batches,
        };
        let whole_file = matches!(source, Source::File { again: false, .. });
        let given = run.duration_ns.is_some() || resolved.is_given("batches");
        Length {
            batches: (given || !whole_file).then_some(asked),
            warmup_batches: run.warmup.batches(engine.interval_ns),
        }
    }

    /// How long the trial takes when it keeps its pace, nanoseconds. Priming, draining and checking come on top.
    pub fn planned_ns(self, interval_ns: u64) -> Option<u64> {
        Some((self.batches? + self.warmup_batches).saturating_mul(interval_ns))
    }
}

/// The time after which a trial ends itself: the one asked for, or twice the planned time and a minute.
pub fn time_limit_ns(
    length: Length,
    run: &RunSettings,
    engine: &Settings,
    source: &Source,
    input_ns: Option<u64>,
) -> u64 {
    if let Some(limit_ns) = run.max_time_ns {
        return limit_ns;
    }
    let planned_ns = length.planned_ns(engine.interval_ns).or(input_ns).unwrap_or(0);
    let waiting_ns = if matches!(source, Source::Tcp { .. }) { TCP_PATIENCE_NS } else { 0 };
    planned_ns.saturating_mul(2).saturating_add(60 * NS_PER_S).saturating_add(waiting_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(given: &[(&str, &str)]) -> Resolved {
        let mut settings = TrialSettings::default();
        let mut origins = BTreeMap::new();
        for (name, value) in given {
            settings.set(name, value).unwrap();
            origins.insert((*name).to_owned(), "flag".to_owned());
        }
        Resolved { settings, origins }
    }

    #[test]
    fn a_file_is_replayed_whole_unless_a_length_was_given() {
        let once = Source::File { path: "x".into(), again: false };
        let again = Source::File { path: "x".into(), again: true };
        assert_eq!(Length::of(&resolved(&[]), &once).batches, None);
        assert_eq!(Length::of(&resolved(&[("batches", "7")]), &once).batches, Some(7));
        assert_eq!(Length::of(&resolved(&[]), &again).batches, Some(100));
        assert_eq!(Length::of(&resolved(&[("duration", "1050ms")]), &Source::Generator).batches, Some(6));
    }

    #[test]
    fn the_time_limit_leaves_room_or_is_the_one_asked_for() {
        let limit = |given: &[(&str, &str)]| {
            let resolved = resolved(given);
            let length = Length::of(&resolved, &Source::Generator);
            time_limit_ns(length, &resolved.settings.run, &resolved.settings.engine, &Source::Generator, None)
        };
        assert_eq!(limit(&[]), 2 * 22 * NS_PER_S + 60 * NS_PER_S);
        assert_eq!(limit(&[("max_time", "5s")]), 5 * NS_PER_S);
    }

    #[test]
    fn a_spec_survives_the_way_to_the_trial() {
        let spec = TrialSpec {
            protocol: PROTOCOL,
            mode: Mode::Profile,
            run: "r".into(),
            command: "c".into(),
            subject: "embedded".into(),
            workload: "w".into(),
            settings: resolved(&[]).settings.values(),
            origins: BTreeMap::new(),
            source: Source::Tcp { addresses: vec!["localhost:1".into()] },
            batches: None,
            warmup_batches: 3,
            time_limit_ns: 5,
            time_limit_is_given: true,
            answer: None,
            status: "s".into(),
            ceiling_per_s: Some(5),
            samples: true,
            seat: None,
        };
        let json = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<TrialSpec>(&json).unwrap(), spec);
    }
}
