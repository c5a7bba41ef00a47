//! The plot of batches over time: processing time, waiting before the start, and the interval, which is always in view.

use super::{tables, text};
use crate::format::svg::{Scale, area, line, ticks, unit};
use crate::judged;
use crate::quantity::{count, duration};
use crate::record::{BatchRecord, TrialRecord};
use crate::summary::Summary;
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 936.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 286.0;

/// More batches than this share columns, each of which shows its largest values.
const COLUMNS: usize = 440;

/// What one column shows: the largest values of its batches, so that the worst batch is always visible.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Column {
    index: f64,
    warmup: bool,
    wait_ns: u64,
    processing_ns: u64,
    late_ns: Option<u64>,
    wrong: bool,
}

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    html! {
        section id="batches" {
            h2 { "Batches over time" }
            p.lead {
                "Each batch is due at the end of its interval. Done above the dashed line is done after the next one was due: late."
            }
            @if record.batches.is_empty() {
                p { "No batch was recorded." }
            } @else {
                figure {
                    (plot(summary))
                    (keys())
                    figcaption { (caption(record)) }
                }
                (tables::all_batches(summary))
            }
        }
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
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="batches-title batches-desc" {
            title id="batches-title" { "Processing and waiting time of each batch, against the interval" }
            desc id="batches-desc" { (description(summary)) }
            (warm_up(&columns, x))
            (axes(y, top_ns, first, last, x))
            @let wait: Vec<(f64, f64)> = columns.iter().map(|column| (x(column.index), y.at(column.wait_ns as f64))).collect();
            path.wait-area d=(area(&wait, BOTTOM)) {}
            path.wait-line d=(line(&wait)) {}
            (marks(&columns, x, y))
            (interval_line(record, y))
        }
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
        processing_ns: largest(|batch| batch.processing_ns),
        late_ns: late.map(|batch| batch.total_delay_ns).max(),
        wrong: batches.iter().any(|batch| batch.failure.is_some() || batch.wrong.is_some()),
    }
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

fn axes(y: Scale, top_ns: f64, first: f64, last: f64, x: impl Fn(f64) -> f64) -> Markup {
    let index_ticks = ticks(last - first, 10).into_iter().map(|offset| (first + offset).round());
    html! {
        @for value in ticks(top_ns, 5) {
            @let at = unit(y.at(value));
            @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (at) "H" (unit(RIGHT)) } {} }
            text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(value) + 4.0)) { (duration(value as u64)) }
        }
        path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
        @for index in index_ticks {
            text.middle x=(unit(x(index))) y=(unit(BOTTOM + 18.0)) { (count(index as u64)) }
        }
        text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BOTTOM + 38.0)) { "batch" }
    }
}

fn marks(columns: &[Column], x: impl Fn(f64) -> f64, y: Scale) -> Markup {
    let radius = if columns.len() > 200 { 1.7 } else { 2.6 };
    html! {
        @for column in columns {
            @let at = x(column.index);
            @if let Some(ns) = column.late_ns {
                @let tip = y.at(ns as f64);
                path.late-mark d={ "M" (unit(at - 5.5)) " " (unit(tip + 5.0)) "L" (unit(at)) " " (unit(tip - 6.0)) "L" (unit(at + 5.5)) " " (unit(tip + 5.0)) "Z" } {}
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
        text.strong.end x=(unit(RIGHT)) y=(unit(at - 7.0)) { "interval " (duration(record.judging.interval_ns)) }
    }
}

fn keys() -> Markup {
    html! {
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { circle.dot cx="12" cy="6" r="3" {} } "processing time" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.wait-area x="1" y="3" width="22" height="9" {} path.wait-line d="M1 3H23" {} } "delay before the start" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.late-mark d="M8 10L12 2.5L16 10Z" {} } "late: total delay" }
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
