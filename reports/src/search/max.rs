//! The highest rate that holds: the record of a search, and its text.

use super::{Interval, Rung, Stop, Tried};
use crate::capacity::CostModel;
use crate::quantity::{count, duration, percent, rate};
use crate::stats::percentiles::median;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Version of this format. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// What `downbeat max` found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MaxRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Identifies the search.
    pub run: String,
    /// The command line, ready to be pasted, seed included.
    pub command: String,
    /// Name of the workload.
    pub workload: String,
    /// Every setting by name, with its unit; `rate` is what the search changed.
    pub settings: BTreeMap<String, String>,
    /// Batch interval.
    pub interval_ns: u64,
    /// What a trial must keep.
    pub limits: Vec<String>,
    /// Rungs lie this share of the rate apart.
    pub resolution: f64,
    /// The sustained rate: half of the decisive trials exceed the limits there.
    pub max: Option<Sustained>,
    /// What is known without a decisive trial, when there was none: the short ones are for finding the way only.
    #[serde(default)]
    pub so_far: Option<Sustained>,
    /// The highest rate whose pooled trials hold, below the lowest one whose trials do not.
    pub holds: Option<Rung>,
    /// That one.
    pub falls_behind: Option<Rung>,
    /// Why the search ended.
    pub stop: Option<Stop>,
    /// The knee: what happened at each rate, ascending.
    pub knee: Vec<KneePoint>,
    /// All trials, in order, spoiled ones left out.
    pub tried: Vec<Tried>,
    /// Trials that said nothing and were repeated: why.
    pub spoiled: Vec<String>,
    /// What a batch and a record cost, unpaced.
    pub model: Option<CostModel>,
    /// Records per second that the generator proved it can send.
    pub ceiling_per_s: Option<f64>,
    /// The machine and the build.
    pub environment: BTreeMap<String, String>,
    /// How long it took.
    pub elapsed_ns: u64,
    /// The command that runs it a fifth below, with all that was asked for.
    #[serde(default)]
    pub next: Option<String>,
    /// Several searches whose trials took turns, the first among them; empty when there was one.
    #[serde(default)]
    pub repeats: Vec<Repeat>,
}

/// One of several searches.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Repeat {
    /// Its seed.
    pub seed: u64,
    /// What it found; `None` when it found no rate.
    pub max: Option<Sustained>,
    /// Its trials.
    pub trials: u64,
    /// Why it ended.
    pub stop: Stop,
}

/// A sustained rate, records per second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sustained {
    /// Median.
    pub rate_per_s: f64,
    /// Lower end of its 95 % interval.
    pub lower: f64,
    /// Upper end; `None` when it holds at the highest rate that could be tried.
    pub upper: Option<f64>,
}

impl From<Interval> for Sustained {
    fn from(interval: Interval) -> Self {
        Sustained { rate_per_s: interval.estimate, lower: interval.lower, upper: Some(interval.upper) }
    }
}

/// What happened at one rate, medians over its trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct KneePoint {
    /// The rate, records per second.
    pub rate_per_s: f64,
    /// Trials of any length.
    pub trials: u64,
    /// Those that exceeded the limits.
    pub exceeded: u64,
    /// Median of processing time / interval.
    pub utilisation: f64,
    /// Share of late batches, pooled.
    pub late_share: f64,
    /// Latency by record.
    pub p50_ns: Option<u64>,
    /// Latency by record.
    pub p99_ns: Option<u64>,
}

/// Widest bar of the knee, columns.
const BAR: f64 = 24.0;

impl MaxRecord {
    /// The answer in a sentence.
    pub fn sentence(&self) -> String {
        let (workload, interval) = (&self.workload, duration(self.interval_ns));
        let limits = self.limits.join(", ");
        match (self.max, self.stop) {
            (Some(max), Some(Stop::AtTheMost)) => format!(
                "at least {} at {interval} batches ({limits}): {workload} holds there, and more cannot be proved to be sent",
                rate(max.lower)
            ),
            (Some(Sustained { rate_per_s, lower, upper: Some(upper) }), _) => {
                format!("{} [{}, {}] at {interval} batches ({limits})", rate(rate_per_s), rate(lower), rate(upper))
            }
            _ => match self.so_far {
                Some(Sustained { lower, upper: Some(upper), .. }) => {
                    format!("no rate was found; the short trials say no more than {} to {}", rate(lower), rate(upper))
                }
                _ => "no rate was found".to_owned(),
            },
        }
    }

