//! Where both builds spend their time, of workloads that the gate calls slower: each build samples itself, in a process of its own.

use super::process::{Processes, Task, ends_the_gate};
use crate::failure::Failure;
use crate::plan::{Mode, NS_PER_S};
use crate::profile::unavailable;
use crate::subject::embedded::Program;
use downbeat_engine::settings::parse_duration_ns;
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::judgement::{Judgement, Mark};
use downbeat_reports::gate::record::{Profiles, Workload};
use downbeat_reports::record::Profile;
use std::collections::BTreeMap;

/// When a process hangs: it samples for five seconds at most.
const LIMIT_NS: u64 = 60 * NS_PER_S;

/// What a profile of both builds takes, about, nanoseconds.
pub(super) const BOTH_NS: u64 = 14 * NS_PER_S;

/// Workloads that became slower in a metric that decides, in the order of the record. Counts say by themselves what became more.
pub(super) fn wanted(judgement: &Judgement) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for judged in judgement.metrics.iter().filter(|judged| judged.mark == Mark::Regressed) {
        if !names.contains(&judged.workload) {
            names.push(judged.workload.clone());
        }
    }
    names
}

/// Profiles of one workload, or why there are none.
///
/// # Errors
/// A signal came.
pub(super) fn take(
    processes: &mut Processes,
    (base, head): (&Program, &Program),
    workload: &Workload,
    settings: &BTreeMap<String, String>,
) -> Result<Profiles, Failure> {
    processes.say(&format!("{}: looking where the time goes", workload.name));
    let settings = with_rate(workload, settings);
    let task = Task { workload: &workload.name, settings, mode: Mode::Profile, limit_ns: LIMIT_NS };
    let mut of_arm = |program: &Program| match processes.run::<Profile>(program, &task) {
        Ok(profile) => Ok(profile),
        Err(failure) if matches!(failure.exit(), Exit::Interrupted | Exit::Terminated) => Err(failure),
        Err(failure) if ends_the_gate(&failure) => {
            Ok(unavailable(&format!("this build cannot take one: {}", failure.message)))
        }
        Err(failure) => Ok(unavailable(&failure.message)),
    };
    Ok(Profiles { workload: workload.name.clone(), base: of_arm(base)?, head: of_arm(head)? })
}

/// Batches as large as those that were compared, unless the user chose a rate.
fn with_rate(workload: &Workload, settings: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut settings = settings.clone();
    let interval_ns = settings.get("interval").and_then(|text| parse_duration_ns(text).ok());
    if let Some(interval_ns) = interval_ns.filter(|ns| *ns > 0) {
        let per_s = u128::from(workload.batch_records) * u128::from(NS_PER_S) / u128::from(interval_ns);
        settings.entry("rate".to_owned()).or_insert_with(|| format!("{}/s", per_s.max(1)));
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::gate::judgement::{MetricJudgement, Verdict};
    use downbeat_reports::gate::metric::Metric;

    #[test]
    fn only_workloads_that_are_slower_by_time_are_profiled_and_each_once() {
        let judged = |workload: &str, metric, mark| MetricJudgement {
            workload: workload.to_owned(),
            metric,
            mark,
            margin: 0.01,
            limit: 0.03,
            first: None,
            confirmation: None,
            layout_suspect: false,
        };
        let metrics = vec![
            judged("b", Metric::Median, Mark::Regressed),
            judged("b", Metric::Capacity, Mark::Regressed),
            judged("a", Metric::P99, Mark::NotConfirmed),
            judged("c", Metric::P99, Mark::Regressed),
        ];
        let judgement = Judgement {
            verdict: Verdict::Regressed,
            because: Vec::new(),
            same_binary: false,
            metrics,
            counts: Vec::new(),
            drops: downbeat_reports::gate::exclusion::Drops::default(),
            noise: Vec::new(),
            null_control: Vec::new(),
        };
        assert_eq!(wanted(&judgement), ["b", "c"]);
    }

    #[test]
    fn batches_are_as_large_as_those_that_were_compared() {
        let workload = Workload { batch_records: 4_000, ..Workload::default() };
        let settings = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(with_rate(&workload, &settings(&[("interval", "100ms")]))["rate"], "40000/s");
        assert_eq!(with_rate(&workload, &settings(&[("interval", "1s"), ("rate", "7/s")]))["rate"], "7/s");
    }
}
