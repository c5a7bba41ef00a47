//! What stands in for an off-CPU flamegraph: how much of each stage its workers ran, and how much they waited.

use super::text;
use crate::judged;
use crate::quantity::{counted, duration, percent};
use crate::record::{BatchRecord, Phase, TrialRecord};
use maud::{Markup, html};

/// A stage over all judged batches.
struct Stage<'r> {
    name: &'r str,
    /// Time that ended with its last tasks.
    time_ns: u64,
    /// Worker time in it.
    busy_ns: u64,
}

impl Stage<'_> {
    /// Share of threads × time in which its workers did not run. Tasks of a stage may run before its time begins: never below 0.
    fn waited(&self, threads: u32) -> f64 {
        let all = self.time_ns as f64 * f64::from(threads);
        if all > 0.0 { (1.0 - self.busy_ns as f64 / all).max(0.0) } else { 0.0 }
    }
}

pub(super) fn render(record: &TrialRecord) -> Markup {
    let stages = stages(record);
    let judged = judged::batches(record).count().max(1) as u64;
    html! {
        h3 { "Waiting" }
        p.lead {
            "There is no off-CPU flamegraph: both samplers go by the clock of CPU time, which stands still while a thread waits. "
            "How long workers waited is counted instead, stage by stage, over all judged batches."
        }
        @if !stages.is_empty() {
            div.table tabindex="0" role="region" aria-label="Waiting by stage" { table {
                thead { tr { th { "Stage" } th.number { "Time a batch" } th.number { "Worker time a batch" } th.number { "Workers not running" } } }
                tbody { @for stage in &stages {
                    tr {
                        td { (text(stage.name)) }
                        td.number { (duration(stage.time_ns / judged)) }
                        td.number { (duration(stage.busy_ns / judged)) }
                        td.number { (percent(stage.waited(record.judging.threads))) }
                    }
                } }
            } }
            p.keys { "Workers not running: share of " (counted(record.judging.threads as usize, "thread")) " × the time of the stage in which none of its tasks ran on them." }
        }
    }
}

fn stages(record: &TrialRecord) -> Vec<Stage<'_>> {
    let times = judged::time_by_phase(judged::batches(record));
    times.into_iter().skip(1).map(|(name, time_ns)| Stage { name, time_ns, busy_ns: busy_ns(record, name) }).collect()
}

fn busy_ns(record: &TrialRecord, name: &str) -> u64 {
    let of = |batch: &BatchRecord| {
        batch.busy.iter().filter(|stage: &&Phase| stage.name == name).map(|stage| stage.ns).fold(0, u64::saturating_add)
    };
    judged::batches(record).map(of).fold(0, u64::saturating_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::holds;

    #[test]
    fn shares_are_of_all_threads() {
        let record = holds();
        // Of its two threads the example keeps each stage busy for 1.7.
        for stage in stages(&record) {
            assert!((stage.waited(2) - 0.15).abs() < 1e-6, "{}", stage.name);
        }
        assert_eq!(Stage { name: "x", time_ns: 5, busy_ns: 50 }.waited(1), 0.0);
    }
}
