//! The sentences of a verdict: what was seen, what limits, what to do next.

use super::evidence::{Evidence, late_streaks};
use super::{Because, Verdict, Word, broken_batch, empty_batches};
use crate::inert;
use crate::judged;
use crate::quantity::{count, duration, percent, quantile, rate, rate_flag, signed_duration};
use crate::record::TrialRecord;
use crate::stats::percentiles;

/// Longest piece of text from outside inside a sentence, in characters.
const OUTSIDE_LIMIT: usize = 160;

/// The sentence after the word.
pub(super) fn text(record: &TrialRecord, verdict: &Verdict, evidence: &Evidence) -> String {
    match verdict.word {
        Word::Broken => broken(record, verdict),
        Word::Invalid => invalid(record, verdict, evidence),
        Word::FallsBehind => falls_behind(record, verdict, evidence),
        Word::Holds => holds(record, verdict),
        Word::NotJudged => not_judged(record, verdict),
    }
}

fn broken(record: &TrialRecord, verdict: &Verdict) -> String {
    let integrity = &record.integrity;
    match verdict.because {
        Because::BatchFailed => {
            let failed = record.batches.iter().filter(|batch| batch.failure.is_some());
            let first = failed.clone().next();
            let index = first.map_or(0, |batch| batch.index);
            let why = first.and_then(|batch| batch.failure.as_deref());
            let why = inert::short(why.unwrap_or("unknown"), OUTSIDE_LIMIT);
            format!("{} failed, the first is batch {index}: {why}.", batches(failed.count() as u64))
        }
        Because::WrongOutput => wrong_output(record),
        Because::RecordsLost => {
            format!("{} of {} accepted records were lost.", count(integrity.lost), count(integrity.accepted))
        }
        Because::RecordsDoubled => {
            format!("{} records were in more than one committed batch.", count(integrity.doubled))
        }
        Because::SequenceBroken => {
            let first = integrity.sequence_errors.first().map_or("", String::as_str);
            format!(
                "The batches do not cover the records without gap and overlap: {}.",
                inert::short(first.trim_end_matches('.'), OUTSIDE_LIMIT)
            )
        }
        _ => {
            let why = record.failure.as_deref().unwrap_or("unknown");
            format!("The trial failed: {}.", inert::short(why.trim_end_matches('.'), OUTSIDE_LIMIT))
        }
    }
}

fn wrong_output(record: &TrialRecord) -> String {
    let wrong = record.batches.iter().filter(|batch| batch.wrong.is_some());
    let wrong_batches = record.integrity.wrong_batches.max(wrong.clone().count() as u64);
    let mut text = format!(
        "{} of {} checked gave a wrong answer",
        batches(wrong_batches),
        count(record.integrity.checked_batches)
    );
    if let Some((batch, what)) = wrong.clone().find_map(|batch| Some((batch, batch.wrong.as_deref()?))) {
        let what = inert::short(what.trim_end_matches('.'), OUTSIDE_LIMIT);
        text.push_str(&format!("; batch {}: {what}", batch.index));
    }
    text + "."
}

fn invalid(record: &TrialRecord, verdict: &Verdict, evidence: &Evidence) -> String {
    let integrity = &record.integrity;
    if verdict.because == Because::ClockJumped {
        let jump = signed_duration(integrity.clock_jump_ns as f64);
        return format!(
            "The wall clock moved by {jump} against the monotonic clock during the trial; labels and delays cannot be trusted."
        );
    }
    let allowed = (record.judging.interval_ns / 20).max(5_000_000);
    format!(
        "The generator handed over {} records ({}, limit {}) more than {} after their intended time, up to {}; latencies would look too good.",
        count(evidence.generator_late_records),
        percent(evidence.generator_late_share),
        percent(verdict.limits.generator_late),
        duration(allowed),
        duration(integrity.generator_lag_ns.max),
    )
}

