//! The percentile curve on an axis of log(1/(1−p)), dotted where too few batches lie beyond.

use super::spread;
use crate::compare;
use crate::format::svg::{Scale, area, line, ticks, unit};
use crate::judged;
use crate::quantity::{count, duration, percent, quantile};
use crate::record::Integrity;
use crate::summary::{Percentiles, Summary};
use hdrhistogram::Histogram;
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 330.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 930.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 286.0;

/// Points of the curve.
const STEPS: usize = 240;

/// Points of the band round it.
const BAND_STEPS: usize = 48;

/// Seed of the resampled runs: the same record gives the same band.
const SEED: u64 = 0x6c61_7465_6e63_7900;

/// The axis goes this much beyond what is supported (2 is from 90 % to 99.9 %), to at least 99.9 % and at most 99.9999 %.
const NINES_BEYOND: f64 = 2.0;
const LEAST_NINES: f64 = 3.0;
const MOST_NINES: f64 = 6.0;

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    html! {
        section id="latency" {
            h2 { "Latency of the records" }
            p.lead {
                "From the time a record should have been sent to the commit of its batch. "
                "The batch is the sample, not the record: a percentile counts only if ten judged batches lie beyond it."
            }
            @match &summary.histogram {
                Some(histogram) => (figure(summary, histogram)),
                None => p { "The latency of the records was not measured." },
            }
            (table(summary))
        }
    }
}

fn figure(summary: &Summary<'_>, histogram: &Histogram<u64>) -> Markup {
    let judged = judged::batches(summary.record).count() as u64;
    html! {
        figure tabindex="0" {
            (plot(summary, histogram))
            p.keys {
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve d="M1 6H23" {} } "latency" }
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.curve-thin d="M1 6H23" {} } "rests on too few batches" }
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.floor-area x="2" y="2" width="20" height="8" {} } "waiting for the batch to close: only a shorter interval lowers it" }
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.band x="2" y="2" width="20" height="8" {} } "95 % interval, batches drawn anew" }
            }
            figcaption {
                (count(histogram.len())) " records of " (count(judged)) " batches · supported to "
                (quantile(summary.latency.supported_to))
                " · the band draws blocks of neighbouring batches anew and takes the records of a batch as evenly spread over its interval"
            }
        }
        (floor(summary, histogram))
        (spread::render(summary, histogram))
        (uncorrected(&summary.record.integrity))
    }
}

/// Why there is no second line for people who measure from the hand-over, and how far it would lie below.
fn uncorrected(integrity: &Integrity) -> Markup {
    let (lag, blocked_ns) = (&integrity.generator_lag_ns, integrity.blocked_ns);
    html! {
        p.lead {
            "This latency is corrected for coordinated omission, and is the only one there is: when each record was really handed over is not kept. Measured from there it would be shorter "
            @if blocked_ns == 0 {
                "by " (duration(lag.max)) " at most (p99 " (duration(lag.p99)) "): so late was the generator; nothing blocked it."
            } @else {
                "by the lag of the generator (" (duration(lag.max)) " at most) and by the time for which the engine blocked it (" (duration(blocked_ns)) " in all), which is just what must not be hidden."
            }
        }
    }
}

/// What nobody needs to tune code for.
fn floor(summary: &Summary<'_>, histogram: &Histogram<u64>) -> Markup {
    let (waited_ns, mean_ns) = (summary.record.judging.interval_ns as f64 / 2.0, histogram.mean());
    html! {
        @if waited_ns > 0.0 && mean_ns >= waited_ns {
            p.lead {
                "Of the mean latency of " (duration(mean_ns as u64)) ", " (duration(waited_ns as u64)) " (" (percent(waited_ns / mean_ns))
                ") is waiting for the batch to close, which the interval alone explains."
            }
        }
    }
}

