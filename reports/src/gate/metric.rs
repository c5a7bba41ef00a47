//! What is compared of two processes, with the margin and the limit of each, and how a pair becomes one number.

use super::record::{ArmRun, Block};
use serde::{Deserialize, Serialize};

/// A figure that each process has one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Median processing time of a batch.
    Median,
    /// Its 95th percentile.
    P95,
    /// Its 99th percentile.
    P99,
    /// Records per busy second, of the median large batch.
    Capacity,
}

/// The metrics that decide, in the order in which they are shown.
pub const PRIMARY: [Metric; 3] = [Metric::Median, Metric::P99, Metric::Capacity];

impl Metric {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Metric; 4] = [Metric::Median, Metric::P95, Metric::P99, Metric::Capacity];

    /// The name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Median => "median",
            Metric::P95 => "p95",
            Metric::P99 => "p99",
            Metric::Capacity => "capacity",
        }
    }

    /// Whether it decides. The others are shown only.
    pub fn is_primary(self) -> bool {
        PRIMARY.contains(&self)
    }

    /// How much slower, as a share, still counts as equal: the hypothesis that a regression has to refute.
    pub fn margin(self) -> f64 {
        match self {
            Metric::Median | Metric::Capacity => 0.01,
            Metric::P95 => 0.02,
            Metric::P99 => 0.03,
        }
    }

    /// How much slower, as a share, must be excluded before it passes.
    pub fn limit(self) -> f64 {
        match self {
            Metric::Median | Metric::Capacity => 0.03,
            Metric::P95 => 0.05,
            Metric::P99 => 0.10,
        }
    }

    /// The figure of one process. `None` when it is missing, no number, infinite, zero or negative: none of these can be compared.
    pub fn of(self, run: &ArmRun) -> Option<f64> {
        let figure = match self {
            Metric::Median => run.median_ns,
            Metric::P95 => run.p95_ns,
            Metric::P99 => run.p99_ns,
            Metric::Capacity => run.capacity_per_s,
        };
        figure.filter(|figure| figure.is_finite() && *figure > 0.0)
    }

    /// Logarithm of how many times slower `other` is than `base`; positive is slower for every metric.
    pub fn slower(self, base: &ArmRun, other: &ArmRun) -> Option<f64> {
        let (base, other) = (self.of(base)?, self.of(other)?);
        match self {
            Metric::Capacity => Some((base / other).ln()),
            Metric::Median | Metric::P95 | Metric::P99 => Some((other / base).ln()),
        }
    }

    /// How much slower the head is in each of the blocks. `None` when one block cannot tell: what is missing is never passed over.
    pub fn pairs(self, blocks: &[&Block]) -> Option<Vec<f64>> {
        blocks.iter().map(|block| self.slower(&block.base, &block.head)).collect()
    }
}

/// A share on the scale of the logarithms: 3 % slower is ln 1.03.
pub fn log_of(share: f64) -> f64 {
    share.ln_1p()
}

/// The share that a logarithm stands for.
pub fn share_of(log: f64) -> f64 {
    log.exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(median_ns: f64, capacity_per_s: f64) -> ArmRun {
        ArmRun { median_ns: Some(median_ns), capacity_per_s: Some(capacity_per_s), ..ArmRun::default() }
    }

    #[test]
    fn positive_is_slower_for_times_and_for_rates() {
        let (base, head) = (run(100.0, 50.0), run(103.0, 49.0));
        assert!((Metric::Median.slower(&base, &head).unwrap() - 1.03_f64.ln()).abs() < 1e-12);
        assert!((Metric::Capacity.slower(&base, &head).unwrap() - (50.0_f64 / 49.0).ln()).abs() < 1e-12);
        assert!(Metric::Median.slower(&head, &base).unwrap() < 0.0);
        assert!(Metric::Capacity.slower(&head, &base).unwrap() < 0.0);
    }

    #[test]
    fn what_is_no_figure_cannot_be_compared() {
        for bad in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
            assert_eq!(Metric::Median.slower(&run(bad, 1.0), &run(1.0, 1.0)), None);
            assert_eq!(Metric::Median.slower(&run(1.0, 1.0), &run(bad, 1.0)), None);
        }
        assert_eq!(Metric::P99.slower(&run(1.0, 1.0), &run(1.0, 1.0)), None);
        let whole = Block { base: run(1.0, 1.0), head: run(2.0, 1.0), ..Block::default() };
        let torn = Block { base: run(1.0, 1.0), ..Block::default() };
        assert_eq!(Metric::Median.pairs(&[&whole, &whole]).map(|pairs| pairs.len()), Some(2));
        assert_eq!(Metric::Median.pairs(&[&whole, &torn]), None);
    }

    #[test]
    fn margins_lie_below_limits() {
        for metric in Metric::ALL {
            assert!(0.0 < metric.margin() && metric.margin() < metric.limit());
        }
        assert_eq!(PRIMARY.map(Metric::limit), [0.03, 0.10, 0.03]);
        assert_eq!(PRIMARY.map(Metric::margin), [0.01, 0.03, 0.01]);
        assert!((share_of(log_of(0.03)) - 0.03).abs() < 1e-15);
    }
}
