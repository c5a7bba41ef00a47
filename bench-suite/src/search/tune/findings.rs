//! What a recommendation rests on, what was not tried, what would refute it, and `best.toml`.

use super::Task;
use super::rank::Ranking;
use crate::run::command_line;
use crate::settings::TrialSettings;
use crate::source::Source;
use downbeat_engine::settings::format_duration_ns;
use downbeat_reports::capacity::{CapacityRecord, CostModel};
use downbeat_reports::quantity::{duration, percent, rate_flag, signed_duration};
use downbeat_reports::search::tune::{Arm, Frontier, TuneRecord};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Above this a fixed cost, skew, or share is worth a word of advice.
const FIXED_MUCH: f64 = 0.1;
const SKEW_MUCH: f64 = 1.5;
const EXCHANGE_MUCH: f64 = 0.25;
const IDLE_MUCH: f64 = 0.2;
const ALLOCATOR_MUCH: f64 = 1.03;

/// Intervals of the frontier, as multiples of today's.
const FRONTIER: [f64; 5] = [0.25, 0.5, 1.0, 2.0, 5.0];

/// Fills findings, frontier and what was not tried into the record.
pub(super) fn tell(task: &Task<'_>, ranking: &Ranking<'_>, record: &mut TuneRecord) {
    let today = task.grid.base_cell();
    let drained = today.as_ref().and_then(|cell| ranking.records(cell).last());
    if let Some(drained) = drained {
        record.findings = findings(drained, record);
    }
    let recommended = record.recommended.and_then(|index| record.arms.get(index));
    let (now, then) = (record.arms.first().and_then(|arm| arm.model), recommended.and_then(|arm| arm.model));
    if let (Some(now), Some(then)) = (now, then) {
        record.frontier = FRONTIER.iter().map(|multiple| frontier(task, *multiple, now, then)).collect();
    }
    record.not_tried = not_tried(task, record);
}

/// The checklist: each with its number, and what to turn where it is much.
fn findings(drained: &CapacityRecord, record: &TuneRecord) -> Vec<String> {
    let mut findings = Vec::new();
    if let Some(CostModel { fixed_ns, per_record_ns }) = drained.model() {
        let share = fixed_ns / drained.interval_ns as f64;
        let advice =
            if share > FIXED_MUCH { ": a longer interval, fewer partitions or threads would spread it" } else { "" };
        findings.push(format!(
            "fixed cost: a batch costs {} ({} of the interval) before its first record, and each record {}{advice}",
            duration(fixed_ns as u64),
            percent(share),
            signed_duration(per_record_ns)
        ));
    }
    if let Some(skew) = drained.skew() {
        let advice = if skew > SKEW_MUCH { ": shorter block intervals or more partitions even it out" } else { "" };
        findings.push(format!("skew: the longest task takes {skew:.2} × the median one{advice}"));
    }
    let exchange = drained.busy_share("exchange");
    let advice =
        if exchange > EXCHANGE_MUCH { ": codec none, or combining before the exchange, would shorten it" } else { "" };
    findings.push(format!("serialization and exchange: {} of the workers' time{advice}", percent(exchange)));
    if let Some(allocations) = drained.allocations_per_record() {
        let effect = record.effects.iter().find(|effect| effect.knob == "allocator");
        let choice = effect.map_or_else(String::new, |effect| {
            let advice = if effect.factor > ALLOCATOR_MUCH { "" } else { ", next to nothing" };
            format!("; {} is {:.2} × {}{advice}", effect.best, effect.factor, effect.worst)
        });
        findings.push(format!("allocation: {allocations:.2} allocations a record{choice}"));
    }
    let idle = drained.idle_share();
    let advice = if idle > IDLE_MUCH { ": more or shorter tasks, or fewer threads" } else { "" };
    findings.push(format!("idle cores: {} of the workers' time in large batches{advice}", percent(idle)));
    findings
}

