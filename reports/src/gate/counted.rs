//! What was counted exactly: no noise, no test, a comparison of two numbers.
//!
//! Allocations and bytes of more than [`MOST_MORE`] above the base are a regression by themselves and need no confirmation. Instructions
//! decide nothing: above [`INSTRUCTIONS`] they are pointed at. A count that is there gates; the runner leaves one out that two runs
//! of the base do not agree on, and says so in the warnings.

use super::record::{Counts, Pair};
use serde::Serialize;

/// Largest share of more allocations or bytes that passes.
pub const MOST_MORE: f64 = 0.01;
/// From here on a change of instructions is pointed at.
pub const INSTRUCTIONS: f64 = 0.005;
/// Up to here instructions are the same: what is slower nonetheless may owe it to where the linker put the code.
pub const SAME_INSTRUCTIONS: f64 = 0.002;

/// What was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// Calls of the allocator.
    Allocations,
    /// Bytes that were asked for.
    AllocatedBytes,
    /// Instructions by callgrind.
    Instructions,
}

impl Counted {
    /// The word in tables.
    pub fn name(self) -> &'static str {
        match self {
            Counted::Allocations => "allocations",
            Counted::AllocatedBytes => "allocated bytes",
            Counted::Instructions => "instructions",
        }
    }
}

/// One count of one workload, judged.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CountJudgement {
    /// Name of the workload.
    pub workload: String,
    /// What was counted.
    pub counted: Counted,
    /// Of the base.
    pub base: u64,
    /// Of the head.
    pub head: u64,
    /// Share of more; `None` when the base has none and the head some.
    pub change: Option<f64>,
    /// Whether this alone is a regression.
    pub regressed: bool,
    /// Whether it is worth a look: any regression, and instructions above their soft limit.
    pub notable: bool,
}

/// Judges every count of the workloads.
pub fn judge(counts: &[Counts]) -> Vec<CountJudgement> {
    let of_workload = |counts: &Counts| {
        let pairs = [
            (Counted::Allocations, counts.allocations),
            (Counted::AllocatedBytes, counts.allocated_bytes),
            (Counted::Instructions, counts.instructions),
        ];
        let judged = |(counted, pair): (Counted, Option<Pair>)| Some(one(&counts.workload, counted, pair?));
        pairs.into_iter().filter_map(judged).collect::<Vec<_>>()
    };
    counts.iter().flat_map(of_workload).collect()
}

/// Whether the instructions of a workload were counted and are the same.
pub fn has_same_instructions(judged: &[CountJudgement], workload: &str) -> bool {
    let is_same = |count: &CountJudgement| {
        count.counted == Counted::Instructions
            && count.workload == workload
            && count.change.is_some_and(|change| change.abs() <= SAME_INSTRUCTIONS)
    };
    judged.iter().any(is_same)
}

fn one(workload: &str, counted: Counted, Pair { base, head }: Pair) -> CountJudgement {
    let change = match (base, head) {
        (0, 0) => Some(0.0),
        (0, _) => None,
        _ => Some((head as f64 - base as f64) / base as f64),
    };
    let above = |limit: f64| change.is_none_or(|change| change > limit);
    let regressed = counted != Counted::Instructions && above(MOST_MORE);
    let notable = regressed || counted == Counted::Instructions && above(INSTRUCTIONS);
    CountJudgement { workload: workload.to_owned(), counted, base, head, change, regressed, notable }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(base: u64, head: u64) -> [CountJudgement; 3] {
        let pair = Some(Pair { base, head });
        let counts = Counts {
            workload: "w".into(),
            allocations: pair,
            allocated_bytes: pair,
            instructions: pair,
            ..Counts::default()
        };
        judge(&[counts]).try_into().unwrap()
    }

    #[test]
    fn more_than_one_percent_more_allocations_or_bytes_are_a_regression_and_exactly_one_is_not() {
        let flags = |base, head| judged(base, head).map(|count| count.regressed);
        assert_eq!(flags(1_000, 1_010), [false; 3]);
        assert_eq!(flags(1_000, 1_011), [true, true, false]);
        assert_eq!(flags(1_000, 10), [false; 3]);
        assert_eq!(flags(0, 1), [true, true, false]);
        assert_eq!(flags(0, 0), [false; 3]);
    }

    #[test]
    fn instructions_alone_are_pointed_at_and_never_red() {
        let notable = |base, head| judged(base, head)[2].notable;
        assert!(!notable(1_000, 1_005) && notable(1_000, 1_006) && notable(0, 5));
        assert!(!judged(1, u64::MAX)[2].regressed);
    }

    #[test]
    fn the_same_instructions_are_those_within_two_in_a_thousand_of_the_same_workload() {
        assert!(has_same_instructions(&judged(1_000, 1_002), "w") && has_same_instructions(&judged(1_000, 998), "w"));
        assert!(
            !has_same_instructions(&judged(1_000, 1_003), "w") && !has_same_instructions(&judged(1_000, 1_000), "v")
        );
        assert!(!has_same_instructions(&[], "w"));
    }
}
