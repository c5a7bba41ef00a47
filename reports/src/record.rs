//! The record of one trial: plain data, versioned, written by the trial and read by everything else.
//!
//! Times ending in `_ns` are nanoseconds. Points in time are on the trial's monotonic clock unless the name says `wall`.
//! A field that a subject cannot know is `None` and appears as `null`.

mod ordered;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use thiserror::Error;

/// Version of this format. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// Why bytes are not a record.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The bytes are JSON of another version of this format.
    #[error(
        "the record has schema {found}, this build reads schema {SCHEMA}: its fields may mean other things; \
         read it with the version of downbeat that wrote it, or measure again"
    )]
    ForeignSchema {
        /// The version that the record states.
        found: u64,
    },
    /// The bytes are no JSON, or a field is missing or of the wrong type.
    #[error("this is no record of a trial: {reason}; give the result.json that a run wrote")]
    Unreadable {
        /// What the parser met, with line and column.
        reason: String,
    },
}

/// Reads a record from JSON. Fields that are not the record's, such as the derived ones beside it in a stored result, are ignored.
///
/// # Errors
/// [`RecordError::ForeignSchema`] before anything else is looked at, then [`RecordError::Unreadable`].
pub fn parse(json: &[u8]) -> Result<TrialRecord, RecordError> {
    #[derive(Deserialize)]
    struct Probe {
        schema: u64,
    }
    let unreadable = |error: serde_json::Error| RecordError::Unreadable { reason: error.to_string() };
    let probe: Probe = serde_json::from_slice(json).map_err(unreadable)?;
    if probe.schema != u64::from(SCHEMA) {
        return Err(RecordError::ForeignSchema { found: probe.schema });
    }
    serde_json::from_slice(json).map_err(unreadable)
}

/// One measured run of one workload under one set of settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrialRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Identifies the trial in file names and messages, for example `20261123-0931-a1f3`.
    pub run: String,
    /// The command line, ready to be pasted, seed included.
    pub command: String,
    /// What was measured: `embedded` for the engine of this repository.
    pub subject: String,
    /// Name of the workload in the catalog.
    pub workload: String,
    /// Every setting by name, with its unit (`"200ms"`).
    pub settings: BTreeMap<String, String>,
    /// Where each setting's value came from: `flag`, `environment`, `file` or `default`.
    pub origins: BTreeMap<String, String>,
    /// The numbers that the verdict is judged by.
    pub judging: Judging,
    /// The load: what was planned, when, from which seed.
    pub schedule: Schedule,
    /// All batches in the order of their labels; primed ones are not among them.
    pub batches: Vec<BatchRecord>,
    /// Batches run back to back to fill windows and state before the first batch here.
    pub primed_batches: u64,
    /// Latency of each record of the judged batches, intended send time to commit: HdrHistogram V2 + DEFLATE, base64.
    pub latency_histogram: Option<String>,
    /// Were records lost, doubled, refused, late?
    pub integrity: Integrity,
    /// What the trial used.
    pub resources: Resources,
    /// Disturbances of the host seen while the judged batches ran.
    pub noise: Noise,
    /// The machine and the build, allow-listed: nothing secret.
    pub environment: BTreeMap<String, String>,
    /// The profile taken by the replay child, or why there is none.
    pub profile: Profile,
    /// Samples taken in the measured trial, which lie beside the record, or why there are none.
    #[serde(default)]
    pub sampling: Sampling,
    /// True when Ctrl-C or the time limit ended the trial early; what was measured until then is here.
    pub interrupted: bool,
    /// Why the trial failed as a whole, when it did.
    pub failure: Option<String>,
    /// Things a reader must know about this trial, one sentence each.
    pub warnings: Vec<String>,
}

/// The numbers that the verdict is judged by.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Judging {
    /// Batch interval.
    pub interval_ns: u64,
    /// Share of late batches that is still accepted, 0.01 by default.
    pub late_limit: f64,
    /// Worker threads: busy time per stage + idle = threads × processing time.
    pub threads: u32,
    /// How many batches the plan wanted judged.
    pub planned_batches: u64,
}

/// The load: what was planned, when, from which seed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Hash of the intended send times and of every byte of the payload, hexadecimal. `None` where the load comes from outside.
    pub hash: Option<String>,
    /// Seed of payload and arrivals.
    pub seed: u64,
    /// Records planned, warm-up included.
    pub records: Option<u64>,
    /// Planned rate. `None` where the sender decides.
    pub rate_per_s: Option<f64>,
    /// The knob `arrivals`, or `external`.
    pub arrivals: String,
    /// `generator`, `tcp://HOST:PORT` or the path of the replayed file.
    pub source: String,
    /// Rate that the generator reached into a job that does nothing (of a replayed file: alone), records per second.
    pub ceiling_per_s: Option<f64>,
}

