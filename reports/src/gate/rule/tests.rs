//! The rule on gates made by hand and on a synthetic host: what is red, green or neither, and after how many blocks.

use super::*;
use crate::gate::judgement::{Mark, MetricJudgement, Verdict};
use crate::gate::record::{ArmRun, Block, Pair, Unmeasured};
use crate::gates::{Host, begun, run};

const THREE: [&str; 3] = ["word-count", "ads", "sessions"];

fn gate(change_host: impl FnOnce(&mut Host), change: impl FnMut(&mut Block)) -> (GateRecord, Judgement) {
    let (mut record, mut host) = (begun(&THREE), Host::new(3));
    host.deviation = 0.002;
    change_host(&mut host);
    let judgement = run(&mut record, &mut host, change);
    (record, judgement)
}

fn kinds(judgement: &Judgement) -> Vec<Kind> {
    judgement.because.iter().map(|reason| reason.kind).collect()
}

fn of<'a>(judgement: &'a Judgement, workload: &str, metric: Metric) -> &'a MetricJudgement {
    judgement.metrics.iter().find(|judged| judged.workload == workload && judged.metric == metric).unwrap()
}

fn blocks_of(record: &GateRecord, pass: Pass) -> usize {
    record.blocks.iter().filter(|block| block.pass == pass).count()
}

/// One workload whose blocks are slower by exactly these logarithms in the median; the other metrics are equal.
fn exact(medians: &[f64]) -> GateRecord {
    let mut record = begun(&["w"]);
    for (index, slower) in medians.iter().enumerate() {
        let run = |median_ns: f64| ArmRun {
            median_ns: Some(median_ns),
            p95_ns: Some(2e6),
            p99_ns: Some(3e6),
            capacity_per_s: Some(1e6),
            answer_hash: Some("a".into()),
            ..ArmRun::default()
        };
        let index = index as u64;
        let null = Some(run(1e6));
        let block = Block {
            workload: "w".into(),
            index,
            base: run(1e6),
            head: run(1e6 * slower.exp()),
            null,
            ..Block::default()
        };
        record.blocks.push(block);
    }
    record
}

#[test]
fn equal_builds_pass_at_the_first_look() {
    let (record, judgement) = gate(|_| {}, |_| {});
    assert_eq!((judgement.verdict, kinds(&judgement)), (Verdict::Pass, vec![]));
    assert_eq!((blocks_of(&record, Pass::First), blocks_of(&record, Pass::Confirmation)), (3 * 14, 0));
    assert_eq!(judgement.primary().count(), 9);
    assert!(judgement.primary().all(|judged| judged.mark == Mark::Pass && judged.evidence().unwrap().blocks == 14));
    assert!(!judgement.same_binary);
}

#[test]
fn a_slower_head_is_red_after_a_confirmation_with_fresh_blocks() {
    let (record, judgement) = gate(|host| host.head = 1.05, |_| {});
    assert_eq!(judgement.verdict, Verdict::Regressed, "{:?}", judgement.because);
    assert!(blocks_of(&record, Pass::Confirmation) >= 14);
    let median = of(&judgement, "ads", Metric::Median);
    assert_eq!(median.mark, Mark::Regressed);
    let (first, again) = (median.first.as_ref().unwrap(), median.confirmation.as_ref().unwrap());
    for evidence in [first, again] {
        assert!(evidence.low.unwrap() < 0.05 && evidence.high.unwrap() > 0.05 && evidence.head > evidence.base);
        assert!(evidence.p_adjusted.unwrap() <= evidence.level && evidence.p <= evidence.p_adjusted.unwrap());
    }
    assert!(median.layout_suspect, "the instructions are the same");
}

#[test]
fn a_faster_head_is_improved_and_green() {
    let (_, judgement) = gate(|host| host.head = 0.95, |_| {});
    assert_eq!((judgement.verdict, judgement.verdict.exit().code()), (Verdict::Improved, 0));
    assert_eq!(of(&judgement, "ads", Metric::Median).mark, Mark::Improved);
    assert_eq!(of(&judgement, "ads", Metric::Capacity).mark, Mark::Improved);
    assert!(of(&judgement, "ads", Metric::Capacity).evidence().unwrap().slower < -0.04);
}

