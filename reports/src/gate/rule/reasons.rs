//! From the looks to the judgement: every reason in words, and the one of them that has the word.

use super::course::Course;
use super::{LOOKS, PRIMARY, Walk};
use crate::gate::counted::{CountJudgement, has_same_instructions};
use crate::gate::exclusion::{Drops, ONE_SIDED};
use crate::gate::judgement::{Evidence, Judgement, Kind, Mark, MetricJudgement, Reason, Verdict};
use crate::gate::metric::Metric;
use crate::gate::noise;
use crate::gate::null_control::{self, NullControl};
use crate::gate::record::Block;
use crate::gate::shown::{change, effect, interval};
use crate::gate::soundness::{ends_the_gate, reason};
use crate::quantity::percent;

impl Walk<'_> {
    /// Everything that can be said.
    pub(super) fn judgement(mut self) -> Judgement {
        let tests = (self.courses.len() * PRIMARY.len()).max(1);
        self.courses.iter_mut().filter(|course| !course.was_looked_at()).for_each(|course| course.look_early(tests));
        let counts = self.counts();
        let metrics: Vec<MetricJudgement> =
            self.courses.iter().flat_map(|course| Metric::ALL.map(|metric| judged(course, metric, &counts))).collect();
        let used: Vec<&Block> = self.courses.iter().flat_map(Course::used).collect();
        let drops = Drops::of(used.iter().copied());
        let noise = noise::by_arm(&used);
        let counting: Vec<&Block> = self.courses.iter().flat_map(Course::used_and_counting).collect();
        let null_control = null_control::judge(&counting);

        let mut because = self.faults.clone();
        because.extend(counts.iter().filter(|count| count.regressed).map(allocates_more));
        because.extend(uneven(&null_control, &counting));
        because.extend(one_sided(&drops));
        because.extend(self.of_metrics(&metrics));
        because.extend(self.of_the_end(&metrics));
        because.sort_by_key(|reason| reason.kind);

        let (base, head) = (&self.record.base.binary_hash, &self.record.head.binary_hash);
        let verdict = verdict(&because, &metrics);
        Judgement {
            verdict,
            because,
            same_binary: base == head && !base.is_empty(),
            metrics,
            counts,
            drops,
            noise,
            null_control,
        }
    }

    /// Whether the looks ended before each workload was settled or had its last one.
    fn ended_early(&self) -> bool {
        let confirmed =
            self.courses.iter().any(|course| PRIMARY.iter().any(|metric| course.finding(*metric).confirmed));
        self.unfinished
            || confirmed
            || self.is_red_by_counts
            || self.too_many_dropped.is_some()
            || self.faults.iter().any(ends_the_gate)
    }

    fn of_metrics(&self, metrics: &[MetricJudgement]) -> Vec<Reason> {
        let of_metric = |judged: &MetricJudgement| {
            let (kind, text) = match judged.mark {
                Mark::Regressed => (Kind::Slower, slower(judged)),
                Mark::Missing => (Kind::MissingMetric, missing(judged)),
                Mark::NotConfirmed if !self.ended_early() => (Kind::NotConfirmed, not_confirmed(judged)),
                Mark::Open if !self.ended_early() => (Kind::LimitInside, limit_inside(judged)),
                _ => return None,
            };
            Some(reason(kind, Some(&judged.workload), text))
        };
        metrics.iter().filter_map(of_metric).collect()
    }

    fn of_the_end(&self, metrics: &[MetricJudgement]) -> Vec<Reason> {
        let mut found = Vec::new();
        if let Some(workload) = self.too_many_dropped {
            let text = "too many blocks were disturbed from outside: more than 30 % of them would be dropped";
            found.push(reason(Kind::TooManyDropped, Some(workload), text.to_owned()));
        }
        if self.unfinished && !self.faults.iter().any(ends_the_gate) {
            found.push(reason(Kind::Unfinished, None, "the record ends before the rule does".to_owned()));
        }
        let is_unreadable = |fault: &Reason| matches!(fault.kind, Kind::Incompatible | Kind::Inconsistent);
        let compared = metrics.iter().any(|judged| judged.metric.is_primary() && judged.first.is_some());
        if !compared && !self.faults.iter().any(is_unreadable) {
            found.push(reason(Kind::NothingCompared, None, "no metric of any workload was compared".to_owned()));
        }
        found
    }
}

