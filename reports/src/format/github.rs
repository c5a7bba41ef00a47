//! `github`: workflow commands of GitHub Actions, one annotation a line: the verdict, what a reader must know, the worst late batches.

use super::Options;
use crate::explain;
use crate::inert;
use crate::quantity::duration;
use crate::summary::{MissingTrial, Summary};
use crate::verdict::Word;

/// Late batches that are annotated.
const WORST: usize = 3;

/// The annotations, the verdict's first.
pub fn render(summary: &Summary<'_>) -> String {
    let record = summary.record;
    let word = summary.verdict.word;
    let mut text = line(level(word), &title(word, &record.workload), &summary.verdict.text);
    for warning in &record.warnings {
        text.push_str(&line("warning", "downbeat", warning));
    }
    for late in explain::late(record, WORST) {
        let title = format!("batch #{} late by {}", late.batch.index, duration(late.late_by_ns));
        text.push_str(&line("notice", &title, late.cause()));
    }
    text
}

/// A trial that left no record.
pub fn render_missing(missing: &MissingTrial, _: &Options) -> String {
    line(level(missing.word), &title(missing.word, &missing.workload), &missing.text())
}

fn title(word: Word, workload: &str) -> String {
    format!("{word}: {workload}")
}

fn level(word: Word) -> &'static str {
    match word {
        Word::Holds => "notice",
        Word::NotJudged => "warning",
        Word::FallsBehind | Word::Invalid | Word::Broken => "error",
    }
}

/// One command. GitHub decodes `%25`, and in properties `%3A` and `%2C`; a command ends with its line.
fn line(level: &str, title: &str, message: &str) -> String {
    let data = |text: &str| inert::line(text).replace('%', "%25");
    let property = data(title).replace(':', "%3A").replace(',', "%2C");
    format!("::{level} title={property}::{}\n", data(message))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn nothing_ends_a_property_or_a_command_early() {
        let text = line("error", "a,b::c%", "one\n::set-output name=x::y%0A");
        assert_eq!(text, "::error title=a%2Cb%3A%3Ac%25::one\u{fffd}::set-output name=x::y%250A\n");
    }
}
