//! Tables of batches: the late ones, each with a drill-down that opens, and all of them as the data of the plot. `#batch-N` leads to each
//! batch, or to the row that stands for it.

use super::rows::rows;
use super::text;
use crate::explain::pools::{Functions, Pool, Pools};
use crate::explain::{self, Explanation};
use crate::format::svg::unit;
use crate::judged;
use crate::quantity::{count, duration, moment, percent};
use crate::record::{BatchRecord, TrialRecord};
use crate::summary::Summary;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Late batches that are shown with their causes.
const LATE: usize = 20;

/// A time this many times that of the median batch is marked.
const MARKED_FACTOR: f64 = 2.0;

pub(super) fn late(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let late = judged::late_worst_first(record).len();
    let pools = summary.samples.map(|samples| Pools::new(record, samples));
    let shown: Vec<Explanation<'_>> = shown(record).into_iter().map(|one| one.with_functions(pools.as_ref())).collect();
    let troubled = troubled(record);
    html! {
        section id="late" {
            h2 { "Late batches" }
            @if late == 0 {
                p.lead { "None of the judged batches was late." }
            } @else {
                p.lead {
                    @if late > LATE { "The " (LATE) " worst of " (count(late as u64)) "; the batch that each waited for stands below them. " }
                    "Each opens: what it did beside the median batch, and its causes by the share of the excess that they explain. "
                    (streaks(record, late))
                }
                @for explanation in &shown { (drill_down(record, explanation)) }
            }
            @if !troubled.is_empty() {
                h3 { "Failed and wrong batches" }
                (troubled_table(&troubled, &indexes(&shown)))
            }
        }
    }
}

/// The worst late batches, then those that they waited for, because only these say why.
fn shown(record: &TrialRecord) -> Vec<Explanation<'_>> {
    let mut shown = explain::late(record, LATE);
    let known = indexes(&shown);
    let heads: BTreeSet<u64> =
        shown.iter().flat_map(|explanation| &explanation.causes).filter_map(|cause| cause.head).collect();
    let is_head = |batch: &&BatchRecord| heads.contains(&batch.index) && !known.contains(&batch.index);
    shown.extend(record.batches.iter().filter(is_head).map(|batch| Explanation::of(record, batch)));
    shown
}

/// Of a streak only its first batch says why.
fn streaks(record: &TrialRecord, late: usize) -> Markup {
    let heads = explain::heads(record);
    html! {
        @if !heads.is_empty() && heads.len() < late {
            (count(heads.len() as u64)) " of the " (count(late as u64)) " late ones waited for nobody; the others are their victims."
        }
    }
}

fn troubled(record: &TrialRecord) -> Vec<&BatchRecord> {
    record.batches.iter().filter(|batch| judged::is_troubled(batch)).take(LATE).collect()
}

fn indexes(shown: &[Explanation<'_>]) -> Vec<u64> {
    shown.iter().map(|explanation| explanation.batch.index).collect()
}

fn drill_down(record: &TrialRecord, explanation: &Explanation<'_>) -> Markup {
    let batch = explanation.batch;
    html! {
        details.batch id={ "batch-" (batch.index) } {
            summary {
                b { "#" (batch.index) } " late by " b { (duration(explanation.late_by_ns)) }
                span.cause { (explanation.cause()) }
            }
            p.lead {
                "Due " (moment(batch.time_ns)) ", done " (duration(batch.total_delay_ns)) " later: "
                (duration(explanation.excess_ns)) " beyond the median batch. In the terminal: "
                code { "downbeat explain " (text(&record.run)) " --batch " (batch.index) }
            }
            (causes(record, explanation))
            @if let Some(functions) = &explanation.functions { (hottest(functions)) }
            div.pair {
                div { (times(explanation)) }
                div { (figures(explanation)) }
            }
        }
    }
}

fn causes(record: &TrialRecord, explanation: &Explanation<'_>) -> Markup {
    html! {
        table.causes {
            thead { tr { th { "Cause" } th { "What was seen" } th.number { "Share of the excess" } th { span.hidden { "Drawn" } } } }
            tbody {
                @for cause in &explanation.causes {
                    tr {
                        td { (cause.kind.as_str()) }
                        td { (cause.text) @if let Some(head) = cause.head.filter(|head| has_place(record, *head)) { " " a href={ "#batch-" (head) } { "#" (head) } } }
                        td.number { @if cause.at_most { "≤ " } (percent(cause.share)) }
                        td.drawn { svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true" {
                            rect.share x="0" y="1" height="8" width=(unit(100.0 * cause.share)) {}
                        } }
                    }
                }
            }
        }
    }
}

/// The functions that ran, and whose samples say so.
fn hottest(functions: &Functions) -> Markup {
    let or_dash = |share: Option<f64>| share.map_or_else(|| "–".to_owned(), percent);
    html! {
        table {
            caption {
                "CPU time: " (count(functions.samples)) " samples of " (functions.pool.words())
                @if functions.pool != Pool::Batch { "; the " (count(functions.batch_samples)) " of this one are too few" }
            }
            thead { tr { th { "Function" } th.number { "Share" } th.number { "In batches on time" } } }
            tbody {
                @for hot in &functions.hottest {
                    tr { td { code { (hot.name) } } td.number { (percent(hot.share)) } td.number { (or_dash(hot.usual_share)) } }
                }
            }
        }
    }
}

/// Whether a link to it leads somewhere.
fn has_place(record: &TrialRecord, index: u64) -> bool {
    record.batches.iter().any(|batch| batch.index == index)
}

