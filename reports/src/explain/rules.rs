//! Why a batch took longer than the median batch: rules with numbers, each of which takes its part of the excess.
//!
//! The delays telescope, so the excess falls into three parts that need no guessing: submitted later, waited longer, worked longer. Of the
//! work, each rule in turn takes what it can explain of what is left; what no rule takes is the slowest stage's, or unknown.

use super::{Cause, Kind};
use crate::inert;
use crate::judged;
use crate::quantity::{count, duration};
use crate::record::{BatchRecord, TrialRecord};

/// A stage this many times its time in the median batch stands out.
const STAGE_FACTOR: f64 = 2.0;

/// So many times the records of the median batch explain a longer time.
const RECORDS_FACTOR: f64 = 1.2;

/// A longest task this many times the median task is skew.
const SKEW_FACTOR: f64 = 2.0;

/// So many times the allocations per record of the median batch are a storm.
const ALLOCATIONS_FACTOR: f64 = 2.0;

/// Fewer allocations than this in one batch cost too little to explain anything.
const FEWEST_ALLOCATIONS: u64 = 1_000;

/// So many times the page faults per record of the median batch stand out.
const FAULTS_FACTOR: f64 = 2.0;

/// Fewer page faults than this in one batch cost too little to explain anything; of major ones each counts.
const FEWEST_FAULTS: u64 = 1_000;

/// What a page fault takes at most: the kernel clears a page, and under a hypervisor finds one.
const MINOR_FAULT_NS: u64 = 10_000;

/// What one takes at most for which the kernel reads from a disk.
const MAJOR_FAULT_NS: u64 = 10_000_000;

/// The kernel counts stolen time in ticks of this length.
const STEAL_TICK_NS: u64 = 10_000_000;

/// Stages whose time is that of outputs.
const OUTPUTS: [&str; 2] = ["output", "commit"];

/// Longest name of a stage inside a sentence, characters.
const NAME: usize = 24;

/// Everything the rules look at.
pub(super) struct Case<'r> {
    pub(super) record: &'r TrialRecord,
    pub(super) batch: &'r BatchRecord,
    pub(super) median: Option<&'r BatchRecord>,
}

