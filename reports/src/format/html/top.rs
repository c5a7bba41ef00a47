//! The first screen: the word, the sentence, four numbers, the batches in small, the integrity strip, the command that repeats it.

use super::{curve, text, timeline};
use crate::judged;
use crate::quantity::{bytes, count, duration, moment, percent, rate, signed_duration, unbroken};
use crate::record::TrialRecord;
use crate::stats::bootstrap::{ends, resamples};
use crate::stats::percentiles::is_supported;
use crate::summary::Summary;
use crate::verdict::{Word, broken_batch};
use maud::{Markup, html};

/// Seed of the resampled runs: the same record gives the same interval.
const SEED: u64 = 0x6865_6164_726f_6f6d;

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let verdict = &summary.verdict;
    let (class, mark) = look(verdict.word);
    html! {
        header id="verdict" {
            p.origin {
                b { (text(&record.workload)) }
                " · " (text(&record.subject)) " · run " (text(&record.run))
                @if let Some(batch) = record.batches.first() { " · " (moment(batch.time_ns)) }
            }
            h1 class={ "word " (class) } { span aria-hidden="true" { (mark) } (verdict.word) }
            p.sentence { (unbroken(&verdict.text)) }
            @if let Some(next) = &verdict.next { p.next { "Next: " (next) } }
            @if let Some(worst) = crate::explain::late(record, 1).first() {
                p.next { "Worst batch: " a href={ "#batch-" (worst.batch.index) } { "#" (worst.batch.index) } ", " (worst.cause()) }
            }
            @if let Some(index) = broken_batch(record) {
                p.next { "First failed or wrong batch: " a href={ "#batch-" (index) } { "#" (index) } }
            }
            @if let Some(caveat) = verdict.word.caveat() { p.next { (caveat) } }
            @if !record.warnings.is_empty() {
                ul.warnings { @for warning in &record.warnings { li { (text(warning)) } } }
            }
            (numbers(summary))
            (timeline::small(summary))
            (integrity(summary))
            pre.again { code { (text(&record.command)) } }
        }
    }
}

/// Colour class and mark of a word; the word itself always stands beside them.
fn look(word: Word) -> (&'static str, &'static str) {
    match word {
        Word::Holds => ("good", "✓"),
        Word::FallsBehind => ("bad", "↘"),
        Word::Broken => ("bad", "✕"),
        Word::Invalid => ("bad", "⊘"),
        Word::NotJudged => ("unsure", "?"),
    }
}

/// One of the four numbers.
struct Figure {
    name: &'static str,
    /// The value, or why there is none.
    value: Result<String, &'static str>,
    /// How sure it is, or why that is not asked.
    sure: String,
}

fn numbers(summary: &Summary<'_>) -> Markup {
    html! {
        dl.numbers {
            @for figure in figures(summary) {
                div {
                    dt { (figure.name) }
                    @match &figure.value {
                        Ok(value) => (value_and_unit(value)),
                        Err(reason) => dd.none { (reason) },
                    }
                    @if !figure.sure.is_empty() { dd.sure { (unbroken(&figure.sure)) } }
                }
            }
        }
    }
}

fn figures(summary: &Summary<'_>) -> [Figure; 4] {
    let record = summary.record;
    let is_planned = record.schedule.rate_per_s.is_some();
    let bands = summary.histogram.as_ref().and_then(|histogram| curve::bands(summary, histogram, &[0.5, 0.99]));
    let band = |place: usize| bands.as_ref().and_then(|bands| bands.get(place)).copied();
    [
        Figure {
            name: if is_planned { "Rate, planned" } else { "Rate, measured" },
            value: judged::rate_per_s(record).map(rate).ok_or("not known"),
            sure: if is_planned { "as asked, no estimate".to_owned() } else { String::new() },
        },
        latency("End-to-end p50", 0.5, summary.latency.p50, band(0), summary),
        latency("End-to-end p99", 0.99, summary.latency.p99, band(1), summary),
        Figure {
            name: "Headroom",
            value: summary.verdict.headroom.map(percent).ok_or("not known"),
            sure: headroom(record).map_or_else(String::new, |(low, high)| interval(&percent(low), &percent(high))),
        },
    ]
}

fn latency(
    name: &'static str,
    quantile: f64,
    ns: Option<u64>,
    band: Option<(f64, f64)>,
    summary: &Summary<'_>,
) -> Figure {
    let judged = judged::batches(summary.record).count() as u64;
    let value = match ns {
        Some(ns) if is_supported(quantile, judged) => Ok(duration(ns)),
        Some(_) => Err("too few batches"),
        None => Err("not measured"),
    };
    let ends = band.filter(|_| value.is_ok());
    let sure = ends.map_or_else(String::new, |(low, high)| interval(&signed_duration(low), &signed_duration(high)));
    Figure { name, value, sure }
}