fn frontier(task: &Task<'_>, multiple: f64, now: CostModel, then: CostModel) -> Frontier {
    let interval_ns = ((task.interval_ns() as f64 * multiple / 1e6).round() * 1e6).max(1e6);
    let share = task.goal.share_of_interval(interval_ns as u64).max(0.0);
    Frontier {
        interval_ns: interval_ns as u64,
        today_per_s: now.rate_per_s(interval_ns, share),
        recommended_per_s: then.rate_per_s(interval_ns, share),
    }
}

fn not_tried(task: &Task<'_>, record: &TuneRecord) -> Vec<String> {
    let tried = record.ranking.len() as u64;
    let mut not_tried = Vec::new();
    if record.cells > tried {
        not_tried.push(format!(
            "{} of {} settings of the grid: they promised less",
            record.cells - tried,
            record.cells
        ));
    }
    let varied: Vec<&str> = task.grid.axes.iter().map(|axis| axis.knob).collect();
    let worth = [
        "interval",
        "threads",
        "pool",
        "partitions",
        "codec",
        "combine",
        "allocator",
        "records",
        "storage",
        "concurrent_jobs",
    ];
    let fixed: Vec<String> = worth
        .into_iter()
        .filter(|knob| !varied.contains(knob))
        .filter_map(|knob| Some(format!("{knob}={}", record.settings.get(knob)?)))
        .collect();
    if !fixed.is_empty() {
        not_tried.push(format!("other values of {}", fixed.join(", ")));
    }
    not_tried
}

/// The settings of an arm as a file for `--config`: what differs from the defaults, and what the user had set.
pub(super) fn best_toml(task: &Task<'_>, record: &TuneRecord, arm: &Arm, origins: &BTreeMap<String, String>) -> String {
    let defaults = TrialSettings::default().values();
    let mut settings = task.today.clone();
    for (knob, value) in &arm.changes {
        // It was set so in the trials.
        let _ = settings.set(knob, value);
    }
    let mut text = format!("# {} for the goal `{}`, by: {}\n", record.workload, record.goal, record.command);
    for (knob, value) in settings.values() {
        let is_ruler = ["max_time", "rate", "profile_hz", "trial_samples"].contains(&knob.as_str());
        let is_given = origins.get(&knob).is_some_and(|origin| origin != "default");
        let is_changed = arm.changes.contains_key(&knob);
        if !is_ruler && (is_changed || is_given || defaults.get(&knob) != Some(&value)) {
            let was = if is_changed { format!("  # was {}", record.settings[&knob]) } else { String::new() };
            let _ = writeln!(text, "{knob} = {}{was}", toml_string(&value));
        }
    }
    text
}

fn toml_string(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// The command whose result would refute the recommendation: the recommended setting at its rate, or another contest of today's setting
/// with its best challenger, in twice the time.
pub(super) fn refuting(task: &Task<'_>, record: &TuneRecord, source: &Source, best: &Path) -> Option<String> {
    let recommended = record.arms.get(record.recommended?)?;
    let mut words = match recommended.changes.is_empty() {
        false => at_its_rate(task, record)?,
        true => another_contest(task, record)?,
    };
    words.splice(2..2, [record.workload.clone(), "--config".to_owned(), best.display().to_string()]);
    words.extend(source.flags());
    Some(command_line::quoted(&words))
}

fn at_its_rate(task: &Task<'_>, record: &TuneRecord) -> Option<Vec<String>> {
    let rate_per_s = task.goal.rate_per_s().or(record.check.as_ref().map(|check| check.rate_per_s))?;
    Some(vec!["downbeat".to_owned(), "run".to_owned(), "--rate".to_owned(), rate_flag(rate_per_s)])
}

fn another_contest(task: &Task<'_>, record: &TuneRecord) -> Option<Vec<String>> {
    let challenger = record.arms.get(record.challenger.as_ref()?.arm)?;
    let mut words = vec!["downbeat".to_owned(), "tune".to_owned(), "--goal".to_owned(), record.goal.clone()];
    for (knob, value) in &challenger.changes {
        words.extend(["--vary".to_owned(), format!("{knob}={},{value}", record.settings.get(knob)?)]);
    }
    let budget_ns = task.today.run.max_time_ns?;
    words.extend(["--max-time".to_owned(), format_duration_ns(2 * budget_ns)]);
    Some(words)
}
