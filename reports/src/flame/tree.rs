//! Stacks as a tree of calls, laid out in bars, and as a ranking of functions.

use super::Stack;
use std::collections::{BTreeMap, BTreeSet};

/// A bar of the flamegraph: one frame below one caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bar {
    /// The frame.
    pub name: String,
    /// 0 for the root, which is all samples.
    pub depth: usize,
    /// Samples left of it.
    pub start: u64,
    /// Samples in it and in what it calls.
    pub samples: u64,
}

/// A function in the ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Samples in the function itself.
    pub own: u64,
    /// Samples in it and in what it calls; recursion is counted once.
    pub total: u64,
}

struct Open {
    name: String,
    start: u64,
}

/// Lays the stacks out side by side, equal callers merged, siblings in the order of their names. `stacks` must be in the order of
/// their frames, as [`super::stacks`] gives them. Bars come caller before callee.
pub fn layout(stacks: &[Stack]) -> Vec<Bar> {
    let mut bars = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut position = 0_u64;
    for stack in stacks {
        let path = std::iter::once("all").chain(stack.frames.iter().map(String::as_str));
        let common = open.iter().zip(path.clone()).take_while(|(open, name)| open.name == *name).count();
        close(&mut open, common, position, &mut bars);
        let entered = path.skip(common).map(|name| Open { name: name.to_owned(), start: position });
        open.extend(entered);
        position = position.saturating_add(stack.samples);
    }
    close(&mut open, 0, position, &mut bars);
    bars.sort_by_key(|one| (one.depth, one.start));
    bars
}

fn close(open: &mut Vec<Open>, keep: usize, position: u64, bars: &mut Vec<Bar>) {
    while open.len() > keep {
        let depth = open.len() - 1;
        if let Some(Open { name, start }) = open.pop() {
            bars.push(Bar { name, depth, start, samples: position - start });
        }
    }
}

/// The functions by samples in themselves, then in all, then by name; threads are not functions.
pub fn ranking(stacks: &[Stack]) -> Vec<Function> {
    let mut functions: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for stack in stacks {
        let frames = stack.frames.get(1..).unwrap_or_default();
        let distinct: BTreeSet<&str> = frames.iter().map(String::as_str).collect();
        for name in distinct {
            let total = &mut functions.entry(name).or_default().1;
            *total = total.saturating_add(stack.samples);
        }
        if let Some(leaf) = frames.last() {
            let own = &mut functions.entry(leaf).or_default().0;
            *own = own.saturating_add(stack.samples);
        }
    }
    let function = |(name, (own, total)): (&str, (u64, u64))| Function { name: name.to_owned(), own, total };
    let mut ranked: Vec<Function> = functions.into_iter().map(function).collect();
    ranked.sort_by(|one, other| (other.own, other.total, &one.name).cmp(&(one.own, one.total, &other.name)));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(frames: &str, samples: u64) -> Stack {
        Stack { frames: frames.split(';').map(str::to_owned).collect(), samples }
    }

    #[test]
    fn callers_are_merged_and_callees_lie_inside() {
        let bars = layout(&[stack("t;a;b", 3), stack("t;a;c", 2), stack("u;a", 1)]);
        let plain: Vec<(&str, usize, u64, u64)> =
            bars.iter().map(|one| (one.name.as_str(), one.depth, one.start, one.samples)).collect();
        assert_eq!(
            plain,
            [
                ("all", 0, 0, 6),
                ("t", 1, 0, 5),
                ("u", 1, 5, 1),
                ("a", 2, 0, 5),
                ("a", 2, 5, 1),
                ("b", 3, 0, 3),
                ("c", 3, 3, 2)
            ]
        );
    }

    #[test]
    fn ranking_counts_recursion_once() {
        let ranked = ranking(&[stack("t;a;b;a", 3), stack("t;b", 2), stack("t", 9)]);
        let plain: Vec<(&str, u64, u64)> =
            ranked.iter().map(|function| (function.name.as_str(), function.own, function.total)).collect();
        assert_eq!(plain, [("a", 3, 3), ("b", 2, 5)]);
    }
}
