//! Two profiles beside one another: the stacks of one drawn, each frame with its share in the other.

use super::Stack;
use super::tree::{Bar, ranking};
use std::collections::BTreeMap;

/// A bar of a differential flamegraph.
#[derive(Clone, Debug, PartialEq)]
pub struct DifferenceBar {
    /// Where it lies and how wide it is, by the samples of the profile that is drawn.
    pub bar: Bar,
    /// Its share of that profile, 0 to 1.
    pub share: f64,
    /// Its share of the other one.
    pub usual_share: f64,
}

impl DifferenceBar {
    /// By how much of all samples it is larger than in the other profile, −1 to 1.
    pub fn change(&self) -> f64 {
        self.share - self.usual_share
    }
}

/// Whether two shares differ by more than chance lets them: by three standard errors of the difference of two shares, each sample taken for
/// independent of the others. Three, because a drawing has hundreds of frames.
pub fn is_beyond_chance(share: f64, samples: u64, usual_share: f64, usual_samples: u64) -> bool {
    let (n, m) = (samples.max(1) as f64, usual_samples.max(1) as f64);
    let pooled = (share * n + usual_share * m) / (n + m);
    (share - usual_share).abs() > 3.0 * (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).max(0.0).sqrt()
}

/// A function in both profiles, by the samples in itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    /// Its name.
    pub name: String,
    /// Samples in the function itself.
    pub own: u64,
    /// Their share, 0 to 1.
    pub share: f64,
    /// Its share of the other profile.
    pub usual_share: f64,
}

#[derive(Default)]
struct Node<'s> {
    samples: u64,
    usual: u64,
    callees: BTreeMap<&'s str, Node<'s>>,
}

/// Bars of `stacks`, caller before callee, each with its share in `usual`. Frames that only `usual` has are not drawn.
pub fn layout(stacks: &[Stack], usual: &[Stack]) -> Vec<DifferenceBar> {
    let mut root = Node::default();
    for stack in stacks {
        visit(&mut root, stack, |node| node.samples = node.samples.saturating_add(stack.samples));
    }
    for stack in usual {
        visit(&mut root, stack, |node| node.usual = node.usual.saturating_add(stack.samples));
    }
    let all = (root.samples.max(1) as f64, root.usual.max(1) as f64);
    let mut bars = Vec::new();
    lay(&root, "all", 0, 0, all, &mut bars);
    bars.sort_by_key(|one| (one.bar.depth, one.bar.start));
    bars
}

fn visit<'s>(root: &mut Node<'s>, stack: &'s Stack, mut count: impl FnMut(&mut Node<'s>)) {
    let mut node = root;
    count(node);
    for frame in &stack.frames {
        node = node.callees.entry(frame).or_default();
        count(node);
    }
}

/// Depth is bounded by that of cleaned stacks.
fn lay(node: &Node<'_>, name: &str, depth: usize, start: u64, all: (f64, f64), bars: &mut Vec<DifferenceBar>) {
    bars.push(DifferenceBar {
        bar: Bar { name: name.to_owned(), depth, start, samples: node.samples },
        share: node.samples as f64 / all.0,
        usual_share: node.usual as f64 / all.1,
    });
    let mut position = start;
    for (name, callee) in node.callees.iter().filter(|(_, callee)| callee.samples > 0) {
        lay(callee, name, depth + 1, position, all, bars);
        position = position.saturating_add(callee.samples);
    }
}

/// The functions of both profiles, those that take more of `stacks` than of `usual` first, by how much; those that take less last.
pub fn changes(stacks: &[Stack], usual: &[Stack]) -> Vec<Change> {
    let total = |stacks: &[Stack]| stacks.iter().map(|stack| stack.samples).fold(0, u64::saturating_add).max(1) as f64;
    let (all, all_usual) = (total(stacks), total(usual));
    let mut changes: BTreeMap<String, Change> = BTreeMap::new();
    for function in ranking(stacks) {
        let (own, share) = (function.own, function.own as f64 / all);
        let change = Change { name: function.name.clone(), own, share, usual_share: 0.0 };
        changes.insert(function.name, change);
    }
    for function in ranking(usual) {
        let usual_share = function.own as f64 / all_usual;
        let none = Change { name: function.name.clone(), own: 0, share: 0.0, usual_share: 0.0 };
        changes.entry(function.name).or_insert(none).usual_share = usual_share;
    }
    let mut changes: Vec<Change> = changes.into_values().filter(|one| one.share + one.usual_share > 0.0).collect();
    // Sorted by name already, which a stable sort keeps among equal ones.
    changes.sort_by(|one, other| (other.share - other.usual_share).total_cmp(&(one.share - one.usual_share)));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(frames: &str, samples: u64) -> Stack {
        Stack { frames: frames.split(';').map(str::to_owned).collect(), samples }
    }

    #[test]
    fn bars_are_as_wide_as_the_drawn_profile_and_know_their_usual_share() {
        let bars =
            layout(&[stack("t;a;b", 3), stack("t;c", 1)], &[stack("t;a;b", 10), stack("t;c", 20), stack("t;d", 10)]);
        let plain: Vec<(&str, usize, u64, u64, f64, f64)> = bars
            .iter()
            .map(|one| {
                (one.bar.name.as_str(), one.bar.depth, one.bar.start, one.bar.samples, one.share, one.usual_share)
            })
            .collect();
        assert_eq!(
            plain,
            [
                ("all", 0, 0, 4, 1.0, 1.0),
                ("t", 1, 0, 4, 1.0, 1.0),
                ("a", 2, 0, 3, 0.75, 0.25),
                ("c", 2, 3, 1, 0.25, 0.5),
                ("b", 3, 0, 3, 0.75, 0.25),
            ]
        );
        assert_eq!(bars[2].change(), 0.5);
    }

    #[test]
    fn the_same_profile_at_another_length_is_no_difference() {
        let bars = layout(&[stack("t;a", 3), stack("t;b", 1)], &[stack("t;a", 300), stack("t;b", 100)]);
        assert!(bars.iter().all(|one| one.change() == 0.0));
    }

    #[test]
    fn chance_is_three_standard_errors_wide() {
        // 0.5 beside 200 samples each: the standard error is near sqrt(0.25 / 100) = 0.05.
        assert!(!is_beyond_chance(0.64, 200, 0.5, 200) && is_beyond_chance(0.66, 200, 0.5, 200));
        assert!(is_beyond_chance(0.34, 200, 0.5, 200), "smaller ones, too");
        assert!(!is_beyond_chance(1.0, 200, 1.0, 300) && !is_beyond_chance(0.0, 0, 0.0, 0));
    }

    #[test]
    fn functions_that_grew_come_first_and_those_that_shrank_last() {
        let changes =
            changes(&[stack("t;a", 8), stack("t;b", 2)], &[stack("t;a", 1), stack("t;b", 1), stack("t;c", 2)]);
        let plain: Vec<(&str, u64, f64, f64)> =
            changes.iter().map(|one| (one.name.as_str(), one.own, one.share, one.usual_share)).collect();
        assert_eq!(plain, [("a", 8, 0.8, 0.25), ("b", 2, 0.2, 0.25), ("c", 0, 0.0, 0.5)]);
    }
}