impl<'r> Case<'r> {
    /// The causes with the time that each explains, the largest first.
    pub(super) fn causes(&self) -> Vec<Cause> {
        let mut causes = self.submitted();
        causes.extend(self.backlog());
        causes.extend(self.work());
        causes.retain(|cause| cause.ns > 0);
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.ns));
        causes
    }

    fn usual(&self, figure: impl Fn(&BatchRecord) -> u64) -> u64 {
        self.median.map_or(0, figure)
    }

    fn excess(&self, figure: impl Fn(&BatchRecord) -> u64) -> u64 {
        figure(self.batch).saturating_sub(self.usual(figure))
    }

    /// The same of a time before the start. Waiting is not usual: where the median batch is late itself, all of it counts.
    fn waiting(&self, figure: impl Fn(&BatchRecord) -> u64) -> u64 {
        match self.median.is_some_and(|median| judged::is_late(self.record, median)) {
            true => figure(self.batch),
            false => self.excess(figure),
        }
    }

    /// Total delay beyond that of a batch like the median one that did not have to wait.
    pub(super) fn excess_ns(&self) -> u64 {
        let median_ns = match self.median {
            Some(median) if judged::is_late(self.record, median) => median.processing_ns,
            Some(median) => median.total_delay_ns,
            None => 0,
        };
        self.batch.total_delay_ns.saturating_sub(median_ns)
    }

    /// Submitted later than usual: the host paused, the sender was late, or neither.
    fn submitted(&self) -> Vec<Cause> {
        let excess_ns = self.waiting(|batch| batch.generation_delay_ns);
        let batch = self.batch;
        if self.queue_was_full() {
            return Vec::new();
        }
        let submitted_ns = batch.due_ns.saturating_add(batch.generation_delay_ns);
        let paused_ns = self.paused_ns(batch.due_ns, submitted_ns).min(excess_ns);
        let mut causes = vec![Cause::new(Kind::Host, paused_ns, format!("host paused {}", duration(paused_ns)))];
        let rest_ns = excess_ns - paused_ns;
        let late = duration(batch.generation_delay_ns);
        // A batch waits for its records: a sender that late explains the delay.
        let lag_ns = self.generator_lag_ns();
        causes.push(match lag_ns.saturating_mul(2) >= rest_ns {
            true => Cause::new(Kind::Generator, rest_ns, format!("{}; submitted {late} after due", self.sender_late())),
            false => Cause::new(Kind::Submission, rest_ns, format!("submitted {late} after due")),
        });
        causes
    }

    /// Of the batch itself; records of older builds know only the largest of the whole trial.
    fn generator_lag_ns(&self) -> u64 {
        self.batch.generator_lag_ns.unwrap_or(self.record.integrity.generator_lag_ns.max)
    }

    fn sender_late(&self) -> String {
        let behind = duration(self.generator_lag_ns());
        match self.batch.generator_lag_ns {
            Some(_) => format!("generator {behind} behind"),
            None => format!("generator up to {behind} behind in the whole trial"),
        }
    }

    /// Whether it could not be submitted when it was due, because others waited still.
    fn queue_was_full(&self) -> bool {
        let before = self.record.batches.windows(2).find(|pair| pair[1].index == self.batch.index);
        before.is_some_and(waited) && self.batch.queue_depth > 0
    }

    /// Waited for the batches before it; the first of them that did not wait itself is why.
    fn backlog(&self) -> Option<Cause> {
        let batch = self.batch;
        let (mut excess_ns, mut waited_ns) =
            (self.waiting(|batch| batch.scheduling_delay_ns), batch.scheduling_delay_ns);
        if self.queue_was_full() {
            excess_ns = excess_ns.saturating_add(self.waiting(|batch| batch.generation_delay_ns));
            waited_ns = waited_ns.saturating_add(batch.generation_delay_ns);
        }
        if excess_ns == 0 {
            return None;
        }
        let waited = duration(waited_ns);
        let Some(head) = head_of_streak(self.record, self.batch) else {
            return Some(Cause::new(Kind::Start, excess_ns, format!("started {waited} after it was submitted")));
        };
        let streak = self.batch.index.saturating_sub(head.index);
        let mut text = format!("waited {waited} behind #{}", head.index);
        if streak > 1 {
            text.push_str(&format!(" and the {} batches after it", count(streak - 1)));
        }
        let interval_ns = self.record.judging.interval_ns;
        let usual_ns = self.usual(|batch| batch.processing_ns);
        if usual_ns > interval_ns {
            // No batch of the streak is to blame more than any other.
            let (usual, interval) = (duration(usual_ns), duration(interval_ns));
            text.push_str(&format!("; the median batch takes {usual} of a {interval} interval"));
            return Some(Cause { head: Some(head.index), ..Cause::new(Kind::Backlog, excess_ns, text) });
        }
        if let Some(why) = (Case { record: self.record, batch: head, median: self.median }).own_cause() {
            text.push_str(&format!(" ({})", why.text));
        }
        Some(Cause { head: Some(head.index), ..Cause::new(Kind::Backlog, excess_ns, text) })
    }

    /// Of a batch that kept others waiting because it came or took longer than an interval: its cause that explains most.
    fn own_cause(&self) -> Option<Cause> {
        let busy_ns = self.batch.generation_delay_ns.saturating_add(self.batch.processing_ns);
        if busy_ns <= self.record.judging.interval_ns {
            return None;
        }
        let causes = self.submitted().into_iter().chain(self.work());
        causes.filter(|cause| cause.ns > 0 && cause.kind != Kind::Unknown).max_by_key(|cause| cause.ns)
    }

    /// Worked longer than the median batch.
    fn work(&self) -> Vec<Cause> {
        let mut rest_ns = self.excess(|batch| batch.processing_ns);
        let rules =
            [Self::host, Self::steal, Self::output, Self::skew, Self::records, Self::allocator, Self::page_faults];
        let mut causes = Vec::new();
        for rule in rules {
            let Some(mut cause) = rule(self, rest_ns) else { continue };
            cause.ns = cause.ns.min(rest_ns);
            rest_ns -= cause.ns;
            causes.push(cause);
        }
        causes.push(self.stage(rest_ns));
        causes
    }

    fn host(&self, _: u64) -> Option<Cause> {
        let paused_ns = self.paused_at_work_ns();
        (paused_ns > 0).then(|| Cause::new(Kind::Host, paused_ns, format!("host paused {}", duration(paused_ns))))
    }

    fn paused_at_work_ns(&self) -> u64 {
        let batch = self.batch;
        let done_ns = batch.due_ns.saturating_add(batch.total_delay_ns);
        self.paused_ns(done_ns.saturating_sub(batch.processing_ns), done_ns)
    }

    /// Time that the hypervisor gave to others, of all cores together: whether the batch waited for it nobody knows. A pause is counted
    /// there, too.
    fn steal(&self, _: u64) -> Option<Cause> {
        let stolen_ns = self.batch.stolen_ns?;
        let usual_ns = self.usual(|batch| batch.stolen_ns.unwrap_or(0));
        let excess_ns = stolen_ns.saturating_sub(usual_ns).saturating_sub(self.paused_at_work_ns());
        if excess_ns < STEAL_TICK_NS {
            return None;
        }
        let text = format!("host stole {} of CPU time, {} in the median", duration(stolen_ns), duration(usual_ns));
        Some(Cause { at_most: true, ..Cause::new(Kind::Steal, excess_ns, text) })
    }

    /// Time in [from, to) in which a thread that only sleeps could not wake up.
    fn paused_ns(&self, from_ns: u64, to_ns: u64) -> u64 {
        let inside = self.record.noise.hiccups.iter().map(|hiccup| {
            let end_ns = hiccup.start_ns.saturating_add(hiccup.length_ns).min(to_ns);
            end_ns.saturating_sub(hiccup.start_ns.max(from_ns))
        });
        inside.fold(0, u64::saturating_add)
    }

    fn output(&self, _: u64) -> Option<Cause> {
        let (name, ns, excess_ns, factor) = self.slowest_stage(|name| OUTPUTS.contains(&name))?;
        (factor >= STAGE_FACTOR).then(|| Cause::new(Kind::Output, excess_ns, stood_out(name, ns, factor)))
    }

    /// While the longest task ran, the other workers idled.
    fn skew(&self, rest_ns: u64) -> Option<Cause> {
        let skew = self.batch.skew.filter(|skew| *skew >= SKEW_FACTOR)?;
        let usual = self.median.and_then(|median| median.skew).unwrap_or(1.0);
        if skew < usual * 1.5 {
            return None;
        }
        let others = u64::from(self.record.judging.threads).saturating_sub(1);
        // With one worker nobody idles, and the longest task takes what it takes.
        let alone_ns = self.excess(|batch| batch.idle_ns).checked_div(others).unwrap_or(rest_ns);
        Some(Cause::new(Kind::Skew, alone_ns, format!("skew: longest task {skew:.1}× the median task")))
    }

    fn records(&self, _: u64) -> Option<Cause> {
        let median = self.median?;
        let factor = self.batch.records as f64 / median.records.max(1) as f64;
        let more_ns = ((factor - 1.0) * median.processing_ns as f64).max(0.0) as u64;
        (factor >= RECORDS_FACTOR).then(|| Cause::new(Kind::Records, more_ns, format!("{factor:.1}× the records")))
    }

    /// What allocations cost is not measured batch by batch: at most what is left.
    fn allocator(&self, rest_ns: u64) -> Option<Cause> {
        let (median, allocations) = (self.median?, self.batch.allocations?);
        let per_record = |count: u64, batch: &BatchRecord| count as f64 / batch.records.max(1) as f64;
        let usual = per_record(median.allocations?.max(1), median);
        let factor = per_record(allocations, self.batch) / usual;
        if factor < ALLOCATIONS_FACTOR || allocations < FEWEST_ALLOCATIONS {
            return None;
        }
        let text = format!("allocator: {} allocations, {factor:.1}× the median", count(allocations));
        Some(Cause { at_most: true, ..Cause::new(Kind::Allocator, rest_ns, text) })
    }

    /// What faults cost is not measured: at most what the most expensive ones do.
    fn page_faults(&self, _: u64) -> Option<Cause> {
        let (median, faults) = (self.median?, self.batch.page_faults?);
        let per_record = |count: u64, batch: &BatchRecord| count as f64 / batch.records.max(1) as f64;
        let usual = median.page_faults?;
        let factor = per_record(faults, self.batch) / per_record(usual.max(1), median);
        let major = self.excess(|batch| batch.major_page_faults.unwrap_or(0));
        if factor < FAULTS_FACTOR || (faults < FEWEST_FAULTS && major == 0) {
            return None;
        }
        let minor_ns = faults.saturating_sub(usual).saturating_sub(major).saturating_mul(MINOR_FAULT_NS);
        let most_ns = minor_ns.saturating_add(major.saturating_mul(MAJOR_FAULT_NS));
        let read = if major > 0 { format!(", {} of them read from a disk", count(major)) } else { String::new() };
        let text = format!("{} page faults, {factor:.1}× the median{read}", count(faults));
        Some(Cause { at_most: true, ..Cause::new(Kind::PageFaults, most_ns, text) })
    }

    /// What nothing else explains: the stage that grew most if it stands out, and otherwise nobody knows.
    fn stage(&self, rest_ns: u64) -> Cause {
        let slowest = self.slowest_stage(|name| !OUTPUTS.contains(&name));
        match slowest.filter(|(_, _, _, factor)| *factor >= STAGE_FACTOR) {
            Some((name, ns, _, factor)) => Cause::new(Kind::Stage, rest_ns, stood_out(name, ns, factor)),
            None => Cause::new(Kind::Unknown, rest_ns, "unknown".to_owned()),
        }
    }

    /// The stage with the largest excess: name, time, excess, and how many times the median batch's it is.
    fn slowest_stage(&self, wanted: impl Fn(&str) -> bool) -> Option<(&'r str, u64, u64, f64)> {
        let median = self.median?;
        let of = |batch: &BatchRecord, name: &str| {
            batch.phases.iter().find(|phase| phase.name == name).map(|phase| phase.ns)
        };
        let stages = self.batch.phases.iter().filter(|phase| wanted(&phase.name));
        let compared = stages.map(|phase| {
            let usual_ns = of(median, &phase.name).unwrap_or(0);
            let factor = phase.ns as f64 / usual_ns.max(1) as f64;
            (phase.name.as_str(), phase.ns, phase.ns.saturating_sub(usual_ns), factor)
        });
        compared.max_by_key(|(_, _, excess_ns, _)| *excess_ns).filter(|(_, _, excess_ns, _)| *excess_ns > 0)
    }
}

