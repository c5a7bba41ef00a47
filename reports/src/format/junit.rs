//! `junit`: one test suite a run, for CI systems that show tests: the verdict and what it rests on as test cases.

use super::Options;
use crate::inert;
use crate::quantity::{count, duration};
use crate::record::TrialRecord;
use crate::summary::{MissingTrial, Summary};
use crate::verdict::Word;
use std::collections::BTreeMap;
use std::fmt::Write;

/// How a test case ended.
enum Ended {
    Passed,
    Skipped(String),
    Failed(String),
    Error(String),
}

/// The suite of a run.
pub fn render(summary: &Summary<'_>) -> String {
    let record = summary.record;
    let verdict = &summary.verdict;
    let verdict_case = match verdict.word {
        Word::Holds => Ended::Passed,
        Word::NotJudged => Ended::Skipped(verdict.text.clone()),
        Word::FallsBehind => Ended::Failed(verdict.text.clone()),
        Word::Invalid | Word::Broken => Ended::Error(verdict.text.clone()),
    };
    let mut cases = vec![(format!("{} within its interval", record.workload), verdict.word.as_str(), verdict_case)];
    cases.extend(integrity(record));
    let span_ns: u64 = record.batches.len() as u64 * (record.judging.interval_ns / 1_000_000);
    suite(&record.workload, &record.run, &record.settings, span_ns as f64 / 1e3, &cases)
}

/// A trial that left no record.
pub fn render_missing(missing: &MissingTrial, _: &Options) -> String {
    let ended = match missing.word {
        Word::NotJudged => Ended::Skipped(missing.text()),
        _ => Ended::Error(missing.text()),
    };
    let cases = [(format!("{} within its interval", missing.workload), missing.word.as_str(), ended)];
    suite(&missing.workload, &missing.run, &missing.settings, 0.0, &cases)
}

type Case = (String, &'static str, Ended);

fn integrity(record: &TrialRecord) -> Vec<Case> {
    let integrity = &record.integrity;
    let answers = match (&integrity.unchecked, integrity.wrong_batches) {
        (Some(why), _) => Ended::Skipped(why.clone()),
        (None, 0) => Ended::Passed,
        (None, wrong) => {
            Ended::Failed(format!("{} of {} answers are wrong", count(wrong), count(integrity.checked_batches)))
        }
    };
    let is_whole = integrity.lost == 0 && integrity.doubled == 0 && integrity.shed == 0;
    let whole = match is_whole {
        true => Ended::Passed,
        false => Ended::Failed(format!(
            "lost {}, doubled {}, shed {}",
            count(integrity.lost),
            count(integrity.doubled),
            count(integrity.shed)
        )),
    };
    let lag = duration(integrity.generator_lag_ns.max);
    let sender = match integrity.generator_late_records {
        0 => Ended::Passed,
        late => Ended::Skipped(format!("{} records were handed over late, by up to {lag}", count(late))),
    };
    vec![
        ("answers are right".to_owned(), "answers", answers),
        ("no record lost, doubled or shed".to_owned(), "records", whole),
        ("sender on time".to_owned(), "sender", sender),
    ]
}

fn suite(workload: &str, run: &str, settings: &BTreeMap<String, String>, time_s: f64, cases: &[Case]) -> String {
    let number = |wanted: fn(&Ended) -> bool| cases.iter().filter(|(_, _, ended)| wanted(ended)).count();
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{time_s:.3}\"",
        cases.len(),
        number(|ended| matches!(ended, Ended::Failed(_))),
        number(|ended| matches!(ended, Ended::Error(_))),
        number(|ended| matches!(ended, Ended::Skipped(_))),
    );
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let _ = writeln!(text, "<testsuites name=\"downbeat\" {totals}>");
    let _ = writeln!(text, "  <testsuite name=\"downbeat.{}\" id=\"{}\" {totals}>", escape(workload), escape(run));
    let _ = writeln!(text, "    <properties>");
    for (name, value) in settings {
        let _ = writeln!(text, "      <property name=\"{}\" value=\"{}\"/>", escape(name), escape(value));
    }
    let _ = writeln!(text, "    </properties>");
    for (name, kind, ended) in cases {
        let _ = writeln!(
            text,
            "    <testcase classname=\"downbeat.{}\" name=\"{}\" time=\"{time_s:.3}\">{}</testcase>",
            escape(workload),
            escape(name),
            outcome(kind, ended)
        );
    }
    text + "  </testsuite>\n</testsuites>\n"
}

fn outcome(kind: &str, ended: &Ended) -> String {
    let element = |name: &str, why: &str| format!("<{name} type=\"{}\" message=\"{}\"/>", escape(kind), escape(why));
    match ended {
        Ended::Passed => String::new(),
        // The schema that most readers follow gives `skipped` no type.
        Ended::Skipped(why) => format!("<skipped message=\"{}: {}\"/>", escape(kind), escape(why)),
        Ended::Failed(why) => element("failure", why),
        Ended::Error(why) => element("error", why),
    }
}

/// Text for elements and attributes alike, without the characters that XML 1.0 has no place for.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in inert::line(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            c => escaped.push(c),
        }
    }
    escaped
}