#[test]
fn what_the_confirmation_refutes_is_not_red() {
    let only_first = |block: &mut Block| {
        if block.pass == Pass::First {
            block.head.median_ns = block.head.median_ns.map(|ns| ns * 1.05);
        }
    };
    let (record, judgement) = gate(|_| {}, only_first);
    assert_eq!(blocks_of(&record, Pass::Confirmation), 3 * 14);
    assert_eq!(judgement.verdict, Verdict::Pass, "{:?}", judgement.because);
}

#[test]
fn what_the_confirmation_shows_on_another_metric_is_not_red() {
    let by_pass = |block: &mut Block| match block.pass {
        Pass::First => block.head.median_ns = block.head.median_ns.map(|ns| ns * 1.05),
        Pass::Confirmation => block.head.capacity_per_s = block.head.capacity_per_s.map(|rate| rate / 1.05),
    };
    let (record, judgement) = gate(|_| {}, by_pass);
    assert_ne!(judgement.verdict, Verdict::Regressed);
    // Its capacity passed in the first pass, so that the confirmation ends as soon as the median is cleared.
    assert_eq!(blocks_of(&record, Pass::Confirmation), 3 * 14);
}

#[test]
fn what_the_confirmation_leaves_open_cannot_be_judged() {
    let torn = |block: &mut Block| {
        let factor = match block.pass {
            Pass::First => 1.05,
            Pass::Confirmation if block.index.is_multiple_of(2) => 1.08,
            Pass::Confirmation => 0.94,
        };
        block.head.median_ns = block.head.median_ns.map(|ns| ns * factor);
    };
    let (record, judgement) = gate(|_| {}, torn);
    assert_eq!(blocks_of(&record, Pass::Confirmation), 3 * 32);
    assert_eq!(judgement.verdict, Verdict::CannotJudge);
    assert!(kinds(&judgement).iter().all(|kind| *kind == Kind::NotConfirmed), "{:?}", judgement.because);
    assert_eq!(of(&judgement, "ads", Metric::Median).mark, Mark::NotConfirmed);
}

#[test]
fn only_the_workload_that_looks_slower_is_confirmed() {
    let one = |block: &mut Block| {
        if block.workload == "ads" {
            block.head.p99_ns = block.head.p99_ns.map(|ns| ns * 1.25);
        }
    };
    let (record, judgement) = gate(|_| {}, one);
    assert_eq!(judgement.verdict, Verdict::Regressed);
    assert!(record.blocks.iter().all(|block| block.pass == Pass::First || block.workload == "ads"));
    assert_eq!(of(&judgement, "ads", Metric::P99).mark, Mark::Regressed);
    assert_eq!(of(&judgement, "word-count", Metric::P99).mark, Mark::Pass);
}

#[test]
fn p95_decides_nothing() {
    let (_, judgement) = gate(|_| {}, |block| block.head.p95_ns = block.head.p95_ns.map(|ns| ns * 1.5));
    assert_eq!(judgement.verdict, Verdict::Pass);
    assert_eq!(of(&judgement, "ads", Metric::P95).mark, Mark::Shown);
    let (_, judgement) = gate(|_| {}, |block| block.head.p95_ns = None);
    assert_eq!(judgement.verdict, Verdict::Pass);
}

#[test]
fn the_first_look_has_a_fifth_of_alpha() {
    // Rank 8 of 14 is negative: p = 25 / 16384, three tests: 0.0046, above 0.002 and below 0.01.
    let ranks = (1..=14).map(|rank| if rank == 8 { -8.0 } else { f64::from(rank) });
    let record = exact(&ranks.map(|rank| 0.01_f64.ln_1p() + 0.01 * rank).collect::<Vec<_>>());
    assert_eq!(next(&record), Next::FirstBlocks { workloads: vec!["w".into()], until: 20 });
    let evidence = of(&judge(&record), "w", Metric::Median).first.clone().unwrap();
    assert!((evidence.p - 25.0 / 16_384.0).abs() < 1e-12, "{evidence:?}");
    assert_eq!((evidence.p_adjusted, evidence.level), (Some(3.0 * evidence.p), 0.002));
    // Rank 4 only: 7 / 16384 and 0.0013.
    let ranks = (1..=14).map(|rank| if rank == 4 { -4.0 } else { f64::from(rank) });
    let record = exact(&ranks.map(|rank| 0.01_f64.ln_1p() + 0.01 * rank).collect::<Vec<_>>());
    assert_eq!(next(&record), Next::Confirmation { workloads: vec!["w".into()], until: 14 });
}

