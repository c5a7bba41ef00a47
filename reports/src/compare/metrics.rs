//! The figures that runs are compared by, and how sure each change is.

use super::{Change, Metric, Unit};
use crate::judged;
use crate::record::BatchRecord;
use crate::stats::bootstrap::{Mixture, ends, resamples};
use crate::stats::percentiles::is_supported;
use crate::summary::Summary;

/// Seeds of the resampled runs: the same record gives the same interval, and no two runs share their draws.
const SEED: u64 = 0x636f_6d70_6172_6500;

/// A figure of some judged batches.
type OfBatches = fn(&[&BatchRecord], u64) -> Option<f64>;

/// Quantiles of the latency by record.
const QUANTILES: [(&str, f64); 3] =
    [("latency p50, by record", 0.5), ("latency p90, by record", 0.9), ("latency p99, by record", 0.99)];

pub(super) fn of(summaries: &[Summary<'_>]) -> Vec<Metric> {
    let mut metrics = vec![single("rate", Unit::Rate, summaries, |summary| judged::rate_per_s(summary.record))];
    metrics.extend(latencies(summaries));
    metrics.push(resampled("total delay p50, by batch", Unit::Duration, 0.5, summaries, |batches, _| {
        quantile(batches, 0.5, |batch| batch.total_delay_ns)
    }));
    metrics.push(resampled("total delay p90, by batch", Unit::Duration, 0.9, summaries, |batches, _| {
        quantile(batches, 0.9, |batch| batch.total_delay_ns)
    }));
    metrics.push(resampled("processing time p50", Unit::Duration, 0.5, summaries, |batches, _| {
        quantile(batches, 0.5, |batch| batch.processing_ns)
    }));
    metrics.push(resampled("median utilisation", Unit::Share, 0.5, summaries, |batches, interval_ns| {
        quantile(batches, 0.5, |batch| batch.processing_ns).map(|ns| ns / interval_ns.max(1) as f64)
    }));
    metrics.push(resampled("late share", Unit::Share, 0.5, summaries, |batches, interval_ns| {
        let late = batches.iter().filter(|batch| batch.total_delay_ns > interval_ns).count();
        (!batches.is_empty()).then(|| late as f64 / batches.len() as f64)
    }));
    metrics.push(resampled("worker time per record", Unit::Duration, 0.5, summaries, |batches, _| {
        per_record(batches, |batch| Some(batch.busy.iter().map(|stage| stage.ns).fold(0, u64::saturating_add)))
    }));
    metrics.push(resampled("allocations per record", Unit::Number, 0.5, summaries, |batches, _| {
        per_record(batches, |batch| batch.allocations)
    }));
    metrics.push(single("longest total delay", Unit::Duration, summaries, |summary| {
        summary.total_delay.max.map(|ns| ns as f64)
    }));
    metrics.push(single("CPU time of the process", Unit::Duration, summaries, |summary| {
        Some(summary.record.resources.cpu_ns as f64)
    }));
    metrics.push(single("peak memory", Unit::Bytes, summaries, |summary| {
        Some(summary.record.resources.peak_rss_bytes as f64)
    }));
    metrics
}

fn change(unit: Unit, base: f64, other: f64) -> f64 {
    match unit {
        Unit::Share => other - base,
        _ => other / base - 1.0,
    }
}

/// A change without an interval, where it means something.
fn plain(unit: Unit, base: Option<f64>, other: Option<f64>) -> Option<Change> {
    let estimate = change(unit, base?, other?);
    estimate.is_finite().then_some(Change { estimate, interval: None })
}

fn single(name: &'static str, unit: Unit, summaries: &[Summary<'_>], value: fn(&Summary<'_>) -> Option<f64>) -> Metric {
    let values: Vec<Option<f64>> = summaries.iter().map(value).collect();
    let changes = values.iter().skip(1).map(|other| plain(unit, values[0], *other)).collect();
    Metric { name, unit, values, changes }
}

/// Value, and the same of each resampled run.
type Drawn = (Option<f64>, Vec<f64>);

fn with_intervals(name: &'static str, unit: Unit, drawn: &[Drawn]) -> Metric {
    let values: Vec<Option<f64>> = drawn.iter().map(|(value, _)| *value).collect();
    let changes = drawn.iter().skip(1).map(|(other, replicates)| {
        let (base, of_base) = &drawn[0];
        let mut changes: Vec<f64> =
            of_base.iter().zip(replicates).map(|(base, other)| change(unit, *base, *other)).collect();
        let interval = ends(&mut changes).filter(|(low, high)| low.is_finite() && high.is_finite());
        plain(unit, *base, *other).map(|change| Change { interval, ..change })
    });
    Metric { name, unit, changes: changes.collect(), values }
}

fn resampled(name: &'static str, unit: Unit, support: f64, summaries: &[Summary<'_>], figure: OfBatches) -> Metric {
    let draw = |(place, summary): (usize, &Summary<'_>)| -> Drawn {
        let batches: Vec<&BatchRecord> = judged::batches(summary.record).collect();
        let interval_ns = summary.record.judging.interval_ns;
        if !is_supported(support, batches.len() as u64) {
            return (None, Vec::new());
        }
        let again = |places: Vec<usize>| {
            let drawn: Vec<&BatchRecord> = places.into_iter().map(|place| batches[place]).collect();
            figure(&drawn, interval_ns)
        };
        let replicates = resamples(batches.len(), SEED + place as u64).filter_map(again);
        (figure(&batches, interval_ns), replicates.collect())
    };
    let drawn: Vec<Drawn> = summaries.iter().enumerate().map(draw).collect();
    with_intervals(name, unit, &drawn)
}

