//! Whether the record can be judged at all, and what is wrong with the arms whatever their times are: other answers, failures, a machine
//! that changed, workloads that were not measured.
//!
//! Answers and failures do not depend on noise, so dropped blocks count here. One failure of the head where the base ran may be the
//! host's (out of memory, a kill), and it never passes; [`HEAD_FAILURES`] of them are the head's, and red.

use super::judgement::{Kind, Reason};
use super::record::{ArmRun, Block, Counts, GateRecord, Pass, SCHEMA};
use std::collections::BTreeMap;

/// So many failures of the head, with none of the base, are the head's.
pub const HEAD_FAILURES: usize = 2;

/// Everything that is wrong before any time is compared.
pub fn faults(record: &GateRecord) -> Vec<Reason> {
    if record.schema != SCHEMA {
        let text = format!("the record has version {} and this build reads {SCHEMA}: gate again", record.schema);
        return vec![reason(Kind::Incompatible, None, text)];
    }
    let mut faults = contradictions(record);
    for workload in &record.workloads {
        let blocks: Vec<&Block> = record.blocks.iter().filter(|block| block.workload == workload.name).collect();
        faults.extend(failures(&workload.name, &blocks));
        faults.extend(answers(&workload.name, &blocks));
    }
    faults.extend(record.counts.iter().filter_map(uncounted));
    if !record.moved.is_empty() {
        let text = format!("the machine changed between the first and the last block: {}", record.moved.join(", "));
        faults.push(reason(Kind::Moved, None, text));
    }
    if let Some(why) = &record.cut_short {
        faults.push(reason(Kind::CutShort, None, format!("it ended early: {why}")));
    }
    for unmeasured in &record.unmeasured {
        let text = format!("not measured: {}", unmeasured.why);
        faults.push(reason(Kind::Unmeasured, Some(&unmeasured.workload), text));
    }
    faults
}

/// Whether more blocks are of no use.
pub fn ends_the_gate(fault: &Reason) -> bool {
    !matches!(fault.kind, Kind::HeadFailedOnce | Kind::Unmeasured | Kind::Uncounted)
}

fn uncounted(counts: &Counts) -> Option<Reason> {
    let why = counts.head_uncounted.as_ref()?;
    Some(reason(Kind::Uncounted, Some(&counts.workload), format!("the head's allocations could not be counted: {why}")))
}

pub(super) fn reason(kind: Kind, workload: Option<&str>, text: String) -> Reason {
    Reason { kind, workload: workload.map(str::to_owned), text }
}

fn contradictions(record: &GateRecord) -> Vec<Reason> {
    let mut found = Vec::new();
    let mut counts: BTreeMap<(&str, Pass), u64> = BTreeMap::new();
    let mut names: Vec<&str> = record.workloads.iter().map(|workload| workload.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair[0] == pair[1]) {
        found.push("a workload is in it twice".to_owned());
    }
    for block in &record.blocks {
        if names.binary_search(&block.workload.as_str()).is_err() {
            found.push(format!("a block belongs to {}, which is none of its workloads", block.workload));
        }
        let count = counts.entry((&block.workload, block.pass)).or_default();
        if block.index != *count {
            found.push(format!("block {} of {} is where block {count} should be", block.index, block.workload));
        }
        *count += 1;
        let arms_ran = block.base.failure.is_none() && block.head.failure.is_none();
        if arms_ran && block.null.is_none() {
            found.push(format!("block {} of {} lacks the copy of the base", block.index, block.workload));
        }
    }
    // One is enough to refuse it.
    found.truncate(1);
    let text = |what| reason(Kind::Inconsistent, None, format!("the record contradicts itself: {what}"));
    found.into_iter().map(text).collect()
}

fn failures(workload: &str, blocks: &[&Block]) -> Option<Reason> {
    let of_base = |block: &&Block| {
        let runs = [Some(&block.base), block.null.as_ref()];
        runs.into_iter().flatten().find_map(|run| run.failure.clone())
    };
    if let Some(why) = blocks.iter().find_map(of_base) {
        return Some(reason(Kind::BaseFails, Some(workload), format!("the base itself failed: {why}")));
    }
    let of_head: Vec<&String> = blocks.iter().filter_map(|block| block.head.failure.as_ref()).collect();
    let (why, failed, blocks) = (of_head.first()?, of_head.len(), blocks.len());
    let (kind, text) = match failed {
        HEAD_FAILURES.. => {
            (Kind::HeadFails, format!("the head failed in {failed} of {blocks} blocks, the base in none: {why}"))
        }
        _ => (Kind::HeadFailedOnce, format!("the head failed once in {blocks} blocks, the base never: {why}")),
    };
    Some(reason(kind, Some(workload), text))
}