#[test]
fn a_limit_that_is_just_reached_is_not_excluded() {
    // The largest 15 of the Walsh averages are those of the five slower blocks, and the 13th is the end of the interval.
    let end = |slower: f64| {
        let blocks: Vec<f64> = (0..14).map(|block| if block < 5 { slower } else { -0.05 }).collect();
        let record = exact(&blocks);
        (of(&judge(&record), "w", Metric::Median).first.as_ref().unwrap().high.unwrap(), next(&record))
    };
    let mut slower = 0.03_f64.ln_1p() - 2e-15;
    while end(slower).0 < 0.03 {
        assert!(matches!(end(slower).1, Next::Done(judgement) if judgement.verdict.passes()));
        slower += 1e-16;
    }
    let (high, next) = end(slower);
    assert!((high - 0.03).abs() < 1e-15, "{high}");
    assert_eq!(next, Next::FirstBlocks { workloads: vec!["w".into()], until: 20 });
}

#[test]
fn the_family_is_all_metrics_of_all_workloads() {
    let workloads = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];
    let (mut record, mut host) = (begun(&workloads), Host::new(4));
    run(&mut record, &mut host, |block| {
        let is_slower = block.workload == "a" && block.pass == Pass::First;
        block.head.median_ns = block.head.median_ns.map(|ns| if is_slower { ns * 1.2 } else { ns });
    });
    // 33 tests: even the smallest p value of 14 blocks, 1 / 16384, is not small enough. 20 blocks are.
    let first = |workload: &str| {
        record.blocks.iter().filter(|block| block.workload == workload && block.pass == Pass::First).count()
    };
    assert_eq!((first("a"), first("b")), (20, 14));
}

#[test]
fn what_a_look_decided_stays_decided_whatever_is_measured_later() {
    let (record, judgement) = gate(|_| {}, |_| {});
    let mut later = record.clone();
    let mut host = Host::new(99);
    host.head = 1.5;
    for index in 14..40 {
        for workload in THREE {
            let mut block = host.block(workload, Pass::First, index);
            block.base.noise.canary_ns *= 3;
            later.blocks.push(block);
        }
    }
    assert_eq!(judge(&later), judgement);
    assert!(matches!(next(&later), Next::Done(again) if *again == judgement));
}

#[test]
fn dropped_blocks_are_replaced_until_enough_count() {
    let disturb = |block: &mut Block| {
        if block.workload == "ads" && [2, 5].contains(&block.index) {
            block.base.noise.steal_ns = Some(u64::MAX);
        }
    };
    let (record, judgement) = gate(|_| {}, disturb);
    assert_eq!(judgement.verdict, Verdict::Pass, "{:?}", judgement.because);
    assert_eq!(blocks_of(&record, Pass::First), 3 * 14 + 2);
    assert_eq!((judgement.drops.dropped, judgement.drops.base, judgement.drops.head), (2, 2, 0));
    assert_eq!(of(&judgement, "ads", Metric::Median).evidence().unwrap().blocks, 14);
}

#[test]
fn goals_are_reached_from_the_smallest_on() {
    let (mut record, mut host) = (begun(&THREE), Host::new(5));
    for index in 0..14 {
        for workload in THREE {
            let mut block = host.block(workload, Pass::First, index);
            if (workload == "ads" && index < 1) || (workload == "sessions" && index < 3) {
                block.head.noise.foreign_ns = Some(u64::MAX);
            }
            record.blocks.push(block);
        }
    }
    let both = vec!["ads".to_owned(), "sessions".to_owned()];
    assert_eq!(next(&record), Next::FirstBlocks { workloads: both, until: 15 });
}

#[test]
fn too_many_drops_end_the_gate_without_a_verdict() {
    let disturb = |block: &mut Block| {
        if block.workload == "ads" && block.index < 7 {
            block.base.noise.foreign_ns = Some(u64::MAX);
            block.head.noise.foreign_ns = Some(u64::MAX);
        }
    };
    let (record, judgement) = gate(|host| host.head = 1.05, disturb);
    assert_eq!((judgement.verdict, kinds(&judgement)), (Verdict::CannotJudge, vec![Kind::TooManyDropped]));
    assert_eq!(blocks_of(&record, Pass::First), 3 * 14);
}

