//! The rule: which blocks to run next, and what they say. One pure function of the record, so that the runner, the simulation and whoever
//! reads a stored gate go the same way.
//!
//! **Looks.** Each workload is looked at after 14, 20 and 32 blocks that count. Whether a block counts never depends on later ones, and
//! always the first so many are taken: what a look decided stays decided, whatever is measured afterwards.
//!
//! **Red.** Per workload, median, p99 and capacity: a one-sided exact signed rank test of the blocks' log ratios against the metric's margin,
//! adjusted by Holm over the metrics of *all* workloads. The family's 1 % is split over the looks (0.2, 0.3, 0.5). What is rejected
//! becomes a candidate, and its workload runs again with fresh processes. Only the same metric, rejected again, is a
//! regression. The confirmation has the same looks; each has the whole 1 %, Holm over the candidates: a false alarm has to pass both.
//!
//! **Green.** A workload passes at the first look at which the upper end of the two-sided 99 % interval (Hodges–Lehmann) of *each* of its
//! metrics is below its limit. A change as large as the limit slips through one look with at most 0.5 %. A candidate that the
//! confirmation does not repeat passes only if the confirmation excludes its limit.
//!
//! **Counts.** More allocations are red by themselves: such a gate ends at its first look, whose times are shown and decide nothing.
//!
//! **Neither.** What is open after the last look, missing, disturbed or not measured cannot be judged.

mod course;
mod reasons;
mod series;
#[cfg(test)]
mod tests;

use super::counted;
use super::judgement::{Judgement, Kind, Reason};
use super::metric::{Metric, PRIMARY};
use super::record::{GateRecord, Pass};
use super::soundness::{ends_the_gate, faults};
use crate::stats::holm;
use course::{Course, Test};
use series::Wanted;

/// Blocks that count at each look.
pub const LOOKS: [usize; 3] = [14, 20, 32];
/// The chance of a candidate on equal builds, over all metrics, workloads and looks.
pub const ALPHA: f64 = 0.01;
/// How it is split over the looks.
pub const SHARES: [f64; 3] = [0.2, 0.3, 0.5];
/// Of the intervals, two-sided.
pub const CONFIDENCE: f64 = 0.99;

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Next {
    /// Run blocks of the first pass, until each of these workloads has this many of them, dropped ones counted.
    FirstBlocks {
        /// Names.
        workloads: Vec<String>,
        /// Blocks in the record.
        until: u64,
    },
    /// The same for the confirmation.
    Confirmation {
        /// Names.
        workloads: Vec<String>,
        /// Blocks in the record.
        until: u64,
    },
    /// Nothing more: this is the result.
    Done(Box<Judgement>),
}

/// What to do after the blocks that the record holds.
pub fn next(record: &GateRecord) -> Next {
    match walk(record) {
        (_, Some(wanted)) => wanted,
        (walk, None) => Next::Done(Box::new(walk.judgement())),
    }
}

/// What the record says, complete or not. Where the rule would want more blocks it cannot judge.
pub fn judge(record: &GateRecord) -> Judgement {
    walk(record).0.judgement()
}

/// Where the blocks of a record lead.
struct Walk<'a> {
    record: &'a GateRecord,
    faults: Vec<Reason>,
    courses: Vec<Course<'a>>,
    /// The workload of which too many blocks were dropped.
    too_many_dropped: Option<&'a str>,
    /// Whether the rule would want more blocks.
    unfinished: bool,
    /// A count alone is red: one look at the times is enough then, and nothing has to be confirmed.
    is_red_by_counts: bool,
}

/// How a look ends.
enum Step {
    GoesOn,
    Ends,
    Wants(Next),
}

fn walk(record: &GateRecord) -> (Walk<'_>, Option<Next>) {
    let faults = faults(record);
    let unreadable = |fault: &Reason| matches!(fault.kind, Kind::Incompatible | Kind::Inconsistent);
    let courses = match faults.iter().any(unreadable) {
        true => Vec::new(),
        false => courses(record),
    };
    let mut walk = Walk {
        record,
        faults,
        courses,
        too_many_dropped: None,
        unfinished: false,
        is_red_by_counts: counted::judge(&record.counts).iter().any(|count| count.regressed),
    };
    let wanted = walk.looks();
    walk.unfinished = wanted.is_some();
    // Evidence is shown as far as it goes; more of it would not help.
    let ends = walk.faults.iter().any(ends_the_gate);
    (walk, wanted.filter(|_| !ends))
}

fn courses(record: &GateRecord) -> Vec<Course<'_>> {
    record.workloads.iter().map(|workload| Course::of(record, &workload.name)).collect()
}

