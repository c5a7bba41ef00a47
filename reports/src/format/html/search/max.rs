//! The highest rate that holds: the knee with the interval of the rate, the rungs, the cost model.

use super::{method, sentences, top};
use crate::format::html::text;
use crate::format::svg::{Scale, line, ticks, unit};
use crate::quantity::{count, duration, percent, rate, signed_duration};
use crate::search::Rung;
use crate::search::max::{KneePoint, MaxRecord};
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 340.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 936.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 290.0;

pub(super) fn render(record: &MaxRecord) -> Markup {
    let origin = format!("{} · search for the highest rate that holds · {}", record.workload, record.run);
    html! {
        (top(&origin, "MAX", &format!("{}: {}.", record.workload, record.sentence()), Some(record.elapsed_ns)))
        section id="knee" {
            h2 { "Latency by rate" }
            @if record.knee.is_empty() {
                p { "No trial was finished." }
            } @else {
                p.lead {
                    "Each mark is a rate that was tried, with the median of its trials. The band is the 95 % interval of the highest rate that holds. "
                    "A ring marks the Pareto front: of the rates that hold no other has more records per second and no more latency (p99)."
                }
                figure tabindex="0" { (knee(record)) (keys()) }
                (table(record))
            }
        }
        section id="rungs" {
            h2 { "What it rests on" }
            (rungs(record))
            (sentences("Repeated, because the host spoiled them", &record.spoiled))
        }
        (method(&record.command, &record.settings, &record.environment))
    }
}

/// Latencies are on a logarithmic axis between powers of ten.
fn knee(record: &MaxRecord) -> Markup {
    let values =
        || record.knee.iter().flat_map(|point| [point.p50_ns, point.p99_ns]).flatten().map(|ns| ns.max(1) as f64);
    let interval_ns = record.interval_ns.max(1) as f64;
    let least = values().fold(interval_ns, f64::min).log10().floor();
    let most = values().fold(interval_ns, f64::max).log10().ceil().max(least + 1.0);
    let y_scale = Scale::new(most - least, BOTTOM, TOP);
    let y = |ns: f64| y_scale.at(ns.max(1.0).log10() - least);
    let upper = record.max.and_then(|max| max.upper).unwrap_or(0.0);
    let top_rate = record.knee.iter().map(|point| point.rate_per_s).fold(upper, f64::max) * 1.06;
    let x = Scale::new(top_rate, LEFT, RIGHT);
    let curve = |of: fn(&KneePoint) -> Option<u64>| -> Vec<(f64, f64)> {
        record.knee.iter().filter_map(|point| Some((x.at(point.rate_per_s), y(of(point)? as f64)))).collect()
    };
    let (p50, p99) = (curve(|point| point.p50_ns), curve(|point| point.p99_ns));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="knee-title knee-desc" {
            title id="knee-title" { "Latency by rate, with the interval of the highest rate that holds" }
            desc id="knee-desc" { (description(record)) }
            @if let Some(max) = record.max {
                @let (from, to) = (x.at(max.lower), x.at(max.upper.unwrap_or(top_rate)));
                rect.band x=(unit(from)) y=(unit(TOP)) width=(unit((to - from).max(1.0))) height=(unit(BOTTOM - TOP)) {}
                path.curve-thin d={ "M" (unit(x.at(max.rate_per_s))) " " (unit(TOP)) "V" (unit(BOTTOM)) } {}
            }
            @for power in least as i64..=most as i64 {
                @let at = y(10_f64.powi(power as i32));
                path.grid d={ "M" (unit(LEFT)) " " (unit(at)) "H" (unit(RIGHT)) } {}
                text.end x=(unit(LEFT - 8.0)) y=(unit(at + 4.0)) { (signed_duration(10_f64.powi(power as i32))) }
            }
            @for value in ticks(top_rate, 6) {
                text.middle x=(unit(x.at(value))) y=(unit(BOTTOM + 18.0)) { (count(value as u64)) }
            }
            path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
            text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BOTTOM + 38.0)) { "records per second · latency on a logarithmic axis" }
            @let at = y(interval_ns);
            path.interval d={ "M" (unit(LEFT)) " " (unit(at)) "H" (unit(RIGHT)) } {}
            text.strong x=(unit(LEFT + 6.0)) y=(unit(at - 6.0)) { "interval " (duration(record.interval_ns)) }
            path.curve-thin d=(line(&p50)) {}
            path.curve d=(line(&p99)) {}
            @for point in &record.knee {
                @if let Some(ns) = point.p99_ns {
                    (mark(point, x.at(point.rate_per_s), y(ns as f64)))
                    @if on_front(record, point) { circle.front cx=(unit(x.at(point.rate_per_s))) cy=(unit(y(ns as f64))) r="7.5" {} }
                }
            }
        }
    }
}

/// Whether more than half of its trials stay within the limits.
fn holds(point: &KneePoint) -> bool {
    2 * point.exceeded <= point.trials
}

