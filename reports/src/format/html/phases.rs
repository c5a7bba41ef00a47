//! Where the time of a batch goes: the median batch beside the late ones.

use super::text;
use super::theme::SEGMENTS;
use crate::format::svg::{Scale, unit};
use crate::judged;
use crate::quantity::{counted, duration, percent};
use crate::record::{BatchRecord, TrialRecord};
use crate::summary::Summary;
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 118.0;
const RIGHT: f64 = 950.0;
const ROW: f64 = 44.0;
const BAR: f64 = 28.0;

/// One bar: a name and the mean time per phase, nanoseconds, waiting first.
struct Row<'a> {
    name: String,
    times: Vec<(&'a str, f64)>,
}

impl Row<'_> {
    fn total_ns(&self) -> f64 {
        self.times.iter().map(|(_, ns)| ns).sum()
    }

    fn time_ns(&self, phase: &str) -> f64 {
        self.times.iter().find(|(name, _)| *name == phase).map_or(0.0, |(_, ns)| *ns)
    }
}

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let rows = rows(summary.record);
    html! {
        section id="phases" {
            h2 { "Where the time goes" }
            p.lead { "From due to done, in order of execution; a phase ends with the last task of its stage." }
            @if rows.is_empty() {
                p { "No batch was judged." }
            } @else {
                @let names = phase_names(&rows);
                figure tabindex="0" { (bars(summary.record, &rows, &names)) }
                (table(summary.record, &rows, &names))
                (skew(summary.record))
            }
        }
    }
}

fn rows(record: &TrialRecord) -> Vec<Row<'_>> {
    let Some(median) = judged::median_batch(record) else {
        return Vec::new();
    };
    let mut rows = vec![row("median batch".to_owned(), &[median])];
    let late = judged::late_worst_first(record);
    if let Some(worst) = late.first() {
        let name = if late.len() == 1 { "late batch".to_owned() } else { format!("late, mean of {}", late.len()) };
        rows.push(row(name, &late));
        if late.len() > 1 {
            rows.push(row(format!("worst, #{}", worst.index), &late[..1]));
        }
    }
    rows
}

fn row<'a>(name: String, batches: &[&'a BatchRecord]) -> Row<'a> {
    let count = batches.len().max(1) as f64;
    let times = judged::time_by_phase(batches.iter().copied());
    Row { name, times: times.into_iter().map(|(phase, ns)| (phase, ns as f64 / count)).collect() }
}

/// All phases of all rows, in the order in which they first appear.
fn phase_names<'a>(rows: &[Row<'a>]) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in rows.iter().flat_map(|row| &row.times) {
        if !names.contains(name) {
            names.push(name);
        }
    }
    names
}

/// Number of the fill of a phase; the first fill is waiting's own.
pub(super) fn fill(number: usize) -> usize {
    if number == 0 { 0 } else { 1 + (number - 1) % (SEGMENTS.len() - 1) }
}

fn class(number: usize) -> String {
    format!("segment s{}", fill(number))
}

fn bars(record: &TrialRecord, rows: &[Row<'_>], names: &[&str]) -> Markup {
    let interval_ns = record.judging.interval_ns as f64;
    let longest_ns = rows.iter().map(Row::total_ns).fold(interval_ns, f64::max);
    let x = Scale::new(longest_ns * 1.02, LEFT, RIGHT);
    let height = 22.0 + ROW * rows.len() as f64 + 4.0;
    let line_at = x.at(interval_ns);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (unit(height)) } role="img" aria-labelledby="phases-title phases-desc" {
            title id="phases-title" { "Time per phase, the median batch and the late ones" }
            desc id="phases-desc" { (description(rows)) }
            @for (number, row) in rows.iter().enumerate() {
                @let top = 22.0 + ROW * number as f64;
                text.end x=(unit(LEFT - 10.0)) y=(unit(top + 18.0)) { (row.name) }
                (segments(row, names, x, top))
            }
            path.interval d={ "M" (unit(line_at)) " 20V" (unit(height)) } {}
            text.strong.end x=(unit(line_at.max(LEFT + 90.0))) y="13" { "interval " (duration(record.judging.interval_ns)) }
        }
    }
}