#[test]
fn drops_that_follow_one_build_end_without_a_verdict() {
    let disturb = |block: &mut Block| {
        if block.index < 3 && block.pass == Pass::First {
            block.head.noise.steal_ns = Some(u64::MAX);
        }
    };
    let (_, judgement) = gate(|_| {}, disturb);
    assert_eq!((judgement.verdict, kinds(&judgement)), (Verdict::CannotJudge, vec![Kind::OneSidedDrops]));
    assert!(
        judgement.because[0].text.contains("0 dropped blocks by the base, 9 by the head"),
        "{:?}",
        judgement.because
    );
}

#[test]
fn an_alarm_of_the_null_control_takes_every_word_back_but_exact_ones() {
    let (_, judgement) = gate(|host| host.null = 1.04, |_| {});
    assert_eq!(judgement.verdict, Verdict::CannotJudge);
    assert!(kinds(&judgement).contains(&Kind::NullControl));
    let slower = |host: &mut Host| (host.null, host.head) = (1.04, 1.06);
    let (mut record, judgement) = gate(slower, |_| {});
    assert_eq!(judgement.verdict, Verdict::CannotJudge);
    record.counts[1].allocations = Some(Pair { base: 100, head: 102 });
    let judgement = judge(&record);
    assert_eq!((judgement.verdict, judgement.because[0].kind), (Verdict::Regressed, Kind::AllocatesMore));
}

#[test]
fn a_copy_without_figures_is_no_control() {
    let (_, judgement) = gate(|_| {}, |block| block.null.iter_mut().for_each(|null| null.p99_ns = None));
    assert_eq!((judgement.verdict, kinds(&judgement)), (Verdict::CannotJudge, vec![Kind::NullControl]));
}

#[test]
fn a_missing_figure_never_passes() {
    for missing in [None, Some(f64::NAN), Some(0.0), Some(f64::INFINITY), Some(-1.0)] {
        for of_head in [true, false] {
            let tear = |block: &mut Block| {
                if block.workload == "ads" && block.index == 9 {
                    let run = if of_head { &mut block.head } else { &mut block.base };
                    run.p99_ns = missing;
                }
            };
            let (_, judgement) = gate(|_| {}, tear);
            assert_eq!(judgement.verdict, Verdict::CannotJudge, "{missing:?}");
            assert!(kinds(&judgement).contains(&Kind::MissingMetric), "{:?}", judgement.because);
            assert_eq!(of(&judgement, "ads", Metric::P99).mark, Mark::Missing);
        }
    }
}

#[test]
fn nothing_compared_is_nothing_checked() {
    let mut record = begun(&[]);
    let nothing = |record: &GateRecord| matches!(next(record), Next::Done(judgement) if judgement.verdict == Verdict::NothingChecked);
    assert!(nothing(&record));
    record.unmeasured.push(Unmeasured { workload: "ads".into(), why: "only the head has it".into() });
    assert!(nothing(&record));
    let bare = |block: &mut Block| {
        for run in [Some(&mut block.base), Some(&mut block.head), block.null.as_mut()].into_iter().flatten() {
            (run.median_ns, run.p99_ns, run.capacity_per_s) = (None, None, None);
        }
    };
    let (_, judgement) = gate(|_| {}, bare);
    assert_ne!(judgement.verdict.exit().code(), 0);
}

#[test]
fn a_workload_that_was_not_measured_keeps_the_others_from_passing_and_not_from_being_red() {
    let unmeasured = || Unmeasured { workload: "old".into(), why: "only the base has it".into() };
    for (head, verdict) in [(1.0, Verdict::CannotJudge), (1.05, Verdict::Regressed)] {
        let (mut record, mut host) = (begun(&THREE), Host::new(6));
        record.unmeasured.push(unmeasured());
        host.head = head;
        let judgement = run(&mut record, &mut host, |_| {});
        assert_eq!(judgement.verdict, verdict);
        assert!(kinds(&judgement).contains(&Kind::Unmeasured));
    }
}

#[test]
fn other_answers_are_broken_at_once_and_before_any_time() {
    let (record, judgement) = gate(|host| host.head = 0.5, |block| block.head.answer_hash = Some("other".into()));
    assert_eq!((judgement.verdict, judgement.verdict.exit().code()), (Verdict::Broken, 5));
    assert_eq!(judgement.because[0].kind, Kind::WrongAnswers);
    assert_eq!(record.blocks.len(), 3 * 14, "the blocks that were asked for already");
}

