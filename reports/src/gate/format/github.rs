//! `github`: workflow commands that GitHub Actions shows as annotations. The job summary is the `markdown` format.

use crate::gate::judgement::{Judgement, Verdict};
use crate::gate::record::GateRecord;
use crate::gate::sentence::{SAME_BINARY, because, sentence};

/// GitHub shows so many annotations of a kind for each step.
const MOST: usize = 10;

/// One annotation for each reason, or a notice that it passes; each on a line.
pub fn render(record: &GateRecord, judgement: &Judgement) -> String {
    let word = judgement.verdict.as_str();
    let mut messages: Vec<String> = judgement.because.iter().map(because).collect();
    if messages.len() > MOST {
        let more = messages.split_off(MOST - 1).len();
        messages.push(format!("and {more} more reasons"));
    }
    if messages.is_empty() {
        messages.push(sentence(record, judgement));
    }
    let title = property(&format!("downbeat gate: {word}"));
    let level = level(judgement.verdict);
    let mut text: String =
        messages.iter().map(|message| format!("::{level} title={title}::{}\n", data(message))).collect();
    for said in judgement.same_binary.then_some(SAME_BINARY).into_iter().chain(record.remarks()) {
        text += &format!("::notice title={title}::{}\n", data(said));
    }
    text
}

fn level(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::Improved => "notice",
        Verdict::CannotJudge => "warning",
        Verdict::Regressed | Verdict::Broken | Verdict::NothingChecked => "error",
    }
}

/// A message, escaped as the runner reads it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property, in which two more characters end it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_properties_are_escaped() {
        assert_eq!(data("3 % slower\r\nnext"), "3 %25 slower%0D%0Anext");
        assert_eq!(property("gate: a, b"), "gate%3A a%2C b");
    }
}
