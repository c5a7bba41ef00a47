//! Which blocks count: decided by what disturbed the host from outside, never by what was measured and never by which arm it was.
//!
//! A block whose any process was disturbed is dropped whole, with all its arms. The limits are fixed shares of the process's wall time,
//! and for the canary fixed as soon as the first [`REFERENCE_BLOCKS`] of each workload are there: what comes later never changes
//! whether an earlier block counts. Pressure and hiccups exclude nothing, since the build itself can cause them.

use super::record::{Arm, ArmRun, Block, Pass};
use crate::stats::percentiles::median;
use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

/// CPU time that went to other machines, as a share of the wall time.
pub const STEAL: f64 = 0.05;
/// Time for which the control group was throttled, as a share of the wall time.
pub const THROTTLED: f64 = 0.01;
/// CPU time of other processes, as a share of the wall time.
pub const FOREIGN: f64 = 0.10;
/// How many deviations (1.4826 × the median absolute deviation, the standard deviation of normal numbers) a canary may be off.
pub const CANARY_DEVIATIONS: f64 = 3.0;
/// A canary that is less than this share off never excludes: on a quiet host the deviations are tiny.
pub const CANARY_FLOOR: f64 = 0.05;
/// The canaries of this many blocks of each workload, in the first pass, are what the others are compared with.
pub const REFERENCE_BLOCKS: u64 = 14;
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
    /// The fixed piece of work before the process was slower or faster than usual.
    Canary,
}

impl Disturbance {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Disturbance::Steal => "steal",
            Disturbance::Throttled => "throttled",
            Disturbance::Foreign => "foreign load",
            Disturbance::Canary => "canary",
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

/// The limits of one gate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// A canary outside of these nanoseconds is off.
    canary_ns: (f64, f64),
}

impl Limits {
    /// The limits that the blocks of a gate set.
    pub fn of(blocks: &[Block]) -> Limits {
        let is_reference = |block: &&Block| block.pass == Pass::First && block.index < REFERENCE_BLOCKS;
        let canaries: Vec<f64> = blocks
            .iter()
            .filter(is_reference)
            .flat_map(runs)
            .map(|(_, run)| run.noise.canary_ns as f64)
            .filter(|canary_ns| *canary_ns > 0.0)
            .collect();
        let Some(centre) = median(&canaries) else { return Limits { canary_ns: (0.0, f64::INFINITY) } };
        let distances: Vec<f64> = canaries.iter().map(|canary_ns| (canary_ns - centre).abs()).collect();
        let deviation = 1.4826 * median(&distances).unwrap_or(0.0);
        let most = (CANARY_DEVIATIONS * deviation).max(CANARY_FLOOR * centre);
        Limits { canary_ns: (centre - most, centre + most) }
    }

    /// What disturbed a process.
    fn disturbances(&self, run: &ArmRun) -> impl Iterator<Item = Disturbance> {
        let noise = &run.noise;
        let above =
            |spent_ns: Option<u64>, limit: f64| spent_ns.is_some_and(|ns| ns as f64 > limit * noise.wall_ns as f64);
        let canary_ns = noise.canary_ns as f64;
        let is_off = noise.canary_ns > 0 && (canary_ns < self.canary_ns.0 || canary_ns > self.canary_ns.1);
        let found = [
            (above(noise.steal_ns, STEAL), Disturbance::Steal),
            (above(noise.throttled_ns, THROTTLED), Disturbance::Throttled),
            (above(noise.foreign_ns, FOREIGN), Disturbance::Foreign),
            (is_off, Disturbance::Canary),
        ];
        found.into_iter().filter(|(disturbed, _)| *disturbed).map(|(_, disturbance)| disturbance)
    }

    /// Which processes of the block were disturbed and by what. Empty for a block that counts.
    pub fn triggers(&self, block: &Block) -> Vec<(Arm, Disturbance)> {
        let of_run = |(arm, run)| self.disturbances(run).map(move |disturbance| (arm, disturbance));
        runs(block).flat_map(of_run).collect()
    }