fn falls_behind(record: &TrialRecord, verdict: &Verdict, evidence: &Evidence) -> String {
    let interval = duration(record.judging.interval_ns);
    let takes = format!("the median batch takes {} of a {interval} interval", median_processing(record));
    let late = late_of_judged(verdict);
    let reason = match verdict.because {
        Because::RecordsShed => shed(record),
        Because::SenderBlocked => format!(
            "{} blocked the sender for {} of the time (limit {})",
            blocker(record),
            percent(evidence.blocked_share.min(1.0)),
            percent(verdict.limits.blocked)
        ),
        Because::Utilisation => takes.clone(),
        Because::LateShare => format!(
            "{late}, at least {} beyond chance (limit {})",
            percent(verdict.late_share_at_least.unwrap_or(0.0)),
            percent(verdict.limits.late_share)
        ),
        _ => "batches wait longer and longer".to_owned(),
    };
    let mut parts = vec![match judged::rate_per_s(record) {
        Some(per_s) => format!("At {} {reason}", rate(per_s)),
        None => capitalised(&reason),
    }];
    let growth = verdict.slope_ns_per_batch.filter(|slope| slope.low > verdict.limits.slope * evidence.interval_ns);
    parts.extend(growth.map(|slope| format!("delay grows {} per batch", signed_duration(slope.estimate))));
    if verdict.because != Because::LateShare {
        parts.push(late);
    }
    if verdict.because != Because::Utilisation {
        parts.push(takes);
    }
    parts.join("; ") + "." + &limited_by(record)
}

/// Who kept the sender waiting for most of the time.
fn blocker(record: &TrialRecord) -> &'static str {
    let integrity = &record.integrity;
    if integrity.throttled_ns > integrity.blocked_ns / 2 { "the limit on its rate" } else { "the engine" }
}

fn shed(record: &TrialRecord) -> String {
    let shed = record.integrity.shed;
    let offered = shed.saturating_add(record.integrity.accepted);
    format!("{} of {} records were shed", count(shed), count(offered))
}

fn holds(record: &TrialRecord, verdict: &Verdict) -> String {
    let mut text = format!("{}; ", load(record));
    if let Some(tail) = tail(record, verdict.judged) {
        text.push_str(&format!("{tail}; "));
    }
    text.push_str(&late_of_judged(verdict));
    if let Some(headroom) = verdict.headroom {
        text.push_str(&format!("; {} headroom", percent(headroom)));
    }
    text.push('.');
    text.push_str(&limited_by(record));
    if record.interrupted {
        text.push_str(&format!(" Ended early: {} batches were planned.", count(record.judging.planned_batches)));
    }
    if let Some(excluded) = verdict.late_share_excluded {
        text.push_str(&format!(" {} batches exclude a late share above {}.", count(verdict.judged), percent(excluded)));
    }
    text
}

fn not_judged(record: &TrialRecord, verdict: &Verdict) -> String {
    match verdict.because {
        Because::HostNoise => {
            let (streaks, disturbed) = late_streaks(record);
            let longest = record.noise.hiccups.iter().map(|hiccup| hiccup.length_ns);
            format!(
                "{}, but {disturbed} of {streaks} late streaks overlap a pause of the host (longest {}) and the median batch takes only {} of the interval.",
                capitalised(&late_of_judged(verdict)),
                duration(longest.max().unwrap_or(0)),
                percent(verdict.utilisation.unwrap_or(0.0)),
            )
        }
        Because::TooFewBatches => format!(
            "{} judged, {} are needed{}.",
            batches(verdict.judged),
            verdict.limits.judged_batches,
            if record.interrupted { "; the trial was ended early" } else { "" }
        ),
        Because::NothingCame => match empty_batches(record) {
            empty if empty < verdict.judged => format!("No record came in {} of {}.", empty, batches(verdict.judged)),
            _ => format!("Not one record came in {}.", batches(verdict.judged)),
        },
        Because::LateShareUnclear => format!(
            "{}, more than the limit of {}, but by chance the true share may be as low as {}.",
            capitalised(&late_of_judged(verdict)),
            percent(verdict.limits.late_share),
            percent(verdict.late_share_at_least.unwrap_or(0.0)),
        ),
        _ => match verdict.slope_ns_per_batch {
            Some(slope) => format!(
                "The total delay changes by {} to {} per batch; growth above {} cannot be excluded.",
                signed_duration(slope.low),
                signed_duration(slope.high),
                signed_duration(verdict.limits.slope * record.judging.interval_ns as f64),
            ),
            None => "Too few batches were done to tell whether the delay grows.".to_owned(),
        },
    }
}

