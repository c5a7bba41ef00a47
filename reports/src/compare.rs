//! Runs beside one another: what differs in their settings and surroundings, then each figure with its change. No pass, no fail.

mod metrics;
mod text;

pub(crate) use metrics::mixture;
pub(crate) use text::cells;
pub use text::{render_human, render_markdown};

use crate::record::TrialRecord;
use crate::summary::Summary;
use serde::Serialize;
use std::collections::BTreeMap;

/// What a reader must know before any number.
pub const CAVEAT: &str = "Intervals are 95 %, from drawing the batches of each run anew. They do not know how much two runs of the same \
                          setting differ: repeat both before you believe a small change.";

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// Runs side by side; the first is what the others are compared with.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// Always 1.
    pub schema: u32,
    /// The runs, in the order in which they were given.
    pub runs: Vec<Run>,
    /// What is not the same in all runs.
    pub differences: Vec<Difference>,
    /// The figures.
    pub metrics: Vec<Metric>,
    /// What the intervals do not know.
    pub caveat: &'static str,
}

/// One run in words.
#[derive(Clone, Debug, Serialize)]
pub struct Run {
    /// Its letter, from `A`.
    pub letter: String,
    /// Its name.
    pub run: String,
    /// Name of the workload.
    pub workload: String,
    /// The verdict's word.
    pub word: &'static str,
    /// The verdict's sentence.
    pub text: String,
}

/// Something that is not the same in all runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// `workload`, `setting`, `load` or `environment`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its value in each run; `None` where it has none.
    pub values: Vec<Option<String>>,
}

/// How a figure is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Nanoseconds.
    Duration,
    /// Share of 1; changes are differences.
    Share,
    /// Records per second.
    Rate,
    /// Bytes.
    Bytes,
    /// A plain number.
    Number,
}

/// One figure of each run.
#[derive(Clone, Debug, Serialize)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it is shown.
    pub unit: Unit,
    /// Its value in each run. `None` where it was not measured or too few batches support it.
    pub values: Vec<Option<f64>>,
    /// Its change from the first run to each of the others.
    pub changes: Vec<Option<Change>>,
}

/// A change against the first run: value ÷ value − 1, for shares value − value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Change {
    /// The change.
    pub estimate: f64,
    /// The ends of its 95 % interval. `None` for figures that a run has only one of.
    pub interval: Option<(f64, f64)>,
}

impl Change {
    /// Whether the interval tells it from none. `None` without an interval.
    pub fn is_told(&self) -> Option<bool> {
        self.interval.map(|(low, high)| low > 0.0 || high < 0.0)
    }
}

impl Comparison {
    /// Compares the runs with the first of them.
    pub fn of(summaries: &[Summary<'_>]) -> Self {
        let run = |(place, summary): (usize, &Summary<'_>)| Run {
            letter: letter(place),
            run: summary.record.run.clone(),
            workload: summary.record.workload.clone(),
            word: summary.verdict.word.as_str(),
            text: summary.verdict.text.clone(),
        };
        Comparison {
            schema: SCHEMA,
            runs: summaries.iter().enumerate().map(run).collect(),
            differences: differences(&summaries.iter().map(|summary| summary.record).collect::<Vec<_>>()),
            metrics: metrics::of(summaries),
            caveat: CAVEAT,
        }
    }
}

/// `A`, `B`, …, `Z`, `27`, ….
fn letter(place: usize) -> String {
    match u8::try_from(place) {
        Ok(place) if place < 26 => char::from(b'A' + place).to_string(),
        _ => (place + 1).to_string(),
    }
}

fn differences(records: &[&TrialRecord]) -> Vec<Difference> {
    let single = |name: &str, value: &dyn Fn(&TrialRecord) -> String| -> Vec<BTreeMap<String, String>> {
        records.iter().map(|record| BTreeMap::from([(name.to_owned(), value(record))])).collect()
    };
    let maps =
        |of: fn(&TrialRecord) -> &BTreeMap<String, String>| records.iter().map(|record| of(record).clone()).collect();
    let groups: [(&'static str, Vec<BTreeMap<String, String>>); 6] = [
        ("workload", single("workload", &|record| record.workload.clone())),
        ("setting", maps(|record| &record.settings)),
        ("load", single("source", &|record| record.schedule.source.clone())),
        ("load", single("seed", &|record| record.schedule.seed.to_string())),
        ("load", single("schedule hash", &|record| record.schedule.hash.clone().unwrap_or_default())),
        ("environment", maps(|record| &record.environment)),
    ];
    groups.into_iter().flat_map(|(kind, values)| differing(kind, &values)).collect()
}

fn differing(kind: &'static str, maps: &[BTreeMap<String, String>]) -> Vec<Difference> {
    let mut names: Vec<&String> = maps.iter().flat_map(BTreeMap::keys).collect();
    names.sort();
    names.dedup();
    let values = |name: &String| -> Vec<Option<String>> { maps.iter().map(|map| map.get(name).cloned()).collect() };
    let named = names.into_iter().map(|name| Difference { kind, name: name.clone(), values: values(name) });
    named.filter(|difference| difference.values.windows(2).any(|pair| pair[0] != pair[1])).collect()
}
