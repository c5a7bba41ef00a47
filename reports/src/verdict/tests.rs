//! Every rule of the verdict, on both sides of its limit.

use super::*;
use crate::examples::{INTERVAL_NS, WARMUP, batch, hiccup_in, holds, not_judged, trial};
use crate::record::{BatchRecord, Hiccup};

const MS: u64 = 1_000_000;

/// Judged batches that take 40 % of the interval, but for the first `late` ones.
fn with_late(judged: u64, late: u64) -> TrialRecord {
    // Spread over the run, so that they are separate streaks and no trend.
    let is_late = |index: u64| {
        index >= WARMUP
            && late > 0
            && (index - WARMUP).is_multiple_of(judged / late)
            && (index - WARMUP) / (judged / late) < late
    };
    trial("t", judged, |index, _| (0, if is_late(index) { 201 * MS } else { 80 * MS }))
}

/// Judged batches whose delay grows by `growth_ns` per batch, up and down by 1 ms.
fn growing(judged: u64, growth_ns: u64) -> TrialRecord {
    trial("t", judged, |index, random| (0, 40 * MS + growth_ns * index + random.below(1_000_000) as u64))
}

fn because(record: &TrialRecord) -> &'static str {
    let verdict = judge(record);
    assert_eq!(verdict.word, verdict.because.word());
    verdict.because.as_str()
}

fn changed(change: impl FnOnce(&mut TrialRecord)) -> &'static str {
    let mut record = holds();
    change(&mut record);
    because(&record)
}

fn last(record: &mut TrialRecord) -> &mut BatchRecord {
    record.batches.last_mut().expect("there are batches")
}

#[test]
fn broken_by_each_kind_of_wrong_output() {
    assert_eq!(changed(|record| last(record).failure = Some("print: panicked".into())), "batch-failed");
    assert_eq!(changed(|record| last(record).wrong = Some("off by one".into())), "wrong-output");
    assert_eq!(changed(|record| record.integrity.wrong_batches = 1), "wrong-output");
    assert_eq!(changed(|record| record.integrity.lost = 1), "records-lost");
    assert_eq!(changed(|record| record.integrity.doubled = 1), "records-doubled");
    assert_eq!(changed(|record| record.integrity.sequence_errors = vec!["gap".into()]), "sequence-broken");
    assert_eq!(changed(|record| record.failure = Some("stopped".into())), "trial-failed");
}

#[test]
fn broken_counts_the_warm_up_too() {
    assert_eq!(changed(|record| record.batches[0].wrong = Some("off".into())), "wrong-output");
}

#[test]
fn broken_comes_before_everything() {
    let mut record = growing(100, 10 * MS);
    record.integrity.clock_jump_ns = 1_000_000_000;
    record.integrity.lost = 1;
    assert_eq!(because(&record), "records-lost");
    record.integrity.lost = 0;
    assert_eq!(because(&record), "clock-jumped");
    record.integrity.clock_jump_ns = 0;
    assert_eq!(because(&record), "utilisation");
}

#[test]
fn invalid_when_the_clock_is_set_not_when_it_is_slewed() {
    // The trial is 21.8 s from the first to the last batch: 0.1 % of it is 21.8 ms.
    for (jump_ns, word) in [
        (21_800_000, "within-limits"),
        (-21_800_000, "within-limits"),
        (21_800_001, "clock-jumped"),
        (-21_800_001, "clock-jumped"),
        (i64::MIN, "clock-jumped"),
    ] {
        assert_eq!(changed(|record| record.integrity.clock_jump_ns = jump_ns), word, "{jump_ns}");
    }
}

#[test]
fn invalid_when_more_than_one_percent_is_handed_over_late() {
    // 2,200,000 records in all.
    let late = |records| changed(|record| record.integrity.generator_late_records = records);
    assert_eq!(late(22_000), "within-limits");
    assert_eq!(late(22_001), "generator-late");
}

