//! A comparison as text for a terminal and as Markdown.

use super::{CAVEAT, Change, Comparison, Metric, Run, Unit};
use crate::format::markdown;
use crate::inert;
use crate::quantity::{bytes, percent, rate, signed_duration};
use std::fmt::Write;

/// Differences that are shown in Markdown.
const DIFFERENCES: usize = 12;

/// Longest value of a setting, characters.
const VALUE: usize = 24;

/// A value with its unit.
pub(crate) fn value(unit: Unit, value: Option<f64>) -> String {
    let Some(value) = value else { return "–".to_owned() };
    match unit {
        Unit::Duration => signed_duration(value),
        Unit::Share => percent(value),
        Unit::Rate => rate(value),
        Unit::Bytes => bytes(value as u64),
        Unit::Number => format!("{value:.3}"),
    }
}

/// A change with its interval: `+12 % [+9.1, +15]`, `~` in front where it cannot be told from none.
pub(crate) fn change(unit: Unit, change: Option<Change>) -> String {
    let Some(change) = change else { return "–".to_owned() };
    let suffix = if unit == Unit::Share { "points" } else { "%" };
    let number = |share: f64| {
        let text = percent(share.abs());
        let digits = text.trim_end_matches(" %");
        let sign = if share < 0.0 { "−" } else { "+" };
        if share == 0.0 { "0".to_owned() } else { format!("{sign}{digits}") }
    };
    let mut text = format!("{} {suffix}", number(change.estimate));
    if let Some((low, high)) = change.interval {
        let _ = write!(text, " [{}, {}]", number(low), number(high));
    }
    match change.is_told() {
        Some(false) => format!("~ {text}"),
        _ => text,
    }
}

/// What differs, then a table for each run against the first.
pub fn render_human(comparison: &Comparison) -> String {
    let mut text = String::new();
    for run in &comparison.runs {
        let (workload, name) = (inert::short(&run.workload, 24), inert::short(&run.run, 40));
        let _ = writeln!(text, "{:<8} {workload}, {name}: {}", run.letter, run.word);
    }
    for difference in &comparison.differences {
        let values: Vec<String> =
            difference.values.iter().map(|value| inert::short(value.as_deref().unwrap_or("–"), VALUE)).collect();
        let _ = writeln!(
            text,
            "differs  {} {}: {}",
            difference.kind,
            inert::short(&difference.name, 30),
            values.join(" | ")
        );
    }
    if comparison.differences.is_empty() {
        text.push_str("differs  nothing: the same workload, settings, load and surroundings\n");
    }
    for (place, run) in comparison.runs.iter().enumerate().skip(1) {
        let _ = writeln!(text, "\n{:<25} {:>13} {:>13}  change [95 %]", "", "A", run.letter);
        for metric in &comparison.metrics {
            let (base, other) = (value(metric.unit, metric.values[0]), value(metric.unit, metric.values[place]));
            let _ = writeln!(
                text,
                "{:<25} {base:>13} {other:>13}  {}",
                metric.name,
                change(metric.unit, metric.changes[place - 1])
            );
        }
    }
    text.push_str("\n~        cannot be told from no change by the batches of these runs\n");
    text.push_str("note     the intervals come from the batches inside each run and do not know how much\n");
    text.push_str("         two runs of the same setting differ: repeat both before you believe a small change\n");
    text
}

/// The same for a pull request.
pub fn render_markdown(comparison: &Comparison) -> String {
    let mut text = "### Comparison\n\n".to_owned();
    for run in comparison.runs.iter().take(6) {
        let (workload, name) = (inert::short(&run.workload, 60), inert::short(&run.run, 60));
        let _ =
            writeln!(text, "- {}: {}, {} ({})", run.letter, markdown::code(&workload), markdown::code(&name), run.word);
    }
    text.push('\n');
    for difference in comparison.differences.iter().take(DIFFERENCES) {
        let values: Vec<String> = difference
            .values
            .iter()
            .map(|value| markdown::code(&inert::short(value.as_deref().unwrap_or("–"), 60)))
            .collect();
        let name = markdown::code(&inert::short(&difference.name, 60));
        let _ = writeln!(text, "- differs: {} {name}: {}", difference.kind, values.join(", "));
    }
    if comparison.differences.len() > DIFFERENCES {
        let _ = writeln!(text, "- {} more differences", comparison.differences.len() - DIFFERENCES);
    }
    let letters = |from: usize| comparison.runs.iter().skip(from).map(|run: &Run| run.letter.as_str());
    let changes: Vec<String> = letters(1).map(|letter| format!("{letter} against A [95 %]")).collect();
    let _ = writeln!(text, "\n| figure | {} | {} |", letters(0).collect::<Vec<_>>().join(" | "), changes.join(" | "));
    let _ = writeln!(text, "|---{}|", "|---".repeat(2 * comparison.runs.len() - 1));
    for metric in &comparison.metrics {
        let _ = writeln!(text, "| {} | {} |", metric.name, cells(metric).join(" | "));
    }
    let _ = writeln!(text, "\n~ cannot be told from no change. {CAVEAT}");
    text
}

/// The values, then the changes.
pub(crate) fn cells(metric: &Metric) -> Vec<String> {
    let values = metric.values.iter().map(|of_run| value(metric.unit, *of_run));
    values.chain(metric.changes.iter().map(|of_run| change(metric.unit, *of_run))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_signs_units_and_say_when_they_are_none() {
        let of = |estimate, interval| Some(Change { estimate, interval });
        assert_eq!(change(Unit::Duration, of(0.12, Some((0.091, 0.15)))), "+12 % [+9.1, +15]");
        assert_eq!(change(Unit::Duration, of(-0.005, Some((-0.02, 0.01)))), "~ −0.5 % [−2, +1]");
        assert_eq!(change(Unit::Share, of(0.03, None)), "+3 points");
        assert_eq!(change(Unit::Rate, None), "–");
    }
}
