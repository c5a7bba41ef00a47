//! Why was a batch late: the first rule with numbers that applies.

use crate::inert;
use crate::judged;
use crate::quantity::duration;
use crate::record::{BatchRecord, TrialRecord};

/// A phase this many times its time in the median batch stands out.
const PHASE_FACTOR: f64 = 2.0;

/// So many times the records of the median batch explain a longer time.
const RECORDS_FACTOR: f64 = 1.5;

/// A longest task this many times the median task is skew.
const SKEW_FACTOR: f64 = 2.0;

/// The likely cause in a few words, inert for terminals. `median` is the batch to compare with.
pub fn of(record: &TrialRecord, batch: &BatchRecord, median: Option<&BatchRecord>) -> String {
    host_pause(record, batch)
        .or_else(|| waiting(batch, median))
        .or_else(|| skew(batch))
        .or_else(|| more_records(batch, median?))
        .or_else(|| slow_phase(batch, median?))
        .unwrap_or_else(|| "unknown".to_owned())
}

fn host_pause(record: &TrialRecord, batch: &BatchRecord) -> Option<String> {
    let done = batch.due_ns.saturating_add(batch.total_delay_ns);
    let longest = record
        .noise
        .hiccups
        .iter()
        .filter(|hiccup| hiccup.start_ns < done && hiccup.start_ns.saturating_add(hiccup.length_ns) > batch.due_ns)
        .map(|hiccup| hiccup.length_ns)
        .max()?;
    // A pause much shorter than what the batch was late by is not why.
    let late_ns = batch.total_delay_ns.saturating_sub(record.judging.interval_ns);
    (longest.saturating_mul(2) >= late_ns).then(|| format!("host paused {}", duration(longest)))
}

/// Waiting cost more than what it took longer than the median batch.
fn waiting(batch: &BatchRecord, median: Option<&BatchRecord>) -> Option<String> {
    let usual_ns = median.map_or(0, |median| median.processing_ns);
    let extra_ns = batch.processing_ns.saturating_sub(usual_ns);
    let (generation_ns, scheduling_ns) = (batch.generation_delay_ns, batch.scheduling_delay_ns);
    if generation_ns.max(scheduling_ns) < extra_ns.max(1) {
        return None;
    }
    Some(match generation_ns > scheduling_ns {
        true => format!("submitted {} after due", duration(generation_ns)),
        false => format!("waited {} for the batches before it", duration(scheduling_ns)),
    })
}

fn skew(batch: &BatchRecord) -> Option<String> {
    let skew = batch.skew.filter(|skew| *skew >= SKEW_FACTOR)?;
    Some(format!("skew: longest task {skew:.1}× the median"))
}

fn slow_phase(batch: &BatchRecord, median: &BatchRecord) -> Option<String> {
    let excess = |name: &str, ns: u64| {
        let usual = median.phases.iter().find(|phase| phase.name == name)?.ns;
        Some((ns.saturating_sub(usual), ns as f64 / usual.max(1) as f64))
    };
    let (name, ns, (_, factor)) = batch
        .phases
        .iter()
        .filter_map(|phase| Some((&phase.name, phase.ns, excess(&phase.name, phase.ns)?)))
        .max_by_key(|(_, _, (excess_ns, _))| *excess_ns)?;
    (factor >= PHASE_FACTOR).then(|| format!("{} {}, {factor:.1}× the median", inert::short(name, 24), duration(ns)))
}

fn more_records(batch: &BatchRecord, median: &BatchRecord) -> Option<String> {
    let factor = batch.records as f64 / median.records.max(1) as f64;
    (factor >= RECORDS_FACTOR).then(|| format!("{factor:.1}× the records"))
}

/// The batches shown as late, with their causes, worst first.
pub fn late(record: &TrialRecord, limit: usize) -> Vec<(&BatchRecord, String)> {
    let median = judged::median_batch(record);
    let mut worst = judged::late_worst_first(record);
    worst.truncate(limit);
    worst.into_iter().map(|batch| (batch, of(record, batch, median))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{batch, hiccup_in, holds};

    const MS: u64 = 1_000_000;

    fn cause(late: &BatchRecord, record: &TrialRecord) -> String {
        of(record, late, Some(&batch(50, 0, 80 * MS)))
    }

    #[test]
    fn waiting_and_working_are_told_apart() {
        let record = holds();
        assert_eq!(cause(&batch(60, 150 * MS, 90 * MS), &record), "waited 150 ms for the batches before it");
        assert_eq!(cause(&batch(60, 20 * MS, 250 * MS), &record), "map 138 ms, 3.1× the median");
        let mut submitted_late = batch(60, 150 * MS, 90 * MS);
        std::mem::swap(&mut submitted_late.generation_delay_ns, &mut submitted_late.scheduling_delay_ns);
        assert_eq!(cause(&submitted_late, &record), "submitted 150 ms after due");
    }

    #[test]
    fn a_short_pause_does_not_explain_a_long_wait() {
        let mut record = holds();
        let late = batch(60, 5_000 * MS, 90 * MS);
        record.noise.hiccups.push(crate::record::Hiccup { start_ns: late.due_ns + MS, length_ns: 50 * MS });
        assert_eq!(cause(&late, &record), "waited 5 s for the batches before it");
    }

    #[test]
    fn the_host_comes_first_and_skew_and_size_before_the_phase() {
        let mut record = holds();
        let mut late = batch(60, 0, 250 * MS);
        late.records *= 3;
        assert_eq!(cause(&late, &record), "3.0× the records");
        late.skew = Some(4.1);
        assert_eq!(cause(&late, &record), "skew: longest task 4.1× the median");
        record.noise.hiccups = vec![hiccup_in(&late)];
        assert_eq!(cause(&late, &record), "host paused 120 ms");
    }

    #[test]
    fn what_no_rule_explains_is_unknown() {
        let mut late = batch(60, 0, 210 * MS);
        late.phases.clear();
        assert_eq!(cause(&late, &holds()), "unknown");
    }
}
