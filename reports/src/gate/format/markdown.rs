//! `markdown`: one line when it passes; else the reasons, a table of what does not pass, and the rest folded away.
//!
//! Text from outside stands in code spans, in which neither HTML nor links nor mentions mean anything; what would end the span or the
//! cell of a table is replaced.

use crate::gate::advice;
use crate::gate::judgement::{Judgement, Mark, MetricJudgement, Verdict};
use crate::gate::record::GateRecord;
use crate::gate::sentence::{SAME_BINARY, because, sentence};
use crate::gate::shown::{
    change, counts_line, drops_line, figure, host_line, interval, null_line, outside, uncounted_lines,
};
use crate::inert;
use crate::quantity::percent;

/// Reasons that are listed.
const MOST_REASONS: usize = 12;

/// The gate as Markdown, with a line end.
pub fn render(record: &GateRecord, judgement: &Judgement) -> String {
    let arms = format!("{} against {}", code(&record.head.asked), code(&record.base.asked));
    let same = if judgement.same_binary { format!(" ({SAME_BINARY})") } else { String::new() };
    let sign = sign(judgement.verdict);
    if judgement.verdict.passes() {
        let sentence = code(&sentence(record, judgement));
        let notes: String = record.remarks().map(|remark| format!("; note: {}", code(remark))).collect();
        return format!("{sign} **{}** {arms}: {sentence}{same}{notes}\n", judgement.verdict.as_str());
    }
    let mut text = format!("{sign} **{}** {arms}{same}\n\n", judgement.verdict.as_str());
    for reason in judgement.because.iter().take(MOST_REASONS) {
        text += &format!("- {}\n", code(&because(reason)));
    }
    if let Some(more) = judgement.because.len().checked_sub(MOST_REASONS).filter(|more| *more > 0) {
        text += &format!("- and {more} more\n");
    }
    for remark in record.remarks() {
        text += &format!("- note: {}\n", code(remark));
    }
    if let Some(next) = advice::next(judgement) {
        text += &format!("\n**Next:** {}.\n", next);
    }
    let passes = |judged: &&MetricJudgement| matches!(judged.mark, Mark::Pass | Mark::Improved | Mark::Shown);
    let (green, rest): (Vec<_>, Vec<_>) = judgement.metrics.iter().partition(passes);
    text += &table(&rest);
    text += &format!("\n<details><summary>{} more comparisons, noise and counts</summary>\n", green.len());
    text += &table(&green);
    text.push('\n');
    for workload in &record.workloads {
        if let Some(line) = counts_line(&workload.name, &judgement.counts) {
            text += &format!("- counts: {}\n", code(&line));
        }
    }
    for why in uncounted_lines(record) {
        text += &format!("- counts: {}\n", code(&why));
    }
    text += &format!("- host: {}\n", host_line(judgement));
    text += &format!("- dropped: {}\n", drops_line(&judgement.drops));
    text += &format!("- null control: {}\n", null_line(&judgement.null_control));
    text += &format!("- seed {}; command {}\n\n</details>\n", record.seed, code(&record.command));
    text
}

fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::Improved => "✅",
        Verdict::CannotJudge | Verdict::NothingChecked => "⚠️",
        Verdict::Regressed | Verdict::Broken => "❌",
    }
}

fn table(rows: &[&MetricJudgement]) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let mut text =
        "\n| workload | metric | base | head | slower by | 99 % interval | limit | could see | |\n".to_owned();
    text += "|---|---|--:|--:|--:|---|--:|--:|---|\n";
    rows.iter().for_each(|judged| text += &row(judged));
    text
}

fn row(judged: &MetricJudgement) -> String {
    let name = format!("| {} | {} |", code(&judged.workload), judged.metric.name());
    let mark = match judged.layout_suspect {
        true => format!("**{}**, layout suspect", judged.mark.as_str()),
        false => judged.mark.as_str().to_owned(),
    };
    let Some(evidence) = judged.evidence() else {
        return format!("{name} – | – | – | – | {} | – | {mark} |\n", percent(judged.limit));
    };
    format!(
        "{name} {} | {} | {} | {} | {} | {} | {mark} |\n",
        figure(judged.metric, evidence.base),
        figure(judged.metric, evidence.head),
        change(evidence.slower),
        interval(evidence.low, evidence.high),
        percent(judged.limit),
        percent(evidence.smallest_change),
    )
}

/// Text from outside in a code span.
fn code(text: &str) -> String {
    let text = inert::short(&outside(text), 600).replace('`', "'").replace('|', "¦");
    match text.trim() {
        "" => "–".to_owned(),
        text => format!("`{text}`"),
    }
}
