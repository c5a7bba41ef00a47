//! The plot of batches over time: processing time, waiting before the start, and the interval, which is always in view.

use super::{delays, script, tables, text};
use crate::format::svg::{Scale, area, line, ticks, unit};
use crate::judged;
use crate::quantity::{count, duration, rate_flag};
use crate::record::{BatchRecord, Hiccup, TrialRecord};
use crate::summary::Summary;
use maud::{Markup, html};
use std::cmp::Reverse;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 784.0;
const LEFT: f64 = 62.0;
/// Right of it the interval has its name, where it covers no batch.
const RIGHT: f64 = 882.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 286.0;

/// The rows of the total and of the scheduling delay below.
const TOTAL_TOP: f64 = 322.0;
const TOTAL_BOTTOM: f64 = 402.0;
const SCHEDULING_TOP: f64 = 438.0;
const SCHEDULING_BOTTOM: f64 = 518.0;

/// The row of rates.
const RATE_TOP: f64 = 554.0;
const RATE_BOTTOM: f64 = 634.0;

/// The row of waiting batches at the bottom.
const BACKLOG_TOP: f64 = 670.0;
const BACKLOG_BOTTOM: f64 = 738.0;

/// The plot of the first screen, without text: it is legible in any width.
const SMALL_HEIGHT: f64 = 76.0;
const SMALL_LEFT: f64 = 8.0;
const SMALL_RIGHT: f64 = 952.0;

/// More batches than this share columns, each of which shows its largest values.
const COLUMNS: usize = 440;

/// How far the mark of a late batch reaches above its place.
const MARK_HEIGHT: f64 = 7.0;

/// What one column shows: the largest values of its batches, so that the worst batch is always visible.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    index: f64,
    warmup: bool,
    wait_ns: u64,
    scheduling_ns: u64,
    processing_ns: u64,
    total_ns: u64,
    late_ns: Option<u64>,
    wrong: bool,
    paused: bool,
    queue_depth: u64,
    /// Most and fewest records, because either can be what matters.
    most_records: u64,
    fewest_records: u64,
    rate_limit_per_s: Option<u64>,
}

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    html! {
        section id="batches" {
            h2 { "Batches over time" }
            p.lead {
                "Each batch is due at the end of its interval. Done above the dashed line is done after the next one was due: late. Below it the load is stable, above it falls behind."
            }
            @if record.batches.is_empty() {
                p { "No batch was recorded." }
            } @else {
                figure tabindex="0" {
                    (plot(summary))
                    (keys())
                    figcaption { (caption(record)) }
                }
                (script::explorer(record))
                (delays::render(record))
                (tables::all_batches(summary))
            }
        }
    }
}

/// The same in small for the first screen: the total delay of each batch against the interval.
pub(super) fn small(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let columns = columns(record);
    let interval_ns = record.judging.interval_ns as f64;
    let longest = columns.iter().map(|column| column.total_ns).max().unwrap_or(0) as f64;
    let y = Scale::new(longest.max(interval_ns * 1.25) * 1.06, SMALL_HEIGHT - 2.0, MARK_HEIGHT);
    let (first, last) = (columns.first().map_or(0.0, |c| c.index), columns.last().map_or(0.0, |c| c.index));
    let x = |index: f64| SMALL_LEFT + (SMALL_RIGHT - SMALL_LEFT) * ((index - first) / (last - first).max(1.0));
    let points: Vec<(f64, f64)> =
        columns.iter().map(|column| (x(column.index), y.at(column.total_ns as f64))).collect();
    let at = y.at(interval_ns);
    html! {
        @if !columns.is_empty() {
            a.small href="#batches" {
                svg viewBox={ "0 0 " (WIDTH) " " (SMALL_HEIGHT) } role="img" aria-labelledby="small-title small-desc" {
                    title id="small-title" { "Total delay of each batch against the interval; leads to the batches over time" }
                    desc id="small-desc" { (description(summary)) }
                    path.small-area d=(area(&points, SMALL_HEIGHT - 2.0)) {}
                    path.interval d={ "M0 " (unit(at)) "H" (WIDTH) } {}
                    @for column in &columns {
                        @if let Some(ns) = column.late_ns { (late_mark(x(column.index), y.at(ns as f64))) }
                    }
                }
            }
            p.keys {
                "Total delay of " (count(record.batches.len() as u64)) " batches, due to done, from 0"
                @if let Some(worst) = judged::batches(record).max_by_key(|batch| (batch.total_delay_ns, Reverse(batch.index))) {
                    "; the longest is " (duration(worst.total_delay_ns)) ", " a href={ "#batch-" (worst.index) } { "batch " (worst.index) }
                }
                ". Dashed: the interval, " (duration(record.judging.interval_ns)) ". Triangles are late."
            }
        }
    }
}

