//! `human`: the verdict first, then every comparison, what was counted, and how quiet the host was, for a terminal of 80 columns.

use crate::columns::{GUTTER, words};
use crate::format::Options;
use crate::gate::advice;
use crate::gate::judgement::{Judgement, MetricJudgement, Verdict};
use crate::gate::metric::Metric;
use crate::gate::record::{Build, GateRecord};
use crate::gate::sentence::{SAME_BINARY, because, sentence};
use crate::gate::shown::{
    change, counts_line, drops_line, figure_short, host_line, interval, null_line, outside, uncounted_lines,
};
use crate::inert;
use crate::quantity::{counted, percent};

/// Reasons that are shown.
const MOST_REASONS: usize = 6;

/// The gate as text, with a line end. Colour only when asked for.
pub fn render(record: &GateRecord, judgement: &Judgement, options: &Options) -> String {
    let mut text = verdict(record, judgement, options);
    for reason in judgement.because.iter().skip(1).take(MOST_REASONS - 1) {
        text += &words("", &because(reason));
    }
    if let Some(more) = judgement.because.len().checked_sub(MOST_REASONS).filter(|more| *more > 0) {
        text += &words("", &format!("and {}", counted(more, "reason")));
    }
    if let Some(next) = advice::next(judgement) {
        text += &words("next", next);
    }
    if judgement.same_binary {
        text += &words("A/A", SAME_BINARY);
    }
    text += &words("base", &build(&record.base));
    text += &words("head", &build(&record.head));
    for remark in record.remarks() {
        text += &words("note", &inert::short(&outside(remark), 400));
    }
    text += &table(judgement);
    for line in record.workloads.iter().filter_map(|workload| counts_line(&workload.name, &judgement.counts)) {
        text += &words("counts", &line);
    }
    for why in uncounted_lines(record) {
        text += &words("counts", &why);
    }
    text += &words("host", &host_line(judgement));
    text += &words("dropped", &drops_line(&judgement.drops));
    text += &words("null", &null_line(&judgement.null_control));
    if let Some(report) = &options.report {
        text += &format!("{:GUTTER$}{}\n", "report", inert::line(report));
    }
    text += &words("more", "--format json holds every block and every p value");
    let exit = options.exit.unwrap_or(judgement.verdict.exit());
    text += &words("exit", &format!("{} ({})", exit.code(), exit.name()));
    text
}

fn verdict(record: &GateRecord, judgement: &Judgement, options: &Options) -> String {
    let word = judgement.verdict.as_str();
    let first = judgement.because.first().map(because);
    let line = words(word, &first.unwrap_or_else(|| sentence(record, judgement)));
    match (options.colour, line.strip_prefix(word)) {
        (true, Some(rest)) => format!("\u{1b}[{}m{word}\u{1b}[0m{rest}", colour(judgement.verdict)),
        _ => line,
    }
}

/// Bold, and green, yellow or red.
fn colour(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass | Verdict::Improved => "1;32",
        Verdict::CannotJudge | Verdict::NothingChecked => "1;33",
        Verdict::Regressed | Verdict::Broken => "1;31",
    }
}

fn build(build: &Build) -> String {
    let asked = inert::short(&outside(&build.asked), 200);
    match &build.commit {
        Some(commit) => format!("{asked} (commit {})", inert::short(&outside(commit), 60)),
        None => format!("{asked} (binary {})", inert::short(&outside(&build.binary_hash), 20)),
    }
}

fn table(judgement: &Judgement) -> String {
    let mut text = String::new();
    let mut workload = None;
    for judged in &judgement.metrics {
        if workload != Some(&judged.workload) {
            workload = Some(&judged.workload);
            let name = inert::short(&outside(&judged.workload), 40);
            let heads = ["base", "slower by", "99 % interval", "limit", "could see"];
            text += &format!(
                "\n{name}\n  {:9}{:>8} {:>10}  {:16}{:>6}{:>10}\n",
                "", heads[0], heads[1], heads[2], heads[3], heads[4]
            );
        }
        text += &row(judged);
    }
    if !judgement.metrics.is_empty() {
        text.push('\n');
    }
    text
}

fn row(judged: &MetricJudgement) -> String {
    let (name, limit, mark) = (judged.metric.name(), percent(judged.limit), judged.mark.as_str());
    let shown = judged.evidence().map(|evidence| {
        let smallest = match evidence.smallest_change {
            change if change < 9.995 => percent(change),
            _ => "–".to_owned(),
        };
        let interval = interval(evidence.low, evidence.high);
        (figure_short(judged.metric, evidence.base), change(evidence.slower), interval, smallest)
    });
    let dash = || "–".to_owned();
    let (base, slower, interval, smallest) = shown.unwrap_or_else(|| (dash(), dash(), dash(), dash()));
    let limit = if judged.metric == Metric::P95 { dash() } else { limit };
    let suspect = if judged.layout_suspect { "  layout suspect: the same instructions\n" } else { "" };
    let indented = if suspect.is_empty() { String::new() } else { format!("  {:9}{suspect}", "") };
    format!("  {name:9}{base:>8} {slower:>10}  {interval:16}{limit:>6}{smallest:>10}  {mark}\n{indented}")
}
