//! Tables of batches: the late ones with their causes, and all of them as the data of the plot. Each batch is linked as `#batch-N`.

use super::text;
use crate::format::cause;
use crate::judged;
use crate::quantity::{count, duration};
use crate::record::{BatchRecord, TrialRecord};
use crate::summary::Summary;
use jiff::Timestamp;
use maud::{Markup, html};

/// Late batches that are shown with their causes.
const LATE: usize = 20;

/// Batches in the table of all; a report of 10,000 batches stays below 3 MB.
const ALL: usize = 2_000;

pub(super) fn late(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let late = judged::late_worst_first(record);
    let shown = cause::late(record, LATE);
    let troubled = troubled(record);
    html! {
        section id="late" {
            h2 { "Late batches" }
            @if late.is_empty() {
                p.lead { "None of the judged batches was late." }
            } @else {
                p.lead {
                    @if late.len() > shown.len() { "The " (shown.len()) " worst of " (count(late.len() as u64)) ". " }
                    "Causes compare with the median batch."
                }
                (late_table(record, &shown))
            }
            @if !troubled.is_empty() {
                h3 { "Failed and wrong batches" }
                (troubled_table(&troubled, &indexes(&shown)))
            }
        }
    }
}

fn troubled(record: &TrialRecord) -> Vec<&BatchRecord> {
    let is_troubled = |batch: &&BatchRecord| batch.failure.is_some() || batch.wrong.is_some();
    record.batches.iter().filter(is_troubled).take(LATE).collect()
}

fn indexes(shown: &[(&BatchRecord, String)]) -> Vec<u64> {
    shown.iter().map(|(batch, _)| batch.index).collect()
}

fn late_table(record: &TrialRecord, shown: &[(&BatchRecord, String)]) -> Markup {
    html! {
        div.table {
            table {
                thead {
                    tr {
                        th { "Batch" } th { "Due" } th.number { "Records" } th.number { "Waited" } th.number { "Took" }
                        th.number { "Total" } th.number { "Late by" } th { "Likely cause" }
                    }
                }
                tbody {
                    @for (batch, cause) in shown {
                        tr id={ "batch-" (batch.index) } {
                            td { a href={ "#batch-" (batch.index) } { "#" (batch.index) } }
                            td { (moment(batch.time_ns)) }
                            td.number { (count(batch.records)) }
                            td.number { (duration(waited_ns(batch))) }
                            td.number { (duration(batch.processing_ns)) }
                            td.number { (duration(batch.total_delay_ns)) }
                            td.number { (duration(batch.total_delay_ns.saturating_sub(record.judging.interval_ns))) }
                            td { (cause) }
                        }
                    }
                }
            }
        }
    }
}

/// `late` are the batches whose ids are in the table above.
fn troubled_table(troubled: &[&BatchRecord], late: &[u64]) -> Markup {
    html! {
        div.table {
            table {
                thead { tr { th { "Batch" } th { "Due" } th { "What happened" } } }
                tbody {
                    @for batch in troubled {
                        tr id=[(!late.contains(&batch.index)).then(|| format!("batch-{}", batch.index))] {
                            td { "#" (batch.index) }
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

/// The data of the timeline, folded away on screen.
pub(super) fn all_batches(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    // A row already in one of the tables of late and troubled batches keeps its id there.
    let mut named = indexes(&cause::late(record, LATE));
    named.extend(troubled(record).iter().map(|batch| batch.index));
    html! {
        details {
            summary { "Data of the plot" }
            @if record.batches.len() > ALL {
                p.keys { "The first " (count(ALL as u64)) " of " (count(record.batches.len() as u64)) " batches; all of them are in result.json." }
            }
            div.table {
                table {
                    thead {
                        tr {
                            th { "Batch" } th.number { "Records" } th.number { "Generation delay" } th.number { "Scheduling delay" }
                            th.number { "Processing" } th.number { "Total delay" } th { "State" }
                        }
                    }
                    tbody {
                        @for batch in record.batches.iter().take(ALL) {
                            tr id=[(!named.contains(&batch.index)).then(|| format!("batch-{}", batch.index))] {
                                td { "#" (batch.index) }
                                td.number { (count(batch.records)) }
                                td.number { (duration(batch.generation_delay_ns)) }
                                td.number { (duration(batch.scheduling_delay_ns)) }
                                td.number { (duration(batch.processing_ns)) }
                                td.number { (duration(batch.total_delay_ns)) }
                                td { (state(record, batch)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn state(record: &TrialRecord, batch: &BatchRecord) -> &'static str {
    match batch {
        batch if batch.failure.is_some() => "failed",
        batch if batch.wrong.is_some() => "wrong",
        batch if batch.warmup => "warm-up",
        batch if !batch.has_job => "no job",
        batch if judged::is_late(record, batch) => "late",
        _ => "in time",
    }
}

fn waited_ns(batch: &BatchRecord) -> u64 {
    batch.generation_delay_ns.saturating_add(batch.scheduling_delay_ns)
}

/// A moment in UTC with milliseconds; times beyond the calendar are shown as nothing.
pub(super) fn moment(wall_ns: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(wall_ns)) {
        Ok(time) => format!("{}", time.strftime("%Y-%m-%d %H:%M:%S.%3f UTC")),
        Err(_) => "–".to_owned(),
    }
}