fn interval(low: &str, high: &str) -> String {
    format!("95 %: {low} to {high}")
}

/// The 95 % interval of the headroom, from the median utilisation of runs whose batches are drawn anew.
fn headroom(record: &TrialRecord) -> Option<(f64, f64)> {
    let interval_ns = record.judging.interval_ns as f64;
    let shares: Vec<f64> = judged::batches(record).map(|batch| batch.processing_ns as f64 / interval_ns).collect();
    let median = |places: Vec<usize>| {
        let mut drawn: Vec<f64> = places.into_iter().map(|place| shares[place]).collect();
        let middle = drawn.len() / 2;
        *drawn.select_nth_unstable_by(middle, f64::total_cmp).1
    };
    let mut medians: Vec<f64> = resamples(shares.len(), SEED).map(median).collect();
    let (low, high) = ends(&mut medians).filter(|(low, high)| low.is_finite() && high.is_finite())?;
    Some((1.0 - high, 1.0 - low))
}

/// The unit smaller than the number.
fn value_and_unit(value: &str) -> Markup {
    let (number, unit) = value.rsplit_once(' ').unwrap_or((value, ""));
    html! { dd { (number) " " small { (unit) } } }
}

fn integrity(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let integrity = &record.integrity;
    let longest_pause = record.noise.hiccups.iter().map(|hiccup| hiccup.length_ns).max();
    html! {
        ul.strip aria-label="Integrity" {
            li { (sign(integrity.lost == 0)) "lost " b { (count(integrity.lost)) } }
            li { (sign(integrity.doubled == 0)) "doubled " b { (count(integrity.doubled)) } }
            li { (sign(integrity.shed == 0)) "shed " b { (count(integrity.shed)) } }
            li { (sign(integrity.unfinished == 0)) "unfinished " b { (count(integrity.unfinished)) } }
            li { (answer(summary)) }
            li { (sign(integrity.sequence_errors.is_empty())) "gaps and overlaps " b { (count(integrity.sequence_errors.len() as u64)) } }
            li { "handed over late " b { (count(integrity.generator_late_records)) } }
            li { "generator late up to " b { (duration(integrity.generator_lag_ns.max)) } ", p99 " (duration(integrity.generator_lag_ns.p99)) }
            li {
                "sender blocked " b { (duration(integrity.blocked_ns)) }
                @if integrity.throttled_ns > 0 { ", by a limit on the rate " (duration(integrity.throttled_ns)) }
            }
            li { "clock moved " b { (crate::quantity::signed_duration(integrity.clock_jump_ns as f64)) } }
            li { "host stole " b { (record.noise.steal_ns.map_or_else(|| "unknown".to_owned(), duration)) } }
            li {
                "host pauses " b { (count(record.noise.hiccups.len() as u64)) }
                @if let Some(ns) = longest_pause { ", longest " (duration(ns)) }
            }
            (measuring(record))
            li { "memory " b { (bytes(record.resources.peak_rss_bytes)) } }
            @for (kind, number) in &integrity.input { li { (text(kind)) " " b { (count(*number)) } } }
        }
    }
}

/// What measuring took of what was measured.
fn measuring(record: &TrialRecord) -> Markup {
    let resources = &record.resources;
    let share = resources.generator_cpu_ns.map(|ns| percent(ns as f64 / resources.cpu_ns.max(1) as f64));
    html! {
        li { "generator’s share of the CPU time " b { (share.as_deref().unwrap_or("unknown")) } }
        li {
            "samples taken meanwhile " b { (count(record.sampling.samples)) }
            @if record.sampling.samples > 0 { ", " (record.sampling.frequency_hz) " Hz" }
        }
    }
}

/// A mark for people who look before they read; the number beside it says the same.
fn sign(is_good: bool) -> Markup {
    match is_good {
        true => html! { span.good aria-hidden="true" { "✓ " } },
        false => html! { span.bad aria-hidden="true" { "✕ " } },
    }
}

fn answer(summary: &Summary<'_>) -> Markup {
    let integrity = &summary.record.integrity;
    html! {
        @match (&integrity.oracle, &integrity.unchecked) {
            (_, Some(reason)) => { "answer not checked: " (text(reason)) },
            (Some(oracle), None) => {
                (sign(integrity.wrong_batches == 0))
                "wrong answers " b { (count(integrity.wrong_batches)) }
                " of " (count(integrity.checked_batches)) ", checked by " (text(oracle))
            },
            (None, None) => "answer not checked",
        }
    }
}
