//! An explanation as text for a terminal of 80 columns.

use super::Explanation;
use super::pools::Pool;
use crate::columns::{GUTTER, words, wrap};
use crate::inert;
use crate::judged;
use crate::quantity::{bytes, count, duration, moment, percent};
use crate::record::{BatchRecord, TrialRecord};
use std::fmt::Write;

/// A time this many times that of the median batch is marked.
const MARKED_FACTOR: f64 = 2.0;

/// Columns before the text of a cause: the gutter and its share.
const CAUSE: usize = GUTTER + 8;

/// Longest name of a function, characters.
const FUNCTION: usize = 120;

/// Longest name of a stage, characters.
const NAME: usize = 24;

/// The batch beside the median batch, then the causes with their shares of the excess.
pub fn render_human(record: &TrialRecord, explanation: &Explanation<'_>) -> String {
    let batch = explanation.batch;
    let mut text = heading(record, explanation);
    let _ = writeln!(text, "  {:<24} {:>12} {:>12}", "time", "this", "median");
    let median = explanation.median;
    let times = judged::time_by_phase([batch].into_iter().chain(median));
    for (name, _) in times {
        row(&mut text, &inert::short(name, NAME), time(batch, name), median.map(|median| time(median, name)));
    }
    row(&mut text, "total delay", batch.total_delay_ns, median.map(|median| median.total_delay_ns));
    let _ = writeln!(text, "  {:<24} {:>12} {:>12}", "beside it", "this", "median");
    for (name, this, usual) in figures(batch, median) {
        let _ = writeln!(text, "  {name:<24} {this:>12} {usual:>12}");
    }
    causes(&mut text, record, explanation);
    functions(&mut text, record, explanation);
    let _ = writeln!(text, "page     report.html#batch-{}", batch.index);
    text
}

fn heading(record: &TrialRecord, explanation: &Explanation<'_>) -> String {
    let batch = explanation.batch;
    let state = match judged::state(record, batch) {
        "late" => format!("LATE by {}", duration(explanation.late_by_ns)),
        state => state.to_owned(),
    };
    format!(
        "batch #{}   {} records · due {} · {state}\n         {} at {} batches, run {}\n",
        batch.index,
        count(batch.records),
        moment(batch.time_ns),
        inert::short(&record.workload, 30),
        duration(record.judging.interval_ns),
        inert::short(&record.run, 30),
    )
}

/// Time under a name of [`judged::time_by_phase`].
fn time(batch: &BatchRecord, name: &str) -> u64 {
    judged::time_by_phase([batch]).into_iter().find(|(phase, _)| *phase == name).map_or(0, |(_, ns)| ns)
}

fn row(text: &mut String, name: &str, this_ns: u64, usual_ns: Option<u64>) {
    let usual = usual_ns.map_or_else(|| "–".to_owned(), duration);
    let factor = usual_ns.map(|ns| this_ns as f64 / ns.max(1) as f64);
    // Thousands of times next to nothing would only frighten.
    let mark = match factor.filter(|factor| (MARKED_FACTOR..10_000.0).contains(factor)) {
        Some(factor) if this_ns >= 100_000 => format!("   ◀ {factor:.1}×"),
        _ => String::new(),
    };
    let _ = writeln!(text, "  {name:<24} {:>12} {usual:>12}{mark}", duration(this_ns));
}

/// What the batch had to do and used, beside the median batch.
pub(crate) fn figures(batch: &BatchRecord, median: Option<&BatchRecord>) -> Vec<(&'static str, String, String)> {
    let known = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
    let pair =
        |name, show: &dyn Fn(&BatchRecord) -> Option<String>| (name, known(show(batch)), known(median.and_then(show)));
    vec![
        pair("records", &|batch| Some(count(batch.records))),
        pair("bytes", &|batch| Some(bytes(batch.bytes))),
        pair("blocks", &|batch| Some(count(batch.blocks))),
        pair("waiting when submitted", &|batch| Some(count(batch.queue_depth))),
        pair("sender blocked", &|batch| Some(duration(batch.blocked_ns))),
        pair("workers busy", &|batch| {
            let busy_ns: f64 = batch.busy.iter().map(|stage| stage.ns as f64).sum();
            let all_ns = busy_ns + batch.idle_ns as f64;
            (all_ns > 0.0).then(|| percent(busy_ns / all_ns))
        }),
        pair("longest ÷ median task", &|batch| batch.skew.map(|skew| format!("{skew:.2}"))),
        pair("allocations", &|batch| batch.allocations.map(count)),
        pair("allocated", &|batch| batch.allocated_bytes.map(bytes)),
        pair("page faults", &|batch| batch.page_faults.map(count)),
        pair("read from a disk", &|batch| batch.major_page_faults.map(count)),
        pair("stolen by the host", &|batch| batch.stolen_ns.map(duration)),
        pair("generator behind", &|batch| batch.generator_lag_ns.map(duration)),
    ]
}

fn causes(text: &mut String, record: &TrialRecord, explanation: &Explanation<'_>) {
    if explanation.causes.is_empty() {
        text.push_str("cause    none: nothing took longer than in the median batch\n");
    } else {
        let _ = writeln!(text, "excess   {} beyond the median batch", duration(explanation.excess_ns));
    }
    for (number, cause) in explanation.causes.iter().enumerate() {
        let name = if number == 0 { "cause" } else { "" };
        let share = if cause.at_most { format!("≤ {}", percent(cause.share)) } else { percent(cause.share) };
        let _ = writeln!(text, "{name:GUTTER$}{share:>6}  {}", wrap(&cause.text, " ", CAUSE, CAUSE));
    }
    let advice = explanation.causes.first().and_then(|cause| cause.kind.advice());
    if let Some(advice) = advice {
        text.push_str(&words("next", advice));
    }
    if let Some(steal_ns) = record.noise.steal_ns.filter(|ns| *ns > 0) {
        let stolen = format!("{} of CPU time went to others during the whole trial", duration(steal_ns));
        text.push_str(&words("host", &stolen));
    }
}

/// What ran, and whose samples say so.
fn functions(text: &mut String, record: &TrialRecord, explanation: &Explanation<'_>) {
    let Some(functions) = &explanation.functions else {
        if let Some(reason) = &record.sampling.unavailable {
            text.push_str(&words("cpu", &format!("no samples of the trial: {}", inert::line(reason))));
        }
        return;
    };
    let few = match functions.pool {
        Pool::Batch => String::new(),
        _ => format!(" ({} of its own are too few)", count(functions.batch_samples)),
    };
    let whose = format!("{} samples of {}{few}", count(functions.samples), functions.pool.words());
    text.push_str(&words("cpu", &whose));
    for hot in &functions.hottest {
        let usual = hot.usual_share.map_or_else(String::new, |share| format!(", {} on time", percent(share)));
        let line = format!("{}{usual}", inert::short(&hot.name, FUNCTION));
        let _ = writeln!(text, "{:GUTTER$}{:>6}  {}", "", percent(hot.share), wrap(&line, " ", CAUSE, CAUSE));
    }
}
