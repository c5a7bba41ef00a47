//! `hgrm`: the percentile distribution of the latency by record, in milliseconds, in the text that HdrHistogram's plotters read.
//!
//! Layout: `HistogramLogProcessor` and `AbstractHistogram.outputPercentileDistribution` of HdrHistogram (Java), five ticks per half distance.

use crate::summary::Summary;
use hdrhistogram::Histogram;

/// Steps each time the distance to 100 % halves, as HdrHistogram's own tools take.
const TICKS_PER_HALF_DISTANCE: u32 = 5;

const NS_PER_MS: f64 = 1e6;

/// The distribution as text; one of no values when the latency was not measured.
pub fn render(summary: &Summary<'_>) -> String {
    let empty = Histogram::new_with_bounds(1, 2, 3);
    match (&summary.histogram, empty) {
        (Some(histogram), _) => distribution(histogram),
        (None, Ok(empty)) => distribution(&empty),
        (None, Err(_)) => String::new(),
    }
}

fn distribution(histogram: &Histogram<u64>) -> String {
    let mut text = format!("{:>12} {:>14} {:>10} {:>14}\n\n", "Value", "Percentile", "TotalCount", "1/(1-Percentile)");
    let mut total = 0_u64;
    for step in histogram.iter_quantiles(TICKS_PER_HALF_DISTANCE) {
        total += step.count_since_last_iteration();
        let value_ms = step.value_iterated_to() as f64 / NS_PER_MS;
        let quantile = step.quantile_iterated_to();
        text.push_str(&format!("{value_ms:12.3} {quantile:14.12} {total:10}"));
        if quantile < 1.0 {
            text.push_str(&format!(" {:14.2}", 1.0 / (1.0 - quantile)));
        }
        text.push('\n');
    }
    text.push_str(&footer(histogram));
    text
}

fn footer(histogram: &Histogram<u64>) -> String {
    let (mean, deviation) = match histogram.is_empty() {
        true => (0.0, 0.0),
        false => (histogram.mean(), histogram.stdev()),
    };
    let sub_buckets = 2 * 10_u64.pow(u32::from(histogram.sigfig()));
    format!(
        "#[Mean    = {:12.3}, StdDeviation   = {:12.3}]\n\
         #[Max     = {:12.3}, Total count    = {:12}]\n\
         #[Buckets = {:12}, SubBuckets     = {:12}]\n",
        mean / NS_PER_MS,
        deviation / NS_PER_MS,
        histogram.max() as f64 / NS_PER_MS,
        histogram.len(),
        histogram.buckets(),
        sub_buckets.next_power_of_two(),
    )
}