fn stood_out(name: &str, ns: u64, factor: f64) -> String {
    // A stage that the median batch hardly has: its factor would say nothing.
    match factor < 10_000.0 {
        true => format!("{} {}, {factor:.1}× the median", inert::short(name, NAME), duration(ns)),
        false => format!("{} {}, hardly any in the median", inert::short(name, NAME), duration(ns)),
    }
}

/// The batch at which the streak of waiting begins that this batch is in. `None` when the batch before it was done in time.
fn head_of_streak<'r>(record: &'r TrialRecord, batch: &BatchRecord) -> Option<&'r BatchRecord> {
    let place = record.batches.iter().position(|other| other.index == batch.index)?;
    let streak = record.batches[..=place].windows(2).rev().take_while(|pair| waited(pair)).count();
    (streak > 0).then(|| &record.batches[place - streak])
}

/// Whether the second batch was submitted before the first was done, or could not be because the queue was full.
fn waited(pair: &[BatchRecord]) -> bool {
    let done_ns = pair[0].due_ns.saturating_add(pair[0].total_delay_ns);
    let submitted_ns = pair[1].due_ns.saturating_add(pair[1].generation_delay_ns);
    done_ns > submitted_ns || (pair[1].queue_depth > 0 && done_ns > pair[1].due_ns)
}

