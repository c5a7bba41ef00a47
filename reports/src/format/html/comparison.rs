//! Runs beside one another: differences first, then every figure with its change, and the percentile curves laid over one another.

use super::text;
use crate::compare::{CAVEAT, Comparison, cells};
use crate::format::svg::{Scale, line, ticks, unit};
use crate::quantity::duration;
use crate::summary::Summary;
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 930.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 276.0;

/// Curves that can be told apart by dash and colour.
const CURVES: usize = 4;

/// Points of a curve.
const STEPS: usize = 160;

/// The axis ends at 99.9 %.
const NINES: f64 = 3.0;

pub(super) fn render(comparison: &Comparison, summaries: &[Summary<'_>]) -> Markup {
    html! {
        header id="verdict" {
            p.origin { "Comparison, without pass or fail" }
            h1.word { "COMPARE" }
            ul { @for run in &comparison.runs {
                li { b { (run.letter) } " " (text(&run.workload)) ", " (text(&run.run)) ": " b { (run.word) } " " (text(&run.text)) }
            } }
            p.next { (CAVEAT) }
        }
        (differences(comparison))
        (metrics(comparison))
        (curves(comparison, summaries))
    }
}

fn differences(comparison: &Comparison) -> Markup {
    html! {
        section id="differences" {
            h2 { "What differs" }
            @if comparison.differences.is_empty() {
                p { "Nothing: the same workload, settings, load and surroundings." }
            } @else {
                div.table tabindex="0" role="region" aria-label="What differs" { table {
                    thead { tr { th { "Kind" } th { "Name" } @for run in &comparison.runs { th { (run.letter) } } } }
                    tbody { @for difference in &comparison.differences {
                        tr {
                            td { (difference.kind) }
                            td { code { (text(&difference.name)) } }
                            @for value in &difference.values { td { (text(value.as_deref().unwrap_or("–"))) } }
                        }
                    } }
                } }
            }
        }
    }
}

fn metrics(comparison: &Comparison) -> Markup {
    html! {
        section id="metrics" {
            h2 { "Figures" }
            p.lead { "Changes are against A. ~ cannot be told from no change by the batches of these runs; – was not measured, or rests on too few batches." }
            div.table tabindex="0" role="region" aria-label="Figures" { table {
                thead { tr {
                    th { "Figure" }
                    @for run in &comparison.runs { th.number { (run.letter) } }
                    @for run in comparison.runs.iter().skip(1) { th.number { (run.letter) " against A [95 %]" } }
                } }
                tbody { @for metric in &comparison.metrics {
                    tr { td { (metric.name) } @for cell in cells(metric) { td.number { (cell) } } }
                } }
            } }
        }
    }
}

fn curves(comparison: &Comparison, summaries: &[Summary<'_>]) -> Markup {
    let drawn: Vec<_> = summaries
        .iter()
        .zip(&comparison.runs)
        .filter_map(|(summary, run)| Some((run, summary.histogram.as_ref()?)))
        .take(CURVES)
        .collect();
    let at = |place: f64| 1.0 - 10_f64.powf(-place);
    let top_ns =
        drawn.iter().map(|(_, histogram)| histogram.value_at_quantile(at(NINES))).max().unwrap_or(0) as f64 * 1.08;
    let (x, y) = (Scale::new(NINES, LEFT, RIGHT), Scale::new(top_ns, BOTTOM, TOP));
    let words: Vec<String> = drawn
        .iter()
        .map(|(run, histogram)| format!("{}: p50 {}", run.letter, duration(histogram.value_at_quantile(0.5))))
        .collect();
    html! {
        section id="latency" {
            h2 { "Latency of the records" }
            @if drawn.is_empty() {
                p { "The latency of the records was not measured." }
            } @else {
                figure tabindex="0" {
                    svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="latency-title latency-desc" {
                        title id="latency-title" { "Latency by percentile of each run" }
                        desc id="latency-desc" { (words.join("; ")) }
                        @for value in ticks(top_ns, 5) {
                            @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (unit(y.at(value))) "H" (unit(RIGHT)) } {} }
                            text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(value) + 4.0)) { (duration(value as u64)) }
                        }
                        @for (place, label) in [(0.0, "0 %"), (0.301, "50 %"), (1.0, "90 %"), (2.0, "99 %"), (3.0, "99.9 %")] {
                            path.grid d={ "M" (unit(x.at(place))) " " (unit(TOP)) "V" (unit(BOTTOM)) } {}
                            text.middle x=(unit(x.at(place))) y=(unit(BOTTOM + 18.0)) { (label) }
                        }
                        path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
                        text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BOTTOM + 36.0)) { "percentile of the records, log(1/(1−p)) axis" }
                        @for (number, (_, histogram)) in drawn.iter().enumerate() {
                            @let points: Vec<(f64, f64)> = (0..=STEPS).map(|step| {
                                let place = NINES * step as f64 / STEPS as f64;
                                (x.at(place), y.at(histogram.value_at_quantile(at(place)) as f64))
                            }).collect();
                            path class={ "run r" (number) } d=(line(&points)) {}
                        }
                    }
                    p.keys { @for (number, (run, _)) in drawn.iter().enumerate() {
                        span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path class={ "run r" (number) } d="M1 6H23" {} } (run.letter) }
                    } }
                }
            }
        }
    }
}