#[test]
fn records_never_handed_over_are_late_unless_the_engine_blocked() {
    let missing = |missing: u64, blocked_ns: u64| {
        changed(|record| {
            record.integrity.accepted -= missing;
            record.integrity.committed -= missing;
            record.integrity.blocked_ns = blocked_ns;
        })
    };
    assert_eq!(missing(22_000, 0), "within-limits");
    assert_eq!(missing(22_001, 0), "generator-late");
    assert_eq!(missing(500_000, 1000 * MS), "sender-blocked");
}

#[test]
fn a_limit_on_the_rate_is_told_from_a_full_engine() {
    let blocked = |throttled_ns| {
        let mut record = holds();
        (record.integrity.blocked_ns, record.integrity.throttled_ns) = (10_000 * MS, throttled_ns);
        let verdict = judge(&record);
        assert_eq!(verdict.because, Because::SenderBlocked);
        verdict.text
    };
    assert!(blocked(0).contains("the engine blocked the sender"), "{}", blocked(0));
    assert!(blocked(9_000 * MS).contains("the limit on its rate blocked the sender"), "{}", blocked(9_000 * MS));
}

#[test]
fn falls_behind_when_anything_is_shed() {
    assert_eq!(changed(|record| record.integrity.shed = 1), "records-shed");
}

#[test]
fn falls_behind_when_the_sender_is_blocked_for_more_than_one_percent() {
    // 100 judged batches of 200 ms.
    let blocked = |ns| changed(|record| record.integrity.blocked_ns = ns);
    assert_eq!(blocked(200 * MS), "within-limits");
    assert_eq!(blocked(200 * MS + 1), "sender-blocked");
}

#[test]
fn falls_behind_when_the_median_batch_takes_longer_than_the_interval() {
    let taking = |processing_ns| trial("t", 25, |_, _| (0, processing_ns));
    assert_eq!(because(&taking(INTERVAL_NS)), "within-limits");
    assert_eq!(because(&taking(INTERVAL_NS + 1)), "utilisation");
}

#[test]
fn late_share_holds_up_to_the_limit_and_falls_behind_beyond_chance() {
    // Clopper–Pearson, 95 % lower bound: 3 of 100 → 0.82 %, 4 of 100 → 1.38 %; the limit is 1 %.
    assert_eq!(because(&with_late(100, 0)), "within-limits");
    assert_eq!(because(&with_late(100, 1)), "within-limits");
    assert_eq!(because(&with_late(100, 2)), "late-share-unclear");
    assert_eq!(because(&with_late(100, 3)), "late-share-unclear");
    assert_eq!(because(&with_late(100, 4)), "late-share");
}

#[test]
fn late_means_done_after_the_next_batch_was_due() {
    let ending = |total_ns| trial("t", 40, |_, _| (total_ns - 80 * MS, 80 * MS));
    assert_eq!(because(&ending(INTERVAL_NS)), "within-limits");
    assert_eq!(because(&ending(INTERVAL_NS + 1)), "late-share");
}

#[test]
fn the_limit_of_the_record_counts() {
    let mut record = with_late(100, 4);
    record.judging.late_limit = 0.05;
    assert_eq!(because(&record), "within-limits");
}

#[test]
fn falls_behind_when_the_delay_grows_beyond_half_a_percent_per_batch() {
    // 0.5 % of 200 ms is 1 ms per batch.
    assert_eq!(because(&growing(60, 1_100_000)), "delay-grows");
    assert_eq!(because(&growing(60, 1_000_000)), "growth-unclear");
    assert_eq!(because(&growing(60, 900_000)), "within-limits");
}

#[test]
fn twenty_judged_batches_are_needed_to_hold() {
    assert_eq!(because(&trial("t", 20, |_, _| (0, 80 * MS))), "within-limits");
    assert_eq!(because(&trial("t", 19, |_, _| (0, 80 * MS))), "too-few-batches");
    assert_eq!(because(&trial("t", 0, |_, _| (0, 80 * MS))), "too-few-batches");
}