fn times(explanation: &Explanation<'_>) -> Markup {
    let (batch, median) = (explanation.batch, explanation.median);
    let names: Vec<&str> =
        judged::time_by_phase([batch].into_iter().chain(median)).into_iter().map(|(name, _)| name).collect();
    let of = |batch: &BatchRecord, wanted: &str| {
        judged::time_by_phase([batch]).into_iter().find(|(name, _)| *name == wanted).map_or(0, |(_, ns)| ns)
    };
    html! {
        table {
            thead { tr { th { "Time" } th.number { "this" } th.number { "median" } } }
            tbody {
                @for (number, name) in names.into_iter().enumerate() {
                    @let (this_ns, usual_ns) = (of(batch, name), median.map(|median| of(median, name)));
                    tr {
                        td {
                            svg.swatch viewBox="0 0 10 10" aria-hidden="true" { rect class={ "segment s" (super::phases::fill(number)) } width="10" height="10" {} }
                            (text(name))
                        }
                        td.number { (marked(this_ns, usual_ns)) }
                        td.number { (usual_ns.map_or_else(|| "–".to_owned(), duration)) }
                    }
                }
                tr {
                    td { "total delay" }
                    td.number { (duration(batch.total_delay_ns)) }
                    td.number { (median.map_or_else(|| "–".to_owned(), |median| duration(median.total_delay_ns))) }
                }
            }
        }
    }
}

/// A time, with its factor where it stands out.
fn marked(this_ns: u64, usual_ns: Option<u64>) -> Markup {
    let factor = usual_ns.map_or(0.0, |ns| this_ns as f64 / ns.max(1) as f64);
    html! {
        @if (MARKED_FACTOR..10_000.0).contains(&factor) && this_ns >= 100_000 { b { (format!("{factor:.1}× ")) } }
        (duration(this_ns))
    }
}

fn figures(explanation: &Explanation<'_>) -> Markup {
    html! {
        table {
            thead { tr { th { "Beside it" } th.number { "this" } th.number { "median" } } }
            tbody {
                @for (name, this, usual) in explain::figures(explanation.batch, explanation.median) {
                    tr { td { (name) } td.number { (this) } td.number { (usual) } }
                }
            }
        }
    }
}

/// `late` are the batches whose ids are in the section above.
fn troubled_table(troubled: &[&BatchRecord], late: &[u64]) -> Markup {
    html! {
        div.table tabindex="0" role="region" aria-label="Failed and wrong batches" {
            table {
                thead { tr { th { "Batch" } th { "Due" } th { "What happened" } } }
                tbody {
                    @for batch in troubled {
                        tr id=[(!late.contains(&batch.index)).then(|| format!("batch-{}", batch.index))] {
                            td { a href={ "#batch-" (batch.index) } { "#" (batch.index) } }
                            td { (moment(batch.time_ns)) }
                            td {
                                @if let Some(failure) = &batch.failure { "failed: " (text(failure)) " " }
                                @if let Some(wrong) = &batch.wrong { "wrong: " (text(wrong)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// The data of the timeline, folded away on screen. Spark's page calls the columns the same; the two totals stand side by side, because its
/// page leaves the generation delay out.
pub(super) fn all_batches(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let interval_s = record.judging.interval_ns as f64 / 1e9;
    // A row already among the late and troubled batches keeps its id there.
    let mut named: BTreeSet<u64> = indexes(&shown(record)).into_iter().collect();
    named.extend(troubled(record).iter().map(|batch| batch.index));
    let rows = rows(record);
    let id = |batch: &BatchRecord| (!named.contains(&batch.index)).then(|| format!("batch-{}", batch.index));
    html! {
        details {
            summary { "All batches" }
            @if rows.len() < record.batches.len() { (left_out(rows.len(), record.batches.len())) }
            p.keys {
                "Total delay is from due to done. Without the generation delay it is what Spark's page and listener call total delay."
            }
            div.table tabindex="0" role="region" aria-label="All batches" {
                table {
                    thead {
                        tr {
                            th { "Batch" } th.number { "Records" } th.number { "rec/s" } th.number { "Generation delay" } th.number { "Scheduling delay" }
                            th.number { "Processing" } th.number { "Total delay" } th.number { "without generation" } th.number { "Waiting" } th { "State" }
                        }
                    }
                    tbody {
                        @for row in &rows {
                            @let batch = row.batch;
                            tr id=[id(batch)] {
                                td {
                                    "#" (batch.index)
                                    @for other in row.left_out { @if let Some(id) = id(other) { i id=(id) {} } }
                                    @if !row.left_out.is_empty() { small { " + " (row.left_out.len()) } }
                                }
                                td.number { (count(batch.records)) }
                                td.number { (rate_number(batch.records, interval_s)) }
                                td.number { (duration(batch.generation_delay_ns)) }
                                td.number { (duration(batch.scheduling_delay_ns)) }
                                td.number { (duration(batch.processing_ns)) }
                                td.number { (duration(batch.total_delay_ns)) }
                                td.number { (duration(batch.total_delay_ns.saturating_sub(batch.generation_delay_ns))) }
                                td.number { (count(batch.queue_depth)) }
                                td { (judged::state(record, batch)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the table leaves out, and where it is.
fn left_out(rows: usize, all: usize) -> Markup {
    html! {
        p.keys {
            (count(rows as u64)) " of " (count(all as u64)) " batches have a row: failed and late ones first, the longest delays before the others, then others evenly spread. "
            "“+ 7” says that the next seven are left out; links to these lead to that row, and with the script to the picked batch above. All are in result.json."
        }
    }
}

/// Records per second of a batch, without the unit, which is in the column's name.
fn rate_number(records: u64, interval_s: f64) -> String {
    match interval_s > 0.0 {
        true => count((records as f64 / interval_s).round() as u64),
        false => "–".to_owned(),
    }
}
