//! Every comparison: its change with the 99 % interval beside margin and limit, drawn and as a table.

use super::anchors::Anchors;
use super::axis::Axis;
use super::table;
use crate::format::html::text;
use crate::format::svg::unit;
use crate::gate::judgement::{Evidence, Judgement, Mark, MetricJudgement};
use crate::gate::shown::{change, effect, figure, interval};
use crate::inert;
use crate::quantity::{count, percent};
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 250.0;
const RIGHT: f64 = 820.0;
const TOP: f64 = 30.0;
const ROW: f64 = 26.0;
/// The confirmation of a comparison is drawn this far below its first pass.
const AGAIN: f64 = 9.0;

pub(super) fn render(judgement: &Judgement, anchors: &Anchors<'_>) -> Markup {
    let rows: Vec<&MetricJudgement> = judgement.metrics.iter().collect();
    html! {
        section id="comparisons" {
            h2 { "How much slower" }
            @if rows.is_empty() {
                p.lead { "Nothing was compared." }
            } @else {
                p.lead {
                    "The head against the base in pairs of fresh processes; positive is slower, for capacity too. A bar is the 99 % interval of the change, the mark on it the estimate. "
                    "It passes when the whole bar lies left of the limit; it is REGRESSED when the bar lies so far right of the margin that chance does not explain it, twice; such a bar is red."
                }
                figure tabindex="0" { (drawing(&rows)) (keys()) }
                (comparisons(&rows, anchors))
            }
        }
    }
}

fn drawing(rows: &[&MetricJudgement]) -> Markup {
    let bottom = TOP + rows.len() as f64 * ROW;
    let axis = Axis::of(rows.iter().flat_map(|judged| drawn(judged)), LEFT, RIGHT);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (unit(bottom + 44.0)) } role="img" aria-labelledby="comparisons-title comparisons-desc" {
            title id="comparisons-title" { "Change of every metric with its 99 % interval, beside margin and limit" }
            desc id="comparisons-desc" { (description(rows)) }
            @for share in axis.ticks(8) {
                @let x = axis.at(share);
                path.grid d={ "M" (unit(x)) " " (unit(TOP)) "V" (unit(bottom)) } {}
                text.middle x=(unit(x)) y=(unit(bottom + 18.0)) { (change(share)) }
            }
            path.axis d={ "M" (unit(axis.at(0.0))) " " (unit(TOP - 6.0)) "V" (unit(bottom + 4.0)) } {}
            text.end x=(unit(axis.at(0.0) - 8.0)) y=(unit(TOP - 12.0)) { "← faster" }
            text x=(unit(axis.at(0.0) + 8.0)) y=(unit(TOP - 12.0)) { "slower →" }
            text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(bottom + 38.0)) { "change from base to head, logarithmic" }
            @for (number, judged) in rows.iter().enumerate() {
                (row(judged, TOP + number as f64 * ROW, &axis))
            }
        }
    }
}

/// Everything of a comparison that has to be on the axis.
fn drawn(judged: &MetricJudgement) -> Vec<f64> {
    let of = |evidence: &Evidence| [Some(evidence.slower), evidence.low, evidence.high];
    let shown = judged.first.iter().chain(&judged.confirmation).flat_map(of).flatten();
    shown.chain([judged.margin, judged.limit]).collect()
}

fn row(judged: &MetricJudgement, top: f64, axis: &Axis) -> Markup {
    let middle = top + 0.5 * ROW;
    let upright = |share: f64| format!("M{} {}V{}", unit(axis.at(share)), unit(top + 3.0), unit(top + ROW - 3.0));
    let shift = if judged.confirmation.is_some() { 0.5 * AGAIN } else { 0.0 };
    html! {
        path.grid d={ "M" (unit(0.0)) " " (unit(top + ROW)) "H" (WIDTH) } {}
        text x="0" y=(unit(middle + 4.0)) { (inert::short(&judged.workload, 24)) }
        text.end x=(unit(LEFT - 16.0)) y=(unit(middle + 4.0)) { (judged.metric.name()) }
        @if judged.metric.is_primary() {
            path.interval d=(upright(judged.margin)) {}
            path.limit-line d=(upright(judged.limit)) {}
        }
        @if let Some(evidence) = &judged.first { (bar(evidence, middle - shift, axis, "dot", judged.mark)) }
        @if let Some(evidence) = &judged.confirmation { (bar(evidence, middle + shift, axis, "late-mark", judged.mark)) }
        text.strong[judged.mark == Mark::Regressed] x=(unit(RIGHT + 14.0)) y=(unit(middle + 4.0)) {
            (sign(judged.mark)) " " (judged.mark.as_str())
        }
    }
}

/// An end that is open reaches the edge, with an arrow.
fn bar(evidence: &Evidence, y: f64, axis: &Axis, circle: &str, mark: Mark) -> Markup {
    let (low, high) =
        (evidence.low.map_or(LEFT, |low| axis.at(low)), evidence.high.map_or(RIGHT, |high| axis.at(high)));
    html! {
        g.red[mark == Mark::Regressed] {
            title { (effect(evidence)) " from " (count(evidence.blocks)) " blocks" }
            path.curve d={ "M" (unit(low)) " " (unit(y)) "H" (unit(high)) } {}
            @if evidence.low.is_none() { path.curve d={ "M" (unit(low + 6.0)) " " (unit(y - 4.0)) "L" (unit(low)) " " (unit(y)) "L" (unit(low + 6.0)) " " (unit(y + 4.0)) } {} }
            @if evidence.high.is_none() { path.curve d={ "M" (unit(high - 6.0)) " " (unit(y - 4.0)) "L" (unit(high)) " " (unit(y)) "L" (unit(high - 6.0)) " " (unit(y + 4.0)) } {} }
            circle class=(circle) cx=(unit(axis.at(evidence.slower))) cy=(unit(y)) r="4" {}
        }
    }
}