fn segments(row: &Row<'_>, names: &[&str], x: Scale, top: f64) -> Markup {
    let mut start_ns = 0.0;
    let mut pieces = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let ns = row.time_ns(name);
        let (from, to) = (x.at(start_ns), x.at(start_ns + ns));
        start_ns += ns;
        if to - from >= 0.05 {
            pieces.push((number, *name, ns, from, to));
        }
    }
    html! {
        @for (number, name, ns, from, to) in pieces {
            g {
                title { (text(name)) ": " (duration(ns as u64)) }
                rect class=(class(number)) x=(unit(from)) y=(unit(top)) width=(unit(to - from)) height=(unit(BAR)) {}
                @let label = format!("{} {}", number + 1, text(name));
                @if (label.chars().count() as f64) * 6.3 + 8.0 < to - from {
                    text.on-segment x=(unit(from + 6.0)) y=(unit(top + 18.0)) { (label) }
                } @else if to - from > 12.0 {
                    text.on-segment.middle x=(unit(0.5 * (from + to))) y=(unit(top + 18.0)) { (number + 1) }
                }
            }
        }
    }
}

fn table(record: &TrialRecord, rows: &[Row<'_>], names: &[&str]) -> Markup {
    let busy = busy(record);
    html! {
        div.table tabindex="0" role="region" aria-label="Time by phase" {
            table {
                thead {
                    tr {
                        th { "Phase" }
                        @for row in rows { th.number { (row.name) } }
                        th.number { "workers busy" }
                    }
                }
                tbody {
                    @for (number, name) in names.iter().enumerate() {
                        tr {
                            td {
                                svg.swatch viewBox="0 0 10 10" aria-hidden="true" { rect class=(class(number)) width="10" height="10" {} }
                                (number + 1) " " (text(name))
                                @if number == 0 { " (due to started)" }
                            }
                            @for row in rows {
                                @let ns = row.time_ns(name);
                                td.number { (duration(ns as u64)) ", " (percent(ns / row.total_ns().max(1.0))) }
                            }
                            td.number { (busy.iter().find(|(stage, _)| stage == name).map_or_else(|| "–".to_owned(), |(_, share)| percent(*share))) }
                        }
                    }
                    tr {
                        td { "total delay" }
                        @for row in rows { td.number { (duration(row.total_ns() as u64)) } }
                        td.number { (percent(busy.iter().map(|(_, share)| share).sum())) }
                    }
                }
            }
        }
        p.keys {
            "Workers busy: share of " (counted(record.judging.threads as usize, "thread")) " × processing time over all judged batches, by stage; the rest is idle."
        }
    }
}

/// How even the tasks of a stage are, and how many cores' worth of work there was.
fn skew(record: &TrialRecord) -> Markup {
    let mut skews: Vec<(f64, u64)> =
        judged::batches(record).filter_map(|batch| Some((batch.skew?, batch.index))).collect();
    skews.sort_by(|one, other| one.0.total_cmp(&other.0));
    let middle = skews.get(skews.len().saturating_sub(1) / 2);
    let busy_ns: f64 = judged::batches(record).flat_map(|batch| &batch.busy).map(|stage| stage.ns as f64).sum();
    let processing_ns: f64 = judged::batches(record).map(|batch| batch.processing_ns as f64).sum();
    html! {
        p.keys {
            @if processing_ns > 0.0 {
                "Workers busy on average while a batch was processed: " (format!("{:.2}", busy_ns / processing_ns)) " of " (record.judging.threads) ". "
            }
            @if let (Some((middle, _)), Some((worst, index))) = (middle, skews.last()) {
                "Longest ÷ median task of the widest stage: " (format!("{middle:.2}")) " in the median batch, " (format!("{worst:.2}")) " in batch " (index) "."
            }
        }
    }
}

/// Share of the workers' time per stage.
fn busy(record: &TrialRecord) -> Vec<(&str, f64)> {
    let mut stages: Vec<(&str, f64)> = Vec::new();
    let mut all_ns = 0.0;
    for batch in judged::batches(record) {
        all_ns += batch.idle_ns as f64;
        for stage in &batch.busy {
            all_ns += stage.ns as f64;
            match stages.iter_mut().find(|(name, _)| *name == stage.name) {
                Some((_, ns)) => *ns += stage.ns as f64,
                None => stages.push((&stage.name, stage.ns as f64)),
            }
        }
    }
    stages.into_iter().map(|(name, ns)| (name, ns / f64::max(all_ns, 1.0))).collect()
}

/// The plot in words.
fn description(rows: &[Row<'_>]) -> String {
    let sentence = |row: &Row<'_>| {
        let times: Vec<String> =
            row.times.iter().map(|(name, ns)| format!("{} {}", text(name), duration(*ns as u64))).collect();
        format!("{}: {}.", row.name, times.join(", "))
    };
    rows.iter().map(sentence).collect::<Vec<String>>().join(" ")
}
