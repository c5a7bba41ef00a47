//! Two profiles of the same work beside each other: where the second spends a larger share of its CPU time than the first, and how much of that
//! chance explains.
//!
//! Profiles have different numbers of samples, so shares are compared and never counts. A bar is as wide as the mean of both shares, so that what
//! only one of them has is seen, too.

use super::tree::{layout, ranking};
use super::{Stack, stacks};
use crate::record::Profile;
use std::collections::{BTreeMap, BTreeSet};

/// Each profile counts as so many samples, whatever it has.
const WHOLE: u64 = 1_000_000;

/// So many standard errors are beyond chance.
const ERRORS: f64 = 3.0;

/// Shares of CPU time in two profiles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shares {
    /// Of the first.
    pub base: f64,
    /// Of the second.
    pub head: f64,
    /// Whether they differ by more than three standard errors.
    pub differ: bool,
}

/// A bar of the differential flamegraph: one frame below one caller.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedBar {
    /// The frame.
    pub name: String,
    /// 0 for the root.
    pub depth: usize,
    /// Where it begins, as a share of the whole width.
    pub start: f64,
    /// How wide it is.
    pub width: f64,
    /// With what it calls.
    pub shares: Shares,
}

/// A function, itself without what it calls.
#[derive(Clone, Debug, PartialEq)]
pub struct ChangedFunction {
    /// Its name.
    pub name: String,
    /// Its own shares.
    pub shares: Shares,
}

/// Two profiles that can be compared.
#[derive(Debug)]
pub struct Differential {
    base: Vec<Stack>,
    head: Vec<Stack>,
    base_samples: u64,
    head_samples: u64,
}

impl Differential {
    /// Of the profiles of two builds. `None` when either has no samples.
    pub fn of(base: &Profile, head: &Profile) -> Option<Self> {
        let (base, head) = (stacks(base), stacks(head));
        let samples = |stacks: &[Stack]| stacks.iter().fold(0_u64, |sum, stack| sum.saturating_add(stack.samples));
        let (base_samples, head_samples) = (samples(&base), samples(&head));
        let frames: BTreeSet<&Vec<String>> = base.iter().chain(&head).map(|stack| &stack.frames).collect();
        // The same stacks in both, so that their trees are the same.
        let whole = |stacks: &[Stack], samples: u64| -> Vec<Stack> {
            let found: BTreeMap<&Vec<String>, u64> =
                stacks.iter().map(|stack| (&stack.frames, stack.samples)).collect();
            let scaled = |seen: u64| (seen as f64 / samples as f64 * WHOLE as f64).round() as u64;
            let of = |frames: &&Vec<String>| scaled(found.get(*frames).copied().unwrap_or(0));
            frames.iter().map(|frames| Stack { frames: (*frames).clone(), samples: of(frames) }).collect()
        };
        (base_samples > 0 && head_samples > 0).then(|| Differential {
            base: whole(&base, base_samples),
            head: whole(&head, head_samples),
            base_samples,
            head_samples,
        })
    }

    /// The bars, caller before callee.
    pub fn bars(&self) -> Vec<ChangedBar> {
        let both: Vec<Stack> = self
            .base
            .iter()
            .zip(&self.head)
            .map(|(base, head)| Stack { samples: base.samples + head.samples, ..base.clone() })
            .collect();
        let width = both.iter().map(|stack| stack.samples).sum::<u64>().max(1) as f64;
        let arms = layout(&self.base).into_iter().zip(layout(&self.head));
        let changed = |(both, (base, head)): (super::tree::Bar, (super::tree::Bar, super::tree::Bar))| ChangedBar {
            name: both.name,
            depth: both.depth,
            start: both.start as f64 / width,
            width: both.samples as f64 / width,
            shares: self.shares(base.samples, head.samples),
        };
        layout(&both).into_iter().zip(arms).map(changed).collect()
    }

    /// The functions, those that changed most first.
    pub fn functions(&self) -> Vec<ChangedFunction> {
        let own = |stacks: &[Stack]| -> BTreeMap<String, u64> {
            ranking(stacks).into_iter().map(|function| (function.name, function.own)).collect()
        };
        let (base, head) = (own(&self.base), own(&self.head));
        let changed = |name: &String| ChangedFunction {
            name: name.clone(),
            shares: self.shares(base[name], head.get(name).copied().unwrap_or(0)),
        };
        let mut functions: Vec<ChangedFunction> = base.keys().map(changed).collect();
        let size = |function: &ChangedFunction| (function.shares.head - function.shares.base).abs();
        functions.sort_by(|one, other| size(other).total_cmp(&size(one)).then_with(|| one.name.cmp(&other.name)));
        functions
    }

    /// Samples of both.
    pub fn samples(&self) -> (u64, u64) {
        (self.base_samples, self.head_samples)
    }

    fn shares(&self, base: u64, head: u64) -> Shares {
        let (base, head) = (base as f64 / WHOLE as f64, head as f64 / WHOLE as f64);
        let (of_base, of_head) = (self.base_samples as f64, self.head_samples as f64);
        // Pooled, with a sample more on either side, so that what one of them never saw has an error, too.
        let pooled = ((base * of_base + head * of_head + 1.0) / (of_base + of_head + 2.0)).clamp(0.0, 1.0);
        let error = (pooled * (1.0 - pooled) * (1.0 / of_base + 1.0 / of_head)).sqrt();
        Shares { base, head, differ: (head - base).abs() > ERRORS * error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(folded: &[&str]) -> Profile {
        Profile { folded: folded.iter().map(|line| (*line).to_owned()).collect(), ..Profile::default() }
    }

    #[test]
    fn shares_are_compared_whatever_the_numbers_of_samples() {
        let base = profile(&["t;run;split 600", "t;run;reduce 400"]);
        let head = profile(&["t;run;split 1200", "t;run;reduce 800"]);
        let same = Differential::of(&base, &head).unwrap();
        assert!(same.functions().iter().all(|function| !function.shares.differ));
        assert_eq!(same.samples(), (1_000, 2_000));
    }

    #[test]
    fn what_grew_and_what_only_one_has_is_found_and_chance_is_not() {
        let base = profile(&["t;run;split 600", "t;run;reduce 400", "t;run;rare 1"]);
        let head = profile(&["t;run;split 500", "t;run;reduce 398", "t;run;spin 100"]);
        let changed = Differential::of(&base, &head).unwrap();
        let functions = changed.functions();
        let differ: Vec<&str> =
            functions.iter().filter(|function| function.shares.differ).map(|function| function.name.as_str()).collect();
        assert_eq!(differ, ["spin", "split"], "by size of the change: {functions:?}");
        assert!(functions.iter().any(|function| function.name == "rare"), "what the head has no more is there");
        let bars = changed.bars();
        let spin = bars.iter().find(|bar| bar.name == "spin").unwrap();
        assert!(
            (spin.shares.base, spin.depth) == (0.0, 3)
                && (spin.shares.head - 0.1).abs() < 0.01
                && (spin.width - 0.05).abs() < 0.01
        );
        let root = &bars[0];
        assert!(root.width == 1.0 && !root.shares.differ && (root.shares.head - 1.0).abs() < 1e-5, "{root:?}");
    }

    #[test]
    fn without_samples_of_both_there_is_nothing_to_compare() {
        assert!(Differential::of(&profile(&["t;a 1"]), &profile(&[])).is_none());
        let absurd = profile(&["t;a 18446744073709551615", "t;b 18446744073709551615"]);
        assert!(!Differential::of(&absurd, &profile(&["t;a 1"])).unwrap().bars().is_empty());
    }
}
