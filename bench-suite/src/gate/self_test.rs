//! What `downbeat gate --self-test` says: the smallest change that this host can see at the first look, from a gate of this program against
//! itself.

use downbeat_reports::exit::Exit;
use downbeat_reports::gate::judgement::{Evidence, Judgement, MetricJudgement};
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
    (text, if is_seen(judgement) { Exit::Ok } else { Exit::NotJudged })
}

/// Whether every metric had its first look: what fewer blocks say of a host is no promise.
pub(super) fn is_seen(judgement: &Judgement) -> bool {
    !judgement.metrics.is_empty() && judgement.metrics.iter().all(|judged| look(judged).is_some())
}

fn look(judged: &MetricJudgement) -> Option<&Evidence> {
    judged.first.as_ref().filter(|evidence| evidence.blocks >= LOOKS[0] as u64)
}

fn line(judged: &MetricJudgement) -> String {
    let workload = inert::line(&judged.workload);
    let limit = format!("{:.0} %", 100.0 * judged.limit);
    let (seen, remark) = match look(judged) {
        Some(evidence) => {
            let hidden = evidence.smallest_change > judged.limit && judged.metric.is_primary();
            let more = format!("  about {} blocks for the limit", evidence.blocks_for_limit);
            (format!("{:.2} %", 100.0 * evidence.smallest_change), if hidden { more } else { String::new() })
        }
        None => ("unknown".to_owned(), "  too few blocks count".to_owned()),
    };
    format!("{workload:<16}{:<10}{seen:>18}{limit:>10}{remark}\n", judged.metric.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_reports::gate::record::{ArmRun, Block, SCHEMA, Workload};
    use downbeat_reports::gate::rule;

    /// A record of so many blocks of one workload.
    fn record(blocks: u64) -> GateRecord {
        let run = |index: u64| ArmRun {
            median_ns: Some(1e6 + index as f64),
            p95_ns: Some(2e6),
            p99_ns: Some(3e6),
            capacity_per_s: Some(1e6),
            answer_hash: Some("a".into()),
            ..ArmRun::default()
        };
        let block = |index: u64| Block {
            workload: "w".into(),
            index,
            base: run(index),
            head: run(index * 7 % 5),
            null: Some(run(index)),
            ..Block::default()
        };
        let workload = Workload { name: "w".into(), ..Workload::default() };
        let blocks = (0..blocks).map(block).collect();
        GateRecord { schema: SCHEMA, workloads: vec![workload], blocks, ..GateRecord::default() }
    }

    #[test]
    fn a_host_is_seen_at_its_first_look_and_not_after_one_block() {
        for (blocks, seen) in [(0, false), (1, false), (13, false), (14, true)] {
            let record = record(blocks);
            let judgement = rule::judge(&record);
            let (text, exit) = render(&record, &judgement);
            assert_eq!((is_seen(&judgement), exit == Exit::Ok), (seen, seen), "{blocks} blocks: {text}");
            assert_eq!(text.contains("too few blocks count"), !seen, "{text}");
        }
    }
}