/// One batch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BatchRecord {
    /// 0 for the first batch of the trial.
    pub index: u64,
    /// The label: wall time of the end of the interval, nanoseconds since 1970.
    pub time_ns: i64,
    /// The same moment on the monotonic clock: when the batch is due.
    pub due_ns: u64,
    /// Warm-up batches are recorded, not judged.
    pub warmup: bool,
    /// False when no output operation had anything to do at this time (slide > interval): recorded, not judged.
    pub has_job: bool,
    /// Records in the batch.
    pub records: u64,
    /// Their bytes as received.
    pub bytes: u64,
    /// Bytes that its blocks took in memory until it was done. `None` when not known.
    #[serde(default)]
    pub held_bytes: Option<u64>,
    /// Blocks, which are the tasks of the first stage.
    pub blocks: u64,
    /// Sequence number of the first record and one past the last.
    pub first_sequence: u64,
    /// One past the sequence number of the last record.
    pub end_sequence: u64,
    /// Records that were dropped in its interval because there was no room: gaps between sequence numbers.
    #[serde(default)]
    pub shed: u64,
    /// Due → submitted.
    pub generation_delay_ns: u64,
    /// Submitted → started.
    pub scheduling_delay_ns: u64,
    /// Started → done.
    pub processing_ns: u64,
    /// Due → done; the three above add up to it exactly.
    pub total_delay_ns: u64,
    /// Total delay > interval.
    pub late: bool,
    /// Share of the processing time that ended with the last task of each stage, in order of execution; adds up to it exactly.
    #[serde(with = "ordered")]
    pub phases: Vec<Phase>,
    /// Worker time per stage; with `idle_ns` it adds up to threads × processing time exactly.
    #[serde(with = "ordered")]
    pub busy: Vec<Phase>,
    /// Worker time that no stage used.
    pub idle_ns: u64,
    /// Longest task ÷ median task of the widest stage; 1 when even.
    pub skew: Option<f64>,
    /// Batches waiting when this one was submitted.
    pub queue_depth: u64,
    /// Time in this interval for which the engine blocked the sender.
    pub blocked_ns: u64,
    /// Time of it for which a limit on the rate was the reason.
    #[serde(default)]
    pub throttled_ns: u64,
    /// Records per second that were let in at most when it was cut. `None` without a limit.
    #[serde(default)]
    pub rate_limit_per_s: Option<u64>,
    /// Allocations while it was processed, all threads. `None` when not counted.
    pub allocations: Option<u64>,
    /// Their bytes.
    pub allocated_bytes: Option<u64>,
    /// Page faults of the process, minor and major, since the batch before was done. `None` when not known.
    #[serde(default)]
    pub page_faults: Option<u64>,
    /// Those of them for which the kernel had to read from a disk.
    #[serde(default)]
    pub major_page_faults: Option<u64>,
    /// CPU time, of all cores together, that the hypervisor gave to others since the batch before was done. `None` when not known.
    #[serde(default)]
    pub stolen_ns: Option<u64>,
    /// How late the generator was with the batch's records at most, blocked time excluded. `None` when not known.
    #[serde(default)]
    pub generator_lag_ns: Option<u64>,
    /// Why the batch failed, with the name of the operation.
    pub failure: Option<String>,
    /// What the oracle says is wrong with its answer.
    pub wrong: Option<String>,
}

/// A named span of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Phase {
    /// From the engine's closed list of stage names.
    pub name: String,
    /// Nanoseconds.
    pub ns: u64,
}

/// Were records lost, doubled, refused, late?
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Integrity {
    /// Records the schedule held for the time the trial ran. `None` where the load comes from outside.
    pub planned: Option<u64>,
    /// Records the engine took.
    pub accepted: u64,
    /// Records the engine dropped on purpose under overload.
    pub shed: u64,
    /// Records in committed batches.
    pub committed: u64,
    /// Records in batches not done after the drain.
    pub unfinished: u64,
    /// accepted − committed − unfinished, never below 0.
    pub lost: u64,
    /// Records that were in more than one committed batch.
    pub doubled: u64,
    /// How late records were handed over, against their intended time, blocked time excluded.
    pub generator_lag_ns: Lag,
    /// Records handed over later than max(5 ms, 5 % of the interval), blocked time excluded.
    pub generator_late_records: u64,
    /// Time for which the engine blocked the sender while judged batches were filled.
    pub blocked_ns: u64,
    /// Time of it for which a limit on the rate was the reason.
    #[serde(default)]
    pub throttled_ns: u64,
    /// Input refused at the door, by kind (`too_long`, …), and oddities that were taken (`invalid_utf8`, …).
    pub input: BTreeMap<String, u64>,
    /// Wall clock minus monotonic clock moved by this much during the trial.
    pub clock_jump_ns: i64,
    /// The independent computation of the right answer; `None` with a reason in `unchecked` where there is none.
    pub oracle: Option<String>,
    /// Why the answer was not checked.
    pub unchecked: Option<String>,
    /// Batches whose answer was compared with the oracle's.
    pub checked_batches: u64,
    /// Batches with a wrong answer.
    pub wrong_batches: u64,
    /// Gaps and overlaps between the sequence ranges of successive batches, one sentence each, at most 20.
    pub sequence_errors: Vec<String>,
}

