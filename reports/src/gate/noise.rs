//! What disturbed the host while the gate ran, in a few numbers: what could have excluded blocks, and what is only shown.

use super::exclusion::runs;
use super::record::{Arm, Block, HostNoise};
use crate::stats::percentiles::median;
use serde::Serialize;

/// The noise of all processes of one arm. Shares are medians of a process's wall time; `None` where the host does not tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ArmNoise {
    /// Which arm.
    pub arm: Arm,
    /// Its processes.
    pub processes: u64,
    /// CPU time that went to other machines.
    pub steal: Option<f64>,
    /// Time for which the control group was throttled.
    pub throttled: Option<f64>,
    /// CPU time of other processes.
    pub foreign: Option<f64>,
    /// Time in which some task waited for a core.
    pub pressure: Option<f64>,
    /// The canary, median.
    pub canary_ns: Option<f64>,
    /// How far canaries lie from it, median, as a share of it.
    pub canary_deviation: Option<f64>,
    /// The longest hiccup.
    pub hiccup_ns: u64,
}

/// The noise by arm, of arms that ran.
pub fn by_arm(blocks: &[&Block]) -> Vec<ArmNoise> {
    [Arm::Base, Arm::Head, Arm::Null].into_iter().filter_map(|arm| of_arm(arm, blocks)).collect()
}

fn of_arm(wanted: Arm, blocks: &[&Block]) -> Option<ArmNoise> {
    let of_block = |block: &&'_ Block| runs(block).find(|(arm, _)| *arm == wanted).map(|(_, run)| run.noise.clone());
    let noises: Vec<HostNoise> = blocks.iter().filter_map(of_block).collect();
    let share = |spent_ns: fn(&HostNoise) -> Option<u64>| {
        let of =
            |noise: &HostNoise| Some(spent_ns(noise)? as f64 / noise.wall_ns as f64).filter(|share| share.is_finite());
        median(&noises.iter().filter_map(of).collect::<Vec<f64>>())
    };
    let canaries: Vec<f64> = noises.iter().map(|noise| noise.canary_ns as f64).filter(|ns| *ns > 0.0).collect();
    let canary_ns = median(&canaries);
    let deviation = |centre: f64| median(&canaries.iter().map(|ns| (ns / centre - 1.0).abs()).collect::<Vec<f64>>());
    Some(ArmNoise {
        arm: wanted,
        processes: u64::try_from(noises.len()).ok().filter(|processes| *processes > 0)?,
        steal: share(|noise| noise.steal_ns),
        throttled: share(|noise| noise.throttled_ns),
        foreign: share(|noise| noise.foreign_ns),
        pressure: share(|noise| noise.pressure_ns),
        canary_ns,
        canary_deviation: canary_ns.and_then(deviation),
        hiccup_ns: noises.iter().map(|noise| noise.hiccup_ns).max().unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::record::ArmRun;

    #[test]
    fn shares_are_medians_of_wall_times_by_arm() {
        let run = |steal_ns, canary_ns| {
            let noise = HostNoise { wall_ns: 1_000, steal_ns, canary_ns, hiccup_ns: canary_ns, ..HostNoise::default() };
            ArmRun { noise, ..ArmRun::default() }
        };
        let block = |steal_ns, canary_ns| Block {
            base: run(Some(steal_ns), canary_ns),
            head: run(None, 0),
            ..Block::default()
        };
        let blocks = [block(10, 100), block(30, 110), block(500, 90)];
        let found = by_arm(&blocks.iter().collect::<Vec<_>>());
        assert_eq!(found.len(), 2);
        assert_eq!(
            (found[0].arm, found[0].steal, found[0].canary_ns, found[0].hiccup_ns),
            (Arm::Base, Some(0.03), Some(100.0), 110)
        );
        assert!((found[0].canary_deviation.unwrap() - 0.1).abs() < 1e-12);
        assert_eq!((found[1].steal, found[1].canary_ns, found[1].processes), (None, None, 3));
        assert_eq!(by_arm(&[]), []);
    }
}
