//! What a gate measured: blocks of fresh processes of both builds, counts that need no quiet machine, and how it was done.

use crate::record::Profile;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Version of this format. A reader refuses any other. 2: the processes of a block take turns, and every block has a copy of the base.
pub const SCHEMA: u32 = 2;

/// One complete gate, or as much of it as was reached.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateRecord {
    /// Always [`SCHEMA`].
    pub schema: u32,
    /// Identifies the gate.
    pub run: String,
    /// The command line, ready to be pasted, seed included.
    pub command: String,
    /// Seed of the coin that orders the arms.
    pub seed: u64,
    /// What is compared with.
    pub base: Build,
    /// What is judged.
    pub head: Build,
    /// Workloads by name, with the sizes that both arms were given.
    pub workloads: Vec<Workload>,
    /// Workloads that were asked for and not measured, and why.
    pub unmeasured: Vec<Unmeasured>,
    /// All blocks in the order in which they ran.
    pub blocks: Vec<Block>,
    /// What was counted exactly, one entry a workload.
    pub counts: Vec<Counts>,
    /// Why counts are missing, when they are.
    pub uncounted: Vec<String>,
    /// Where both builds spend their time, of workloads that became slower.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profiles>,
    /// The machine and the parent's build, before the first and after the last block.
    pub environment: BTreeMap<String, String>,
    /// What of it was different after the last block: such a gate cannot judge.
    pub moved: Vec<String>,
    /// Why the gate ended before it could decide, when it did (budget, signal).
    pub cut_short: Option<String>,
    /// How long it took, builds excluded.
    pub elapsed_ns: u64,
    /// How long the builds took.
    pub build_ns: u64,
}

/// What is said where code is not moved.
const FIXED_CODE: &str = "this system does not let a program move its code in memory, so a difference may be the place in memory that a build's file got; \
                          the null control shows how much that is";

impl GateRecord {
    /// What the user should know of the two builds and how they were measured.
    pub fn remarks(&self) -> impl Iterator<Item = &str> {
        let builds = self.base.remarks.iter().chain(&self.head.remarks).map(String::as_str);
        builds.chain(self.has_fixed_code().then_some(FIXED_CODE))
    }

    fn has_fixed_code(&self) -> bool {
        let runs = self.blocks.iter().flat_map(|block| [Some(&block.base), Some(&block.head), block.null.as_ref()]);
        runs.flatten().any(|run| run.code_moves == Some(0))
    }
}

/// One of the two builds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Build {
    /// What the user called it: a revision, a binary, a directory.
    pub asked: String,
    /// The commit, `-dirty` behind it when files differ. `None` for a binary.
    pub commit: Option<String>,
    /// Hash of the binary's bytes, hexadecimal: the same for both is an A/A.
    pub binary_hash: String,
    /// What the user should know of it, in sentences without a full stop.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// One workload and how much of it each process ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// Its name in the catalog.
    pub name: String,
    /// Every setting by name, with its unit.
    pub settings: BTreeMap<String, String>,
    /// Records in each of the batches whose processing times are compared.
    pub batch_records: u64,
    /// How many of them each process ran.
    pub batches: u64,
    /// Records in each of the large batches that capacity is measured with.
    pub large_records: u64,
    /// How many of them each process ran.
    pub large_batches: u64,
}

/// Profiles of one workload, each taken by the build itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Profiles {
    /// Name of the workload.
    pub workload: String,
    /// Of the base; it says why when there is none.
    pub base: Profile,
    /// Of the head.
    pub head: Profile,
}

/// A workload that was not measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Unmeasured {
    /// Its name.
    pub workload: String,
    /// Why, one sentence.
    pub why: String,
}

/// Which pass a block belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// Whether there is anything.
    #[default]
    First,
    /// Whether it is there again, with fresh processes and a fresh seed.
    Confirmation,
}

/// Which build a process ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Arm {
    /// What is compared with.
    Base,
    /// What is judged.
    Head,
    /// A copy of the base: what it differs by from the base is noise.
    Null,
}

/// One fresh process of each arm. They ran at the same time, one slice of batches after another, in an order that a coin decided.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Name of the workload.
    pub workload: String,
    /// Which pass.
    pub pass: Pass,
    /// Its number among the blocks of this workload and pass, from 0.
    pub index: u64,
    /// The order of the arms in the first round of turns; each round has the reverse order of the one before.
    pub order: Vec<Arm>,
    /// The base.
    pub base: ArmRun,
    /// The head.
    pub head: ArmRun,
    /// The copy of the base. `None` where it could not run.
    pub null: Option<ArmRun>,
}

impl Block {
    /// Takes the copy of the base for the base, and the base for the copy: both are processes of the same build.
    pub fn swap_bases(&mut self) {
        if let Some(null) = &mut self.null {
            std::mem::swap(&mut self.base, null);
        }
    }
}

/// One fresh process.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ArmRun {
    /// Median processing time of its batches, nanoseconds, with the speed of the host evened out over the slices of the block, as
    /// in all figures. `None` when it failed.
    pub median_ns: Option<f64>,
    /// 95th percentile (Harrell–Davis), likewise.
    pub p95_ns: Option<f64>,
    /// 99th percentile (Harrell–Davis) of a quiet stretch.
    pub p99_ns: Option<f64>,
    /// Records per second of the median large batch.
    pub capacity_per_s: Option<f64>,
    /// Batches that these figures rest on.
    pub batches: u64,
    /// Hash of its answers, hexadecimal: both arms must agree.
    pub answer_hash: Option<String>,
    /// How often its code was moved to other pages of memory. `None` when it failed, or is of a version that moved nothing.
    #[serde(default)]
    pub code_moves: Option<u64>,
    /// What disturbed the host meanwhile, as far as no arm can cause it.
    pub noise: HostNoise,
    /// Why it failed, when it did.
    pub failure: Option<String>,
}

/// Disturbances from outside while it was a process's turn, for each core that the arms may use. `None` where the host does not tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct HostNoise {
    /// Wall time of its turns.
    pub wall_ns: u64,
    /// CPU time that the hypervisor gave to others.
    pub steal_ns: Option<u64>,
    /// Time for which the control group was throttled.
    pub throttled_ns: Option<u64>,
    /// CPU time of all processes that are none of this gate's.
    pub foreign_ns: Option<u64>,
    /// Time in which some task waited for a core (PSI `cpu some`). The arm itself can cause it: shown, never excluded by.
    pub pressure_ns: Option<u64>,
    /// A fixed piece of work right before the block, nanoseconds.
    pub canary_ns: u64,
    /// Longest time for which a thread that does nothing but read the clock was off its core, right before the block.
    pub hiccup_ns: u64,
}

/// What was counted exactly of one workload, per batch, in one thread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Counts {
    /// Name of the workload.
    pub workload: String,
    /// Batches counted.
    pub batches: u64,
    /// Records in each.
    pub batch_records: u64,
    /// Base and head.
    pub allocations: Option<Pair>,
    /// Base and head.
    pub allocated_bytes: Option<Pair>,
    /// Base and head, by callgrind.
    pub instructions: Option<Pair>,
    /// Why a count is missing or cannot be trusted (two runs of the base disagree), one sentence each.
    pub warnings: Vec<String>,
    /// Why the head has no allocations counted where the base has: it never passes like that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_uncounted: Option<String>,
}

/// A count of both builds over all batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Of the base.
    pub base: u64,
    /// Of the head.
    pub head: u64,
}
