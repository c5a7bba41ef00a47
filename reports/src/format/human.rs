//! `human`: the verdict and the figures behind it for a terminal of 80 columns.

use super::Options;
use crate::explain::{self, Explanation};
use crate::inert;
use crate::judged;
use crate::quantity::{NO_BREAK, count, duration, percent, unbroken};
use crate::record::TrialRecord;
use crate::summary::{MissingTrial, Percentiles, Summary};
use crate::verdict::Word;

/// Columns of the terminal that everything but paths and commands fits into.
const WIDTH: usize = 80;

/// Columns before the text of each line.
pub(crate) const GUTTER: usize = 9;

/// Columns of the names inside the block of figures.
const NAME: usize = 13;

/// Late batches that are shown.
const WORST: usize = 3;

/// The summary as text, with a line end. Colour only when asked for.
pub fn render(summary: &Summary<'_>, options: &Options) -> String {
    let record = summary.record;
    let mut text = verdict_lines(summary.verdict.word, &summary.verdict.text, options);
    text.push_str(&paragraph("", &integrity(summary), " · "));
    if let Some(caveat) = summary.verdict.word.caveat() {
        text.push_str(&words("", caveat));
    }
    text.push('\n');
    let end_to_end = latency_items(&summary.latency, summary.histogram.is_some());
    text.push_str(&figures("end-to-end", &end_to_end));
    if summary.histogram.is_some() {
        let interval = duration(record.judging.interval_ns);
        let floor = format!("(0 to {interval} of it is waiting for the batch to close)");
        text.push_str(&figures("", &[floor]));
    }
    text.push_str(&figures("batch time", &batch_time(record)));
    let late: Vec<String> = explain::late(record, WORST).iter().map(late_batch).collect();
    for (position, line) in late.into_iter().enumerate() {
        let name = if position == 0 { "late" } else { "" };
        text.push_str(&figures(name, &[line]));
    }
    for warning in &record.warnings {
        text.push_str(&words("warning", &inert::line(warning)));
    }
    if let Some(next) = &summary.verdict.next {
        text.push_str(&words("next", next));
    }
    if let Some(report) = &options.report {
        text.push_str(&format!("{:GUTTER$}{}\n", "report", inert::line(report)));
    }
    text
}

/// A trial that left no record, as text.
pub fn render_missing(missing: &MissingTrial, options: &Options) -> String {
    verdict_lines(missing.word, &missing.text(), options)
}

fn verdict_lines(word: Word, sentence: &str, options: &Options) -> String {
    let name = word.as_str();
    let column = if name.len() < GUTTER { format!("{name:GUTTER$}") } else { format!("{name}  ") };
    let wrapped = wrap(sentence, " ", column.len(), GUTTER);
    let coloured = match options.colour {
        true => format!("\u{1b}[{}m{column}\u{1b}[0m", colour(word)),
        false => column,
    };
    format!("{coloured}{wrapped}\n")
}

/// Bold, and green, yellow or red.
fn colour(word: Word) -> &'static str {
    match word {
        Word::Holds => "1;32",
        Word::NotJudged => "1;33",
        Word::FallsBehind | Word::Invalid | Word::Broken => "1;31",
    }
}

fn integrity(summary: &Summary<'_>) -> Vec<String> {
    let integrity = &summary.record.integrity;
    let mut items = vec![
        format!("lost {}", count(integrity.lost)),
        format!("doubled {}", count(integrity.doubled)),
        format!("shed {}", count(integrity.shed)),
        format!("generator ≤ {} late", duration(integrity.generator_lag_ns.max)),
    ];
    if integrity.unfinished > 0 {
        items.push(format!("unfinished {}", count(integrity.unfinished)));
    }
    if integrity.blocked_ns > 0 {
        items.push(format!("sender blocked {}", duration(integrity.blocked_ns)));
    }
    items.push(answer(summary.record));
    if let Some(steal_ns) = summary.record.noise.steal_ns.filter(|ns| *ns > 0) {
        items.push(format!("host stole {}", duration(steal_ns)));
    }
    for (kind, number) in &integrity.input {
        items.push(format!("{} {}", inert::short(kind, 30), count(*number)));
    }
    items
}

/// Whether the answer was checked, and by what.
fn answer(record: &TrialRecord) -> String {
    let integrity = &record.integrity;
    match (&integrity.oracle, &integrity.unchecked) {
        (_, Some(reason)) => format!("answer not checked: {}", inert::short(reason, 50)),
        (Some(_), None) if integrity.wrong_batches == 0 => {
            format!("{} answers right", count(integrity.checked_batches))
        }
        (Some(_), None) => {
            format!("{} of {} answers wrong", count(integrity.wrong_batches), count(integrity.checked_batches))
        }
        (None, None) => "answer not checked".to_owned(),
    }
}

