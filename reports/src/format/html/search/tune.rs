//! A tuning: the recommendation, the arms that confirm it, the stability map of interval and rate, the ranking, what was not tried.

use super::{method, sentences, top};
use crate::format::html::text;
use crate::format::svg::{Scale, line, ticks, unit};
use crate::quantity::{count, duration, rate};
use crate::search::tune::{Arm, Frontier, TuneRecord};
use maud::{Markup, html};
use std::collections::BTreeMap;

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 320.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 936.0;
const TOP: f64 = 20.0;
const BOTTOM: f64 = 270.0;

/// Settings of the ranking.
const RANKED: usize = 30;

pub(super) fn render(record: &TuneRecord) -> Markup {
    let origin = format!("{} · goal: {} · {}", record.workload, record.goal, record.run);
    let mut sentence = record.sentence();
    sentence.push('.');
    html! {
        (top(&origin, "BEST", &sentence, Some(record.elapsed_ns)))
        section id="recommendation" {
            h2 { "What it rests on" }
            ul { @for finding in &record.findings { li { (text(finding)) } } }
            @if let Some(command) = &record.refuted_by {
                h3 { "What would refute it" }
                p.lead { "The recommendation is wrong " (record.refuted_when()) ":" }
                pre { code { (text(command)) } }
            }
            (sentences("What was not tried", &record.not_tried))
            (sentences("Trials that failed", &record.failures))
        }
        (arms(record))
        (map(record))
        (ranking(record))
        (method(&record.command, &record.settings, &record.environment))
    }
}

fn changes(changes: &BTreeMap<String, String>) -> String {
    changes.iter().map(|(knob, value)| format!("{knob}={value}")).collect::<Vec<_>>().join(" ")
}

fn arms(record: &TuneRecord) -> Markup {
    let most = record.arms.iter().filter_map(|arm| arm.value.as_ref()).map(|value| value.upper).fold(0.0, f64::max);
    let x = Scale::new(most * 1.02, 0.0, 200.0);
    let state = |arm: &Arm| match (arm.holds, &arm.given_up) {
        (_, Some(why)) => format!("given up: {why}"),
        (Some(true), None) => "holds".to_owned(),
        (Some(false), None) => "falls behind".to_owned(),
        (None, None) => String::new(),
    };
    html! {
        section id="arms" {
            h2 { "Confirmed in fresh runs" }
            @if record.arms.is_empty() {
                p { "The time was over before anything was confirmed." }
            } @else {
                p.lead { "Today's setting and the candidates, in turns; the bars are from 0, the lines 95 % intervals." }
                div.table tabindex="0" role="region" aria-label="Arms of the confirmation" { table.dense {
                    thead { tr { th { "Arm" } th { "Changes" } th.number { "Value" } th.number { "95 % interval" } th { span.hidden { "Drawn" } } th.number { "Trials" } th { "Remark" } } }
                    tbody {
                        @for (index, arm) in record.arms.iter().enumerate() {
                            tr {
                                td.arm { @if record.recommended == Some(index) { b { "▸ " (text(&arm.name)) } } @else { (text(&arm.name)) } }
                                td { (text(&changes(&arm.changes))) }
                                @match &arm.value {
                                    Some(value) => {
                                        td.number { (record.show(value.estimate)) }
                                        td.number { "[" (record.show(value.lower)) ", " (record.show(value.upper)) "]" }
                                        td.drawn { svg viewBox="0 0 200 12" preserveAspectRatio="none" aria-hidden="true" {
                                            rect.share x="0" y="3" height="6" width=(unit(x.at(value.estimate))) {}
                                            path.error d={ "M" (unit(x.at(value.lower))) " 6H" (unit(x.at(value.upper))) } {}
                                        } }
                                    },
                                    None => { td.number { "–" } td.number { "–" } td {} },
                                }
                                td.number { (arm.trials_in_words()) }
                                td { (text(&state(arm))) @if record.recommended == Some(index) { " recommended" } }
                            }
                        }
                    }
                } }
                @if let Some(challenge) = record.challenge() { p { "Best challenger: " (text(&challenge)) "." } }
                @if let Some(checked) = record.checked() { p { "At its pace: " (text(&checked)) "." } }
            }
        }
    }
}

/// Interval × rate: below the line it holds, above it falls behind, by the cost model F + c·n.
fn map(record: &TuneRecord) -> Markup {
    html! {
        section id="stability" {
            h2 { "Which interval carries which rate" }
            @if record.frontier.is_empty() {
                p { "There is no cost model to predict it from." }
            } @else {
                p.lead {
                    "Predicted from the cost models (a batch of n records takes F + c·n), not measured: below a line the setting holds, above it it falls behind."
                }
                figure tabindex="0" { (plot(record)) (keys()) }
                (table(record))
            }
        }
    }
}

