//! Rates and delays of the judged batches as a table: what Spark's streaming page shows as averages and histograms, with percentiles, and
//! what it leaves out.

use crate::format::svg::unit;
use crate::judged;
use crate::quantity::{count, duration, moment, rate_flag};
use crate::record::{BatchRecord, TrialRecord};
use crate::stats::percentiles::{is_supported, of_ascending};
use maud::{Markup, html};

/// A figure of each batch.
struct Measure {
    name: &'static str,
    /// What it is.
    meaning: &'static str,
    of: fn(&BatchRecord, u64) -> u64,
    show: fn(u64) -> String,
}

const MEASURES: [Measure; 6] = [
    Measure {
        name: "Input rate",
        meaning: "records ÷ interval",
        of: rate_per_s,
        show: |per_s| rate_flag(per_s as f64),
    },
    Measure {
        name: "Generation delay",
        meaning: "due to submitted; Spark's page does not show it",
        of: |batch, _| batch.generation_delay_ns,
        show: duration,
    },
    Measure {
        name: "Scheduling delay",
        meaning: "submitted to started",
        of: |batch, _| batch.scheduling_delay_ns,
        show: duration,
    },
    Measure { name: "Processing time", meaning: "started to done", of: |batch, _| batch.processing_ns, show: duration },
    Measure {
        name: "Total delay",
        meaning: "due to done, as Spark logs it",
        of: |batch, _| batch.total_delay_ns,
        show: duration,
    },
    Measure {
        name: "Total delay, Spark's page",
        meaning: "submitted to done",
        of: |batch, _| batch.total_delay_ns.saturating_sub(batch.generation_delay_ns),
        show: duration,
    },
];

/// Columns of percentiles; below the median as many batches must lie beyond as above it.
const QUANTILES: [(&str, f64); 7] =
    [("p5", 0.05), ("p25", 0.25), ("p50", 0.5), ("p75", 0.75), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

/// Bars of a histogram, and the units that it is drawn in.
const BARS: usize = 32;
const BAR_WIDTH: f64 = 5.0;
const BAR_HEIGHT: f64 = 30.0;

pub(super) fn render(record: &TrialRecord) -> Markup {
    let batches: Vec<&BatchRecord> = judged::batches(record).collect();
    html! {
        @if !batches.is_empty() {
            div.table tabindex="0" role="region" aria-label="Rates and delays of the judged batches" { table.dense {
                thead { tr {
                    th { "Judged batches" } th { "from least to largest" } th.number { "mean" }
                    @for (name, _) in QUANTILES { th.number { (name) } }
                    th.number { "max" }
                } }
                tbody { @for measure in &MEASURES { (row(measure, &ascending(record, &batches, measure))) } }
            } }
            p.keys { "Bars: how many batches, from the least to the largest value of the row. – rests on too few batches." }
        }
        (run(record, &batches))
    }
}

fn row(measure: &Measure, values: &[u64]) -> Markup {
    let show = measure.show;
    html! {
        tr {
            td { (measure.name) " " small { (measure.meaning) } }
            td.shape { (histogram(values)) }
            td.number { (show(mean(values))) }
            @for (_, quantile) in QUANTILES { td.number { (at(values, quantile).map_or_else(|| "–".to_owned(), show)) } }
            td.number { (values.last().copied().map_or_else(|| "–".to_owned(), show)) }
        }
    }
}

/// The numbers beside it say the same.
fn histogram(values: &[u64]) -> Markup {
    let bars = bars(values);
    let most = bars.iter().copied().max().unwrap_or(0).max(1) as f64;
    html! {
        svg viewBox={ "0 0 " (unit(BAR_WIDTH * BARS as f64)) " " (unit(BAR_HEIGHT)) } preserveAspectRatio="none" aria-hidden="true" {
            @for (place, number) in bars.into_iter().enumerate() {
                @if number > 0 {
                    // One batch of ten thousand is still seen.
                    @let height = (BAR_HEIGHT * number as f64 / most).max(1.5);
                    rect.share x=(unit(BAR_WIDTH * place as f64)) y=(unit(BAR_HEIGHT - height)) width=(unit(BAR_WIDTH - 0.6)) height=(unit(height)) {}
                }
            }
        }
    }
}

/// How many of the ascending values lie in each of equal parts of their range.
fn bars(values: &[u64]) -> [usize; BARS] {
    let mut bars = [0; BARS];
    let (least, most) = (values.first().copied().unwrap_or(0), values.last().copied().unwrap_or(0));
    let width = ((most - least) as f64 / BARS as f64).max(f64::MIN_POSITIVE);
    for value in values {
        let place = ((value - least) as f64 / width) as usize;
        bars[place.min(BARS - 1)] += 1;
    }
    bars
}

/// What the head of Spark's page says: since when, how long, of how many receivers.
fn run(record: &TrialRecord, batches: &[&BatchRecord]) -> Markup {
    let records = batches.iter().map(|batch| batch.records).fold(0, u64::saturating_add);
    html! {
        @if let (Some(first), Some(last)) = (record.batches.first(), record.batches.last()) {
            p.keys {
                "Began " (moment(first.time_ns.saturating_sub_unsigned(record.judging.interval_ns)))
                ", ran for " (duration(ran_ns(record, first, last))) ". "
                (count(batches.len() as u64)) " judged batches of " (count(records)) " records. "
                "Source: " (super::text(&record.schedule.source)) ". "
                "Outputs are not told apart: the phases output and commit are those of all of them."
            }
        }
    }
}

/// From the begin of the first interval to the end of the last batch.
fn ran_ns(record: &TrialRecord, first: &BatchRecord, last: &BatchRecord) -> u64 {
    let end_ns = last.due_ns.saturating_add(last.total_delay_ns);
    end_ns.saturating_sub(first.due_ns.saturating_sub(record.judging.interval_ns))
}

fn rate_per_s(batch: &BatchRecord, interval_ns: u64) -> u64 {
    (batch.records as f64 * 1e9 / interval_ns.max(1) as f64).round() as u64
}

fn ascending(record: &TrialRecord, batches: &[&BatchRecord], measure: &Measure) -> Vec<u64> {
    let mut values: Vec<u64> = batches.iter().map(|batch| (measure.of)(batch, record.judging.interval_ns)).collect();
    values.sort_unstable();
    values
}

fn mean(values: &[u64]) -> u64 {
    (values.iter().map(|value| *value as f64).sum::<f64>() / values.len().max(1) as f64) as u64
}

fn at(values: &[u64], quantile: f64) -> Option<u64> {
    let is_told = is_supported(quantile.max(1.0 - quantile), values.len() as u64);
    of_ascending(values, quantile).filter(|_| is_told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_count_every_value_once_and_end_with_the_largest() {
        let values: Vec<u64> = (0..1_000).map(|value| 7 + value * value).collect();
        let counted = bars(&values);
        assert_eq!(counted.iter().sum::<usize>(), values.len());
        assert!(counted[0] > counted[BARS - 1] && counted[BARS - 1] > 0);
        assert_eq!(bars(&[5, 5, 5])[0], 3);
        assert_eq!(bars(&[0, u64::MAX]).iter().sum::<usize>(), 2);
    }

    #[test]
    fn low_percentiles_need_as_many_batches_as_high_ones() {
        let values: Vec<u64> = (0..100).collect();
        assert_eq!((at(&values, 0.05), at(&values, 0.95)), (None, None));
        assert_eq!((at(&values, 0.25), at(&values, 0.75)), (Some(24), Some(74)));
    }
}
