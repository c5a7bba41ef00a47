//! How the latencies of the records are spread: a histogram on a logarithmic axis, and the share of the records below each latency.

use crate::format::svg::{Scale, line, ticks, unit};
use crate::quantity::{count, duration, percent, signed_duration};
use crate::summary::Summary;
use hdrhistogram::Histogram;
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 280.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 900.0;
const TOP: f64 = 18.0;
const BOTTOM: f64 = 236.0;

/// Bars of the histogram, each as many times longer than the one before.
const BARS: usize = 60;

/// A bar: from and to which latency, nanoseconds, and its records.
struct Bar {
    from_ns: f64,
    to_ns: f64,
    records: u64,
}

pub(super) fn render(summary: &Summary<'_>, histogram: &Histogram<u64>) -> Markup {
    let bars = bars(histogram);
    html! {
        figure tabindex="0" {
            (plot(summary, histogram, &bars))
            p.keys {
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.bar-work x="3" y="2" width="18" height="10" {} } "share of the records, left axis" }
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.wait-line d="M1 6H23" {} } "share of the records below, right axis" }
                span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.interval d="M12 0V12" {} } "interval" }
            }
            figcaption {
                (count(histogram.len())) " records from " (duration(histogram.min())) " to " (duration(histogram.max()))
                " · " (BARS) " bars on a logarithmic axis"
            }
        }
    }
}

fn bars(histogram: &Histogram<u64>) -> Vec<Bar> {
    let (least, most) = (histogram.min().max(1) as f64, histogram.max().max(2) as f64);
    let factor = (most / least).max(1.01).powf(1.0 / BARS as f64);
    let edge = |number: usize| least * factor.powi(number as i32);
    let mut bars: Vec<Bar> =
        (0..BARS).map(|number| Bar { from_ns: edge(number), to_ns: edge(number + 1), records: 0 }).collect();
    for step in histogram.iter_recorded() {
        let place = ((step.value_iterated_to().max(1) as f64 / least).ln() / factor.ln()).max(0.0) as usize;
        let bar = &mut bars[place.min(BARS - 1)];
        bar.records = bar.records.saturating_add(step.count_at_value());
    }
    bars
}

fn plot(summary: &Summary<'_>, histogram: &Histogram<u64>, bars: &[Bar]) -> Markup {
    let all = histogram.len().max(1) as f64;
    let share = |bar: &Bar| bar.records as f64 / all;
    let top = bars.iter().map(share).fold(0.0, f64::max) * 1.1;
    let (y, below) = (Scale::new(top, BOTTOM, TOP), Scale::new(1.0, BOTTOM, TOP));
    let (least_ns, most_ns) = (bars[0].from_ns, bars[BARS - 1].to_ns);
    let x_scale = Scale::new((most_ns / least_ns).ln(), LEFT, RIGHT);
    let x = |ns: f64| x_scale.at((ns / least_ns).ln());
    let interval_ns = summary.record.judging.interval_ns as f64;
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-labelledby="spread-title spread-desc" {
            title id="spread-title" { "Histogram of the latency, and the share of the records below each latency" }
            desc id="spread-desc" { (description(histogram, bars)) }
            @for value in ticks(top, 4) {
                @let at = unit(y.at(value));
                @if value > 0.0 { path.grid d={ "M" (unit(LEFT)) " " (at) "H" (unit(RIGHT)) } {} }
                text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(value) + 4.0)) { (percent(value)) }
            }
            @for bar in bars.iter().filter(|bar| bar.records > 0) {
                @let (from, to, height) = (x(bar.from_ns), x(bar.to_ns), y.at(share(bar)));
                rect.bar-work x=(unit(from)) y=(unit(height)) width=(unit((to - from - 0.8).max(0.4))) height=(unit(BOTTOM - height)) {}
            }
            path.wait-line d=(line(&cumulative(bars, all, x, below))) {}
            @for part in [0.0, 0.5, 1.0] { text x=(unit(RIGHT + 8.0)) y=(unit(below.at(part) + 4.0)) { (percent(part)) } }
            path.axis d={ "M" (unit(LEFT)) " " (unit(BOTTOM)) "H" (unit(RIGHT)) } {}
            @for ns in labels(least_ns, most_ns) {
                text.middle x=(unit(x(ns))) y=(unit(BOTTOM + 18.0)) { (signed_duration(ns)) }
            }
            @if (least_ns..=most_ns).contains(&interval_ns) {
                path.interval d={ "M" (unit(x(interval_ns))) " " (unit(TOP)) "V" (unit(BOTTOM)) } {}
            }
            text.middle x=(unit(0.5 * (LEFT + RIGHT))) y=(unit(BOTTOM + 38.0)) { "latency of the records, logarithmic axis" }
        }
    }
}

fn cumulative(bars: &[Bar], all: f64, x: impl Fn(f64) -> f64, y: Scale) -> Vec<(f64, f64)> {
    let mut below = 0.0;
    let mut points = vec![(x(bars[0].from_ns), y.at(0.0))];
    for bar in bars {
        below += bar.records as f64 / all;
        points.push((x(bar.to_ns), y.at(below)));
    }
    points
}

/// Round latencies within the axis, neither crowded nor fewer than two.
fn labels(least_ns: f64, most_ns: f64) -> Vec<f64> {
    let decades = || (0..20).map(|power| 10_f64.powi(power));
    let within = |factors: &[f64]| -> Vec<f64> {
        let of = |decade: f64| factors.iter().map(move |factor| factor * decade).collect::<Vec<_>>();
        decades().flat_map(of).filter(|ns| (least_ns..=most_ns).contains(ns)).collect()
    };
    let steps: [&[f64]; 3] = [&[1.0], &[1.0, 2.0, 5.0], &[1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]];
    let fitting = steps.iter().map(|factors| within(factors)).find(|labels| labels.len() >= 3);
    fitting.unwrap_or_else(|| vec![least_ns, most_ns])
}

/// The plot in words.
fn description(histogram: &Histogram<u64>, bars: &[Bar]) -> String {
    let fullest = bars.iter().max_by_key(|bar| bar.records);
    let words = fullest.map_or_else(String::new, |bar| {
        let share = percent(bar.records as f64 / histogram.len().max(1) as f64);
        format!(" Most, {share}, are between {} and {}.", signed_duration(bar.from_ns), signed_duration(bar.to_ns))
    });
    format!(
        "{} records from {} to {}.{words}",
        count(histogram.len()),
        duration(histogram.min()),
        duration(histogram.max())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_record_is_in_a_bar() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for value in [1, 900, 1_000, 1_000, 50_000_000, 7_000_000_000] {
            histogram.record(value).unwrap();
        }
        let bars = bars(&histogram);
        assert_eq!(bars.iter().map(|bar| bar.records).sum::<u64>(), histogram.len());
        assert!(bars[0].records == 1 && bars[BARS - 1].records == 1);
    }

    #[test]
    fn one_value_is_no_panic_and_axes_have_labels() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        histogram.record(5_000).unwrap();
        assert_eq!(bars(&histogram).iter().map(|bar| bar.records).sum::<u64>(), 1);
        assert_eq!(labels(1e6, 1e9), [1e6, 1e7, 1e8, 1e9]);
        assert!(labels(80e6, 300e6).len() >= 2 && labels(101.0, 102.0).len() == 2);
    }
}