fn latency_items(latency: &Percentiles, measured: bool) -> Vec<String> {
    if !measured {
        return vec!["not measured".to_owned()];
    }
    let named = [
        ("p50", 0.5, latency.p50),
        ("p90", 0.9, latency.p90),
        ("p99", 0.99, latency.p99),
        ("p99.9", 0.999, latency.p99_9),
    ];
    let mut items: Vec<String> = Vec::new();
    for (name, quantile, value) in named {
        let supported = quantile <= latency.supported_to + 1e-9;
        match value {
            Some(ns) if supported => items.push(format!("{name} {}", duration(ns))),
            // One remark is enough: what lies beyond rests on fewer batches still.
            _ => {
                items.push(format!("{name} too few batches"));
                break;
            }
        }
    }
    items.extend(latency.max.map(|ns| format!("max {}", duration(ns))));
    items
}

fn batch_time(record: &TrialRecord) -> Vec<String> {
    let times = judged::time_by_phase(judged::batches(record));
    let total: f64 = times.iter().map(|(_, ns)| *ns as f64).sum();
    if total == 0.0 {
        return vec!["not measured".to_owned()];
    }
    times.into_iter().map(|(name, ns)| format!("{} {}", inert::short(name, 24), percent(ns as f64 / total))).collect()
}

fn late_batch(explanation: &Explanation<'_>) -> String {
    let batch = explanation.batch;
    let (total, took) = (duration(batch.total_delay_ns), duration(batch.processing_ns));
    format!("#{} done {total} after due, took {took}: {}", batch.index, explanation.cause())
}

/// Items after an empty or named gutter, broken between items.
fn paragraph(name: &str, items: &[String], separator: &str) -> String {
    let wrapped = wrap(&items.join("\n"), separator, GUTTER, GUTTER);
    format!("{name:GUTTER$}{wrapped}\n")
}

/// A name and its items inside the block of figures.
fn figures(name: &str, items: &[String]) -> String {
    let indent = GUTTER + NAME;
    let wrapped = wrap(&items.join("\n"), "   ", indent, indent);
    format!("{:GUTTER$}{name:NAME$}{wrapped}\n", "")
}

/// A sentence after a named gutter, broken between words.
pub(crate) fn words(name: &str, sentence: &str) -> String {
    let column = if name.len() < GUTTER { format!("{name:GUTTER$}") } else { format!("{name}  ") };
    format!("{column}{}\n", wrap(sentence, " ", column.len(), GUTTER))
}

/// Joins items (parted by line ends; for words, by spaces) so that no line is wider than [`WIDTH`] unless one word is. The first line
/// starts at column `first`, the others are indented by `indent`.
fn wrap(text: &str, separator: &str, first: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut column = first;
    let mut line_is_empty = true;
    for item in items(text, separator) {
        let width = item.chars().count();
        let gap = separator.chars().count();
        if !line_is_empty && column + gap + width > WIDTH {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            column = indent;
            line_is_empty = true;
        }
        if !line_is_empty {
            wrapped.push_str(separator);
            column += gap;
        }
        match width > WIDTH - indent && separator != " " {
            true => wrapped.push_str(&wrap(&item, " ", column, indent)),
            false => wrapped.push_str(&item),
        }
        column += width;
        line_is_empty = false;
    }
    wrapped
}

/// The pieces between which a line may break: lines of the text, or its words with their units.
fn items(text: &str, separator: &str) -> Vec<String> {
    let whole = |item: &str| item.replace(NO_BREAK, " ");
    match separator {
        " " => unbroken(text).split(' ').filter(|word| !word.is_empty()).map(whole).collect(),
        _ => text.split('\n').filter(|item| !item.is_empty()).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_never_before_a_unit() {
        let text = format!("{} 200 ms, x", "word ".repeat(14).trim_end());
        let wrapped = wrap(&text, " ", 9, 9);
        assert_eq!(wrapped.lines().nth(1), Some("         200 ms, x"));
    }

    #[test]
    fn items_longer_than_a_line_are_broken_between_words() {
        let long = "abcd ".repeat(40);
        let text = paragraph("", &["one".to_owned(), long.trim_end().to_owned()], " · ");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.matches("abcd").count(), 40);
    }
}