/// Latencies by record: the value of the histogram, the variation from resampled batches.
fn latencies(summaries: &[Summary<'_>]) -> Vec<Metric> {
    let quantiles = QUANTILES.map(|(_, quantile)| quantile);
    let draw = |(place, summary): (usize, &Summary<'_>)| -> Vec<Drawn> {
        let judged = judged::batches(summary.record).count() as u64;
        let Some((histogram, mixture)) = summary.histogram.as_ref().zip(mixture(summary)) else {
            return vec![(None, Vec::new()); quantiles.len()];
        };
        let estimates = mixture.estimates(&quantiles);
        let replicates = mixture.replicates(&quantiles, SEED + place as u64);
        let of = |at: usize| -> Drawn {
            if !is_supported(quantiles[at], judged) {
                return (None, Vec::new());
            }
            let measured = histogram.value_at_quantile(quantiles[at]) as f64;
            let scale = measured / estimates[at].max(1.0);
            (Some(measured), replicates.iter().map(|values| values[at] * scale).collect())
        };
        (0..quantiles.len()).map(of).collect()
    };
    let drawn: Vec<Vec<Drawn>> = summaries.iter().enumerate().map(draw).collect();
    let metric = |at: usize| {
        let column: Vec<Drawn> = drawn.iter().map(|run| run[at].clone()).collect();
        with_intervals(QUANTILES[at].0, Unit::Duration, &column)
    };
    (0..quantiles.len()).map(metric).collect()
}

/// The latencies of a run as a mixture over its judged batches.
pub(crate) fn mixture(summary: &Summary<'_>) -> Option<Mixture> {
    let of_batch = |batch: &BatchRecord| (batch.total_delay_ns as f64, batch.records as f64);
    let batches = judged::batches(summary.record).map(of_batch).collect();
    Mixture::new(batches, summary.record.judging.interval_ns as f64)
}

fn quantile(batches: &[&BatchRecord], quantile: f64, figure: fn(&BatchRecord) -> u64) -> Option<f64> {
    let mut values: Vec<u64> = batches.iter().map(|batch| figure(batch)).collect();
    let rank = (quantile * values.len() as f64 - 1e-9).ceil().max(1.0) as usize;
    let place = rank.min(values.len()).checked_sub(1)?;
    Some(*values.select_nth_unstable(place).1 as f64)
}

fn per_record(batches: &[&BatchRecord], figure: fn(&BatchRecord) -> Option<u64>) -> Option<f64> {
    let records: f64 = batches.iter().map(|batch| batch.records as f64).sum();
    let all: Option<f64> = batches.iter().map(|batch| figure(batch).map(|value| value as f64)).sum();
    all.filter(|_| records > 0.0).map(|all| all / records)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::Comparison;
    use crate::examples::{falls_behind, holds, trial};

    fn compare(one: &crate::record::TrialRecord, other: &crate::record::TrialRecord) -> Comparison {
        Comparison::of(&[Summary::new(one, false).unwrap(), Summary::new(other, false).unwrap()])
    }

    fn of(comparison: &Comparison, name: &str) -> Change {
        comparison.metrics.iter().find(|metric| metric.name == name).unwrap().changes[0].unwrap()
    }

    #[test]
    fn a_run_beside_itself_shows_no_change() {
        let comparison = compare(&holds(), &holds());
        for metric in &comparison.metrics {
            let Some(change) = metric.changes[0] else { continue };
            assert_eq!(change.estimate, 0.0, "{}", metric.name);
            assert_ne!(change.is_told(), Some(true), "{}: {change:?}", metric.name);
        }
        assert!(comparison.differences.is_empty());
    }

    #[test]
    fn slower_batches_are_told_and_the_interval_holds_the_change() {
        let slower = trial("x", 100, |_, random| (400_000, 100_000_000 + random.below(12_000_000) as u64));
        let change = of(&compare(&holds(), &slower), "processing time p50");
        let (low, high) = change.interval.unwrap();
        assert!(change.is_told() == Some(true) && low < change.estimate && change.estimate < high, "{change:?}");
        assert!((0.25..0.40).contains(&change.estimate), "{change:?}");
        let latency = of(&compare(&holds(), &slower), "latency p50, by record");
        assert!((0.1..0.2).contains(&latency.estimate) && latency.is_told() == Some(true), "{latency:?}");
    }

    #[test]
    fn what_too_few_batches_support_is_not_compared() {
        let comparison = compare(&holds(), &falls_behind());
        let p99 = comparison.metrics.iter().find(|metric| metric.name == "latency p99, by record").unwrap();
        assert_eq!((p99.values.as_slice(), p99.changes[0]), ([None, None].as_slice(), None));
    }

    #[test]
    fn differences_come_by_name() {
        let mut other = holds();
        other.settings.insert("codec".into(), "json".into());
        other.environment.remove("kernel");
        let comparison = compare(&holds(), &other);
        let names: Vec<&str> = comparison.differences.iter().map(|difference| difference.name.as_str()).collect();
        assert_eq!(names, ["codec", "kernel"]);
        assert_eq!(comparison.differences[1].values[1], None);
    }
}