    /// The text for people.
    pub fn render_human(&self) -> String {
        let mut text = format!("MAX      {}: {}\n", self.workload, self.sentence());
        let rung = |rung: &Rung| {
            format!(
                "{} ({} of {} trials exceed, {} batches)",
                rate(rung.rate_per_s),
                rung.exceeded,
                rung.trials,
                count(rung.judged)
            )
        };
        if let Some(holds) = &self.holds {
            let _ = writeln!(text, "         holds        {}", rung(holds));
        }
        if let Some(behind) = &self.falls_behind {
            let _ = writeln!(text, "         falls behind {}", rung(behind));
        }
        if let Some(stop) = self.stop {
            let decisive = self.tried.iter().filter(|tried| tried.decisive).count();
            let _ = writeln!(
                text,
                "         {} trials, {decisive} of them decisive, in {}; {}",
                self.tried.len(),
                duration(self.elapsed_ns),
                stop.words()
            );
        }
        if let Some(model) = &self.model {
            let _ = writeln!(
                text,
                "         a batch costs {} and {} a record; unpaced that is {}",
                duration(model.fixed_ns as u64),
                crate::quantity::signed_duration(model.per_record_ns),
                rate(model.rate_per_s(self.interval_ns as f64, 1.0))
            );
        }
        if let Some(ceiling) = self.ceiling_per_s {
            let _ = writeln!(text, "         the generator proved {} into a null job", rate(ceiling));
        }
        self.render_repeats(&mut text);
        self.render_knee(&mut text);
        for why in self.spoiled.iter().take(3) {
            let _ = writeln!(text, "repeated {why}");
        }
        if let Some(command) = &self.next {
            let _ = writeln!(text, "next     {command}   (a fifth of headroom)");
        }
        text
    }

    /// How far the rates of several searches lie apart: (highest − lowest) ÷ median. `None` with fewer than two rates.
    pub fn spread(&self) -> Option<f64> {
        let rates: Vec<f64> = self.repeats.iter().filter_map(|repeat| repeat.max).map(|max| max.rate_per_s).collect();
        let (most, least) = (rates.iter().copied().reduce(f64::max)?, rates.iter().copied().reduce(f64::min)?);
        (rates.len() > 1).then_some((most - least) / median(&rates)?)
    }

    fn render_repeats(&self, text: &mut String) {
        for (number, repeat) in self.repeats.iter().enumerate() {
            let found = repeat.max.map_or_else(
                || "no rate".to_owned(),
                |max| match max.upper {
                    Some(upper) => format!("{} [{}, {}]", rate(max.rate_per_s), rate(max.lower), rate(upper)),
                    None => format!("at least {}", rate(max.lower)),
                },
            );
            let (trials, stop) = (repeat.trials, repeat.stop.words());
            let _ = writeln!(text, "search {:>2} {found}, {trials} trials; {stop}", number + 1);
        }
        let without = self.repeats.iter().filter(|repeat| repeat.max.is_none()).count();
        if let Some(spread) = self.spread() {
            let found = self.repeats.len() - without;
            let _ = writeln!(
                text,
                "in turns {found} searches found a rate, {without} none; (highest − lowest) ÷ median: {}",
                percent(spread)
            );
        }
    }

    fn render_knee(&self, text: &mut String) {
        if self.knee.is_empty() {
            return;
        }
        let _ = writeln!(text, "\n             rate   busy    late       p50       p99  exceed");
        let latencies = || self.knee.iter().filter_map(|point| point.p99_ns).map(|ns| (ns.max(1) as f64).ln());
        let (least, most) = (latencies().fold(f64::MAX, f64::min), latencies().fold(f64::MIN, f64::max));
        for point in &self.knee {
            let shown = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), duration);
            // On a logarithmic scale from the least to the largest, so that the bend shows.
            let height = |ns: u64| (((ns.max(1) as f64).ln() - least) / (most - least).max(1e-9)).clamp(0.0, 1.0);
            let bar = 1 + point.p99_ns.map_or(0, |ns| (BAR * height(ns)) as usize);
            let _ = writeln!(
                text,
                "{:>17} {:>4.0} % {:>7} {:>9} {:>9}  {:>2}/{:<2} {}",
                rate(point.rate_per_s),
                point.utilisation * 100.0,
                percent(point.late_share),
                shown(point.p50_ns),
                shown(point.p99_ns),
                point.exceeded,
                point.trials,
                "▪".repeat(bar)
            );
        }
    }
}
