//! What `downbeat gate --self-test` says: the smallest change that this host can see at the first look, from a gate of this program against
//! itself.

use downbeat_reports::exit::Exit;
use downbeat_reports::gate::judgement::{Judgement, MetricJudgement};
use downbeat_reports::gate::record::GateRecord;
use downbeat_reports::gate::rule::LOOKS;
use downbeat_reports::inert;
use downbeat_reports::quantity::duration;

/// The text, and how the command ends: a host that could not say is not fit to judge.
pub(super) fn render(record: &GateRecord, judgement: &Judgement) -> (String, Exit) {
    let mut text = format!(
        "self-test  this program against itself, {} blocks of each workload, {}\n\n{:<16}{:<10}{:>18}{:>10}\n",
        LOOKS[0],
        duration(record.elapsed_ns),
        "workload",
        "metric",
        "smallest change",
        "limit"
    );
    judgement.metrics.iter().for_each(|judged| text.push_str(&line(judged)));
    text.push_str(&format!(
        "\nseed       {}; {} blocks ran, those that were disturbed included\n",
        record.seed,
        record.blocks.len()
    ));
    for unmeasured in &record.unmeasured {
        let (workload, why) = (inert::line(&unmeasured.workload), inert::line(&unmeasured.why));
        text.push_str(&format!("unmeasured {workload}: {why}\n"));
    }
    if let Some(why) = &record.cut_short {
        text.push_str(&format!("cut short  {}\n", inert::line(why)));
    }
    let is_seen = !judgement.metrics.is_empty() && judgement.metrics.iter().all(|judged| judged.first.is_some());
    (text, if is_seen { Exit::Ok } else { Exit::NotJudged })
}

fn line(judged: &MetricJudgement) -> String {
    let workload = inert::line(&judged.workload);
    let limit = format!("{:.0} %", 100.0 * judged.limit);
    let (seen, remark) = match &judged.first {
        Some(evidence) => {
            let hidden = evidence.smallest_change > judged.limit && judged.metric.is_primary();
            let more = format!("  about {} blocks for the limit", evidence.blocks_for_limit);
            (format!("{:.2} %", 100.0 * evidence.smallest_change), if hidden { more } else { String::new() })
        }
        None => ("unknown".to_owned(), "  too few blocks count".to_owned()),
    };
    format!("{workload:<16}{:<10}{seen:>18}{limit:>10}{remark}\n", judged.metric.name())
}
