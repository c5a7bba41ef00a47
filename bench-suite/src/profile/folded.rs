//! Folded stacks from a report of pprof: thread and frames from the root to the leaf, then a count.

use pprof::{Frames, Report};
use std::collections::BTreeMap;

/// The sampler's own frames end with this one; what the kernel pushed for the signal comes after it.
const HANDLER: &str = "perf_signal_handler";

/// The frame that returns from a signal.
const RESTORE: &str = "__restore_rt";

/// Folded stacks, `thread;frame;frame count` a line: equal stacks of threads of the same name are one; most frequent first, then by name.
pub fn fold(report: &Report) -> Vec<String> {
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for (frames, count) in &report.data {
        *counts.entry(stack(frames)).or_default() += u64::try_from(*count).unwrap_or(0);
    }
    let mut stacks: Vec<(String, u64)> = counts.into_iter().collect();
    stacks.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    stacks.into_iter().map(|(stack, count)| format!("{stack} {count}")).collect()
}

fn stack(frames: &Frames) -> String {
    let leaf_first: Vec<String> = frames.frames.iter().flatten().map(|symbol| symbol.name()).collect();
    let mut parts = vec![clean(&frames.thread_name_or_id())];
    parts.extend(without_sampler(&leaf_first).iter().rev().map(|name| clean(name)));
    parts.join(";")
}

fn without_sampler(leaf_first: &[String]) -> &[String] {
    let handler = leaf_first.iter().position(|name| name.contains(HANDLER)).map_or(0, |index| index + 1);
    let rest = &leaf_first[handler..];
    match rest.first() {
        Some(name) if name == RESTORE => &rest[1..],
        _ => rest,
    }
}

/// `;` parts frames and a line end parts stacks.
fn clean(name: &str) -> String {
    name.replace(';', ":").replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_sampler_are_left_out() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let with = names(&["backtrace::trace", "pprof::profiler::perf_signal_handler", "__restore_rt", "work", "main"]);
        assert_eq!(without_sampler(&with), names(&["work", "main"]));
        let plain = names(&["work", "main"]);
        assert_eq!(without_sampler(&plain), plain);
    }

    #[test]
    fn separators_inside_names_are_replaced() {
        assert_eq!(clean("<[u8; 4] as T>::x"), "<[u8: 4] as T>::x");
    }
}
