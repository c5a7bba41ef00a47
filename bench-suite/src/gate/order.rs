//! What chance decides in a gate, from its seed alone: which arm comes first, which lines a block gets, how large an environment is.

use downbeat_reports::gate::record::{Arm, Pass};
use downbeat_reports::stats::random::SplitMix64;
use xxhash_rust::xxh3::xxh3_64;

/// Longest padding of an environment, bytes: the stack begins behind it, so its place differs by up to a page.
const PADDING_BYTES: usize = 4096;

/// One block, as the plan knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct BlockPlace<'w> {
    /// Seed of the gate.
    pub(super) seed: u64,
    /// Name of the workload.
    pub(super) workload: &'w str,
    /// The pass.
    pub(super) pass: Pass,
    /// Its number in workload and pass.
    pub(super) index: u64,
}

/// What a random number is for.
#[derive(Clone, Copy, Debug)]
enum Purpose {
    Coin,
    Null,
    Lines,
    Padding,
}

impl BlockPlace<'_> {
    /// The order of the arms. Of two blocks in a row one begins with the base and one with the head; a coin says which. In the
    /// confirmation it is the other one.
    pub(super) fn order(&self) -> Vec<Arm> {
        let pair = BlockPlace { index: self.index / 2, pass: Pass::First, ..*self };
        let coin = pair.random(Purpose::Coin).next_u64() & 1 == 1;
        let reversed = (self.index % 2 == 1) ^ (self.pass == Pass::Confirmation);
        let mut order = if coin ^ reversed { vec![Arm::Head, Arm::Base] } else { vec![Arm::Base, Arm::Head] };
        order.insert(self.random(Purpose::Null).below(order.len() + 1), Arm::Null);
        order
    }

    /// Seed of the lines: all arms of the block get the same, other blocks others.
    pub(super) fn line_seed(&self) -> u64 {
        // Seeds that people can type.
        self.random(Purpose::Lines).next_u64() >> 16
    }

    /// What is added to the environment of the process that runs at this place of the order.
    pub(super) fn padding(&self, place: usize) -> String {
        let mut random = self.random(Purpose::Padding);
        let bytes = (0..=place).map(|_| random.below(PADDING_BYTES)).last().unwrap_or(0);
        "x".repeat(bytes)
    }

    fn random(&self, purpose: Purpose) -> SplitMix64 {
        let BlockPlace { seed, workload, pass, index } = self;
        SplitMix64::new(xxh3_64(format!("{seed} {workload} {pass:?} {index} {purpose:?}").as_bytes()))
    }
}

/// The order in which the workloads have their blocks in a round.
pub(super) fn round(seed: u64, number: u64, workloads: &[String]) -> Vec<String> {
    let mut shuffled = workloads.to_vec();
    SplitMix64::new(xxh3_64(format!("{seed} round {number}").as_bytes())).shuffle(&mut shuffled);
    shuffled
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn place(seed: u64, pass: Pass, index: u64) -> BlockPlace<'static> {
        BlockPlace { seed, workload: "w", pass, index }
    }

    fn begins_with_base(order: &[Arm]) -> bool {
        let pair: Vec<Arm> = order.iter().copied().filter(|arm| *arm != Arm::Null).collect();
        pair == [Arm::Base, Arm::Head]
    }

    #[test]
    fn each_arm_is_first_equally_often_and_a_fair_coin_says_when() {
        let mut first_pairs = 0;
        for seed in 0..400 {
            let blocks = |pass| (0..14).map(move |index| begins_with_base(&place(seed, pass, index).order()));
            let first: Vec<bool> = blocks(Pass::First).collect();
            assert_eq!(first.iter().filter(|base| **base).count(), 7, "seed {seed}");
            assert!(first.chunks(2).all(|pair| pair[0] != pair[1]), "seed {seed}: {first:?}");
            first_pairs += first.chunks(2).filter(|pair| pair[0]).count();
            let confirmation: Vec<bool> = blocks(Pass::Confirmation).collect();
            assert!(first.iter().zip(&confirmation).all(|(a, b)| a != b), "a confirmation has the other order");
        }
        // 2,800 tosses of a fair coin: five standard deviations are 133.
        assert!((1_267..=1_533).contains(&first_pairs), "{first_pairs}");
    }

    #[test]
    fn the_null_arm_is_everywhere_in_the_order() {
        let places: BTreeSet<usize> = (0..50)
            .map(|index| place(1, Pass::First, index).order().iter().position(|arm| *arm == Arm::Null).unwrap())
            .collect();
        assert_eq!(places, BTreeSet::from([0, 1, 2]));
    }

    #[test]
    fn each_block_has_lines_of_its_own_and_a_confirmation_others() {
        let mut seeds = BTreeSet::new();
        for pass in [Pass::First, Pass::Confirmation] {
            for index in 0..32 {
                for workload in ["a", "b"] {
                    seeds.insert(BlockPlace { seed: 7, workload, pass, index }.line_seed());
                }
            }
        }
        assert_eq!(seeds.len(), 2 * 32 * 2);
        assert_eq!(
            place(7, Pass::First, 3).line_seed(),
            place(7, Pass::First, 3).line_seed(),
            "the same seed, the same gate"
        );
        assert_ne!(place(7, Pass::First, 3).line_seed(), place(8, Pass::First, 3).line_seed());
    }

    #[test]
    fn processes_of_a_block_have_environments_of_other_sizes() {
        let sizes: BTreeSet<usize> =
            (0..20).flat_map(|index| (0..3).map(move |at| place(1, Pass::First, index).padding(at).len())).collect();
        assert!(sizes.len() > 50 && sizes.iter().all(|size| *size < PADDING_BYTES), "{sizes:?}");
    }

    #[test]
    fn rounds_are_shuffled_and_lose_nothing() {
        let workloads: Vec<String> = ["a", "b", "c"].map(str::to_owned).into();
        let orders: BTreeSet<Vec<String>> = (0..100).map(|number| round(5, number, &workloads)).collect();
        assert_eq!(orders.len(), 6);
        assert_eq!(round(5, 3, &workloads), round(5, 3, &workloads));
    }
}
