//! `markdown`: at most 40 lines for a pull request. What comes from outside stands in code spans, where nothing is a link, a mention or
//! HTML; sentences are escaped.

use super::Options;
use crate::explain;
use crate::inert;
use crate::judged;
use crate::quantity::{bytes, count, duration, percent, rate};
use crate::stats::percentiles::is_supported;
use crate::summary::{MissingTrial, Percentiles, Summary};
use crate::verdict::Word;
use std::fmt::Write;

/// Late batches that are shown.
const WORST: usize = 3;

/// Warnings that are shown.
const WARNINGS: usize = 3;

/// Longest text from outside, characters.
const OUTSIDE: usize = 160;

/// The summary as Markdown.
pub fn render(summary: &Summary<'_>) -> String {
    let record = summary.record;
    let mut text = verdict(summary.verdict.word, &record.workload, &record.run, &summary.verdict.text);
    if let Some(next) = &summary.verdict.next {
        let _ = writeln!(text, "Next: {}\n", escape(next));
    }
    text.push_str("| figure | value |\n|---|---|\n");
    for (name, value) in figures(summary) {
        let _ = writeln!(text, "| {name} | {value} |");
    }
    for late in explain::late(record, WORST) {
        let (by, cause) = (duration(late.late_by_ns), escape(late.cause()));
        let _ = writeln!(text, "| late: batch {} | by {by}: {cause} |", late.batch.index);
    }
    text.push('\n');
    for warning in record.warnings.iter().take(WARNINGS) {
        let _ = writeln!(text, "- warning: {}", escape(&inert::short(warning, OUTSIDE)));
    }
    if record.warnings.len() > WARNINGS {
        let _ = writeln!(text, "- {} more warnings in the report", record.warnings.len() - WARNINGS);
    }
    if !record.warnings.is_empty() {
        text.push('\n');
    }
    let _ = writeln!(text, "Again: {}", code(&inert::short(&record.command, 1_000)));
    text
}

/// A trial that left no record.
pub fn render_missing(missing: &MissingTrial, _: &Options) -> String {
    let mut text = verdict(missing.word, &missing.workload, &missing.run, &missing.text());
    let _ = writeln!(text, "Again: {}", code(&inert::short(&missing.command, 1_000)));
    text
}

fn verdict(word: Word, workload: &str, run: &str, sentence: &str) -> String {
    let (workload, run) = (code(&inert::short(workload, OUTSIDE)), code(&inert::short(run, OUTSIDE)));
    format!("### {word}: {workload}, run {run}\n\n{}\n\n", escape(sentence))
}

fn figures(summary: &Summary<'_>) -> Vec<(&'static str, String)> {
    let record = summary.record;
    let (integrity, judged) = (&record.integrity, judged::batches(record).count() as u64);
    let known = |value: Option<String>| value.unwrap_or_else(|| "not known".to_owned());
    let answers = match (&integrity.unchecked, &integrity.oracle) {
        (Some(why), _) => format!("not checked: {}", escape(&inert::short(why, OUTSIDE))),
        (None, Some(_)) => format!("{} of {} wrong", count(integrity.wrong_batches), count(integrity.checked_batches)),
        (None, None) => "not checked".to_owned(),
    };
    vec![
        ("rate", known(judged::rate_per_s(record).map(rate))),
        ("batch interval", duration(record.judging.interval_ns)),
        ("end-to-end latency", latency(&summary.latency, judged)),
        ("late", format!("{} of {} judged batches", count(summary.verdict.late), count(summary.verdict.judged))),
        ("headroom", known(summary.verdict.headroom.map(percent))),
        (
            "limited by",
            known(judged::limiting_phase(record).map(|(name, share)| {
                format!("{}, {} of the batch time", code(&inert::short(name, 40)), percent(share))
            })),
        ),
        (
            "records",
            format!(
                "lost {}, doubled {}, shed {}",
                count(integrity.lost),
                count(integrity.doubled),
                count(integrity.shed)
            ),
        ),
        ("answers", answers),
        (
            "sender",
            format!(
                "late by up to {}, blocked for {}",
                duration(integrity.generator_lag_ns.max),
                duration(integrity.blocked_ns)
            ),
        ),
        ("memory", bytes(record.resources.peak_rss_bytes)),
        ("host", host(summary)),
    ]
}

fn latency(latency: &Percentiles, judged: u64) -> String {
    let named =
        [("p50", 0.5, latency.p50), ("p90", 0.9, latency.p90), ("p99", 0.99, latency.p99), ("max", 0.0, latency.max)];
    let shown = named.into_iter().filter_map(|(name, quantile, value)| {
        let value = value?;
        Some(match is_supported(quantile, judged) {
            true => format!("{name} {}", duration(value)),
            false => format!("{name} too few batches"),
        })
    });
    let shown: Vec<String> = shown.collect();
    if shown.is_empty() { "not measured".to_owned() } else { shown.join(", ") }
}

fn host(summary: &Summary<'_>) -> String {
    let noise = &summary.record.noise;
    let steal = noise.steal_ns.map_or_else(|| "unknown".to_owned(), duration);
    format!("{} pauses, {steal} stolen", count(noise.hiccups.len() as u64))
}

/// Text as a code span: longer fences than any inside, no line end, and no `|` that would end a cell.
pub(crate) fn code(text: &str) -> String {
    let text = inert::line(text).replace('|', "¦");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    // Spaces keep backticks at the ends apart from the fence, and are taken off again by the reader.
    let pad = if text.is_empty() || text.starts_with(['`', ' ']) || text.ends_with(['`', ' ']) { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

/// A sentence in which nothing is markup. A word joiner keeps mentions, references to issues and bare addresses from being linked, which
/// GitHub looks for after everything else.
pub(crate) fn escape(sentence: &str) -> String {
    const JOINER: char = '\u{2060}';
    let mut escaped = String::with_capacity(sentence.len());
    let line = inert::line(sentence);
    let mut characters = line.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '|' => escaped.push_str("\\|"),
            '@' | '#' => escaped.extend(['\\', c, JOINER]),
            ':' if characters.peek().is_some_and(|next| *next != ' ') => escaped.extend([':', JOINER]),
            ':' => escaped.push(':'),
            '.' => escaped.push('.'),
            ',' | ';' | '%' | '(' | ')' | '\'' | '?' | '/' | '+' | '-' => escaped.push(c),
            c if c.is_ascii_punctuation() => escaped.extend(['\\', c]),
            'w' | 'W' if escaped.to_ascii_lowercase().ends_with("ww") => escaped.extend([c, JOINER]),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_spans_outgrow_the_backticks_inside() {
        assert_eq!(code("a"), "`a`");
        assert_eq!(code("`a``b"), "``` `a``b ```");
        assert_eq!(code("a|b\nc"), "`a¦b\u{fffd}c`");
    }

    #[test]
    fn sentences_have_no_markup_and_no_links() {
        assert_eq!(escape("[x](y) <b> *z*"), "\\[x\\](y) \\<b\\> \\*z\\*");
        assert_eq!(escape("@me"), "\\@\u{2060}me");
        assert_eq!(escape("http://x"), "http:\u{2060}//x");
        assert_eq!(escape("www.x"), "www\u{2060}.x");
    }
}