#[test]
fn warm_up_and_jobless_batches_are_not_judged() {
    let mut record = holds();
    for batch in record.batches.iter_mut().take(WARMUP as usize) {
        batch.total_delay_ns = 10 * INTERVAL_NS;
    }
    assert_eq!(because(&record), "within-limits");
    for batch in record.batches.iter_mut().skip(60) {
        batch.has_job = false;
        batch.processing_ns = 0;
        batch.total_delay_ns = 10 * INTERVAL_NS;
    }
    let verdict = judge(&record);
    assert_eq!((verdict.judged, verdict.late), (50, 0));
    assert!(verdict.utilisation.expect("batches were judged") > 0.3);
}

#[test]
fn an_interrupted_trial_is_judged_by_what_was_measured() {
    let mut record = trial("t", 50, |_, _| (0, 80 * MS));
    record.interrupted = true;
    record.judging.planned_batches = 300;
    assert_eq!(because(&record), "within-limits");
    record.batches.truncate(20);
    assert_eq!(because(&record), "too-few-batches");
    assert!(judge(&record).text.contains("ended early"));
}

#[test]
fn batches_that_were_never_done_are_late() {
    let mut record = trial("t", 30, |_, _| (0, 80 * MS));
    record.judging.planned_batches = 100;
    assert_eq!(because(&record), "within-limits");
    record.integrity.unfinished = 20_000;
    record.integrity.accepted += 20_000;
    let verdict = judge(&record);
    assert_eq!((verdict.judged, verdict.late), (100, 70));
    assert_eq!(verdict.because, Because::LateShare);
}

/// Four late batches, the first `disturbed` of them during a pause of the host.
fn disturbed(disturbed: usize, processing_ns: u64) -> TrialRecord {
    let mut record = with_late(100, 4);
    for batch in record.batches.iter_mut().filter(|batch| !batch.late) {
        batch.processing_ns = processing_ns;
        batch.total_delay_ns = processing_ns;
    }
    let late = record.batches.iter().filter(|batch| batch.late);
    record.noise.hiccups = late.take(disturbed).map(hiccup_in).collect();
    record
}

#[test]
fn noise_excuses_late_batches_from_half_of_the_streaks_on() {
    assert_eq!(because(&disturbed(0, 80 * MS)), "late-share");
    assert_eq!(because(&disturbed(1, 80 * MS)), "late-share");
    assert_eq!(because(&disturbed(2, 80 * MS)), "host-noise");
    assert_eq!(because(&disturbed(4, 80 * MS)), "host-noise");
}

#[test]
fn noise_excuses_only_below_nine_tenths_of_the_interval() {
    assert_eq!(because(&disturbed(4, 179 * MS)), "host-noise");
    assert_eq!(because(&disturbed(4, 180 * MS)), "late-share");
}

#[test]
fn noise_beside_the_late_batches_excuses_nothing() {
    let mut record = with_late(100, 4);
    let late: Vec<BatchRecord> = record.batches.iter().filter(|batch| batch.late).cloned().collect();
    // Pauses that end when the batch is due, and pauses that start when it is done.
    record.noise.hiccups = late
        .iter()
        .flat_map(|batch| {
            let before = Hiccup { start_ns: batch.due_ns - MS, length_ns: MS };
            let after = Hiccup { start_ns: batch.due_ns + batch.total_delay_ns, length_ns: MS };
            [before, after]
        })
        .collect();
    assert_eq!(because(&record), "late-share");
}