/// How late records were handed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Lag {
    /// 99th percentile over records.
    pub p99: u64,
    /// Largest.
    pub max: u64,
}

/// What the trial used.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Resources {
    /// CPU time of the whole process while it was measured.
    pub cpu_ns: u64,
    /// CPU time of the generator's thread within it.
    pub generator_cpu_ns: Option<u64>,
    /// Largest resident size.
    pub peak_rss_bytes: u64,
    /// Allocations while it was measured. `None` when not counted.
    pub allocations: Option<u64>,
    /// Their bytes.
    pub allocated_bytes: Option<u64>,
    /// The allocator that was really used, read back.
    pub allocator: String,
    /// Its options in force by the allocator's own names for them, read back.
    #[serde(default)]
    pub allocator_options: BTreeMap<String, String>,
}

/// Disturbances of the host seen while the judged batches ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Noise {
    /// CPU time that the hypervisor gave to others. `None` where the host does not tell.
    pub steal_ns: Option<u64>,
    /// Moments at which a thread that only sleeps woke up much too late.
    pub hiccups: Vec<Hiccup>,
}

/// A moment at which a thread that only sleeps woke up much too late.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hiccup {
    /// When it should have woken up.
    pub start_ns: u64,
    /// How much later it did.
    pub length_ns: u64,
}

/// The profile taken by the replay child, or why there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Sampler and unwinder, for example `pprof 0.15, libgcc unwinder`.
    pub sampler: Option<String>,
    /// Samples asked for per second of CPU time.
    pub frequency_hz: u32,
    /// Samples taken.
    pub samples: u64,
    /// Samples that CPU time × frequency promises; a low share taken is a warning.
    pub expected_samples: u64,
    /// Seconds of unpaced replay.
    pub replay_s: f64,
    /// Folded stacks, `frame;frame;frame count` a line, most frequent first.
    pub folded: Vec<String>,
    /// Why there is no profile.
    pub unavailable: Option<String>,
}

/// Samples taken in the measured trial, or why there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sampling {
    /// What took them, for example `perf_event cpu-clock`.
    pub sampler: Option<String>,
    /// Samples asked for per second of CPU time of a thread.
    pub frequency_hz: u32,
    /// Samples taken, of all threads of the engine.
    pub samples: u64,
    /// Samples of them that lie inside a batch, primed ones aside.
    pub in_batches: u64,
    /// Samples that the kernel or the sampler had no room for.
    pub lost: u64,
    /// Why there are none.
    pub unavailable: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phases(names: &[(&str, u64)]) -> Vec<Phase> {
        let phase = |(name, ns): &(&str, u64)| Phase { name: (*name).to_owned(), ns: *ns };
        names.iter().map(phase).collect()
    }

    #[test]
    fn phases_are_an_object_in_the_order_of_execution() {
        let batch = BatchRecord {
            phases: phases(&[("map", 5), ("exchange", 3), ("aggregate", 9)]),
            busy: phases(&[("zip", 1), ("map", 2)]),
            ..BatchRecord::default()
        };
        let json = serde_json::to_string(&batch).unwrap();
        assert!(json.contains(r#""phases":{"map":5,"exchange":3,"aggregate":9}"#));
        assert!(json.contains(r#""busy":{"zip":1,"map":2}"#));
        assert_eq!(serde_json::from_str::<BatchRecord>(&json).unwrap(), batch);
    }

    #[test]
    fn foreign_schema_is_refused_by_name_even_if_nothing_else_fits() {
        let error = parse(br#"{"schema":2,"whatever":[]}"#).unwrap_err();
        assert!(matches!(error, RecordError::ForeignSchema { found: 2 }));
        assert!(error.to_string().contains("schema 2"));
    }

    #[test]
    fn missing_fields_and_broken_json_are_named() {
        for bytes in [&b"{\"schema\":1}"[..], b"{", b"[]", b"\xff\xfe"] {
            let error = parse(bytes).unwrap_err();
            assert!(matches!(error, RecordError::Unreadable { .. }), "{bytes:?}: {error}");
        }
    }
}
