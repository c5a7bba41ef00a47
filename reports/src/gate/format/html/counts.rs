//! What was counted exactly, and why a count is missing.

use super::table;
use crate::format::html::text;
use crate::gate::counted::{CountJudgement, INSTRUCTIONS, MOST_MORE};
use crate::gate::judgement::Judgement;
use crate::gate::record::GateRecord;
use crate::gate::shown::change;
use crate::quantity::{count, percent};
use maud::{Markup, html};

pub(super) fn render(record: &GateRecord, judgement: &Judgement) -> Markup {
    let warnings =
        record.counts.iter().flat_map(|counts| counts.warnings.iter().map(|why| (counts.workload.as_str(), why)));
    html! {
        section id="counts" {
            h2 { "Counted exactly" }
            p.lead {
                "The same batches in one thread, counted instead of timed: no noise, no test. More than " (change(MOST_MORE))
                " allocations or bytes is a regression by itself; more than " (change(INSTRUCTIONS)) " instructions (callgrind) is pointed at and decides nothing."
            }
            @if judgement.counts.is_empty() {
                p { "Nothing was counted." }
            } @else {
                (table("Exact counts", &html! {
                    thead { tr {
                        th { "Workload" } th { "Counted" } th.number { "Batches" } th.number { "Base" } th.number { "Head" } th.number { "Change" } th { "Answer" }
                    } }
                    tbody { @for judged in &judgement.counts { (row(judged, record)) } }
                }))
            }
            @for why in &record.uncounted { p.keys { "Not counted: " (text(why)) "." } }
            @for (workload, why) in warnings { p.keys { (text(workload)) ": " (text(why)) "." } }
        }
    }
}

fn row(judged: &CountJudgement, record: &GateRecord) -> Markup {
    let batches =
        record.counts.iter().find(|counts| counts.workload == judged.workload).map_or(0, |counts| counts.batches);
    html! {
        tr {
            td { (text(&judged.workload)) }
            td { (judged.counted.name()) }
            td.number { (count(batches)) }
            td.number { (count(judged.base)) }
            td.number { (count(judged.head)) }
            td.number { (judged.change.map_or_else(|| "from none".to_owned(), exact)) }
            td { (remark(judged)) }
        }
    }
}

/// What is exact may be small: more digits than a measured change deserves.
fn exact(share: f64) -> String {
    match share.abs() {
        size if size > 0.0 && size < 0.000_5 => {
            format!("{}{}", if share > 0.0 { "+" } else { "−" }, percent(size))
        }
        _ => change(share),
    }
}

fn remark(judged: &CountJudgement) -> &'static str {
    match (judged.regressed, judged.notable) {
        (true, _) => "↘ REGRESSED",
        (false, true) => "? look at it",
        _ => "✓ pass",
    }
}