/// Whether the arms agree. Processes that failed have no answers.
fn answers(workload: &str, blocks: &[&Block]) -> Option<Reason> {
    let hash = |run: &ArmRun| run.answer_hash.clone().filter(|hash| !hash.is_empty());
    let ran = || blocks.iter().filter(|block| block.base.failure.is_none());
    let beside_itself = |block: &&&Block| {
        let null = block.null.as_ref().filter(|null| null.failure.is_none());
        null.is_some_and(|null| hash(null) != hash(&block.base))
    };
    if ran().any(|block| beside_itself(&block)) {
        let text = "the base and its own copy gave different answers, so that those of the head say nothing";
        return Some(reason(Kind::AnswersUnknown, Some(workload), text.to_owned()));
    }
    let both = || ran().filter(|block| block.head.failure.is_none());
    let known = |block: &&&Block| hash(&block.base).is_some() && hash(&block.head).is_some();
    let differs = |block: &&Block| known(&block) && hash(&block.base) != hash(&block.head);
    let wrong = both().filter(|block| differs(block)).count();
    if wrong > 0 {
        let text = format!("the head gave other answers than the base in {wrong} of {} blocks", blocks.len());
        return Some(reason(Kind::WrongAnswers, Some(workload), text));
    }
    let unknown = both().filter(|block| !known(block)).count();
    let text = || format!("the answers are not known in {unknown} of {} blocks", blocks.len());
    (unknown > 0).then(|| reason(Kind::AnswersUnknown, Some(workload), text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::record::{Unmeasured, Workload};

    fn record(blocks: u64) -> GateRecord {
        let run = || ArmRun { answer_hash: Some("a1".into()), ..ArmRun::default() };
        let block = |index| Block {
            workload: "w".into(),
            index,
            base: run(),
            head: run(),
            null: Some(run()),
            ..Block::default()
        };
        let workload = Workload { name: "w".into(), ..Workload::default() };
        GateRecord {
            schema: SCHEMA,
            workloads: vec![workload],
            blocks: (0..blocks).map(block).collect(),
            ..GateRecord::default()
        }
    }

    fn kinds(change: impl FnOnce(&mut GateRecord)) -> Vec<Kind> {
        let mut record = record(5);
        change(&mut record);
        faults(&record).into_iter().map(|fault| fault.kind).collect()
    }

    #[test]
    fn a_sound_record_has_no_faults() {
        assert_eq!(kinds(|_| {}), []);
        assert_eq!(faults(&record(0)), []);
    }

    #[test]
    fn other_versions_and_contradictions_are_refused() {
        assert_eq!(kinds(|record| record.schema = SCHEMA + 1), [Kind::Incompatible]);
        assert_eq!(kinds(|record| record.blocks[2].index = 1), [Kind::Inconsistent]);
        assert_eq!(kinds(|record| record.blocks[2].workload = "x".into()), [Kind::Inconsistent]);
        assert_eq!(kinds(|record| record.blocks[3].null = None), [Kind::Inconsistent]);
        assert_eq!(
            kinds(|record| record.workloads.push(record.workloads[0].clone())).first(),
            Some(&Kind::Inconsistent)
        );
        assert_eq!(kinds(|record| drop(record.blocks.remove(1))), [Kind::Inconsistent]);
    }

    #[test]
    fn other_answers_are_wrong_unless_the_base_disagrees_with_itself() {
        let other = || Some("b2".to_owned());
        assert_eq!(kinds(|record| record.blocks[1].head.answer_hash = other()), [Kind::WrongAnswers]);
        assert_eq!(kinds(|record| record.blocks[1].head.answer_hash = None), [Kind::AnswersUnknown]);
        assert_eq!(kinds(|record| record.blocks[1].base.answer_hash = Some(String::new())), [Kind::AnswersUnknown]);
        let unstable = |record: &mut GateRecord| {
            record.blocks[1].head.answer_hash = other();
            record.blocks[3].null.as_mut().unwrap().answer_hash = other();
        };
        assert_eq!(kinds(unstable), [Kind::AnswersUnknown]);
    }

    #[test]
    fn one_failure_of_the_head_is_not_yet_its_own_and_two_are() {
        let fail = |run: &mut ArmRun| *run = ArmRun { failure: Some("SIGSEGV".into()), ..ArmRun::default() };
        assert_eq!(kinds(|record| fail(&mut record.blocks[1].head)), [Kind::HeadFailedOnce]);
        let twice = |record: &mut GateRecord| record.blocks[1..3].iter_mut().for_each(|block| fail(&mut block.head));
        assert_eq!(kinds(twice), [Kind::HeadFails]);
        let both = |record: &mut GateRecord| {
            twice(record);
            fail(&mut record.blocks[4].base);
        };
        assert_eq!(kinds(both), [Kind::BaseFails]);
        assert_eq!(kinds(|record| fail(record.blocks[0].null.as_mut().unwrap())), [Kind::BaseFails]);
    }

    #[test]
    fn what_moved_was_cut_short_or_not_measured_is_said() {
        assert_eq!(kinds(|record| record.moved = vec!["cpu".into()]), [Kind::Moved]);
        assert_eq!(kinds(|record| record.cut_short = Some("budget".into())), [Kind::CutShort]);
        let one_armed = Unmeasured { workload: "ads".into(), why: "only the head has it".into() };
        assert_eq!(kinds(|record| record.unmeasured.push(one_armed)), [Kind::Unmeasured]);
        let crashed = Counts { head_uncounted: Some("SIGSEGV".into()), ..Counts::default() };
        assert_eq!(kinds(|record| record.counts.push(crashed)), [Kind::Uncounted]);
    }
}
