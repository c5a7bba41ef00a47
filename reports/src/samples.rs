//! Samples of the measured trial: which functions ran in which batch and stage. Plain data, in a file of its own beside the record.
//!
//! The trial joins each sample to the batch and the stage in whose span it was taken; its time is not kept.

mod table;

use crate::flame::{Stack, cleaned, merged};
use crate::record::RecordError;
use serde::{Deserialize, Serialize};

/// Version of this format. A reader refuses any other.
pub const SCHEMA: u32 = 2;

/// Name of the file beside `result.json`.
pub const FILE: &str = "samples.json";

/// Fewer samples than this say too little about shares: they are pooled with others, and the report says so.
pub const FEWEST: u64 = 200;

/// What sampling costs, said where it is shown what was sampled. `scripts/profiler-cost` measures it.
pub const COST: &str =
    "That makes a batch take 0.7 % longer, 0.9 % at most (word count in one thread, 32 pairs in turns, 95 % sure).";

/// As it is on disk.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplesFile {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// The run that they are of.
    pub run: String,
    /// Folded stacks, `thread;frame;frame`, the outermost frame first.
    #[serde(with = "table")]
    pub stacks: Vec<String>,
    /// Where they were seen.
    pub seen: Vec<Seen>,
}

/// What was seen in one stage of one batch.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Seen {
    /// Index of the batch. `None` between batches, in primed ones, and in threads that work for no single batch.
    pub batch: Option<u64>,
    /// Name of the stage; `None` with the batch.
    pub stage: Option<String>,
    /// Place in `stacks`, and how often it was seen.
    pub stacks: Vec<(usize, u64)>,
}

/// Samples as they are shown: names cleaned, what fits together only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    /// The run that they are of.
    pub run: String,
    stacks: Vec<Vec<String>>,
    seen: Vec<Seen>,
}

impl Samples {
    /// Reads a file's bytes.
    ///
    /// # Errors
    /// [`RecordError::ForeignSchema`] before anything else is looked at, then [`RecordError::Unreadable`].
    pub fn parse(json: &[u8]) -> Result<Self, RecordError> {
        #[derive(Deserialize)]
        struct Probe {
            schema: u64,
        }
        let unreadable = |error: serde_json::Error| RecordError::Unreadable { reason: error.to_string() };
        let probe: Probe = serde_json::from_slice(json).map_err(unreadable)?;
        if probe.schema != u64::from(SCHEMA) {
            return Err(RecordError::ForeignSchema { found: probe.schema });
        }
        serde_json::from_slice::<SamplesFile>(json).map(Samples::from).map_err(unreadable)
    }

    /// How many samples the picked batches and stages have.
    pub fn count(&self, pick: impl Fn(&Seen) -> bool) -> u64 {
        let seen = self.seen.iter().filter(|seen| pick(seen));
        seen.flat_map(|seen| &seen.stacks).fold(0, |sum, (_, count)| sum.saturating_add(*count))
    }

    /// The stacks of the picked batches and stages, equal ones merged, in the order of their frames.
    pub fn stacks(&self, pick: impl Fn(&Seen) -> bool) -> Vec<Stack> {
        let mut counts = vec![0_u64; self.stacks.len()];
        for (place, count) in self.seen.iter().filter(|seen| pick(seen)).flat_map(|seen| &seen.stacks) {
            counts[*place] = counts[*place].saturating_add(*count);
        }
        let counted = self.stacks.iter().zip(counts).filter(|(_, count)| *count > 0);
        merged(counted.map(|(frames, count)| (frames.clone(), count)))
    }

    /// Everything that was seen, batch by batch.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// The frames of a stack, the thread first.
    pub fn frames(&self, place: usize) -> &[String] {
        &self.stacks[place]
    }
}

impl From<SamplesFile> for Samples {
    /// What points to no stack, as an altered file may, is left out.
    fn from(file: SamplesFile) -> Self {
        let stacks: Vec<Vec<String>> = file.stacks.iter().map(|line| cleaned(line)).collect();
        let mut seen = file.seen;
        for one in &mut seen {
            one.stacks.retain(|(place, count)| *place < stacks.len() && *count > 0);
            // A name from outside, which is shown.
            one.stage = one.stage.take().map(|stage| crate::inert::short(&stage, 24));
        }
        Samples { run: file.run, stacks, seen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> SamplesFile {
        let seen = |batch: Option<u64>, stage: &str, stacks: &[(usize, u64)]| Seen {
            batch,
            stage: batch.map(|_| stage.to_owned()),
            stacks: stacks.to_vec(),
        };
        SamplesFile {
            schema: SCHEMA,
            run: "r".into(),
            stacks: vec!["db-worker-0;a;b".into(), "db-worker-1;a;b".into(), "db-jobs-0;c\u{1b}[1m".into()],
            seen: vec![
                seen(Some(1), "map", &[(0, 3), (1, 4)]),
                seen(Some(2), "map", &[(2, 5), (9, 7)]),
                seen(None, "", &[(2, 1)]),
            ],
        }
    }

    #[test]
    fn picked_stacks_are_merged_over_workers_and_counted() {
        let samples = Samples::from(file());
        let of = |batch: u64| move |seen: &Seen| seen.batch == Some(batch);
        assert_eq!(samples.count(of(1)), 7);
        let stacks = samples.stacks(of(1));
        assert_eq!(stacks, [Stack { frames: ["db-worker", "a", "b"].map(String::from).into(), samples: 7 }]);
    }

    #[test]
    fn altered_files_harm_nobody() {
        let samples = Samples::from(file());
        assert_eq!(samples.count(|_| true), 13, "what points to no stack is left out");
        assert!(samples.stacks(|_| true).iter().flat_map(|stack| &stack.frames).all(|frame| !frame.contains('\u{1b}')));
        let huge = SamplesFile {
            seen: vec![Seen { stacks: vec![(0, u64::MAX), (1, u64::MAX)], ..Seen::default() }],
            ..file()
        };
        assert_eq!(Samples::from(huge).count(|_| true), u64::MAX);
    }

    #[test]
    fn what_is_written_reads_back_and_other_versions_are_refused() {
        let json = serde_json::to_vec(&file()).unwrap();
        assert_eq!(Samples::parse(&json).unwrap(), Samples::from(file()));
        let foreign = Samples::parse(br#"{"schema":1}"#).unwrap_err();
        assert!(matches!(foreign, RecordError::ForeignSchema { found: 1 }));
        assert!(Samples::parse(b"[]").is_err() && Samples::parse(b"{\"schema\":2}").is_err());
        let text = String::from_utf8(json).unwrap();
        assert!(text.contains(r#""frames":["db-worker-0","a","b","db-worker-1","#), "each name once: {text}");
        let nowhere = text.replace(r#""stacks":[[0,1,2]"#, r#""stacks":[[0,1,99]"#);
        assert!(nowhere != text && Samples::parse(nowhere.as_bytes()).is_err(), "a frame that is not there");
    }
}
