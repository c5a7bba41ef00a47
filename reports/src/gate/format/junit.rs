//! `junit`: a test case for each workload and metric, for each exact count, and one for the gate itself.
//!
//! Red is a failure, what cannot be judged is skipped, and a gate that is broken or checked nothing is an error. When the gate as a whole
//! cannot judge, no comparison of it passes: those that look green are skipped too.

use crate::gate::counted::CountJudgement;
use crate::gate::judgement::{Judgement, Mark, MetricJudgement, Verdict};
use crate::gate::record::GateRecord;
use crate::gate::sentence::{because, sentence};
use crate::gate::shown::{change, effect, outside};
use crate::quantity::percent;

/// How a case ended, with its message.
enum Outcome {
    Passed,
    Failed(String),
    Errored(String),
    Skipped(String),
}

struct Case {
    class: String,
    name: String,
    outcome: Outcome,
}

/// The gate as a JUnit file.
pub fn render(record: &GateRecord, judgement: &Judgement) -> String {
    let mut cases = vec![whole(record, judgement)];
    cases.extend(judgement.primary().map(|judged| of_metric(judged, judgement.verdict)));
    cases.extend(judgement.counts.iter().map(of_count));
    let unmeasured = |(workload, why): (&str, &str)| Case {
        class: outside(workload),
        name: "measured".to_owned(),
        outcome: Outcome::Skipped(outside(why)),
    };
    cases.extend(record.unmeasured.iter().map(|left| unmeasured((&left.workload, &left.why))));

    let count = |is: fn(&Outcome) -> bool| cases.iter().filter(|case| is(&case.outcome)).count();
    let totals = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" time=\"{:.3}\"",
        cases.len(),
        count(|outcome| matches!(outcome, Outcome::Failed(_))),
        count(|outcome| matches!(outcome, Outcome::Errored(_))),
        count(|outcome| matches!(outcome, Outcome::Skipped(_))),
        record.elapsed_ns as f64 / 1e9
    );
    let mut text = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites {totals}>\n");
    text += &format!("  <testsuite name=\"downbeat gate\" {totals}>\n");
    cases.iter().for_each(|case| text += &xml(case));
    text + "  </testsuite>\n</testsuites>\n"
}

fn whole(record: &GateRecord, judgement: &Judgement) -> Case {
    let message = match &judgement.because[..] {
        [] => sentence(record, judgement),
        reasons => reasons.iter().take(20).map(because).collect::<Vec<_>>().join("; "),
    };
    let message = format!("{}: {message}", judgement.verdict.as_str());
    let outcome = match judgement.verdict {
        Verdict::Pass | Verdict::Improved => Outcome::Passed,
        Verdict::Regressed => Outcome::Failed(message),
        Verdict::CannotJudge => Outcome::Skipped(message),
        Verdict::Broken | Verdict::NothingChecked => Outcome::Errored(message),
    };
    Case { class: "gate".to_owned(), name: "verdict".to_owned(), outcome }
}

fn of_metric(judged: &MetricJudgement, verdict: Verdict) -> Case {
    let shown = judged.evidence().map_or_else(|| "no figure".to_owned(), effect);
    let message = format!("{}: slower by {shown}, limit {}", judged.mark.as_str(), percent(judged.limit));
    let outcome = match judged.mark {
        Mark::Regressed if verdict == Verdict::Regressed => Outcome::Failed(message),
        Mark::Pass | Mark::Improved if verdict.passes() || verdict == Verdict::Regressed => Outcome::Passed,
        _ => Outcome::Skipped(message),
    };
    Case { class: outside(&judged.workload), name: judged.metric.name().to_owned(), outcome }
}

fn of_count(count: &CountJudgement) -> Case {
    let by = count.change.map_or_else(|| "more, from none".to_owned(), change);
    let outcome = match count.regressed {
        true => Outcome::Failed(format!("{by}: base {}, head {}, counted exactly", count.base, count.head)),
        false => Outcome::Passed,
    };
    Case { class: outside(&count.workload), name: count.counted.name().to_owned(), outcome }
}

fn xml(case: &Case) -> String {
    let open = format!("    <testcase classname=\"{}\" name=\"{}\"", escaped(&case.class), escaped(&case.name));
    let (tag, message) = match &case.outcome {
        Outcome::Passed => return format!("{open}/>\n"),
        Outcome::Failed(message) => ("failure", message),
        Outcome::Errored(message) => ("error", message),
        Outcome::Skipped(message) => ("skipped", message),
    };
    format!("{open}>\n      <{tag} message=\"{}\"/>\n    </testcase>\n", escaped(message))
}

/// The text as an attribute's value. Control characters, which XML has no way to write, are gone by then.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped() {
        assert_eq!(escaped("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
    }
}