/// The word of the first reason; without any it passes, provided that each comparison does.
fn verdict(because: &[Reason], metrics: &[MetricJudgement]) -> Verdict {
    if let Some(first) = because.first() {
        return first.kind.verdict();
    }
    let marks = || metrics.iter().filter(|judged| judged.metric.is_primary()).map(|judged| judged.mark);
    match marks().all(|mark| matches!(mark, Mark::Pass | Mark::Improved)) {
        false => Verdict::CannotJudge,
        true if marks().any(|mark| mark == Mark::Improved) => Verdict::Improved,
        true => Verdict::Pass,
    }
}

fn judged(course: &Course<'_>, metric: Metric, counts: &[CountJudgement]) -> MetricJudgement {
    let (finding, mark) = (course.finding(metric), course.mark(metric));
    let looks_slower = matches!(mark, Mark::Regressed | Mark::NotConfirmed);
    MetricJudgement {
        workload: course.name.to_owned(),
        metric,
        mark,
        margin: metric.margin(),
        limit: metric.limit(),
        first: finding.first.clone(),
        confirmation: finding.confirmation.clone(),
        layout_suspect: looks_slower && has_same_instructions(counts, course.name),
    }
}

fn allocates_more(count: &CountJudgement) -> Reason {
    let by = count.change.map_or_else(|| "from none".to_owned(), change);
    let text = format!("{} {by}, counted exactly; more than +1 % is a regression", count.counted.name());
    reason(Kind::AllocatesMore, Some(&count.workload), text)
}

/// An alarm of the null control, or what kept it from looking.
fn uneven(controls: &[NullControl], counting: &[&Block]) -> Vec<Reason> {
    let due = counting.len() as u64;
    let of_control = |control: &NullControl| {
        let name = control.metric.name();
        if control.alarms {
            let slower = control.slower.map(change).unwrap_or_default();
            let text = format!(
                "the null control alarms: a copy of the base differs from it in {name} by {slower} over {} pairs",
                control.pairs
            );
            return Some(reason(Kind::NullControl, None, text));
        }
        let lacking = due.checked_sub(control.pairs).filter(|lacking| *lacking > 0)?;
        let text = format!("the null control is incomplete: {lacking} of {due} copies of the base have no {name}");
        Some(reason(Kind::NullControl, None, text))
    };
    controls.iter().filter_map(of_control).collect()
}

fn one_sided(drops: &Drops) -> Option<Reason> {
    let text = || {
        format!(
            "disturbances fell on one build: {} dropped blocks by the base, {} by the head (p = {:.3}, below {ONE_SIDED})",
            drops.base, drops.head, drops.one_sided_p
        )
    };
    drops.is_one_sided().then(|| reason(Kind::OneSidedDrops, None, text()))
}

fn slower(judged: &MetricJudgement) -> String {
    let of = |evidence: &Option<Evidence>| evidence.as_ref().map(effect).unwrap_or_default();
    let suspect = match judged.layout_suspect {
        true => "; the same instructions, so its cause may be the layout of the code",
        false => "",
    };
    format!(
        "{} slower by {}, confirmed with {}{suspect}",
        judged.metric.name(),
        of(&judged.first),
        of(&judged.confirmation)
    )
}

fn missing(judged: &MetricJudgement) -> String {
    format!("{} is missing, zero or no number in a block that counts", judged.metric.name())
}

fn not_confirmed(judged: &MetricJudgement) -> String {
    let of = |evidence: &Option<Evidence>| evidence.as_ref().map(effect).unwrap_or_default();
    let (first, again) = (of(&judged.first), of(&judged.confirmation));
    format!(
        "{} looked slower by {first}; the confirmation, {again}, neither repeats nor refutes it",
        judged.metric.name()
    )
}

fn limit_inside(judged: &MetricJudgement) -> String {
    let (name, limit) = (judged.metric.name(), percent(judged.limit));
    let Some(evidence) = judged.evidence() else { return format!("{name} was not compared") };
    let inside = format!("{name}: the limit of {limit} lies within {} %", interval(evidence.low, evidence.high));
    match more_blocks(judged, evidence) {
        Some(more) => format!("{inside}; {more}"),
        None => inside,
    }
}

/// What it would take when the smallest visible change is above the limit.
fn more_blocks(judged: &MetricJudgement, evidence: &Evidence) -> Option<String> {
    if evidence.smallest_change <= judged.limit {
        return None;
    }
    let more = evidence.blocks_for_limit.saturating_sub(evidence.blocks);
    let most = LOOKS[LOOKS.len() - 1];
    Some(match evidence.blocks_for_limit {
        needed if needed > most as u64 => {
            format!("it would take {more} more blocks and the rule ends at {most}: a quieter host, or larger batches")
        }
        _ => format!("it would take about {more} more blocks"),
    })
}
