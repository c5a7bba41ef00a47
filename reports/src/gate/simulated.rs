//! The whole rule on blocks that are resampled from recorded ones: how often it alarms without a cause, and how often it sees a planted one.
//!
//! A gate takes consecutive blocks of the recording, from a random one on and round in a circle, all workloads from the same
//! place and the confirmation right behind the first pass. So what neighbouring blocks have in common stays as it was on the host; blocks drawn
//! one by one would look quieter than hosts are. In each block a coin says which of its two processes of the base is taken for the base and
//! which for the copy: both ran, so both ways are gates that might have been, and gates that begin at the same block differ.

use super::judgement::{Judgement, Kind, Verdict};
use super::metric::Metric;
use super::record::{Block, GateRecord, Pass, SCHEMA, Workload};
use super::rule::{LOOKS, Next, next};
use crate::search::Interval;
use crate::stats::clopper_pearson::{lower_bound, upper_bound};
use crate::stats::random::SplitMix64;
use serde::Serialize;
use std::collections::BTreeMap;
use thiserror::Error;

/// What to simulate.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Study {
    /// How many complete gates.
    pub gates: u64,
    /// Decides where each of them begins.
    pub seed: u64,
    /// What makes the head slower; `None` for gates that must not alarm.
    pub plant: Option<Plant>,
}

/// A change of the head.
#[derive(Clone, Debug, PartialEq)]
pub struct Plant {
    /// How many times slower: 1.03 is 3 % slower.
    pub factor: f64,
    /// The metrics that it changes.
    pub metrics: Vec<Metric>,
    /// The workloads that it changes; all of them when empty.
    pub workloads: Vec<String>,
}

/// How the gates ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Tally {
    /// All of them.
    pub gates: u64,
    /// By their word.
    pub verdicts: BTreeMap<&'static str, u64>,
    /// Why they could not judge, by the first reason.
    pub unjudged: BTreeMap<Kind, u64>,
    /// Blocks that all of them took.
    pub blocks: u64,
    /// Gates that looked once only, in the first pass.
    pub decided_at_once: u64,
}

/// Why a recording cannot be resampled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SimulationError {
    /// Too few blocks of a workload, or none at all.
    #[error(
        "{workload} has {blocks} recorded blocks in which both builds ran, and at least {least} are needed: record more gates"
    )]
    TooFew {
        /// Name, or `the recording`.
        workload: String,
        /// Blocks there are.
        blocks: usize,
        /// Blocks needed.
        least: usize,
    },
    /// A block of a workload has no copy of the base.
    #[error("a recorded block of {workload} has no copy of the base, so that there is no null control to simulate")]
    NoCopies {
        /// Name.
        workload: String,
    },
}

impl Tally {
    /// Gates that ended with this word.
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(verdict.as_str()).copied().unwrap_or(0)
    }

    /// Their share, with its 95 % interval (Clopper–Pearson).
    pub fn share(&self, verdict: Verdict) -> Interval {
        let (hits, gates) = (self.count(verdict), self.gates);
        let estimate = if gates == 0 { 0.0 } else { hits as f64 / gates as f64 };
        Interval { estimate, lower: lower_bound(hits, gates, 0.975), upper: upper_bound(hits, gates, 0.975) }
    }

    fn add(&mut self, judgement: &Judgement, record: &GateRecord) {
        self.gates += 1;
        *self.verdicts.entry(judgement.verdict.as_str()).or_default() += 1;
        if let (Verdict::CannotJudge, Some(reason)) = (judgement.verdict, judgement.because.first()) {
            *self.unjudged.entry(reason.kind).or_default() += 1;
        }
        self.blocks += record.blocks.len() as u64;
        let looked_once = |blocks: u64| blocks == LOOKS[0] as u64;
        let once =
            judgement.metrics.iter().filter_map(|judged| judged.first.as_ref()).all(|first| looked_once(first.blocks));
        self.decided_at_once += u64::from(once);
    }
}

/// Plays so many gates.
///
/// # Errors
/// A recording with too few blocks to resample, or without copies of the base.
pub fn simulate(recorded: &[Block], study: &Study) -> Result<Tally, SimulationError> {
    let recordings = recordings(recorded)?;
    let longest = recordings.values().map(Vec::len).max().unwrap_or(0);
    let mut random = SplitMix64::new(study.seed);
    let mut tally = Tally::default();
    for _ in 0..study.gates {
        let start = random.below(longest);
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        let mut record = empty(recordings.keys().copied());
        let judgement = play(&mut record, |workload, pass, index| {
            let (name, recording) = recordings.get_key_value(workload)?;
            let place = taken.entry(name).or_insert(start);
            *place += 1;
            let mut block = recording[*place % recording.len()].clone();
            (block.pass, block.index) = (pass, index);
            if random.below(2) == 1 {
                block.swap_bases();
            }
            if let Some(plant) = &study.plant {
                plant.change(&mut block);
            }
            Some(block)
        });
        tally.add(&judgement, &record);
    }
    Ok(tally)
}

/// Runs the rule: gives it the blocks that it asks for until it is done. A source that ends cuts the gate short.
pub fn play(record: &mut GateRecord, mut source: impl FnMut(&str, Pass, u64) -> Option<Block>) -> Judgement {
    loop {
        let (pass, workloads, until) = match next(record) {
            Next::Done(judgement) => return *judgement,
            Next::FirstBlocks { workloads, until } => (Pass::First, workloads, until),
            Next::Confirmation { workloads, until } => (Pass::Confirmation, workloads, until),
        };
        for workload in workloads {
            let there = record.blocks.iter().filter(|block| block.workload == workload && block.pass == pass).count();
            for index in there as u64..until {
                match source(&workload, pass, index) {
                    Some(block) => record.blocks.push(block),
                    None => record.cut_short = Some("there are no more blocks".to_owned()),
                }
            }
        }
    }
}