/// Beside the word, for people who look before they read.
fn sign(mark: Mark) -> &'static str {
    match mark {
        Mark::Pass => "✓",
        Mark::Improved => "↗",
        Mark::Regressed => "↘",
        Mark::NotConfirmed | Mark::Open => "?",
        Mark::Missing => "✕",
        Mark::Shown => "·",
    }
}

fn keys() -> Markup {
    html! {
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve d="M1 6H23" {} circle.dot cx="12" cy="6" r="4" {} } "first pass" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve d="M1 6H23" {} circle.late-mark cx="12" cy="6" r="4" {} } "confirmation" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.interval d="M12 0V12" {} } "margin: still equal" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.limit-line d="M12 0V12" {} } "limit: must be excluded" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.axis d="M12 0V12" {} } "no change" }
        }
    }
}

fn comparisons(rows: &[&MetricJudgement], anchors: &Anchors<'_>) -> Markup {
    html! {
        (table("All comparisons", &html! {
            thead { tr {
                th { "Workload" } th { "Metric" } th { "Answer" } th.number { "Slower by" } th.number { "99 % interval" } th.number { "Limit" }
                th.number { "Could see" } th.number { "Base" } th.number { "Head" }
            } }
            tbody { @for judged in rows { (comparison(judged, anchors)) } }
        }))
        details {
            summary { "Blocks and p values of both passes" }
            (table("Blocks and p values", &html! {
                thead { tr {
                    th { "Workload" } th { "Metric" } th { "Pass" } th.number { "Blocks" } th.number { "Slower by" } th.number { "99 % interval" }
                    th.number { "p" } th.number { "Adjusted" } th.number { "Red at" } th.number { "Blocks for the limit" }
                } }
                tbody {
                    @for judged in rows {
                        @if let Some(evidence) = &judged.first { (pass(judged, "first", evidence)) }
                        @if let Some(evidence) = &judged.confirmation { (pass(judged, "confirmation", evidence)) }
                    }
                }
            }))
        }
    }
}

fn comparison(judged: &MetricJudgement, anchors: &Anchors<'_>) -> Markup {
    let limit = if judged.metric.is_primary() { percent(judged.limit) } else { "–".to_owned() };
    let dash = || "–".to_owned();
    let shown = judged.evidence().map(|evidence| {
        let figure = |value: f64| figure(judged.metric, value);
        (change(evidence.slower), ends(evidence), smallest(evidence), figure(evidence.base), figure(evidence.head))
    });
    let (slower, ends, smallest, base, head) = shown.unwrap_or_else(|| (dash(), dash(), dash(), dash(), dash()));
    html! {
        tr id=(anchors.comparison(judged)) {
            td { @if let Some(anchor) = anchors.find(&judged.workload) { a href={ "#" (anchor) } { (text(&judged.workload)) } } }
            td { (judged.metric.name()) }
            td {
                (sign(judged.mark)) " " b { (judged.mark.as_str()) }
                @if judged.layout_suspect { ", layout suspect: the same instructions" }
            }
            @for value in [slower, ends, limit, smallest, base, head] { td.number { (value) } }
        }
    }
}

fn pass(judged: &MetricJudgement, name: &str, evidence: &Evidence) -> Markup {
    let adjusted = evidence.p_adjusted.map(short);
    let level = adjusted.as_ref().map(|_| short(evidence.level));
    html! {
        tr {
            td { (text(&judged.workload)) }
            td { (judged.metric.name()) }
            td { (name) }
            td.number { (count(evidence.blocks)) }
            td.number { (change(evidence.slower)) }
            td.number { (ends(evidence)) }
            td.number { (short(evidence.p)) }
            td.number { (adjusted.unwrap_or_else(|| "–".to_owned())) }
            td.number { (level.unwrap_or_else(|| "–".to_owned())) }
            td.number { (count(evidence.blocks_for_limit)) }
        }
    }
}

fn ends(evidence: &Evidence) -> String {
    format!("{} %", interval(evidence.low, evidence.high))
}

fn smallest(evidence: &Evidence) -> String {
    match evidence.smallest_change {
        change if change < 9.995 => percent(change),
        _ => "–".to_owned(),
    }
}

fn short(p: f64) -> String {
    match p {
        p if p >= 0.001 => format!("{p:.3}"),
        p => format!("{p:.1e}"),
    }
}

/// The plot in words.
fn description(rows: &[&MetricJudgement]) -> String {
    let of = |judged: &&MetricJudgement| {
        let shown = judged.evidence().map_or_else(|| "no figure".to_owned(), effect);
        let workload = inert::short(&judged.workload, 60);
        format!("{workload} {}: {shown}, {}", judged.metric.name(), judged.mark.as_str())
    };
    let all: Vec<String> = rows.iter().filter(|judged| judged.metric.is_primary()).map(of).collect();
    format!("{}.", all.join("; "))
}