/// Whether no other rate that holds has as many records per second and as little latency.
fn on_front(record: &MaxRecord, point: &KneePoint) -> bool {
    let Some(p99_ns) = point.p99_ns.filter(|_| holds(point)) else { return false };
    let beats = |other: &KneePoint| {
        let Some(other_ns) = other.p99_ns.filter(|_| holds(other)) else { return false };
        let is_other = other.rate_per_s > point.rate_per_s || other_ns < p99_ns;
        is_other && other.rate_per_s >= point.rate_per_s && other_ns <= p99_ns
    };
    !record.knee.iter().any(beats)
}

/// A dot where more than half of the trials hold, a cross elsewhere.
fn mark(point: &KneePoint, x: f64, y: f64) -> Markup {
    html! {
        @if holds(point) {
            circle.dot cx=(unit(x)) cy=(unit(y)) r="4" {}
        } @else {
            path.wrong-mark d={ "M" (unit(x - 5.0)) " " (unit(y - 5.0)) "l10 10m0 -10l-10 10" } {}
        }
    }
}

fn keys() -> Markup {
    html! {
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve d="M1 6H23" {} } "p99" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve-thin d="M1 6H23" {} } "p50; and the estimate of the rate, upright" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { circle.dot cx="12" cy="6" r="4" {} } "holds" }
            span.key { svg viewBox="0 0 24 14" aria-hidden="true" { circle.front cx="12" cy="7" r="5.5" {} } "Pareto front" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.wrong-mark d="M7.5 1.5l9 9m0 -9l-9 9" {} } "exceeds in most trials" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.band x="2" y="1" width="20" height="10" {} } "95 % interval of the rate" }
        }
    }
}

fn table(record: &MaxRecord) -> Markup {
    let shown = |ns: Option<u64>| ns.map_or_else(|| "–".to_owned(), duration);
    html! {
        div.table tabindex="0" role="region" aria-label="Trials by rate" {
            table {
                thead { tr {
                    th.number { "Rate" } th.number { "Utilisation" } th.number { "Late" } th.number { "p50" } th.number { "p99" } th.number { "Exceed" } th { "" span.hidden { "Pareto front" } }
                } }
                tbody {
                    @for point in &record.knee {
                        tr {
                            td.number { (rate(point.rate_per_s)) }
                            td.number { (percent(point.utilisation)) }
                            td.number { (percent(point.late_share)) }
                            td.number { (shown(point.p50_ns)) }
                            td.number { (shown(point.p99_ns)) }
                            td.number { (point.exceeded) " of " (point.trials) }
                            td { @if on_front(record, point) { "on the front" } }
                        }
                    }
                }
            }
        }
    }
}

fn rungs(record: &MaxRecord) -> Markup {
    let rung = |name: &'static str, rung: &Option<Rung>| {
        rung.as_ref().map(|rung| {
            let words = format!(
                "{}: {} of {} trials exceed the limits, {} of {} batches late",
                rate(rung.rate_per_s),
                rung.exceeded,
                rung.trials,
                count(rung.late),
                count(rung.judged)
            );
            (name, words)
        })
    };
    let model = record.model.map(|model| {
        let words = format!(
            "a batch costs {} and {} a record; unpaced that is {}",
            duration(model.fixed_ns as u64),
            signed_duration(model.per_record_ns),
            rate(model.rate_per_s(record.interval_ns as f64, 1.0))
        );
        ("Cost", words)
    });
    let decisive = record.tried.iter().filter(|tried| tried.decisive).count();
    let rows = [
        Some(("Limits", record.limits.join(", "))),
        rung("Holds", &record.holds),
        rung("Falls behind", &record.falls_behind),
        record.stop.map(|stop| {
            ("Ended", format!("{} trials, {decisive} of them decisive; {}", record.tried.len(), stop.words()))
        }),
        model,
        record.ceiling_per_s.map(|per_s| ("Generator", format!("proved {} into a null job", rate(per_s)))),
    ];
    html! {
        div.table { table { tbody {
            @for (name, words) in rows.into_iter().flatten() { tr { th scope="row" { (name) } td { (text(&words)) } } }
        } } }
    }
}

/// The plot in words.
fn description(record: &MaxRecord) -> String {
    let points: Vec<String> = record
        .knee
        .iter()
        .map(|point| {
            format!(
                "{}: p99 {}",
                rate(point.rate_per_s),
                point.p99_ns.map_or_else(|| "not measured".to_owned(), duration)
            )
        })
        .collect();
    format!("{}. {}.", record.sentence(), points.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_front_has_rates_that_hold_and_that_no_other_beats() {
        let point = |rate_per_s: f64, p99_ns: u64, exceeded: u64| KneePoint {
            rate_per_s,
            trials: 4,
            exceeded,
            utilisation: 0.5,
            late_share: 0.0,
            p50_ns: None,
            p99_ns: Some(p99_ns),
        };
        let knee = vec![point(1.0, 200, 0), point(2.0, 150, 1), point(3.0, 300, 0), point(4.0, 290, 3)];
        let record = MaxRecord { knee, ..MaxRecord::default() };
        let front: Vec<bool> = record.knee.iter().map(|point| on_front(&record, point)).collect();
        assert_eq!(front, [false, true, true, false]);
    }
}
