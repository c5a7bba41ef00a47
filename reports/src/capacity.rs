//! Capacity: what a setting can do at all, from draining a prepared backlog unpaced in batches of two sizes, and the cost
//! model F + c·n that follows.

use crate::stats::percentiles::{median, of_ascending};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of this format. A reader refuses any other.
pub const SCHEMA: u32 = 1;

/// One unpaced trial of one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CapacityRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Name of the workload.
    pub workload: String,
    /// Every setting by name, with its unit.
    pub settings: BTreeMap<String, String>,
    /// Batch interval.
    pub interval_ns: u64,
    /// Threads that run tasks.
    pub threads: u32,
    /// The drains, in the order in which they ran: large and small batches in turn.
    pub drains: Vec<Drain>,
    /// Records per second that the generator alone could hand over.
    pub ceiling_per_s: Option<f64>,
    /// The allocator that was really used.
    pub allocator: String,
}

/// Batches of one size, run back to back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Drain {
    /// Records in each batch.
    pub records_per_batch: u64,
    /// Processing time of each batch after those that warmed up.
    pub processing_ns: Vec<u64>,
    /// Worker time per stage, summed.
    pub busy_ns: BTreeMap<String, u64>,
    /// Worker time that no stage used, summed.
    pub idle_ns: u64,
    /// Longest task ÷ median task, the median over the batches.
    pub skew: Option<f64>,
    /// Allocations of all threads, summed. `None` when they are not counted.
    pub allocations: Option<u64>,
    /// Their bytes.
    pub allocated_bytes: Option<u64>,
}

/// A batch of n records takes F + c·n.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CostModel {
    /// F: what an empty batch costs, nanoseconds.
    pub fixed_ns: f64,
    /// c: what a record costs, nanoseconds.
    pub per_record_ns: f64,
}

impl CostModel {
    /// Through the medians of two batch sizes; a fixed cost below zero is noise and becomes zero. `None` unless the larger batches
    /// take longer.
    pub fn through(small: (f64, f64), large: (f64, f64)) -> Option<Self> {
        let per_record_ns = (large.1 - small.1) / (large.0 - small.0);
        if !(per_record_ns > 0.0 && per_record_ns.is_finite()) {
            return None;
        }
        let fixed_ns = small.1 - per_record_ns * small.0;
        if fixed_ns >= 0.0 {
            return Some(CostModel { fixed_ns, per_record_ns });
        }
        Some(CostModel { fixed_ns: 0.0, per_record_ns: large.1 / large.0 })
    }

    /// Processing time of a batch of that many records.
    pub fn batch_ns(&self, records: f64) -> f64 {
        self.fixed_ns + self.per_record_ns * records
    }

    /// Records per second at which a batch takes this share of the interval; 0 when even an empty one takes more.
    pub fn rate_per_s(&self, interval_ns: f64, share: f64) -> f64 {
        let records = (share * interval_ns - self.fixed_ns) / self.per_record_ns;
        (records / interval_ns * 1e9).max(0.0)
    }

    /// Share of the interval that a batch takes at this rate.
    pub fn utilisation(&self, interval_ns: f64, rate_per_s: f64) -> f64 {
        self.batch_ns(rate_per_s * interval_ns / 1e9) / interval_ns
    }
}

impl CapacityRecord {
    /// The cost model through the medians of each pair of a large and the small drain after it.
    pub fn models(&self) -> Vec<CostModel> {
        let pairs = self.drains.chunks_exact(2);
        pairs.filter_map(|pair| CostModel::through(pair[1].median_point()?, pair[0].median_point()?)).collect()
    }

    /// The cost model through the medians of all batches.
    pub fn model(&self) -> Option<CostModel> {
        let pooled = |which: usize| -> Option<(f64, f64)> {
            let drains = || self.drains.iter().skip(which).step_by(2);
            let times: Vec<f64> = drains().flat_map(|drain| drain.processing_ns.iter().map(|ns| *ns as f64)).collect();
            Some((drains().next()?.records_per_batch as f64, median(&times)?))
        };
        CostModel::through(pooled(1)?, pooled(0)?)
    }

    /// Records per second at which a batch takes exactly its interval, with the standard error of its logarithm over the pairs of
    /// drains (0.05 with a single pair, which says nothing about its error). `None` when nothing could be fitted.
    pub fn rate_per_s(&self) -> Option<(f64, f64)> {
        let interval_ns = self.interval_ns as f64;
        let rate_per_s = self.model()?.rate_per_s(interval_ns, 1.0);
        let logs: Vec<f64> = self
            .models()
            .iter()
            .map(|model| model.rate_per_s(interval_ns, 1.0))
            .filter(|rate| *rate > 0.0)
            .map(f64::ln)
            .collect();
        if rate_per_s <= 0.0 {
            return None;
        }
        if logs.len() < 2 {
            return Some((rate_per_s, 0.05));
        }
        let mean = logs.iter().sum::<f64>() / logs.len() as f64;
        let variance = logs.iter().map(|log| (log - mean).powi(2)).sum::<f64>() / (logs.len() - 1) as f64;
        Some((rate_per_s, (variance / logs.len() as f64).sqrt().max(0.003)))
    }

