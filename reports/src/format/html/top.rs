//! The first screen: the word, the sentence, four numbers, the integrity strip.

use super::text;
use crate::judged;
use crate::quantity::{bytes, count, duration, moment, percent, rate, unbroken};
use crate::stats::percentiles::is_supported;
use crate::summary::Summary;
use crate::verdict::Word;
use maud::{Markup, html};

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
            @if let Some(caveat) = verdict.word.caveat() { p.next { (caveat) } }
            @if !record.warnings.is_empty() {
                ul.warnings { @for warning in &record.warnings { li { (text(warning)) } } }
            }
            (numbers(summary))
            (integrity(summary))
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

fn numbers(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let judged = judged::batches(record).count() as u64;
    let latency = |quantile: f64, value: Option<u64>| match value {
        Some(ns) if is_supported(quantile, judged) => Ok(duration(ns)),
        Some(_) => Err("too few batches"),
        None => Err("not measured"),
    };
    let figures = [
        (
            record.schedule.rate_per_s.map_or("Rate, measured", |_| "Rate, planned"),
            judged::rate_per_s(record).map(rate).ok_or("not known"),
        ),
        ("End-to-end p50", latency(0.5, summary.latency.p50)),
        ("End-to-end p99", latency(0.99, summary.latency.p99)),
        ("Headroom", summary.verdict.headroom.map(percent).ok_or("not known")),
    ];
    html! {
        dl.numbers {
            @for (name, figure) in &figures {
                div {
                    dt { (name) }
                    @match figure {
                        Ok(value) => (value_and_unit(value)),
                        Err(reason) => dd.none { (reason) },
                    }
                }
            }
        }
    }
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
            li { "generator late up to " b { (duration(integrity.generator_lag_ns.max)) } ", p99 " (duration(integrity.generator_lag_ns.p99)) }
            li { "sender blocked " b { (duration(integrity.blocked_ns)) } }
            li { "clock moved " b { (crate::quantity::signed_duration(integrity.clock_jump_ns as f64)) } }
            li { "host stole " b { (record.noise.steal_ns.map_or_else(|| "unknown".to_owned(), duration)) } }
            li {
                "host pauses " b { (count(record.noise.hiccups.len() as u64)) }
                @if let Some(ns) = longest_pause { ", longest " (duration(ns)) }
            }
            li { "memory " b { (bytes(record.resources.peak_rss_bytes)) } }
            @for (kind, number) in &integrity.input { li { (text(kind)) " " b { (count(*number)) } } }
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