/// A triangle round that place.
fn late_mark(x: f64, y: f64) -> Markup {
    html! {
        path.late-mark d={ "M" (unit(x - 5.5)) " " (unit(y + 5.0)) "L" (unit(x)) " " (unit(y - 6.0)) "L" (unit(x + 5.5)) " " (unit(y + 5.0)) "Z" } {}
    }
}

fn caption(record: &TrialRecord) -> String {
    let shown = record.batches.len();
    let mut caption = format!(
        "{} · interval {} · {} batches, {} judged",
        text(&record.workload),
        duration(record.judging.interval_ns),
        count(shown as u64),
        count(judged::batches(record).count() as u64)
    );
    if shown > COLUMNS {
        let each = shown.div_ceil(COLUMNS);
        caption.push_str(&format!(" · each column shows the largest values of {each} batches"));
    }
    caption
}

fn plot(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    let columns = columns(record);
    let interval_ns = record.judging.interval_ns as f64;
    let highest =
        columns.iter().map(|column| column.wait_ns.max(column.processing_ns).max(column.late_ns.unwrap_or(0)));
    let top_ns = (highest.max().unwrap_or(0) as f64 * 1.06).max(interval_ns * 1.25);
    let y = Scale::new(top_ns, BOTTOM, TOP);
    let (first, last) = (columns.first().map_or(0.0, |c| c.index), columns.last().map_or(0.0, |c| c.index));
    let x = |index: f64| LEFT + 6.0 + (RIGHT - LEFT - 12.0) * ((index - first) / (last - first).max(1.0));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="batches-title batches-desc"
            data-first=(unit(first)) data-left=(unit(LEFT + 6.0)) data-right=(unit(RIGHT - 6.0)) data-bottom=(unit(BACKLOG_BOTTOM)) {
            title id="batches-title" { "Processing and waiting time of each batch, against the interval" }
            desc id="batches-desc" { (description(summary)) }
            (warm_up(&columns, x))
            (axes(y, top_ns))
            @let wait: Vec<(f64, f64)> = columns.iter().map(|column| (x(column.index), y.at(column.wait_ns as f64))).collect();
            path.wait-area d=(area(&wait, BOTTOM)) {}
            path.wait-line d=(line(&wait)) {}
            (marks(&columns, x, y))
            (interval_line(record, y))
            (delay_rows(record, &columns, x))
            (rates(record, &columns, x))
            (backlog(&columns, x))
            (index_axis(first, last, x))
        }
    }
}