/// Late judged batches that did not have to wait for another, by index: the other late ones are their victims.
pub fn heads(record: &TrialRecord) -> Vec<u64> {
    let batches = &record.batches;
    let is_head = |place: &usize| {
        let is_late = judged::is_judged(&batches[*place]) && judged::is_late(record, &batches[*place]);
        is_late && (*place == 0 || !waited(&batches[place - 1..=*place]))
    };
    (0..batches.len()).filter(is_head).map(|place| batches[place].index).collect()
}

#[cfg(test)]
mod tests {
    use crate::examples::{INTERVAL_NS, batch, falls_behind, hiccup_in, holds};
    use crate::explain::{Explanation, Kind};
    use crate::record::{BatchRecord, Hiccup, Phase, TrialRecord};

    const MS: u64 = 1_000_000;

    /// The record with this batch in place of the one of its index, explained.
    fn explained(mut record: TrialRecord, late: BatchRecord) -> Vec<(Kind, u64, String)> {
        let index = late.index as usize;
        record.batches[index] = late;
        let explanation = Explanation::of(&record, &record.batches[index]);
        let causes = explanation.causes.into_iter();
        causes.map(|cause| (cause.kind, (100.0 * cause.share).round() as u64, cause.text)).collect()
    }

    fn first(record: TrialRecord, late: BatchRecord) -> (Kind, u64, String) {
        explained(record, late).swap_remove(0)
    }