fn recordings(recorded: &[Block]) -> Result<BTreeMap<&str, Vec<&Block>>, SimulationError> {
    let mut recordings: BTreeMap<&str, Vec<&Block>> = BTreeMap::new();
    for block in recorded.iter().filter(|block| block.base.failure.is_none() && block.head.failure.is_none()) {
        recordings.entry(&block.workload).or_default().push(block);
    }
    let least = LOOKS[0];
    let too_few = |workload: &str, blocks| SimulationError::TooFew { workload: workload.to_owned(), blocks, least };
    if recordings.is_empty() {
        return Err(too_few("the recording", 0));
    }
    for (workload, blocks) in &recordings {
        if blocks.len() < least {
            return Err(too_few(workload, blocks.len()));
        }
        if blocks.iter().any(|block| block.null.is_none()) {
            return Err(SimulationError::NoCopies { workload: (*workload).to_owned() });
        }
    }
    Ok(recordings)
}

fn empty<'a>(workloads: impl Iterator<Item = &'a str>) -> GateRecord {
    let workload = |name: &str| Workload { name: name.to_owned(), ..Workload::default() };
    GateRecord { schema: SCHEMA, workloads: workloads.map(workload).collect(), ..GateRecord::default() }
}

impl Plant {
    fn change(&self, block: &mut Block) {
        if !self.workloads.is_empty() && !self.workloads.contains(&block.workload) {
            return;
        }
        for metric in &self.metrics {
            let (figure, factor) = match metric {
                Metric::Median => (&mut block.head.median_ns, self.factor),
                Metric::P95 => (&mut block.head.p95_ns, self.factor),
                Metric::P99 => (&mut block.head.p99_ns, self.factor),
                Metric::Capacity => (&mut block.head.capacity_per_s, 1.0 / self.factor),
            };
            *figure = figure.map(|figure| figure * factor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gates::Host;

    const WORKLOADS: [&str; 3] = ["ads", "sessions", "word-count"];

    /// Blocks of two equal builds on a synthetic host.
    fn recorded(blocks: u64) -> Vec<Block> {
        let mut host = Host::new(1);
        let round = |index: u64| WORKLOADS.map(|workload| host.block(workload, Pass::First, index));
        (0..blocks).flat_map(round).collect()
    }

    fn simulated(gates: u64, factor: f64, metrics: &[Metric], workloads: &[&str]) -> Tally {
        let workloads = workloads.iter().map(|name| (*name).to_owned()).collect();
        let plant = (factor != 1.0).then(|| Plant { factor, metrics: metrics.to_vec(), workloads });
        simulate(&recorded(600), &Study { gates, seed: 7, plant }).unwrap()
    }

    #[test]
    fn equal_builds_pass_and_three_percent_in_one_workload_are_seen() {
        let equal = simulated(60, 1.0, &[], &[]);
        assert_eq!((equal.gates, equal.count(Verdict::Regressed)), (60, 0), "{equal:?}");
        assert!(equal.count(Verdict::Pass) >= 55, "{equal:?}");
        let slower = simulated(40, 1.03, &[Metric::Median, Metric::Capacity], &["ads"]);
        assert!(slower.count(Verdict::Regressed) >= 36, "{slower:?}");
        let faster = simulated(20, 0.97, &[Metric::Median], &[]);
        assert!(faster.count(Verdict::Improved) >= 17 && faster.count(Verdict::Regressed) == 0, "{faster:?}");
    }

    #[test]
    fn the_same_seed_plays_the_same_gates() {
        let blocks = recorded(40);
        let study = |seed| simulate(&blocks, &Study { gates: 5, seed, plant: None }).unwrap();
        assert_eq!(study(1), study(1));
    }

    #[test]
    fn gates_that_begin_at_the_same_block_differ() {
        // As many blocks as one look takes: every gate begins at one of 14.
        let blocks = recorded(14);
        let figures = |seed| {
            let plant = Plant { factor: 1.02, metrics: vec![Metric::Median], workloads: Vec::new() };
            simulate(&blocks, &Study { gates: 40, seed, plant: Some(plant) }).unwrap().blocks
        };
        assert_ne!(figures(1), figures(2));
    }

    #[test]
    fn recordings_that_cannot_be_resampled_are_refused() {
        let refused =
            |blocks: &[Block]| simulate(blocks, &Study { gates: 1, ..Study::default() }).unwrap_err().to_string();
        assert!(refused(&[]).contains("the recording has 0 recorded blocks"));
        assert!(refused(&recorded(13)).contains("ads has 13 recorded blocks"));
        let mut without = recorded(20);
        without.iter_mut().skip(3).for_each(|block| block.null = None);
        assert!(refused(&without).contains("a recorded block of ads has no copy"));
    }

    #[test]
    fn shares_have_exact_intervals() {
        let tally = Tally { gates: 1_049, verdicts: [("REGRESSED", 5)].into(), ..Tally::default() };
        let share = tally.share(Verdict::Regressed);
        assert!(share.lower > 0.0015 && share.estimate < 0.0048 && share.upper < 0.0112, "{share:?}");
        assert_eq!(Tally::default().share(Verdict::Pass).estimate, 0.0);
    }
}
