//! The null control: base against a copy of base, in every block, through the same test. When it alarms, so could the gate, and nothing
//! is judged.

use super::metric::{Metric, PRIMARY, log_of, share_of};
use super::record::Block;
use crate::stats::percentiles::median;
use crate::stats::signed_rank::{p_greater, p_less};
use serde::Serialize;

/// The chance of an alarm of the whole control on a host that is even; each metric and direction has its even part of it.
pub const ALPHA: f64 = 0.01;

/// What the control says of one metric, pooled over all workloads.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NullControl {
    /// The metric.
    pub metric: Metric,
    /// Pairs of base and copy.
    pub pairs: u64,
    /// How much slower the copy is, median, as a share.
    pub slower: Option<f64>,
    /// The smaller of the two one-sided p values against the metric's margin.
    pub p: Option<f64>,
    /// What p must not reach.
    pub level: f64,
    /// Whether it alarms.
    pub alarms: bool,
}

/// Judges the blocks that count, of both passes and all workloads. Pairs that lack a figure are left out here: what lacks in the base
/// keeps the gate from passing by itself.
pub fn judge(blocks: &[&Block]) -> Vec<NullControl> {
    PRIMARY.map(|metric| of_metric(metric, blocks)).to_vec()
}

fn of_metric(metric: Metric, blocks: &[&Block]) -> NullControl {
    let pairs: Vec<f64> = blocks.iter().filter_map(|block| metric.slower(&block.base, block.null.as_ref()?)).collect();
    let margin = log_of(metric.margin());
    let slower = p_greater(&pairs, margin);
    let faster = p_less(&pairs, -margin);
    let p = slower.zip(faster).map(|(slower, faster)| slower.min(faster));
    let level = ALPHA / (2 * PRIMARY.len()) as f64;
    NullControl {
        metric,
        pairs: pairs.len() as u64,
        slower: median(&pairs).map(share_of),
        p,
        level,
        alarms: p.is_some_and(|p| p <= level),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::record::ArmRun;

    fn blocks(factor: f64) -> Vec<Block> {
        let run = |figure: f64| ArmRun {
            median_ns: Some(figure),
            p99_ns: Some(figure),
            capacity_per_s: Some(1e9 / figure),
            ..ArmRun::default()
        };
        let block = |index: u32| {
            let figure = 1_000.0 + f64::from(index);
            Block { base: run(figure), head: run(1.0), null: Some(run(figure * factor)), ..Block::default() }
        };
        (0..15).map(block).collect()
    }

    fn alarms(factor: f64) -> Vec<bool> {
        let blocks = blocks(factor);
        judge(&blocks.iter().collect::<Vec<_>>()).iter().map(|control| control.alarms).collect()
    }

    #[test]
    fn a_copy_that_differs_by_more_than_the_margin_alarms_in_either_direction() {
        assert_eq!(alarms(1.0), [false; 3]);
        assert_eq!(alarms(1.005), [false; 3]);
        assert_eq!(alarms(1.02), [true, false, true]);
        assert_eq!(alarms(0.98), [true, false, true]);
        assert_eq!(alarms(1.05), [true; 3]);
    }

    #[test]
    fn without_a_copy_there_is_no_p_value_and_no_alarm() {
        let controls = judge(&[]);
        assert!(controls.iter().all(|control| control.p.is_none() && !control.alarms && control.pairs == 0));
    }

    #[test]
    fn one_look_of_one_workload_is_enough_to_alarm() {
        let blocks = blocks(1.05);
        let look: Vec<&Block> = blocks.iter().take(crate::gate::rule::LOOKS[0]).collect();
        assert!(judge(&look).iter().all(|control| control.alarms));
    }
}