/// Ends of the 95 % interval of the latency at ascending quantiles: the histogram's value, widened as resampled batches vary.
pub(super) fn bands(summary: &Summary<'_>, histogram: &Histogram<u64>, quantiles: &[f64]) -> Option<Vec<(f64, f64)>> {
    let mixture = compare::mixture(summary)?;
    let bands = mixture.bands(quantiles, SEED)?;
    let estimates = mixture.estimates(quantiles);
    let at = |((quantile, estimate), (low, high)): ((&f64, f64), (f64, f64))| {
        let scale = histogram.value_at_quantile(*quantile) as f64 / estimate.max(1.0);
        (low * scale, high * scale)
    };
    Some(quantiles.iter().zip(estimates).zip(bands).map(at).collect())
}

/// The band as a closed path; nothing where there are too few batches.
fn band(summary: &Summary<'_>, histogram: &Histogram<u64>, supported: f64, x: Scale, y: Scale) -> Markup {
    let places: Vec<f64> = (0..=BAND_STEPS).map(|step| supported * step as f64 / BAND_STEPS as f64).collect();
    let quantiles: Vec<f64> = places.iter().map(|at| 1.0 - 10_f64.powf(-at)).collect();
    let Some(bands) = bands(summary, histogram, &quantiles) else { return html! {} };
    let lower = places.iter().zip(&bands).map(|(at, (low, _))| (x.at(*at), y.at(*low)));
    let upper = places.iter().zip(&bands).map(|(at, (_, high))| (x.at(*at), y.at(*high)));
    let round: Vec<(f64, f64)> = lower.chain(upper.rev()).collect();
    html! { path.band d={ (line(&round)) "Z" } {} }
}

fn plot(summary: &Summary<'_>, histogram: &Histogram<u64>) -> Markup {
    let wanted = (nines(summary.latency.supported_to) + NINES_BEYOND).clamp(LEAST_NINES, MOST_NINES);
    // Beyond the percentile above which one record lies there is nothing to draw.
    let end = nines(1.0 - 1.0 / histogram.len().max(10) as f64).min(wanted);
    let interval_ns = summary.record.judging.interval_ns as f64;
    let top_ns = (histogram.max() as f64).max(interval_ns) * 1.08;
    let (x, y) = (Scale::new(end, LEFT, RIGHT), Scale::new(top_ns, BOTTOM, TOP));
    let supported = nines(summary.latency.supported_to).min(end);
    let point = |at: f64| {
        let value = histogram.value_at_quantile(1.0 - 10_f64.powf(-at)) as f64;
        (x.at(at), y.at(value))
    };
    let floor = |at: f64| (x.at(at), y.at((1.0 - 10_f64.powf(-at)) * interval_ns));
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="latency-title latency-desc" {
            title id="latency-title" { "Latency by percentile" }
            desc id="latency-desc" { (description(&summary.latency)) }
            rect.unsupported x=(unit(x.at(supported))) y=(unit(TOP)) width=(unit(RIGHT - x.at(supported))) height=(unit(BOTTOM - TOP)) {}
            (axes(x, y, end, top_ns))
            path.floor-area d=(area(&steps(0.0, end, floor), BOTTOM)) {}
            (band(summary, histogram, supported, x, y))
            path.curve d=(line(&steps(0.0, supported, point))) {}
            path.curve-thin d=(line(&steps(supported, end, point))) {}
            text x=(unit(x.at(supported) + 8.0)) y=(unit(TOP + 16.0)) { "too few batches" }
        }
    }
}

/// The position of a quantile on the axis: 1 for 90 %, 2 for 99 %, ….
fn nines(quantile: f64) -> f64 {
    -(1.0 - quantile).max(1e-12).log10()
}

fn steps(from: f64, to: f64, point: impl Fn(f64) -> (f64, f64)) -> Vec<(f64, f64)> {
    let count = ((to - from) / MOST_NINES * STEPS as f64).ceil().max(1.0) as usize * 2;
    (0..=count).map(|number| point(from + (to - from) * number as f64 / count as f64)).collect()
}