    #[test]
    fn a_stage_that_grew_is_named_with_its_factor() {
        let (kind, share, text) = first(holds(), batch(60, 0, 250 * MS));
        assert_eq!((kind, text.split(", ").next().unwrap()), (Kind::Stage, "map 138 ms"));
        assert!(share >= 90, "{share}");
    }

    #[test]
    fn a_batch_that_waited_names_the_head_of_the_streak_and_its_cause() {
        let mut record = holds();
        record.batches[57] = batch(57, 0, 600 * MS);
        record.batches[58] = batch(58, 400 * MS, 80 * MS);
        record.batches[59] = batch(59, 280 * MS, 80 * MS);
        record.noise.hiccups = vec![Hiccup { start_ns: record.batches[57].due_ns, length_ns: 500 * MS }];
        let (kind, share, text) = first(record.clone(), batch(60, 160 * MS, 85 * MS));
        assert_eq!(kind, Kind::Backlog);
        assert!(share > 90, "{share}");
        assert_eq!(text, "waited 160 ms behind #57 and the 2 batches after it (host paused 500 ms)");
        assert_eq!(super::heads(&record), [57]);
    }

    #[test]
    fn where_every_batch_takes_too_long_no_single_one_is_blamed() {
        let record = falls_behind();
        let explanation = Explanation::of(&record, &record.batches[100]);
        let text = &explanation.causes[0].text;
        assert!(
            text.contains("behind #0 and the 99 batches after it; the median batch takes 226 ms of a 200 ms"),
            "{text}"
        );
    }

    #[test]
    fn a_full_queue_is_a_backlog_also_before_the_batch_is_submitted() {
        let mut record = holds();
        record.batches[59] = batch(59, 0, 700 * MS);
        let mut late = batch(60, 510 * MS, 85 * MS);
        (late.generation_delay_ns, late.scheduling_delay_ns, late.queue_depth) = (400 * MS, 110 * MS, 3);
        let causes = explained(record, late);
        assert!(causes[0].0 == Kind::Backlog && causes[0].2.starts_with("waited 510 ms behind #59"), "{causes:?}");
        assert!(!causes.iter().any(|cause| cause.0 == Kind::Submission), "{causes:?}");
    }

    #[test]
    fn where_the_median_batch_waits_itself_waiting_is_no_less_a_cause() {
        let record = falls_behind();
        let median = crate::judged::median_batch(&record).unwrap();
        let explanation = Explanation::of(&record, median);
        assert_eq!(explanation.causes[0].kind, Kind::Backlog);
        assert_eq!(explanation.excess_ns, median.total_delay_ns - median.processing_ns);
    }

