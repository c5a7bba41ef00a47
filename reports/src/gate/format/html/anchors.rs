//! Stable links into the page of a gate: by the workload's name, which is the same in every gate.

use crate::gate::judgement::{Judgement, MetricJudgement};

/// The workloads of a gate in order, with what their links begin with.
pub(super) struct Anchors<'a> {
    workloads: Vec<(&'a str, String)>,
}

impl<'a> Anchors<'a> {
    pub(super) fn of(judgement: &'a Judgement) -> Self {
        let mut workloads: Vec<(&str, String)> = Vec::new();
        for judged in &judgement.metrics {
            if workloads.iter().all(|(name, _)| *name != judged.workload) {
                let anchor = anchor(&judged.workload, workloads.len());
                workloads.push((&judged.workload, anchor));
            }
        }
        Anchors { workloads }
    }

    /// Names and links.
    pub(super) fn workloads(&self) -> impl Iterator<Item = (&'a str, &str)> {
        self.workloads.iter().map(|(name, anchor)| (*name, anchor.as_str()))
    }

    /// The link of a workload. `None` when nothing of it was compared.
    pub(super) fn find(&self, workload: &str) -> Option<&str> {
        self.workloads.iter().find(|(name, _)| *name == workload).map(|(_, anchor)| anchor.as_str())
    }

    /// The link of a comparison.
    pub(super) fn comparison(&self, judged: &MetricJudgement) -> String {
        format!("{}-{}", self.find(&judged.workload).unwrap_or("workload"), judged.metric.name())
    }
}

/// The name where it can be a link, else its number; no name contains the dot of the number.
fn anchor(name: &str, number: usize) -> String {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    match !name.is_empty() && name.len() <= 60 && name.chars().all(is_plain) {
        true => format!("gate-{name}"),
        false => format!("gate.{}", number + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_links_and_others_are_numbers() {
        assert_eq!(anchor("word-count", 3), "gate-word-count");
        for name in ["", "a b", "\"><x", "Ä", "gate.1"] {
            assert_eq!(anchor(name, 3), "gate.4");
        }
    }
}