/// Total and scheduling delay, each in a row of its own, on the same scale.
fn delay_rows(record: &TrialRecord, columns: &[Column], x: impl Fn(f64) -> f64) -> Markup {
    let interval_ns = record.judging.interval_ns as f64;
    let longest = columns.iter().map(|column| column.total_ns.max(column.scheduling_ns)).max().unwrap_or(0) as f64;
    let top = longest.max(interval_ns) * 1.12;
    let line_of = |y: Scale, figure: fn(&Column) -> u64| {
        line(&columns.iter().map(|column| (x(column.index), y.at(figure(column) as f64))).collect::<Vec<_>>())
    };
    let (total, scheduling) =
        (Scale::new(top, TOTAL_BOTTOM, TOTAL_TOP), Scale::new(top, SCHEDULING_BOTTOM, SCHEDULING_TOP));
    let show = |value: f64| duration(value as u64);
    html! {
        (row_axis(total, top, TOTAL_TOP, TOTAL_BOTTOM, "total delay, due to done", show))
        path.interval d={ "M" (unit(LEFT)) " " (unit(total.at(interval_ns))) "H" (unit(RIGHT)) } {}
        path.rate-line d=(line_of(total, |column| column.total_ns)) {}
        (row_axis(scheduling, top, SCHEDULING_TOP, SCHEDULING_BOTTOM, "scheduling delay, submitted to started", show))
        path.wait-line d=(line_of(scheduling, |column| column.scheduling_ns)) {}
    }
}

/// Records per second that came in, largest and smallest of each column, and the limit on them.
fn rates(record: &TrialRecord, columns: &[Column], x: impl Fn(f64) -> f64) -> Markup {
    let interval_s = (record.judging.interval_ns as f64 / 1e9).max(1e-9);
    let of = |records: u64| records as f64 / interval_s;
    let limits = || columns.iter().filter_map(|column| column.rate_limit_per_s).map(|limit| limit as f64);
    let top = columns.iter().map(|column| of(column.most_records)).fold(1.0, f64::max);
    // A limit far above what comes would press the rates against the axis.
    let top = limits().filter(|limit| *limit < 3.0 * top).fold(top, f64::max) * 1.12;
    let y = Scale::new(top, RATE_BOTTOM, RATE_TOP);
    let line_of = |figure: fn(&Column) -> u64| -> Vec<(f64, f64)> {
        columns.iter().map(|column| (x(column.index), y.at(of(figure(column))))).collect()
    };
    let limit: Vec<(f64, f64)> = columns
        .iter()
        .filter_map(|column| Some((x(column.index), column.rate_limit_per_s? as f64)))
        .filter(|(_, limit)| *limit <= top)
        .map(|(at, limit)| (at, y.at(limit)))
        .collect();
    let (most, fewest) = (line_of(|column| column.most_records), line_of(|column| column.fewest_records));
    html! {
        (row_axis(y, top, RATE_TOP, RATE_BOTTOM, "records per second", |value| if value > 0.0 { rate_flag(value) } else { "0".to_owned() }))
        path.rate-line d=(line(&most)) {}
        @if fewest != most { path.rate-line d=(line(&fewest)) {} }
        @if !limit.is_empty() { path.limit-line d=(line(&limit)) {} }
    }
}

/// Batches that waited when each was submitted.
fn backlog(columns: &[Column], x: impl Fn(f64) -> f64) -> Markup {
    let top = columns.iter().map(|column| column.queue_depth).max().unwrap_or(0).max(4) as f64 * 1.1;
    let y = Scale::new(top, BACKLOG_BOTTOM, BACKLOG_TOP);
    let points: Vec<(f64, f64)> =
        columns.iter().map(|column| (x(column.index), y.at(column.queue_depth as f64))).collect();
    html! {
        (row_axis(y, top, BACKLOG_TOP, BACKLOG_BOTTOM, "waiting batches", |value| count(value as u64)))
        path.backlog-area d=(area(&points, BACKLOG_BOTTOM)) {}
    }
}

fn row_axis(y: Scale, top: f64, from: f64, to: f64, name: &str, show: fn(f64) -> String) -> Markup {
    html! {
        @for value in ticks(top, 3) {
            @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (unit(y.at(value))) "H" (unit(RIGHT)) } {} }
            text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(value) + 4.0)) { (show(value)) }
        }
        path.axis d={ "M" (unit(LEFT)) " " (unit(to)) "H" (unit(RIGHT)) } {}
        text x=(unit(LEFT + 6.0)) y=(unit(from - 8.0)) { (name) }
    }
}

