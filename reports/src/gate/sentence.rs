//! The result in one sentence, the same words in every format.

use super::judgement::{Judgement, Mark, Reason, Verdict};
use super::record::GateRecord;
use super::shown::{effect, outside};
use crate::inert;
use crate::quantity::{counted, duration};

/// Longest text from outside that is shown, characters.
const MOST: usize = 400;

/// What an A/A is, wherever it is said.
pub const SAME_BINARY: &str = "both arms are the same binary (an A/A): any difference is noise of this host";

/// Why it has its word, without the word.
pub fn sentence(record: &GateRecord, judgement: &Judgement) -> String {
    match judgement.because.split_first() {
        Some((first, [])) => because(first),
        Some((first, more)) => format!("{} ({} more)", because(first), counted(more.len(), "reason")),
        None => passes(record, judgement),
    }
}

/// One reason with its workload.
pub fn because(reason: &Reason) -> String {
    let text = inert::short(&outside(&reason.text), MOST);
    match &reason.workload {
        Some(workload) => format!("{}: {text}", inert::short(&outside(workload), 60)),
        None => text,
    }
}

fn passes(record: &GateRecord, judgement: &Judgement) -> String {
    let blocks = || judgement.primary().filter_map(|judged| judged.evidence()).map(|evidence| evidence.blocks);
    let (least, most) = (blocks().min().unwrap_or(0), blocks().max().unwrap_or(0));
    let blocks = if least == most { format!("{least} blocks each") } else { format!("{least} to {most} blocks each") };
    let checks = counted(judgement.primary().count(), "check");
    let workloads = counted(record.workloads.len(), "workload");
    let mut text = format!("{checks} of {workloads} exclude their limits; {blocks}, {}", duration(record.elapsed_ns));
    if judgement.verdict == Verdict::Improved {
        let is_improved = |mark: Mark| mark == Mark::Improved;
        let faster: Vec<String> = judgement
            .primary()
            .filter(|judged| is_improved(judged.mark))
            .filter_map(|judged| Some((judged, judged.evidence()?)))
            .map(|(judged, evidence)| {
                format!(
                    "{} {} {}",
                    inert::short(&outside(&judged.workload), 60),
                    judged.metric.name(),
                    effect(evidence)
                )
            })
            .collect();
        text += &format!("; faster: {}", faster.join(", "));
    }
    text
}