    /// Large batches that took longer than their median: 95th percentile ÷ median, 1 or more.
    pub fn tail(&self) -> f64 {
        let mut times: Vec<u64> =
            self.drains.iter().step_by(2).flat_map(|drain| drain.processing_ns.iter().copied()).collect();
        times.sort_unstable();
        let at = |quantile| of_ascending(&times, quantile).unwrap_or(1) as f64;
        (at(0.95) / at(0.5).max(1.0)).max(1.0)
    }

    /// Share of the workers' time in the large batches that a stage used.
    pub fn busy_share(&self, stage: &str) -> f64 {
        let (mut of_stage, mut all) = (0, 0);
        for drain in self.drains.iter().step_by(2) {
            of_stage += drain.busy_ns.get(stage).copied().unwrap_or(0);
            all += drain.busy_ns.values().sum::<u64>() + drain.idle_ns;
        }
        of_stage as f64 / all.max(1) as f64
    }

    /// Share of the workers' time in the large batches that no stage used.
    pub fn idle_share(&self) -> f64 {
        let (mut idle, mut all) = (0, 0);
        for drain in self.drains.iter().step_by(2) {
            idle += drain.idle_ns;
            all += drain.busy_ns.values().sum::<u64>() + drain.idle_ns;
        }
        idle as f64 / all.max(1) as f64
    }

    /// Median skew of the large batches.
    pub fn skew(&self) -> Option<f64> {
        median(&self.drains.iter().step_by(2).filter_map(|drain| drain.skew).collect::<Vec<_>>())
    }

    /// Allocations a record in the large batches.
    pub fn allocations_per_record(&self) -> Option<f64> {
        let large = || self.drains.iter().step_by(2);
        let records: u64 = large().map(|drain| drain.records_per_batch * drain.processing_ns.len() as u64).sum();
        let allocations: Option<u64> = large().map(|drain| drain.allocations).sum();
        allocations.map(|allocations| allocations as f64 / records.max(1) as f64)
    }
}

impl Drain {
    fn median_point(&self) -> Option<(f64, f64)> {
        let times: Vec<f64> = self.processing_ns.iter().map(|ns| *ns as f64).collect();
        Some((self.records_per_batch as f64, median(&times)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drained(records_per_batch: u64, processing_ns: u64) -> Drain {
        Drain { records_per_batch, processing_ns: vec![processing_ns; 3], ..Drain::default() }
    }

    fn record(drains: Vec<Drain>) -> CapacityRecord {
        CapacityRecord { interval_ns: 200_000_000, drains, ..CapacityRecord::default() }
    }

    #[test]
    fn the_model_is_the_line_through_both_sizes() {
        // F = 1 ms, c = 100 ns.
        let record = record(vec![drained(1_000_000, 101_000_000), drained(100_000, 11_000_000)]);
        let model = record.model().unwrap();
        assert!((model.fixed_ns - 1e6).abs() < 1.0 && (model.per_record_ns - 100.0).abs() < 1e-6, "{model:?}");
        // 199 ms / 100 ns = 1.99 million records in 200 ms.
        let (rate_per_s, _) = record.rate_per_s().unwrap();
        assert!((rate_per_s - 9.95e6).abs() < 1.0, "{rate_per_s}");
        assert!((model.utilisation(2e8, rate_per_s) - 1.0).abs() < 1e-9);
        assert_eq!(model.rate_per_s(0.9e6, 1.0), 0.0, "an empty batch takes longer than this interval");
    }

    #[test]
    fn noise_cannot_make_costs_negative() {
        assert_eq!(CostModel::through((100.0, 50.0), (1000.0, 40.0)), None, "larger batches that are faster");
        assert_eq!(CostModel::through((100.0, f64::NAN), (1000.0, 40.0)), None);
        let model = CostModel::through((100.0, 1.0), (1000.0, 1000.0)).unwrap();
        assert_eq!((model.fixed_ns, model.per_record_ns), (0.0, 1.0));
        assert_eq!(record(Vec::new()).rate_per_s(), None);
        assert_eq!(record(Vec::new()).tail(), 1.0);
    }

    #[test]
    fn the_error_is_that_of_the_pairs() {
        let calm = vec![drained(1_000, 100_000), drained(100, 10_000), drained(1_000, 100_100), drained(100, 10_000)];
        let wild = vec![drained(1_000, 100_000), drained(100, 10_000), drained(1_000, 150_000), drained(100, 10_000)];
        let error = |drains| record(drains).rate_per_s().unwrap().1;
        assert_eq!(error(calm), 0.003);
        assert!(error(wild) > 0.1);
    }

    #[test]
    fn shares_are_of_all_workers_time() {
        let mut drain = drained(10, 10);
        drain.busy_ns.insert("exchange".into(), 30);
        drain.busy_ns.insert("map".into(), 50);
        (drain.idle_ns, drain.allocations) = (20, Some(60));
        let record = record(vec![drain, drained(1, 1)]);
        assert_eq!((record.busy_share("exchange"), record.busy_share("x"), record.idle_share()), (0.3, 0.0, 0.2));
        assert_eq!(record.allocations_per_record(), Some(2.0));
    }
}