#[test]
fn a_head_that_fails_is_never_green() {
    let fails = |block: &mut Block, workload: &str, index: u64| {
        if block.workload == workload && block.index == index {
            block.head = ArmRun { failure: Some("the process died by SIGSEGV".into()), ..ArmRun::default() };
        }
    };
    let (record, once) = gate(|_| {}, |block| fails(block, "ads", 4));
    assert_eq!((once.verdict, kinds(&once)), (Verdict::CannotJudge, vec![Kind::HeadFailedOnce]));
    assert_eq!(blocks_of(&record, Pass::First), 3 * 14 + 1, "the failed block is replaced");
    let (_, twice) = gate(|_| {}, |block| (4..6).for_each(|index| fails(block, "ads", index)));
    assert_eq!((twice.verdict, twice.because[0].kind), (Verdict::Broken, Kind::HeadFails));
    assert!(twice.because[0].text.contains("SIGSEGV"));
}

#[test]
fn a_base_that_fails_judges_nothing() {
    let fails = |block: &mut Block| {
        if block.index == 4 {
            block.base = ArmRun { failure: Some("killed".into()), ..ArmRun::default() };
        }
    };
    let (_, judgement) = gate(|host| host.head = 1.05, fails);
    assert_eq!((judgement.verdict, judgement.because[0].kind), (Verdict::CannotJudge, Kind::BaseFails));
}

#[test]
fn ends_before_the_rule_does_cannot_be_judged_and_show_what_there_is() {
    let (record, _) = gate(|_| {}, |_| {});
    let cut = |blocks: usize, change: fn(&mut GateRecord)| {
        let mut record = record.clone();
        record.blocks.truncate(blocks);
        change(&mut record);
        let judgement = judge(&record);
        assert_eq!(judgement.verdict, Verdict::CannotJudge);
        assert!(judgement.metrics.iter().all(|judged| !judged.metric.is_primary() || judged.mark != Mark::Regressed));
        (record, judgement)
    };
    let (_, unfinished) = cut(30, |_| {});
    assert_eq!(kinds(&unfinished), [Kind::Unfinished]);
    assert_eq!(of(&unfinished, "ads", Metric::Median).mark, Mark::Open);
    assert!(of(&unfinished, "word-count", Metric::Median).evidence().is_some());
    let (record_cut, judgement) = cut(0, |record| record.cut_short = Some("the budget of 5 s is too small".into()));
    assert_eq!(judgement.because[0].kind, Kind::CutShort);
    assert!(matches!(next(&record_cut), Next::Done(_)));
    cut(42, |record| record.moved = vec!["cpu".into()]);
    cut(42, |record| record.schema += 1);
    cut(42, |record| record.blocks[7].index = 0);
}

#[test]
fn what_is_open_after_the_last_look_says_how_many_blocks_it_would_take() {
    let (record, judgement) = gate(|host| (host.deviation, host.head) = (0.06, 1.015), |_| {});
    assert_eq!(judgement.verdict, Verdict::CannotJudge);
    assert!(kinds(&judgement).iter().all(|kind| *kind == Kind::LimitInside), "{:?}", judgement.because);
    assert!(record.blocks.iter().any(|block| block.index == 31));
    assert!(judgement.because.iter().any(|reason| reason.text.contains("more blocks and the rule ends at 32")));
}

#[test]
fn an_a_a_is_known_by_its_binaries() {
    let (mut record, mut host) = (begun(&THREE), Host::new(3));
    record.head.binary_hash = record.base.binary_hash.clone();
    let judgement = run(&mut record, &mut host, |_| {});
    assert!(judgement.same_binary && judgement.verdict == Verdict::Pass);
}

#[test]
fn the_shares_of_alpha_make_a_whole() {
    assert!((SHARES.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert!(LOOKS.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn more_allocations_end_the_gate_at_its_first_look() {
    let (mut record, mut host) = (begun(&THREE), Host::new(3));
    host.head = 1.05;
    record.counts[1].allocations = Some(Pair { base: 1_000, head: 1_100 });
    let judgement = run(&mut record, &mut host, |_| {});
    assert_eq!((judgement.verdict, kinds(&judgement)), (Verdict::Regressed, vec![Kind::AllocatesMore]));
    assert_eq!((blocks_of(&record, Pass::First), blocks_of(&record, Pass::Confirmation)), (3 * 14, 0));
}