fn index_axis(first: f64, last: f64, x: impl Fn(f64) -> f64) -> Markup {
    html! {
        @for offset in ticks(last - first, 10) {
            @let index = (first + offset).round();
            text.middle x=(unit(x(index))) y=(unit(BACKLOG_BOTTOM + 18.0)) { (count(index as u64)) }
        }
        text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BACKLOG_BOTTOM + 38.0)) { "batch" }
    }
}

fn columns(record: &TrialRecord) -> Vec<Column> {
    let each = record.batches.len().div_ceil(COLUMNS).max(1);
    // Warm-up and judged batches share no column.
    let parts = record.batches.chunk_by(|one, next| one.warmup == next.warmup);
    parts.flat_map(|part| part.chunks(each)).map(|batches| column(record, batches)).collect()
}

fn column(record: &TrialRecord, batches: &[BatchRecord]) -> Column {
    let largest = |figure: fn(&BatchRecord) -> u64| batches.iter().map(figure).max().unwrap_or(0);
    let late = batches.iter().filter(|batch| judged::is_judged(batch) && judged::is_late(record, batch));
    Column {
        index: batches.first().map_or(0.0, |batch| batch.index as f64),
        warmup: batches.iter().all(|batch| batch.warmup),
        wait_ns: largest(|batch| batch.generation_delay_ns.saturating_add(batch.scheduling_delay_ns)),
        scheduling_ns: largest(|batch| batch.scheduling_delay_ns),
        processing_ns: largest(|batch| batch.processing_ns),
        total_ns: largest(|batch| batch.total_delay_ns),
        late_ns: late.map(|batch| batch.total_delay_ns).max(),
        wrong: batches.iter().any(judged::is_troubled),
        paused: batches.iter().any(|batch| was_paused(record, batch)),
        queue_depth: largest(|batch| batch.queue_depth),
        most_records: largest(|batch| batch.records),
        fewest_records: batches.iter().map(|batch| batch.records).min().unwrap_or(0),
        rate_limit_per_s: batches.iter().filter_map(|batch| batch.rate_limit_per_s).min(),
    }
}

/// Whether the host stood still between due and done.
fn was_paused(record: &TrialRecord, batch: &BatchRecord) -> bool {
    let done_ns = batch.due_ns.saturating_add(batch.total_delay_ns);
    let overlaps =
        |hiccup: &Hiccup| hiccup.start_ns < done_ns && hiccup.start_ns.saturating_add(hiccup.length_ns) > batch.due_ns;
    record.noise.hiccups.iter().any(overlaps)
}

fn warm_up(columns: &[Column], x: impl Fn(f64) -> f64) -> Markup {
    let last = columns.iter().take_while(|column| column.warmup).count();
    if last == 0 {
        return html! {};
    }
    let end = match columns.get(last) {
        Some(judged) => 0.5 * (x(columns[last - 1].index) + x(judged.index)),
        None => RIGHT,
    };
    html! {
        rect.warm x=(unit(LEFT)) y=(unit(TOP)) width=(unit(end - LEFT)) height=(unit(BOTTOM - TOP)) {}
        text x=(unit(LEFT + 8.0)) y=(unit(TOP + 16.0)) { "warm-up" }
    }
}

fn axes(y: Scale, top_ns: f64) -> Markup {
    html! {
        @for value in ticks(top_ns, 5) {
            @let at = unit(y.at(value));
            @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (at) "H" (unit(RIGHT)) } {} }
            text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(value) + 4.0)) { (duration(value as u64)) }
        }
        path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
    }
}