fn axes(x: Scale, y: Scale, end: f64, top_ns: f64) -> Markup {
    let marks = [0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999];
    let labels = ["0 %", "50 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %", "99.9999 %"];
    html! {
        @for value in ticks(top_ns, 5) {
            @let at = y.at(value);
            @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (unit(at)) "H" (unit(RIGHT)) } {} }
            text.end x=(unit(LEFT - 8.0)) y=(unit(at + 4.0)) { (duration(value as u64)) }
        }
        @for (mark, label) in marks.into_iter().zip(labels) {
            @let at = if mark == 0.0 { 0.0 } else { nines(mark) };
            @if at <= end + 1e-9 {
                path.grid d={ "M" (unit(x.at(at))) " " (unit(TOP)) "V" (unit(BOTTOM)) } {}
                text.middle x=(unit(x.at(at))) y=(unit(BOTTOM + 18.0)) { (label) }
            }
        }
        path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
        text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BOTTOM + 38.0)) { "percentile of the records, log(1/(1−p)) axis" }
    }
}

fn rows(percentiles: &Percentiles) -> [(&'static str, f64, Option<u64>); 4] {
    [
        ("p50", 0.5, percentiles.p50),
        ("p90", 0.9, percentiles.p90),
        ("p99", 0.99, percentiles.p99),
        ("p99.9", 0.999, percentiles.p99_9),
    ]
}

fn table(summary: &Summary<'_>) -> Markup {
    let cell = |quantile: f64, value: Option<u64>, supported_to: f64| match value {
        None => "not measured".to_owned(),
        Some(ns) if quantile <= supported_to + 1e-9 => duration(ns),
        Some(ns) => format!("({}) too few batches", duration(ns)),
    };
    let by_batch = rows(&summary.total_delay);
    let quantiles = rows(&summary.latency).map(|(_, quantile, _)| quantile);
    let bands = summary.histogram.as_ref().and_then(|histogram| bands(summary, histogram, &quantiles));
    let interval = |place: usize, quantile: f64| {
        let supported = quantile <= summary.latency.supported_to + 1e-9;
        match bands.as_ref().and_then(|bands| bands.get(place)).filter(|_| supported) {
            Some((low, high)) => format!("[{}, {}]", duration(*low as u64), duration(*high as u64)),
            None => "–".to_owned(),
        }
    };
    html! {
        div.table tabindex="0" role="region" aria-label="Percentiles" {
            table {
                thead { tr { th { "Percentile" } th.number { "Latency, by record" } th.number { "95 % interval" } th.number { "Total delay, by batch" } } }
                tbody {
                    @for (place, ((name, quantile, latency), (_, _, delay))) in rows(&summary.latency).into_iter().zip(by_batch).enumerate() {
                        @let is_grey = quantile > summary.latency.supported_to + 1e-9;
                        tr class=[is_grey.then_some("grey")] {
                            td { (name) }
                            td.number { (cell(quantile, latency, summary.latency.supported_to)) }
                            td.number { (interval(place, quantile)) }
                            td.number { (cell(quantile, delay, summary.total_delay.supported_to)) }
                        }
                    }
                    tr {
                        td { "max" }
                        td.number { (cell(0.0, summary.latency.max, 1.0)) }
                        td.number { "–" }
                        td.number { (cell(0.0, summary.total_delay.max, 1.0)) }
                    }
                }
            }
        }
    }
}

/// The plot in words.
fn description(latency: &Percentiles) -> String {
    let values: Vec<String> =
        rows(latency).iter().filter_map(|(name, _, value)| Some(format!("{name} {}", duration((*value)?)))).collect();
    format!(
        "{}, max {}. Percentiles above {} rest on too few batches.",
        values.join(", "),
        duration(latency.max.unwrap_or(0)),
        percent(latency.supported_to)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nines_are_the_axis() {
        for (quantile, at) in [(0.9, 1.0), (0.99, 2.0), (0.999, 3.0)] {
            assert!((nines(quantile) - at).abs() < 1e-9);
        }
        assert_eq!(nines(1.0), 12.0);
    }
}
