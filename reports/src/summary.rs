//! A record together with what follows from it: verdict, percentiles, headroom, exit code. All formats show this and nothing else.

use crate::exit::Exit;
use crate::flame::allocation::allocation_share;
use crate::judged;
use crate::record::{SCHEMA, TrialRecord};
use crate::samples::Samples;
use crate::stats::percentiles::{self, HistogramError};
use crate::stats::theil_sen::Slope;
use crate::verdict::{Because, Limits, Verdict, Word, judge};
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// A record and everything derived from it.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// What was measured.
    pub record: &'a TrialRecord,
    /// The samples beside it.
    pub samples: Option<&'a Samples>,
    /// What it means.
    pub verdict: Verdict,
    /// Latency by record, decoded. `None` where the record has none, or an empty one.
    pub histogram: Option<Histogram<u64>>,
    /// Latency by record, intended send time to commit.
    pub latency: Percentiles,
    /// Total delay by judged batch, due to done.
    pub total_delay: Percentiles,
    /// How the command ends.
    pub exit: Exit,
}

/// Percentiles of durations, nanoseconds. `None` where nothing was measured; unsupported ones are given and lie above `supported_to`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Percentiles {
    /// Median.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// 99th percentile.
    pub p99: Option<u64>,
    /// 99.9th percentile.
    pub p99_9: Option<u64>,
    /// Largest.
    pub max: Option<u64>,
    /// Highest quantile, 0 to 1, that at least 10 judged batches lie beyond; never below the median.
    pub supported_to: f64,
}

impl<'a> Summary<'a> {
    /// Judges the record and derives the rest. With `must_hold`, FALLS BEHIND ends with its own exit code.
    ///
    /// # Errors
    /// [`HistogramError`] when the latency histogram inside the record is damaged.
    pub fn new(record: &'a TrialRecord, must_hold: bool) -> Result<Self, HistogramError> {
        let verdict = judge(record);
        let decoded = record.latency_histogram.as_deref().map(percentiles::decode);
        let histogram = decoded.transpose()?.filter(|values| !values.is_empty());
        let judged = judged::batches(record).count() as u64;
        Ok(Self {
            record,
            samples: None,
            latency: by_record(histogram.as_ref(), judged),
            total_delay: by_batch(record, judged),
            exit: exit_of(verdict.word, must_hold),
            histogram,
            verdict,
        })
    }

    /// The same with samples of the trial.
    pub fn with_samples(mut self, samples: Option<&'a Samples>) -> Self {
        self.samples = samples;
        self
    }

    /// The same with another exit code, for example [`Exit::Interrupted`].
    pub fn with_exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The object of `--format json`: every field of the record and the derived ones beside them.
    pub fn object(&self) -> impl Serialize + '_ {
        Object {
            verdict: VerdictObject::of(&self.verdict),
            exit: ExitObject::of(self.exit),
            headroom: self.verdict.headroom,
            allocation_share: allocation_share(&self.record.profile),
            latency_ns: self.latency,
            total_delay_ns: self.total_delay,
            record: self.record,
        }
    }
}

/// The exit code that belongs to a word.
pub fn exit_of(word: Word, must_hold: bool) -> Exit {
    match word {
        Word::Broken => Exit::Broken,
        Word::Invalid => Exit::Invalid,
        Word::FallsBehind if must_hold => Exit::FallsBehind,
        Word::FallsBehind | Word::Holds => Exit::Ok,
        Word::NotJudged => Exit::NotJudged,
    }
}

fn by_record(histogram: Option<&Histogram<u64>>, judged: u64) -> Percentiles {
    let at = |quantile| histogram.map(|values| values.value_at_quantile(quantile));
    Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        max: histogram.map(Histogram::max),
        supported_to: percentiles::supported_to(judged),
    }
}

fn by_batch(record: &TrialRecord, judged: u64) -> Percentiles {
    let mut delays: Vec<u64> = judged::batches(record).map(|batch| batch.total_delay_ns).collect();
    delays.sort_unstable();
    let at = |quantile| percentiles::of_ascending(&delays, quantile);
    Percentiles {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p99_9: at(0.999),
        max: delays.last().copied(),
        supported_to: percentiles::supported_to(judged),
    }
}

#[derive(Serialize)]
struct Object<'a> {
    verdict: VerdictObject<'a>,
    exit: ExitObject,
    headroom: Option<f64>,
    allocation_share: Option<f64>,
    latency_ns: Percentiles,
    total_delay_ns: Percentiles,
    #[serde(flatten)]
    record: &'a TrialRecord,
}

