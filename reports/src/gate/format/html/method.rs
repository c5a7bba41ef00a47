//! How it was judged, with what, where, and the command that repeats it.

use super::table;
use crate::format::html::pairs::{environment, pairs};
use crate::format::html::text;
use crate::gate::metric::PRIMARY;
use crate::gate::record::{Build, GateRecord};
use crate::gate::rule::{ALPHA, CONFIDENCE, LOOKS, SHARES};
use crate::quantity::{count, percent};
use maud::{Markup, html};

pub(super) fn render(record: &GateRecord) -> Markup {
    html! {
        section id="method" {
            h2 { "Method and environment" }
            @if !record.command.is_empty() {
                p.lead { "The command that repeats this gate, seed included:" }
                pre { code { (text(&record.command)) } }
            }
            (rule())
            h3 { "Builds" }
            (builds(record))
            h3 { "Workloads" }
            (workloads(record))
            @for left in &record.unmeasured { p.keys { (text(&left.workload)) " was not measured: " (text(&left.why)) "." } }
            div.pair {
                div { h3 { "Environment" } (environment(&record.environment)) @for moved in &record.moved { p.keys { "Moved: " (text(moved)) "." } } }
                div { h3 { "Settings" } @for workload in record.workloads.iter().take(1) { (pairs("Settings", &workload.settings)) } }
            }
        }
    }
}

fn rule() -> Markup {
    let limits: Vec<String> = PRIMARY
        .map(|metric| format!("{} {} and {}", metric.name(), percent(metric.margin()), percent(metric.limit())))
        .to_vec();
    let looks: Vec<String> = LOOKS
        .iter()
        .zip(SHARES)
        .map(|(blocks, share)| format!("{blocks} blocks ({})", percent(ALPHA * share)))
        .collect();
    html! {
        dl.terms {
            dt { "What is compared" }
            dd { "The logarithm of head by base in each block; one number a fresh process. Margin and limit: " (limits.join("; ")) ". p95 is shown only." }
            dt { "Looks" }
            dd { "At " (looks.join(", ")) ": the chance of a first alarm on equal builds is " (percent(ALPHA)) " over all of them, all metrics and all workloads (Holm)." }
            dt { "Red" }
            dd { "A one-sided exact signed rank test against the margin rejects, and rejects again, on the same metric, with fresh processes and a fresh seed. Or: more allocations or bytes." }
            dt { "Green" }
            dd { "The upper end of the " (percent(CONFIDENCE)) " interval (Hodges–Lehmann) of every metric lies below its limit." }
            dt { "Neither" }
            dd { "What is open after the last look, missing, disturbed or not measured cannot be judged: exit 125, which git bisect run skips." }
        }
    }
}

fn builds(record: &GateRecord) -> Markup {
    let row = |name: &str, build: &Build| {
        html! {
            tr {
                td { (name) } td { (text(&build.asked)) }
                td { (build.commit.as_deref().map_or("–".into(), text)) }
                td { code { (text(&build.binary_hash)) } }
            }
        }
    };
    table(
        "Builds",
        &html! {
            thead { tr { th { "Arm" } th { "Asked for" } th { "Commit" } th { "Binary (XXH3)" } } }
            tbody { (row("base", &record.base)) (row("head", &record.head)) }
        },
    )
}

fn workloads(record: &GateRecord) -> Markup {
    table(
        "Workloads",
        &html! {
            thead { tr {
                th { "Workload" } th.number { "Batches" } th.number { "Records each" } th.number { "Large batches" } th.number { "Records each" }
            } }
            tbody {
                @for workload in &record.workloads {
                    tr {
                        td { (text(&workload.name)) }
                        td.number { (count(workload.batches)) }
                        td.number { (count(workload.batch_records)) }
                        td.number { (count(workload.large_batches)) }
                        td.number { (count(workload.large_records)) }
                    }
                }
            }
        },
    )
}
