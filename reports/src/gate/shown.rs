//! Numbers and names of a gate as people read them, the same in every format.

use super::counted::CountJudgement;
use super::exclusion::Drops;
use super::judgement::{Evidence, Judgement};
use super::metric::Metric;
use super::null_control::NullControl;
use super::record::{Counts, GateRecord};
use crate::inert;
use crate::quantity::{counted, duration, percent, rate, rate_flag};

/// A change with its sign: `+3.1 %`, `−12 %`, `0.0 %`.
pub fn change(share: f64) -> String {
    format!("{} %", bare_change(share))
}

/// The same without the unit.
fn bare_change(share: f64) -> String {
    let percent = 100.0 * share;
    let decimals = usize::from(percent.abs() < 9.95);
    let text = format!("{:.decimals$}", percent.abs());
    let is_zero = text.bytes().all(|byte| matches!(byte, b'0' | b'.'));
    let sign = match percent > 0.0 {
        _ if is_zero => "",
        true => "+",
        false => "−",
    };
    format!("{sign}{text}")
}

/// An interval in percent: `[−0.2, +1.3]`; an end that there is not is `…`.
pub fn interval(low: Option<f64>, high: Option<f64>) -> String {
    let end = |end: Option<f64>| end.map_or_else(|| "…".to_owned(), bare_change);
    format!("[{}, {}]", end(low), end(high))
}

/// Change and interval of an evidence: `+3.1 % [+2.2, +3.9]`.
pub fn effect(evidence: &Evidence) -> String {
    format!("{} {}", change(evidence.slower), interval(evidence.low, evidence.high))
}

/// A figure of a metric with its unit.
pub fn figure(metric: Metric, figure: f64) -> String {
    match metric {
        Metric::Capacity => rate(figure),
        Metric::Median | Metric::P95 | Metric::P99 => duration(figure.round() as u64),
    }
}

/// The same in at most 8 characters.
pub fn figure_short(metric: Metric, value: f64) -> String {
    match metric {
        Metric::Capacity => rate_flag(value),
        Metric::Median | Metric::P95 | Metric::P99 => figure(metric, value),
    }
}

/// What was counted of a workload: `word-count: allocations 0.0 %, …`. `None` when nothing was.
pub fn counts_line(workload: &str, counts: &[CountJudgement]) -> Option<String> {
    let of_count = |count: &CountJudgement| {
        let by = count.change.map_or_else(|| "from none".to_owned(), change);
        let note = match (count.regressed, count.notable) {
            (true, _) => " (REGRESSED)",
            (false, true) => " (look at it)",
            _ => "",
        };
        format!("{} {by}{note}", count.counted.name())
    };
    let items: Vec<String> = counts.iter().filter(|count| count.workload == workload).map(of_count).collect();
    (!items.is_empty()).then(|| format!("{}: {}", inert::short(&outside(workload), 60), items.join(", ")))
}

/// Why counts are missing, of the whole gate and of each workload.
pub fn uncounted_lines(record: &GateRecord) -> Vec<String> {
    let of_workload = |counts: &Counts| {
        let workload = inert::short(&outside(&counts.workload), 60);
        let line = |why: &String| format!("{workload}: {}", inert::short(&outside(why), 300));
        counts.warnings.iter().map(line).collect::<Vec<_>>()
    };
    let whole = record.uncounted.iter().map(|why| inert::short(&outside(why), 300));
    whole.chain(record.counts.iter().flat_map(of_workload)).collect()
}

/// How quiet the host was, medians of the noisiest arm.
pub fn host_line(judgement: &Judgement) -> String {
    let most = |of: fn(&super::noise::ArmNoise) -> Option<f64>| judgement.noise.iter().filter_map(of).reduce(f64::max);
    let share = |name: &str, share: Option<f64>| match share {
        Some(share) => format!("{name} {}", percent(share)),
        None => format!("{name} unknown"),
    };
    let mut items = vec![
        share("steal", most(|noise| noise.steal)),
        share("throttled", most(|noise| noise.throttled)),
        share("foreign load", most(|noise| noise.foreign)),
        share("pressure", most(|noise| noise.pressure)),
    ];
    if let (Some(ns), Some(deviation)) = (most(|noise| noise.canary_ns), most(|noise| noise.canary_deviation)) {
        items.push(format!("canary {} ± {}", duration(ns as u64), percent(deviation)));
    }
    let hiccup_ns = judgement.noise.iter().map(|noise| noise.hiccup_ns).max().unwrap_or(0);
    items.push(format!("longest hiccup {}", duration(hiccup_ns)));
    items.join(", ")
}

/// How many blocks were dropped, by arm and by signal.
pub fn drops_line(drops: &Drops) -> String {
    let head = format!("{} of {}", drops.dropped, counted(drops.blocks as usize, "block"));
    if drops.dropped == 0 {
        return head;
    }
    let by: Vec<String> =
        drops.by.iter().map(|(disturbance, count)| format!("{} {count}", disturbance.name())).collect();
    let arms = format!("base {}, head {}, copy of base {}", drops.base, drops.head, drops.null);
    format!("{head} (disturbed: {arms}; by {})", by.join(", "))
}

/// What the copy of the base says.
pub fn null_line(controls: &[NullControl]) -> String {
    let pairs = controls.iter().map(|control| control.pairs).min().unwrap_or(0);
    if pairs == 0 {
        return "no copy of the base was compared with it".to_owned();
    }
    let of_control = |control: &NullControl| {
        let alarm = if control.alarms { " ALARM" } else { "" };
        format!("{} {}{alarm}", control.metric.name(), control.slower.map(change).unwrap_or_default())
    };
    let items: Vec<String> = controls.iter().map(of_control).collect();
    format!("a copy of the base against it, {}: {}", counted(pairs as usize, "pair"), items.join(", "))
}

/// Text from outside on one line, and nothing in it that a CI service would take for a command of its own: GitHub's runner reads `::name` at
/// the beginning of a line and `##[name]` anywhere in what a step prints.
pub fn outside(text: &str) -> String {
    let text = inert::line(text).replace("##[", "#\u{fffd}[");
    let mut safe = String::with_capacity(text.len());
    for (position, character) in text.char_indices() {
        let begins_word = safe.chars().next_back().is_none_or(char::is_whitespace);
        let is_command = begins_word && text[position..].starts_with("::");
        safe.push(if is_command { inert::REPLACEMENT } else { character });
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_have_signs_and_no_more_digits_than_they_deserve() {
        let cases = [
            (0.031_2, "+3.1 %"),
            (-0.004_9, "−0.5 %"),
            (0.000_1, "0.0 %"),
            (-0.000_1, "0.0 %"),
            (0.112, "+11 %"),
            (-0.5, "−50 %"),
            (0.099_7, "+10 %"),
        ];
        for (share, text) in cases {
            assert_eq!(change(share), text);
        }
        assert_eq!(interval(Some(-0.002), Some(0.013)), "[−0.2, +1.3]");
        assert_eq!(interval(None, None), "[…, …]");
    }

    #[test]
    fn commands_of_ci_services_are_defused_and_paths_of_code_stay() {
        assert_eq!(outside("::error::x engine::a"), "\u{fffd}:error::x engine::a");
        assert_eq!(outside("a ::set-env name=x::y"), "a \u{fffd}:set-env name=x::y");
        assert_eq!(outside("a##[error]b\n::c"), "a#\u{fffd}[error]b\u{fffd}::c");
    }
}