fn plot(record: &TuneRecord) -> Markup {
    let points = &record.frontier;
    let intervals = || points.iter().map(|point| (point.interval_ns.max(1) as f64).log10());
    let (least, most) = (intervals().fold(f64::MAX, f64::min), intervals().fold(f64::MIN, f64::max));
    // A single interval stands in the middle.
    let (least, most) = if most - least < 1e-9 { (least - 0.5, most + 0.5) } else { (least, most) };
    let x_scale = Scale::new(most - least, LEFT + 20.0, RIGHT - 20.0);
    let x = |interval_ns: u64| x_scale.at((interval_ns.max(1) as f64).log10() - least);
    let top_rate = points.iter().map(|point| point.today_per_s.max(point.recommended_per_s)).fold(1.0, f64::max) * 1.15;
    let y = Scale::new(top_rate, BOTTOM, TOP);
    let curve = |of: fn(&Frontier) -> f64| -> Vec<(f64, f64)> {
        points.iter().map(|point| (x(point.interval_ns), y.at(of(point)))).collect()
    };
    let (today, recommended) = (curve(|point| point.today_per_s), curve(|point| point.recommended_per_s));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="stability-title stability-desc" {
            title id="stability-title" { "Highest predicted rate by batch interval, today's setting and the recommended one" }
            desc id="stability-desc" { (description(points)) }
            path.holds-area d=(crate::format::svg::area(&recommended, BOTTOM)) {}
            @for value in ticks(top_rate, 5) {
                @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (unit(y.at(value))) "H" (unit(RIGHT)) } {} }
                text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(value) + 4.0)) { (count(value as u64)) }
            }
            path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
            @for point in points {
                text.middle x=(unit(x(point.interval_ns))) y=(unit(BOTTOM + 18.0)) { (duration(point.interval_ns)) }
            }
            text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BOTTOM + 40.0)) { "batch interval, logarithmic · records per second upwards" }
            @if points.iter().any(|point| point.interval_ns == record.interval_ns) {
                path.interval d={ "M" (unit(x(record.interval_ns))) " " (unit(TOP)) "V" (unit(BOTTOM)) } {}
                text.strong.middle x=(unit(x(record.interval_ns))) y=(unit(TOP - 6.0)) { "today's interval" }
            }
            path.curve-thin d=(line(&today)) {}
            path.curve d=(line(&recommended)) {}
            @for (at, _) in recommended.iter().zip(points) { circle.dot cx=(unit(at.0)) cy=(unit(at.1)) r="3.5" {} }
            text x=(unit(LEFT + 26.0)) y=(unit(BOTTOM - 10.0)) { "holds" }
            text x=(unit(LEFT + 26.0)) y=(unit(TOP + 14.0)) { "falls behind" }
        }
    }
}

fn keys() -> Markup {
    html! {
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve d="M1 6H23" {} } "recommended setting" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve-thin d="M1 6H23" {} } "today's setting" }
        }
    }
}

fn table(record: &TuneRecord) -> Markup {
    html! {
        details {
            summary { "Data of the plot" }
            div.table tabindex="0" role="region" aria-label="Highest rate by interval" { table {
                thead { tr { th { "Interval" } th.number { "Today's setting" } th.number { "Recommended" } } }
                tbody { @for point in &record.frontier {
                    tr { td { (duration(point.interval_ns)) } td.number { (rate(point.today_per_s)) } td.number { (rate(point.recommended_per_s)) } }
                } }
            } }
        }
    }
}

fn ranking(record: &TuneRecord) -> Markup {
    html! {
        section id="ranking" {
            h2 { "Ranking" }
            p.lead {
                (count(record.unpaced_trials)) " unpaced trials over " (count(record.cells)) " settings; "
                (count(record.refused)) " contradict themselves. Values are predicted by a surrogate, not measured at their pace."
            }
            @if !record.effects.is_empty() {
                h3 { "What matters" }
                ul { @for effect in record.effects.iter().filter(|effect| effect.factor > 1.01) {
                    li { code { (text(&effect.knob)) } ": " (text(&effect.best)) " is " (format!("{:.2}", effect.factor)) " × " (text(&effect.worst)) }
                } }
            }
            @if !record.ranking.is_empty() {
                div.table tabindex="0" role="region" aria-label="Ranking" { table {
                    thead { tr { th { "Setting" } th.number { "Predicted" } th.number { "Trials" } th { span.hidden { "Remark" } } } }
                    tbody { @for ranked in record.ranking.iter().take(RANKED) {
                        tr {
                            td { (text(&changes(&ranked.values))) }
                            td.number { (record.show(ranked.predicted)) }
                            td.number { (count(ranked.trials)) }
                            td { @if ranked.today { b { "today" } } }
                        }
                    } }
                } }
                @if record.ranking.len() > RANKED { p.keys { "… " (record.ranking.len() - RANKED) " more in tune.json" } }
            }
        }
    }
}

/// The plot in words.
fn description(points: &[Frontier]) -> String {
    let words = |point: &Frontier| {
        format!(
            "{}: today {}, recommended {}",
            duration(point.interval_ns),
            rate(point.today_per_s),
            rate(point.recommended_per_s)
        )
    };
    points.iter().map(words).collect::<Vec<_>>().join("; ")
}