    #[test]
    fn a_batch_that_started_late_behind_nobody_is_no_victim() {
        let (kind, _, text) = first(holds(), batch(60, 190 * MS, 90 * MS));
        assert_eq!((kind, text.as_str()), (Kind::Start, "started 190 ms after it was submitted"));
    }

    #[test]
    fn a_skewed_key_takes_the_time_in_which_the_others_idled() {
        let mut late = batch(60, 0, 300 * MS);
        (late.skew, late.idle_ns) = (Some(4.1), 250 * MS);
        let causes = explained(holds(), late);
        assert_eq!((causes[0].0, causes[0].2.as_str()), (Kind::Skew, "skew: longest task 4.1× the median task"));
        assert!(causes[0].1 > 80, "{causes:?}");
    }

    #[test]
    fn a_slow_output_is_told_from_slow_work() {
        let mut late = batch(60, 0, 80 * MS);
        let output = late.phases.iter_mut().find(|phase| phase.name == "output").unwrap();
        output.ns += 200 * MS;
        late.processing_ns += 200 * MS;
        late.total_delay_ns += 200 * MS;
        let (kind, share, text) = first(holds(), late);
        assert_eq!(kind, Kind::Output);
        assert!(text.starts_with("output 204 ms, ") && share > 95, "{share} {text}");
    }

    #[test]
    fn more_records_take_their_share_of_the_time() {
        let mut late = batch(60, 0, 250 * MS);
        late.records *= 3;
        let (kind, share, text) = first(holds(), late);
        assert_eq!((kind, text.as_str()), (Kind::Records, "3.0× the records"));
        assert!(share > 90, "{share}");
    }

    #[test]
    fn a_storm_of_allocations_is_named_and_only_at_most() {
        let mut late = batch(60, 0, 250 * MS);
        late.allocations = Some(2_408_000);
        let mut record = holds();
        record.batches[60] = late;
        let explanation = Explanation::of(&record, &record.batches[60]);
        assert_eq!(explanation.causes[0].kind, Kind::Allocator);
        assert_eq!(explanation.causes[0].text, "allocator: 2,408,000 allocations, 2000.0× the median");
        assert!(explanation.causes[0].at_most);
    }

    #[test]
    fn a_pause_of_the_host_explains_what_lies_inside_it_and_no_more() {
        let mut record = holds();
        let late = batch(60, 0, 280 * MS);
        let after = Hiccup { start_ns: late.due_ns + 900 * MS, length_ns: 500 * MS };
        record.noise.hiccups = vec![hiccup_in(&late), after];
        let causes = explained(record, late);
        assert_eq!((causes[0].0, causes[0].2.as_str()), (Kind::Host, "host paused 120 ms"));
        assert!((55..=65).contains(&causes[0].1), "{causes:?}");
        assert_eq!(causes[1].0, Kind::Stage);
    }

    #[test]
    fn a_late_sender_is_told_from_a_late_ticker() {
        let mut late = batch(60, 150 * MS, 90 * MS);
        std::mem::swap(&mut late.generation_delay_ns, &mut late.scheduling_delay_ns);
        let mut record = holds();
        assert_eq!(first(record.clone(), late.clone()).2, "submitted 150 ms after due");
        record.integrity.generator_lag_ns.max = 140 * MS;
        assert_eq!(first(record.clone(), late.clone()).0, Kind::Submission, "another batch's sender is no excuse");
        late.generator_lag_ns = Some(140 * MS);
        let (kind, _, text) = first(record.clone(), late.clone());
        assert_eq!((kind, text.as_str()), (Kind::Generator, "generator 140 ms behind; submitted 150 ms after due"));
        late.generator_lag_ns = None;
        let (kind, _, text) = first(record, late);
        let whole = "generator up to 140 ms behind in the whole trial; submitted 150 ms after due";
        assert_eq!((kind, text.as_str()), (Kind::Generator, whole));
    }