impl<'a> Walk<'a> {
    /// All looks, until one of them wants more blocks (which ones) or the rule ends (`None`).
    fn looks(&mut self) -> Option<Next> {
        for (blocks, share) in LOOKS.into_iter().zip(SHARES) {
            match self.look(blocks, ALPHA * share) {
                Step::GoesOn => {}
                Step::Ends => return None,
                Step::Wants(next) => return Some(next),
            }
        }
        None
    }

    fn look(&mut self, blocks: usize, level: f64) -> Step {
        let open: Vec<usize> = (0..self.courses.len()).filter(|at| !self.courses[*at].is_settled).collect();
        if let Some(step) = self.want(&open, Pass::First, blocks) {
            return step;
        }
        // The family is all metrics of all workloads, settled ones included.
        let tests = self.courses.len() * PRIMARY.len();
        let test = Test { pass: Pass::First, blocks, level, tests, most_level: ALPHA * SHARES[2] };
        open.iter().for_each(|at| self.courses[*at].look(&test));
        let all: Vec<(usize, Metric)> =
            (0..self.courses.len()).flat_map(|at| PRIMARY.map(|metric| (at, metric))).collect();
        let candidates = self.rejected(&all, &open, &test);
        for (at, metric) in &candidates {
            self.courses[*at].finding_mut(*metric).candidate = true;
        }
        open.iter().for_each(|at| self.courses[*at].settle());
        match candidates.is_empty() {
            _ if self.is_red_by_counts => Step::Ends,
            true => Step::GoesOn,
            false => self.confirm(&candidates),
        }
    }

    /// The confirmation of what one look rejected.
    fn confirm(&mut self, candidates: &[(usize, Metric)]) -> Step {
        let mut courses: Vec<usize> = candidates.iter().map(|(at, _)| *at).collect();
        courses.dedup();
        for blocks in LOOKS {
            let open: Vec<usize> = courses.iter().copied().filter(|at| !self.courses[*at].is_settled).collect();
            if let Some(step) = self.want(&open, Pass::Confirmation, blocks) {
                return step;
            }
            let test =
                Test { pass: Pass::Confirmation, blocks, level: ALPHA, tests: candidates.len(), most_level: ALPHA };
            open.iter().for_each(|at| self.courses[*at].look(&test));
            let confirmed = self.rejected(candidates, &open, &test);
            for (at, metric) in &confirmed {
                self.courses[*at].finding_mut(*metric).confirmed = true;
            }
            if !confirmed.is_empty() {
                return Step::Ends;
            }
            open.iter().for_each(|at| self.courses[*at].settle());
        }
        // What is open now stays so: a second confirmation would be a second chance.
        courses.iter().for_each(|at| self.courses[*at].is_settled = true);
        Step::GoesOn
    }

    /// What keeps these courses from being looked at.
    fn want(&mut self, open: &[usize], pass: Pass, blocks: usize) -> Option<Step> {
        let mut wanting: Vec<(&'a str, u64, u64)> = Vec::new();
        for at in open {
            let course = &self.courses[*at];
            match course.series(pass).wanted(blocks) {
                Wanted::Nothing => {}
                Wanted::Until(until) => wanting.push((course.name, course.series(pass).len(), until)),
                Wanted::TooManyDropped => {
                    self.too_many_dropped = Some(course.name);
                    return Some(Step::Ends);
                }
            }
        }
        // The smallest goal first, so that every block asked for is needed.
        let until = wanting.iter().map(|(_, _, until)| *until).min()?;
        let below = wanting.into_iter().filter(|(_, there, _)| *there < until);
        let workloads = below.map(|(name, _, _)| name.to_owned()).collect();
        Some(Step::Wants(match pass {
            Pass::First => Next::FirstBlocks { workloads, until },
            Pass::Confirmation => Next::Confirmation { workloads, until },
        }))
    }

    /// Which of the family are rejected, when the courses `open` were just looked at. The others take part with a p value of 1.
    fn rejected(&mut self, family: &[(usize, Metric)], open: &[usize], test: &Test) -> Vec<(usize, Metric)> {
        let p = |(at, metric): &(usize, Metric)| match open.contains(at) {
            true => self.courses[*at].finding(*metric).evidence(test.pass).map_or(1.0, |evidence| evidence.p),
            false => 1.0,
        };
        let p_values: Vec<f64> = family.iter().map(p).collect();
        let mut rejected = Vec::new();
        for ((at, metric), adjusted) in family.iter().zip(holm::adjusted(&p_values)) {
            let evidence = self.courses[*at].finding_mut(*metric).evidence_mut(test.pass);
            let Some(evidence) = evidence.filter(|_| open.contains(at)) else { continue };
            evidence.p_adjusted = Some(adjusted);
            if adjusted <= test.level {
                rejected.push((*at, *metric));
            }
        }
        rejected
    }

    fn counts(&self) -> Vec<counted::CountJudgement> {
        counted::judge(&self.record.counts)
    }
}
