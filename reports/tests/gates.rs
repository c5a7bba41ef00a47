//! Gates made by hand: a synthetic host that draws blocks, and records of whole gates for golden files.

// Included both as a private module of the library's tests and in the integration tests, each of which uses a part of it.
#![allow(unreachable_pub, dead_code)]

use downbeat_reports::gate::judgement::Judgement;
use downbeat_reports::gate::record::{
    Arm, ArmRun, Block, Build, Counts, GateRecord, HostNoise, Pair, Pass, SCHEMA, Workload,
};
use downbeat_reports::gate::simulated::play;
use downbeat_reports::stats::random::SplitMix64;

/// A host whose processes differ from one another as those of a small virtual machine do.
#[derive(Clone, Debug)]
pub struct Host {
    random: SplitMix64,
    drift: f64,
    /// How many times slower the head's batches are.
    pub head: f64,
    /// How many times slower its slowest batches are, beyond `head`.
    pub head_tail: f64,
    /// How many times slower the copy of the base is.
    pub null: f64,
    /// Standard deviation of a process, as a share.
    pub deviation: f64,
}

impl Host {
    /// A quiet host with equal builds.
    pub fn new(seed: u64) -> Host {
        Host { random: SplitMix64::new(seed), drift: 0.0, head: 1.0, head_tail: 1.0, null: 1.0, deviation: 0.005 }
    }

    /// The next block: neighbours share a slow drift, one process in twenty is a straggler.
    pub fn block(&mut self, workload: &str, pass: Pass, index: u64) -> Block {
        self.drift = 0.9 * self.drift + 0.01 * self.random.normal();
        let answer = format!("{:016x}", 0x5eed_u64.wrapping_mul(index + 1));
        let (head, head_tail, null) = (self.head, self.head_tail, self.null);
        Block {
            workload: workload.to_owned(),
            pass,
            index,
            order: if self.random.below(2) == 0 { vec![Arm::Base, Arm::Head] } else { vec![Arm::Head, Arm::Base] },
            base: self.run(1.0, 1.0, &answer),
            head: self.run(head, head_tail, &answer),
            null: Some(self.run(null, 1.0, &answer)),
        }
    }

    fn run(&mut self, slower: f64, tail: f64, answer: &str) -> ArmRun {
        let straggles = self.random.below(20) == 0;
        let process = self.drift + self.deviation * self.random.normal() + if straggles { 0.03 } else { 0.0 };
        let mut figure = |centre: f64, own: f64| Some(centre * (process + own * self.random.normal()).exp());
        ArmRun {
            median_ns: figure(2.0e6 * slower, 0.003),
            p95_ns: figure(2.4e6 * slower, 0.01),
            p99_ns: figure(3.0e6 * slower * tail, 0.03),
            capacity_per_s: figure(1.5e6, 0.003).map(|rate| rate / (slower * (2.0 * process).exp())),
            batches: 500,
            answer_hash: Some(answer.to_owned()),
            code_moves: Some(20),
            noise: HostNoise {
                wall_ns: 2_000_000_000,
                steal_ns: Some(4_000_000),
                throttled_ns: Some(0),
                foreign_ns: Some(30_000_000),
                pressure_ns: Some(100_000_000),
                canary_ns: 50_000_000 + self.random.below(400_000) as u64,
                hiccup_ns: 120_000,
            },
            failure: None,
        }
    }
}

/// A gate of these workloads before its first block.
pub fn begun(workloads: &[&str]) -> GateRecord {
    let workload = |name: &&str| Workload {
        name: (*name).to_owned(),
        settings: [("interval".to_owned(), "100ms".to_owned())].into(),
        batch_records: 4_000,
        batches: 500,
        large_records: 60_000,
        large_batches: 20,
    };
    let counts = |name: &&str| Counts {
        workload: (*name).to_owned(),
        batches: 50,
        batch_records: 4_000,
        allocations: Some(Pair { base: 12_000, head: 12_000 }),
        allocated_bytes: Some(Pair { base: 48_000_000, head: 48_000_000 }),
        instructions: Some(Pair { base: 3_000_000_000, head: 3_000_900_000 }),
        warnings: Vec::new(),
        head_uncounted: None,
    };
    let build = |asked: &str, hash: &str| Build {
        asked: asked.to_owned(),
        commit: Some(format!("{hash}{hash}")),
        binary_hash: hash.repeat(8),
        remarks: Vec::new(),
    };
    GateRecord {
        schema: SCHEMA,
        run: "20261123-1033-9af3".to_owned(),
        command: "downbeat gate --base main --head HEAD --seed 42".to_owned(),
        seed: 42,
        base: build("main", "4be21c07"),
        head: build("HEAD", "9af31055"),
        workloads: workloads.iter().map(workload).collect(),
        counts: workloads.iter().map(counts).collect(),
        environment: [("cpu".to_owned(), "AMD EPYC 7763".to_owned()), ("cores".to_owned(), "2".to_owned())].into(),
        elapsed_ns: 312_000_000_000,
        build_ns: 95_000_000_000,
        ..GateRecord::default()
    }
}

/// Runs the rule on this host until it is done; each block may be changed before it is recorded.
pub fn run(record: &mut GateRecord, host: &mut Host, mut change: impl FnMut(&mut Block)) -> Judgement {
    play(record, |workload, pass, index| {
        let mut block = host.block(workload, pass, index);
        change(&mut block);
        Some(block)
    })
}
