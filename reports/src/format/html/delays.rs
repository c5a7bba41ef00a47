//! The delays of the judged batches as a table: what Spark's streaming page shows as averages, with percentiles, and what it leaves out.

use crate::judged;
use crate::quantity::{count, duration, rate};
use crate::record::{BatchRecord, TrialRecord};
use crate::stats::percentiles::{is_supported, of_ascending};
use maud::{Markup, html};

/// A name, what it is, and its value of a batch.
type Delay = (&'static str, &'static str, fn(&BatchRecord) -> u64);

const DELAYS: [Delay; 5] = [
    ("Generation delay", "due to submitted; Spark's page does not show it", |batch| batch.generation_delay_ns),
    ("Scheduling delay", "submitted to started", |batch| batch.scheduling_delay_ns),
    ("Processing time", "started to done", |batch| batch.processing_ns),
    ("Total delay", "due to done, as Spark logs it", |batch| batch.total_delay_ns),
    ("Total delay, Spark's page", "submitted to done", |batch| {
        batch.total_delay_ns.saturating_sub(batch.generation_delay_ns)
    }),
];

pub(super) fn render(record: &TrialRecord) -> Markup {
    let batches: Vec<&BatchRecord> = judged::batches(record).collect();
    let judged = batches.len() as u64;
    let records = batches.iter().map(|batch| batch.records).fold(0, u64::saturating_add);
    let measured_s = judged as f64 * record.judging.interval_ns as f64 / 1e9;
    html! {
        @if !batches.is_empty() {
            div.table tabindex="0" role="region" aria-label="Delays of the judged batches" { table {
                thead { tr { th { "Judged batches" } th.number { "mean" } th.number { "p50" } th.number { "p90" } th.number { "p99" } th.number { "max" } } }
                tbody {
                    @for (name, meaning, of) in DELAYS {
                        @let values = ascending(&batches, of);
                        tr {
                            td { (name) " " small { (meaning) } }
                            td.number { (duration(mean(&values))) }
                            @for quantile in [0.5, 0.9, 0.99] { td.number { (at(&values, quantile)) } }
                            td.number { (values.last().map_or_else(|| "–".to_owned(), |ns| duration(*ns))) }
                        }
                    }
                }
            } }
            p.keys {
                (count(judged)) " batches of " (count(records)) " records"
                @if measured_s > 0.0 { ", " (rate(records as f64 / measured_s)) " on average" }
                ". – rests on too few batches."
            }
        }
    }
}

fn ascending(batches: &[&BatchRecord], of: fn(&BatchRecord) -> u64) -> Vec<u64> {
    let mut values: Vec<u64> = batches.iter().map(|batch| of(batch)).collect();
    values.sort_unstable();
    values
}

fn mean(values: &[u64]) -> u64 {
    (values.iter().map(|value| *value as f64).sum::<f64>() / values.len().max(1) as f64) as u64
}

fn at(values: &[u64], quantile: f64) -> String {
    let value = of_ascending(values, quantile).filter(|_| is_supported(quantile, values.len() as u64));
    value.map_or_else(|| "–".to_owned(), duration)
}