/// What to do next.
pub(super) fn next(record: &TrialRecord, verdict: &Verdict) -> Option<String> {
    let planned_rate = record.schedule.rate_per_s;
    let with = |flag: String| Some(format!("the same command with {flag}"));
    match verdict.because {
        Because::WithinLimits => {
            let room = 0.9 / verdict.utilisation?.max(0.09);
            let rate = planned_rate?;
            (room > 1.05).then(|| {
                format!("the same command with --rate {}: does it hold more?", rate_flag(rate * room.min(2.0)))
            })
        }
        Because::TooFewBatches if record.interrupted => Some("the same command, left to run to its end".to_owned()),
        Because::TooFewBatches if verdict.judged < record.judging.planned_batches && planned_rate.is_some() => {
            with("--loop, or a lower --rate: the input ended too soon".to_owned())
        }
        Because::TooFewBatches => with(format!("--batches {}", record.judging.planned_batches.max(100))),
        Because::NothingCame => Some("the same command while the sender sends".to_owned()),
        Because::LateShareUnclear | Because::GrowthUnclear => {
            with(format!("--batches {}", verdict.judged.saturating_mul(4)))
        }
        Because::HostNoise => Some("the same command on a quiet host".to_owned()),
        Because::GeneratorLate => {
            Some("a lower --rate, or fewer threads so that the generator has a core of its own".to_owned())
        }
        Because::ClockJumped => Some("the same command once the clock is synchronised".to_owned()),
        Because::NoRecord => None,
        _ if verdict.word == Word::Broken => {
            broken_batch(record).map(|index| format!("report.html#batch-{index} shows the batch"))
        }
        _ => {
            let utilisation = verdict.utilisation?.max(0.9);
            with(format!("--rate {}", rate_flag(planned_rate? * 0.8 / utilisation)))
        }
    }
}

/// `150,000 rec/s at 1 s batches`.
fn load(record: &TrialRecord) -> String {
    let interval = duration(record.judging.interval_ns);
    match judged::rate_per_s(record) {
        Some(per_s) => format!("{} at {interval} batches", rate(per_s)),
        None => format!("{interval} batches"),
    }
}

/// The highest supported percentile by record, with the largest value.
fn tail(record: &TrialRecord, judged: u64) -> Option<String> {
    let histogram = percentiles::decode(record.latency_histogram.as_deref()?).ok()?;
    if histogram.is_empty() {
        return None;
    }
    let highest = [0.999, 0.99, 0.9, 0.5].into_iter().find(|&wanted| percentiles::is_supported(wanted, judged))?;
    Some(format!(
        "end-to-end {} {}, max {}",
        quantile(highest),
        duration(histogram.value_at_quantile(highest)),
        duration(histogram.max())
    ))
}

fn limited_by(record: &TrialRecord) -> String {
    judged::limiting_phase(record).map_or_else(String::new, |(name, share)| {
        format!(" Limited by {} ({} of batch time).", inert::short(name, 40), percent(share))
    })
}

fn median_processing(record: &TrialRecord) -> String {
    let median = judged::median_utilisation(record).unwrap_or(0.0);
    signed_duration(median * record.judging.interval_ns as f64)
}

fn late_of_judged(verdict: &Verdict) -> String {
    match (verdict.late, verdict.judged) {
        (0, judged) => format!("none of {} late", batches(judged)),
        (late, judged) => format!("{} of {} late", count(late), batches(judged)),
    }
}

fn batches(number: u64) -> String {
    match number {
        1 => "1 batch".to_owned(),
        number => format!("{} batches", count(number)),
    }
}

fn capitalised(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