    #[test]
    fn the_victims_of_a_late_sender_lead_to_the_batch_that_it_was_late_with() {
        let mut record = holds();
        let head = &mut record.batches[59];
        (head.generation_delay_ns, head.generator_lag_ns) = (400 * MS, Some(400 * MS));
        head.total_delay_ns = head.generation_delay_ns + head.scheduling_delay_ns + head.processing_ns;
        let (kind, _, text) = first(record, batch(60, 280 * MS, 85 * MS));
        assert_eq!(kind, Kind::Backlog);
        assert!(text.ends_with("behind #59 (generator 400 ms behind; submitted 400 ms after due)"), "{text}");
    }

    #[test]
    fn stolen_time_explains_as_much_as_it_is_and_a_pause_is_not_counted_twice() {
        let mut late = batch(60, 0, 280 * MS);
        late.stolen_ns = Some(150 * MS);
        let (kind, share, text) = first(holds(), late.clone());
        assert_eq!((kind, text.as_str()), (Kind::Steal, "host stole 150 ms of CPU time, 0 s in the median"));
        assert!((70..=80).contains(&share), "{share}");
        let mut record = holds();
        record.noise.hiccups = vec![hiccup_in(&late)];
        let causes = explained(record, late.clone());
        assert_eq!((causes[0].0, causes[2].0, causes[2].1 < 20), (Kind::Host, Kind::Steal, true), "{causes:?}");
        late.stolen_ns = Some(9 * MS);
        assert_eq!(first(holds(), late).0, Kind::Stage, "less than a tick");
    }

    #[test]
    fn page_faults_explain_no_more_than_they_can_have_taken() {
        let mut late = batch(60, 0, 280 * MS);
        late.page_faults = Some(8_014);
        let causes = explained(holds(), late.clone());
        let share = causes.iter().find(|cause| cause.0 == Kind::PageFaults).unwrap().1;
        assert!(causes[0].0 == Kind::Stage && (35..=45).contains(&share), "8,000 faults are 80 ms at most: {causes:?}");
        late.page_faults = Some(100_000);
        let (kind, _, text) = first(holds(), late.clone());
        assert_eq!((kind, text.as_str()), (Kind::PageFaults, "100,000 page faults, 7142.9× the median"));
        late.page_faults = Some(999);
        assert!(explained(holds(), late.clone()).iter().all(|cause| cause.0 != Kind::PageFaults), "too few");
        late.major_page_faults = Some(30);
        let (kind, _, text) = first(holds(), late.clone());
        assert_eq!(kind, Kind::PageFaults);
        assert!(text.ends_with(", 30 of them read from a disk"), "{text}");
        (late.page_faults, late.major_page_faults) = (None, None);
        assert!(explained(holds(), late).iter().all(|cause| cause.0 != Kind::PageFaults), "unknown is no cause");
    }

    #[test]
    fn what_no_rule_explains_is_unknown() {
        let mut late = batch(60, 0, 210 * MS);
        late.phases.clear();
        assert_eq!(first(holds(), late), (Kind::Unknown, 100, "unknown".to_owned()));
    }

    #[test]
    fn shares_add_up_to_the_excess_whatever_the_mixture() {
        let mut late = batch(60, 100 * MS, 400 * MS);
        (late.skew, late.idle_ns, late.records) = (Some(3.0), 90 * MS, 60_000);
        late.phases.push(Phase { name: "commit".to_owned(), ns: 30 * MS });
        let mut record = holds();
        record.batches[60] = late;
        let explanation = Explanation::of(&record, &record.batches[60]);
        let sum: u64 = explanation.causes.iter().map(|cause| cause.ns).sum();
        assert!(explanation.causes.len() >= 3 && sum.abs_diff(explanation.excess_ns) < 100_000, "{explanation:?}");
        assert!((explanation.causes.iter().map(|cause| cause.share).sum::<f64>() - 1.0).abs() < 1e-3);
        assert!(explanation.causes.is_sorted_by(|one, next| one.ns >= next.ns));
        assert_eq!(explanation.late_by_ns, 500 * MS - INTERVAL_NS);
    }
}