    /// Whether the block takes part.
    pub fn standing(&self, block: &Block) -> Standing {
        if block.base.failure.is_some() || block.head.failure.is_some() {
            return Standing::Failed;
        }
        match self.triggers(block).is_empty() {
            true => Standing::Counts,
            false => Standing::Dropped,
        }
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
    pub fn of<'a>(blocks: impl IntoIterator<Item = &'a Block>, limits: &Limits) -> Drops {
        let mut drops = Drops::default();
        let (mut only_base, mut only_head) = (0, 0);
        for block in blocks {
            let triggers = limits.triggers(block);
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

    fn calm(canary_ns: u64) -> ArmRun {
        let noise = HostNoise {
            wall_ns: 1_000,
            steal_ns: Some(50),
            throttled_ns: Some(10),
            foreign_ns: Some(100),
            canary_ns,
            ..HostNoise::default()
        };
        ArmRun { noise, ..ArmRun::default() }
    }

    fn blocks() -> Vec<Block> {
        let block = |index: u64| {
            let canary = |offset: u64| calm(10_000 + 10 * ((index + offset) % 5));
            Block {
                index,
                base: canary(0),
                head: canary(2),
                null: index.is_multiple_of(3).then(|| canary(1)),
                ..Block::default()
            }
        };
        (0..14).map(block).collect()
    }

    #[test]
    fn at_the_limit_a_block_counts_and_above_it_is_dropped_by_the_signal() {
        let blocks = blocks();
        let limits = Limits::of(&blocks);
        assert!(blocks.iter().all(|block| limits.triggers(block).is_empty()));
        type Disturb = fn(&mut HostNoise);
        let noises: [(Disturb, Disturbance); 5] = [
            (|noise| noise.steal_ns = Some(51), Disturbance::Steal),
            (|noise| noise.throttled_ns = Some(11), Disturbance::Throttled),
            (|noise| noise.foreign_ns = Some(101), Disturbance::Foreign),
            (|noise| noise.canary_ns = 10_600, Disturbance::Canary),
            (|noise| noise.canary_ns = 9_400, Disturbance::Canary),
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
                assert_eq!(limits.triggers(&block), [(arm, disturbance)]);
            }
        }
    }

    #[test]
    fn a_host_that_does_not_tell_and_signals_that_an_arm_can_cause_exclude_nothing() {
        let blocks = blocks();
        let mut block = blocks[1].clone();
        block.head.noise = HostNoise { wall_ns: 1_000, pressure_ns: Some(900), hiccup_ns: 900, ..HostNoise::default() };
        assert!(Limits::of(&blocks).triggers(&block).is_empty());
        assert!(Limits::of(&[]).triggers(&block).is_empty());
    }

    #[test]
    fn what_was_measured_excludes_nothing() {
        let blocks = blocks();
        let limits = Limits::of(&blocks);
        let mut block = blocks[2].clone();
        (block.head.median_ns, block.head.p99_ns, block.base.capacity_per_s) = (Some(1e12), None, Some(f64::NAN));
        assert!(limits.triggers(&block).is_empty());
    }

    #[test]
    fn later_blocks_and_the_confirmation_do_not_move_the_limits() {
        let mut blocks = blocks();
        let before = Limits::of(&blocks);
        for index in 14..60 {
            blocks.push(Block { index, base: calm(90_000), head: calm(90_000), ..Block::default() });
            blocks.push(Block {
                index: index - 14,
                pass: Pass::Confirmation,
                base: calm(1),
                head: calm(1),
                ..Block::default()
            });
        }
        assert_eq!(Limits::of(&blocks), before);
    }

    #[test]
    fn a_jittery_canary_has_wider_limits_by_its_own_deviation() {
        let mut blocks = blocks();
        for (position, block) in blocks.iter_mut().enumerate() {
            block.base.noise.canary_ns = 10_000 + 400 * (position as u64 % 7);
        }
        let limits = Limits::of(&blocks);
        assert!(limits.canary_ns.1 - limits.canary_ns.0 > 0.1 * 10_000.0, "{limits:?}");
    }

    #[test]
    fn drops_are_counted_by_arm_and_signal() {
        let mut blocks = blocks();
        blocks[3].base.noise.steal_ns = Some(900);
        blocks[3].base.noise.foreign_ns = Some(900);
        blocks[4].base.noise.steal_ns = Some(900);
        blocks[4].head.noise.steal_ns = Some(900);
        blocks[9].null.as_mut().unwrap().noise.canary_ns = 1;
        let drops = Drops::of(&blocks, &Limits::of(&blocks));
        assert_eq!((drops.blocks, drops.dropped), (14, 3));
        assert_eq!((drops.base, drops.head, drops.null), (2, 1, 1));
        assert_eq!(drops.by, [(Disturbance::Steal, 2), (Disturbance::Foreign, 1), (Disturbance::Canary, 1)]);
        assert!((drops.one_sided_p - 1.0).abs() < 1e-9 && !drops.is_one_sided());
    }

    #[test]
    fn drops_of_one_arm_alone_are_one_sided_from_the_sixth_on() {
        let mut blocks = blocks();
        for count in 1..=7 {
            blocks[count].head.noise.steal_ns = Some(900);
            let drops = Drops::of(&blocks, &Limits::of(&blocks));
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