fn marks(columns: &[Column], x: impl Fn(f64) -> f64, y: Scale) -> Markup {
    let radius = if columns.len() > 200 { 1.7 } else { 2.6 };
    html! {
        @for column in columns {
            @let at = x(column.index);
            @if let Some(ns) = column.late_ns {
                (late_mark(at, y.at(ns as f64)))
            }
            @if column.paused {
                path.pause-mark d={ "M" (unit(at)) " " (unit(BOTTOM)) "v7m-2.5 0h5" } {}
            }
            @if column.wrong {
                path.wrong-mark d={ "M" (unit(at - 4.5)) " " (unit(BOTTOM - 13.0)) "l9 9m0 -9l-9 9" } {}
            }
        }
        @for column in columns {
            circle.dot cx=(unit(x(column.index))) cy=(unit(y.at(column.processing_ns as f64))) r=(radius) {}
        }
    }
}

fn interval_line(record: &TrialRecord, y: Scale) -> Markup {
    let at = y.at(record.judging.interval_ns as f64);
    html! {
        path.interval d={ "M" (unit(LEFT)) " " (unit(at)) "H" (unit(RIGHT)) } {}
        text.strong x=(unit(RIGHT + 7.0)) y=(unit(at - 2.0)) { "interval" }
        text.strong x=(unit(RIGHT + 7.0)) y=(unit(at + 12.0)) { (duration(record.judging.interval_ns)) }
    }
}

fn keys() -> Markup {
    html! {
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { circle.dot cx="12" cy="6" r="3" {} } "processing time" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.wait-area x="1" y="3" width="22" height="9" {} path.wait-line d="M1 3H23" {} } "delay before the start" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.late-mark d="M8 10L12 2.5L16 10Z" {} } "late: total delay" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.pause-mark d="M12 2v7m-2.5 0h5" {} } "the host paused" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.limit-line d="M1 6H23" {} } "limit on the rate" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.wrong-mark d="M7.5 1.5l9 9m0 -9l-9 9" {} } "failed or wrong" }
        }
    }
}

/// The plot in words.
fn description(summary: &Summary<'_>) -> String {
    let record = summary.record;
    let median = judged::median_batch(record).map_or(0, |batch| batch.processing_ns);
    let worst = judged::batches(record).max_by_key(|batch| batch.total_delay_ns);
    let mut words = format!(
        "{} batches, interval {}; the median batch takes {}; {} of {} judged batches are late.",
        count(record.batches.len() as u64),
        duration(record.judging.interval_ns),
        duration(median),
        count(summary.verdict.late),
        count(summary.verdict.judged)
    );
    if let Some(worst) = worst {
        words.push_str(&format!(
            " The longest total delay is {}, batch {}.",
            duration(worst.total_delay_ns),
            worst.index
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{batch, holds, trial};

    #[test]
    fn down_sampling_keeps_the_worst_batch() {
        let mut record = trial("t", 9_990, |_, _| (0, 80_000_000));
        record.batches[7_777] = batch(7_777, 900_000_000, 130_000_000);
        // A less late neighbour in the same column must not hide it.
        record.batches[7_778] = batch(7_778, 700_000_000, 100_000_000);
        let columns = columns(&record);
        assert!(columns.len() <= COLUMNS + 1);
        assert!(columns[0].warmup && !columns[1].warmup);
        assert_eq!(columns.iter().filter_map(|column| column.late_ns).collect::<Vec<u64>>(), [1_030_000_000]);
        assert_eq!(columns.iter().map(|column| column.wait_ns).max(), Some(900_000_000));
        assert_eq!(columns.iter().map(|column| column.processing_ns).max(), Some(130_000_000));
    }

    #[test]
    fn the_interval_line_is_inside_the_plot_however_short_the_batches() {
        let record = trial("t", 30, |_, _| (0, 1_000));
        let summary = Summary::new(&record, false).unwrap();
        let svg = plot(&summary).into_string();
        let line = svg.split("class=\"interval\" d=\"M62 ").nth(1).unwrap();
        let at: f64 = line.split('H').next().unwrap().parse().unwrap();
        assert!(at > TOP && at < BOTTOM, "{at}");
    }

    #[test]
    fn every_batch_has_a_column_when_there_is_room() {
        assert_eq!(columns(&holds()).len(), holds().batches.len());
    }
}
