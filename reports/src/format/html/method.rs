//! Method and environment: settings with their origins, the load, the host, the command, the words.

use super::pairs::{environment, pairs};
use super::text;
use crate::flame::allocation::allocation_share;
use crate::judged;
use crate::quantity::{bytes, count, duration, percent, rate};
use crate::record::TrialRecord;
use crate::summary::Summary;
use maud::{Markup, html};

/// The words of the report.
const DEFINITIONS: &[(&str, &str)] = &[
    ("due", "A batch is due at the end of its interval; that moment is its label."),
    ("late", "Total delay above the interval: done after the next batch was due."),
    (
        "total delay",
        "Due to done: generation delay (due to submitted), scheduling delay (submitted to started) and processing time (started to done).",
    ),
    ("judged", "Batches after the warm-up that had something to do. The others are recorded, not judged."),
    ("headroom", "1 − median of processing time / interval. It is not a headroom in rate."),
    ("latency", "From a record's intended send time to the commit of its batch, so that a slow sender hides nothing."),
    ("supported", "A percentile is supported if at least ten judged batches lie beyond it."),
    ("late share", "Late / judged batches. Its bounds are exact (Clopper–Pearson, one-sided, 95 %)."),
    (
        "growth of the delay",
        "Theil–Sen slope of the total delay per batch, with a 95 % interval from a circular block bootstrap.",
    ),
    ("lost", "Accepted − committed − unfinished records, after a drain of at most 10 s."),
    ("shed", "Records that the engine dropped on purpose under overload."),
];

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    html! {
        section id="settings" {
            h2 { "Settings" }
            p.lead { "Each value with where it came from." }
            (settings(record))
        }
        section id="method" {
            h2 { "Method and environment" }
            p.lead { "The command that repeats this run, seed included:" }
            pre { code { (text(&record.command)) } }
            div.pair {
                div { h3 { "Load" } (pairs("Load", load(record))) h3 { "Judged by" } (pairs("Judged by", judging(summary))) }
                div { h3 { "Environment" } (environment(&record.environment)) h3 { "Used" } (pairs("Used", resources(record))) }
            }
            h3 { "Words" }
            dl.terms { @for (word, meaning) in DEFINITIONS { dt { (word) } dd { (meaning) } } }
        }
    }
}

fn settings(record: &TrialRecord) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Settings" {
            table {
                thead { tr { th { "Setting" } th { "Value" } th { "From" } } }
                tbody {
                    @for (name, value) in &record.settings {
                        @let origin = record.origins.get(name).map_or("–", String::as_str);
                        tr {
                            td { code { (text(name)) } }
                            td { (text(value)) }
                            td { @if origin == "default" { (origin) } @else { b { (text(origin)) } } }
                        }
                    }
                }
            }
        }
    }
}

fn pair(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn load(record: &TrialRecord) -> Vec<(String, String)> {
    let schedule = &record.schedule;
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    vec![
        pair("source", schedule.source.clone()),
        pair("arrivals", schedule.arrivals.clone()),
        pair("rate", known(judged::rate_per_s(record).map(rate))),
        pair("records planned", known(schedule.records.map(count))),
        pair("records accepted", count(record.integrity.accepted)),
        pair("records committed", count(record.integrity.committed)),
        pair("seed", schedule.seed.to_string()),
        pair("schedule hash", known(schedule.hash.clone())),
        pair("ceiling of the generator", known(schedule.ceiling_per_s.map(rate))),
        pair("batches primed", count(record.primed_batches)),
    ]
}

fn judging(summary: &Summary<'_>) -> Vec<(String, String)> {
    let verdict = &summary.verdict;
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    let slope = verdict.slope_ns_per_batch.map(|slope| {
        let words = [slope.estimate, slope.low, slope.high].map(crate::quantity::signed_duration);
        format!("{} per batch [{}, {}]", words[0], words[1], words[2])
    });
    let bounds = verdict.late_share_at_least.zip(verdict.late_share_excluded);
    vec![
        pair("because", verdict.because.as_str().to_owned()),
        pair(
            "judged batches",
            format!("{} of {} planned", count(verdict.judged), count(summary.record.judging.planned_batches)),
        ),
        pair(
            "late share",
            known(
                verdict
                    .late_share
                    .map(|share| format!("{} (limit {})", percent(share), percent(verdict.limits.late_share))),
            ),
        ),
        pair(
            "true late share",
            known(bounds.map(|(low, high)| format!("at least {}, at most {}", percent(low), percent(high)))),
        ),
        pair("median utilisation", known(verdict.utilisation.map(percent))),
        pair("growth of the delay", known(slope)),
        pair("growth limit", format!("{} of the interval per batch", percent(verdict.limits.slope))),
    ]
}

fn resources(record: &TrialRecord) -> Vec<(String, String)> {
    let resources = &record.resources;
    let known = |value: Option<String>| value.unwrap_or_else(|| "not counted".to_owned());
    let in_allocator = allocation_share(&record.profile).map_or_else(|| "no profile".to_owned(), percent);
    vec![
        pair("CPU time", duration(resources.cpu_ns)),
        pair("CPU time, generator", known(resources.generator_cpu_ns.map(duration))),
        pair("largest memory", bytes(resources.peak_rss_bytes)),
        pair("allocations", known(resources.allocations.map(count))),
        pair("allocated", known(resources.allocated_bytes.map(bytes))),
        pair("CPU time in the allocator", in_allocator),
        pair("allocator", resources.allocator.clone()),
    ]
    .into_iter()
    .chain(resources.allocator_options.iter().map(|(name, value)| (format!("its {name}"), value.clone())))
    .collect()
}
