//! Which blocks count: decided by what disturbed the host from outside, never by what was measured and never by which arm it was.
//!
//! A block whose any process was disturbed is dropped whole, with all its arms. The limits are fixed shares of the wall time of the process's
//! turns, so what comes later never changes whether an earlier block counts. Pressure and hiccups exclude nothing, since the build
//! itself can cause them; neither does a canary that is slow, since the arms take turns and a slow host is slow for all of them.

use super::record::{Arm, ArmRun, Block};
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// CPU time that went to other machines, as a share of the wall time.
pub const STEAL: f64 = 0.10;
/// Time for which the control group was throttled, as a share of the wall time.
pub const THROTTLED: f64 = 0.01;
/// CPU time of other processes, as a share of the wall time.
pub const FOREIGN: f64 = 0.10;
/// With a larger share of blocks dropped nothing is judged.
pub const MOST_DROPPED: f64 = 0.3;
/// Drops that are this unlikely to be spread so unevenly over base and head: nothing is judged.
pub const ONE_SIDED: f64 = 0.05;

/// What from outside disturbed a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disturbance {
    /// The hypervisor gave CPU time to others.
    Steal,
    /// The control group was throttled.
    Throttled,
    /// Other processes used the CPU.
    Foreign,
}

impl Disturbance {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Disturbance::Steal => "steal",
            Disturbance::Throttled => "throttled",
            Disturbance::Foreign => "foreign load",
        }
    }
}

/// Whether a block takes part in a look. Never decided by its figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Counts,
    /// It was disturbed.
    Dropped,
    /// The base or the head failed.
    Failed,
}

/// What disturbed a process.
fn disturbances(run: &ArmRun) -> impl Iterator<Item = Disturbance> {
    let noise = &run.noise;
    let above = |spent_ns: Option<u64>, limit: f64| spent_ns.is_some_and(|ns| ns as f64 > limit * noise.wall_ns as f64);
    let found = [
        (above(noise.steal_ns, STEAL), Disturbance::Steal),
        (above(noise.throttled_ns, THROTTLED), Disturbance::Throttled),
        (above(noise.foreign_ns, FOREIGN), Disturbance::Foreign),
    ];
    found.into_iter().filter(|(disturbed, _)| *disturbed).map(|(_, disturbance)| disturbance)
}

/// Which processes of the block were disturbed and by what. Empty for a block that counts.
pub fn triggers(block: &Block) -> Vec<(Arm, Disturbance)> {
    let of_run = |(arm, run)| disturbances(run).map(move |disturbance| (arm, disturbance));
    runs(block).flat_map(of_run).collect()
}

/// Whether the block takes part.
pub fn standing(block: &Block) -> Standing {
    if block.base.failure.is_some() || block.head.failure.is_some() {
        return Standing::Failed;
    }
    match triggers(block).is_empty() {
        true => Standing::Counts,
        false => Standing::Dropped,
    }
}

/// The processes of a block.
pub fn runs(block: &Block) -> impl Iterator<Item = (Arm, &ArmRun)> {
    let null = block.null.as_ref().map(|null| (Arm::Null, null));
    [(Arm::Base, &block.base), (Arm::Head, &block.head)].into_iter().chain(null)
}

/// What was dropped and why.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Drops {
    /// Blocks that were looked at.
    pub blocks: u64,
    /// Blocks that were dropped.
    pub dropped: u64,
    /// Dropped blocks in which the base was disturbed.
    pub base: u64,
    /// Dropped blocks in which the head was disturbed.
    pub head: u64,
    /// Dropped blocks in which the copy of the base was disturbed.
    pub null: u64,
    /// Dropped blocks by what disturbed them; a block may have several.
    pub by: Vec<(Disturbance, u64)>,
    /// How likely such uneven drops are between base and head, two-sided, when neither causes them.
    pub one_sided_p: f64,
}

impl Drops {
    /// Counts the drops of blocks.
    pub fn of<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> Drops {
        let mut drops = Drops::default();
        let (mut only_base, mut only_head) = (0, 0);
        for block in blocks {
            let triggers = triggers(block);
            let by_arm = |wanted: Arm| triggers.iter().any(|(arm, _)| *arm == wanted);
            let (base, head) = (by_arm(Arm::Base), by_arm(Arm::Head));
            drops.blocks += 1;
            drops.dropped += u64::from(!triggers.is_empty());
            drops.base += u64::from(base);
            drops.head += u64::from(head);
            drops.null += u64::from(by_arm(Arm::Null));
            only_base += u64::from(base && !head);
            only_head += u64::from(head && !base);
            let mut kinds: Vec<Disturbance> = triggers.iter().map(|(_, disturbance)| *disturbance).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds.into_iter().for_each(|kind| drops.count(kind));
        }
        drops.by.sort_unstable();
        drops.one_sided_p = even_split_p(only_base, only_head);
        drops
    }