#[test]
fn a_streak_counts_once_however_long() {
    let mut record = with_late(100, 3);
    // Ten late batches in a row are one streak: one of four is disturbed.
    for index in 95..105 {
        record.batches[index] = batch(index as u64, 130 * MS, 80 * MS);
    }
    record.noise.hiccups = vec![hiccup_in(&record.batches[99])];
    assert_eq!(because(&record), "late-share");
    let first_late = record.batches.iter().find(|batch| batch.late).cloned();
    record.noise.hiccups.push(hiccup_in(&first_late.expect("three are late")));
    assert_eq!(because(&record), "host-noise");
}

#[test]
fn noise_never_excuses_growth_nor_makes_anything_hold() {
    let mut record = growing(150, 1_500_000);
    record.noise.hiccups = record.batches.iter().map(hiccup_in).collect();
    assert_eq!(because(&record), "delay-grows");
    let mut unclear = not_judged();
    unclear.noise.hiccups = unclear.batches.iter().map(hiccup_in).collect();
    assert_eq!(because(&unclear), "late-share-unclear");
}

#[test]
fn figures_are_those_of_the_definitions() {
    let verdict = judge(&with_late(100, 3));
    assert_eq!((verdict.judged, verdict.late), (100, 3));
    assert_eq!(verdict.late_share, Some(0.03));
    assert_eq!(verdict.utilisation, Some(0.4));
    assert_eq!(verdict.headroom, Some(0.6));
    assert!((verdict.late_share_at_least.expect("judged") - 0.008_225_8).abs() < 1e-6);
    assert!((verdict.late_share_excluded.expect("judged") - 0.075_710_8).abs() < 1e-6);
}

#[test]
fn batches_without_a_single_record_hold_nothing() {
    let mut record = holds();
    record.batches.iter_mut().for_each(|batch| batch.records = 0);
    assert_eq!(judge(&record).because, Because::NothingCame);
    record.batches.last_mut().expect("some").records = 1;
    assert_eq!(judge(&record).word, Word::Holds);
    // Of a sender that nobody planned, most batches must have something.
    record.schedule.rate_per_s = None;
    let verdict = judge(&record);
    assert_eq!((verdict.because, verdict.word), (Because::NothingCame, Word::NotJudged));
    assert!(verdict.text.contains("No record came in 99 of 100 batches"), "{}", verdict.text);
    let half = record.batches.len() / 2 + 1;
    record.batches.iter_mut().rev().take(half).for_each(|batch| batch.records = 1);
    assert_eq!(judge(&record).word, Word::Holds);
}

#[test]
fn an_empty_record_is_not_judged_and_divides_by_nothing() {
    let verdict = judge(&TrialRecord::default());
    assert_eq!(verdict.because, Because::TooFewBatches);
    assert_eq!(verdict.late_share, None);
    assert_eq!(verdict.headroom, None);
}

#[test]
fn absurd_numbers_do_not_overflow() {
    let mut record = holds();
    for batch in &mut record.batches {
        batch.due_ns = u64::MAX;
        batch.total_delay_ns = u64::MAX;
        batch.generation_delay_ns = u64::MAX;
        batch.scheduling_delay_ns = u64::MAX;
        batch.records = u64::MAX;
        for phase in &mut batch.phases {
            phase.ns = u64::MAX;
        }
    }
    record.noise.hiccups = vec![Hiccup { start_ns: u64::MAX, length_ns: u64::MAX }];
    record.integrity.unfinished = u64::MAX;
    record.integrity.accepted = u64::MAX;
    record.integrity.generator_late_records = 0;
    record.judging.planned_batches = u64::MAX;
    record.schedule.rate_per_s = None;
    assert_eq!(judge(&record).word, Word::FallsBehind);
}

#[test]
fn words_and_reasons_are_closed_lists() {
    for because in Because::ALL {
        let name = because.as_str();
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-'));
        let twins = Because::ALL.iter().filter(|other| other.as_str() == name);
        assert_eq!(twins.count(), 1);
    }
    for word in Word::ALL {
        assert!(Because::ALL.iter().any(|because| because.word() == word));
    }
}