#[derive(Serialize)]
struct VerdictObject<'a> {
    word: Word,
    because: Because,
    text: &'a str,
    next: Option<&'a str>,
    judged: u64,
    late: u64,
    late_share: Option<f64>,
    late_share_at_least: Option<f64>,
    late_share_excluded: Option<f64>,
    utilisation: Option<f64>,
    slope_ns_per_batch: SlopeObject,
    limits: LimitsObject,
}

impl<'a> VerdictObject<'a> {
    fn of(verdict: &'a Verdict) -> Self {
        Self {
            word: verdict.word,
            because: verdict.because,
            text: &verdict.text,
            next: verdict.next.as_deref(),
            judged: verdict.judged,
            late: verdict.late,
            late_share: verdict.late_share,
            late_share_at_least: verdict.late_share_at_least,
            late_share_excluded: verdict.late_share_excluded,
            utilisation: verdict.utilisation,
            slope_ns_per_batch: SlopeObject::of(verdict.slope_ns_per_batch),
            limits: LimitsObject::of(&verdict.limits),
        }
    }
}

#[derive(Serialize)]
struct SlopeObject {
    estimate: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

impl SlopeObject {
    fn of(slope: Option<Slope>) -> Self {
        Self {
            estimate: slope.map(|slope| slope.estimate),
            low: slope.map(|slope| slope.low),
            high: slope.map(|slope| slope.high),
        }
    }
}

#[derive(Serialize)]
struct LimitsObject {
    late_share: f64,
    slope: f64,
    utilisation: f64,
    blocked: f64,
    generator_late: f64,
    judged_batches: u64,
    noise_utilisation: f64,
}

impl LimitsObject {
    fn of(limits: &Limits) -> Self {
        Self {
            late_share: limits.late_share,
            slope: limits.slope,
            utilisation: limits.utilisation,
            blocked: limits.blocked,
            generator_late: limits.generator_late,
            judged_batches: limits.judged_batches,
            noise_utilisation: limits.noise_utilisation,
        }
    }
}

#[derive(Serialize)]
struct ExitObject {
    code: u8,
    name: &'static str,
}

impl ExitObject {
    fn of(exit: Exit) -> Self {
        Self { code: exit.code(), name: exit.name() }
    }
}

/// A trial that left no record: its process died, or it never started to measure.
#[derive(Clone, Debug)]
pub struct MissingTrial {
    /// Identifies the trial.
    pub run: String,
    /// The command line, ready to be pasted.
    pub command: String,
    /// Name of the workload.
    pub workload: String,
    /// Every setting by name, with its unit.
    pub settings: BTreeMap<String, String>,
    /// What happened, where, why, what to do.
    pub failure: String,
    /// BROKEN when the trial's own process failed, NOT JUDGED when something outside kept it from measuring.
    pub word: Word,
    /// How the command ends.
    pub exit: Exit,
}

impl MissingTrial {
    /// The object of `--format json`: the same fields as that of a measured trial, `null` or empty where nothing is known.
    pub fn object(&self) -> Value {
        let skeleton = TrialRecord { schema: SCHEMA, ..TrialRecord::default() };
        // No histogram is inside, so nothing can fail to decode; an empty object would show the same in the worst case.
        let mut object = Summary::new(&skeleton, false)
            .ok()
            .and_then(|summary| serde_json::to_value(summary.object()).ok())
            .unwrap_or_default();
        forget(&mut object);
        object["schema"] = SCHEMA.into();
        object["run"] = self.run.clone().into();
        object["command"] = self.command.clone().into();
        object["workload"] = self.workload.clone().into();
        for (name, value) in &self.settings {
            object["settings"][name] = value.clone().into();
        }
        object["failure"] = self.failure.clone().into();
        object["verdict"]["word"] = self.word.as_str().into();
        object["verdict"]["because"] = self.because().as_str().into();
        object["verdict"]["text"] = self.text().into();
        object["exit"]["code"] = self.exit.code().into();
        object["exit"]["name"] = self.exit.name().into();
        object
    }

    /// The rule: the trial failed, or there is no record to judge.
    pub fn because(&self) -> Because {
        match self.word {
            Word::Broken => Because::TrialFailed,
            _ => Because::NoRecord,
        }
    }

    /// The sentence after the word, inert for terminals.
    pub fn text(&self) -> String {
        let why = crate::inert::line(self.failure.trim_end_matches('.'));
        format!("The trial left no record: {why}.")
    }
}

/// Replaces every value by `null`, keeping the objects round them; lists become empty.
fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.values_mut().for_each(forget),
        Value::Array(items) => items.clear(),
        scalar => *scalar = Value::Null,
    }
}