    fn count(&mut self, kind: Disturbance) {
        match self.by.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => self.by.push((kind, 1)),
        }
    }

    /// Whether one build draws disturbances more than the other.
    pub fn is_one_sided(&self) -> bool {
        self.one_sided_p < ONE_SIDED
    }
}

/// Two-sided p value of the sign test: how likely a split at least this uneven is.
fn even_split_p(one: u64, other: u64) -> f64 {
    let Ok(binomial) = Binomial::new(0.5, one + other) else { return 1.0 };
    (2.0 * binomial.cdf(one.min(other))).min(1.0)
}

/// Whether so many dropped blocks beside `counted` ones that count are too many.
pub fn too_many(dropped: u64, counted: u64) -> bool {
    dropped as f64 > MOST_DROPPED * (dropped + counted) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::record::HostNoise;

    fn calm() -> ArmRun {
        let noise = HostNoise {
            wall_ns: 1_000,
            steal_ns: Some(100),
            throttled_ns: Some(10),
            foreign_ns: Some(100),
            canary_ns: 10_000,
            ..HostNoise::default()
        };
        ArmRun { noise, ..ArmRun::default() }
    }

    fn blocks() -> Vec<Block> {
        let block = |index| Block { index, base: calm(), head: calm(), null: Some(calm()), ..Block::default() };
        (0..14).map(block).collect()
    }

    #[test]
    fn at_the_limit_a_block_counts_and_above_it_is_dropped_by_the_signal() {
        let blocks = blocks();
        assert!(blocks.iter().all(|block| triggers(block).is_empty()));
        type Disturb = fn(&mut HostNoise);
        let noises: [(Disturb, Disturbance); 3] = [
            (|noise| noise.steal_ns = Some(101), Disturbance::Steal),
            (|noise| noise.throttled_ns = Some(11), Disturbance::Throttled),
            (|noise| noise.foreign_ns = Some(101), Disturbance::Foreign),
        ];
        for (disturb, disturbance) in noises {
            for arm in [Arm::Base, Arm::Head, Arm::Null] {
                let mut block = blocks[0].clone();
                let run = match arm {
                    Arm::Base => &mut block.base,
                    Arm::Head => &mut block.head,
                    Arm::Null => block.null.as_mut().unwrap(),
                };
                disturb(&mut run.noise);
                assert_eq!(triggers(&block), [(arm, disturbance)]);
            }
        }
    }

    #[test]
    fn a_host_that_does_not_tell_and_signals_that_an_arm_can_cause_exclude_nothing() {
        let mut block = blocks()[1].clone();
        block.head.noise = HostNoise { wall_ns: 1_000, pressure_ns: Some(900), hiccup_ns: 900, ..HostNoise::default() };
        block.base.noise.canary_ns = 90_000;
        assert!(triggers(&block).is_empty());
    }

    #[test]
    fn what_was_measured_excludes_nothing() {
        let mut block = blocks()[2].clone();
        (block.head.median_ns, block.head.p99_ns, block.base.capacity_per_s) = (Some(1e12), None, Some(f64::NAN));
        assert!(triggers(&block).is_empty());
    }

    #[test]
    fn drops_are_counted_by_arm_and_signal() {
        let mut blocks = blocks();
        blocks[3].base.noise.steal_ns = Some(900);
        blocks[3].base.noise.foreign_ns = Some(900);
        blocks[4].base.noise.steal_ns = Some(900);
        blocks[4].head.noise.steal_ns = Some(900);
        blocks[9].null.as_mut().unwrap().noise.throttled_ns = Some(900);
        let drops = Drops::of(&blocks);
        assert_eq!((drops.blocks, drops.dropped), (14, 3));
        assert_eq!((drops.base, drops.head, drops.null), (2, 1, 1));
        assert_eq!(drops.by, [(Disturbance::Steal, 2), (Disturbance::Throttled, 1), (Disturbance::Foreign, 1)]);
        assert!((drops.one_sided_p - 1.0).abs() < 1e-9 && !drops.is_one_sided());
    }

    #[test]
    fn drops_of_one_arm_alone_are_one_sided_from_the_sixth_on() {
        let mut blocks = blocks();
        for count in 1..=7 {
            blocks[count].head.noise.steal_ns = Some(900);
            let drops = Drops::of(&blocks);
            assert_eq!(drops.is_one_sided(), count >= 6, "{drops:?}");
        }
    }

    #[test]
    fn three_tenths_may_be_dropped() {
        for (counted, most) in [(14, 6), (20, 8), (32, 13), (7, 3)] {
            assert!(!too_many(most, counted) && too_many(most + 1, counted), "{counted}");
        }
    }
}
