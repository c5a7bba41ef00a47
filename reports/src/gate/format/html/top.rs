//! The first screen: the word, why, what to do, and what keeps it honest.

use super::anchors::Anchors;
use crate::format::html::text;
use crate::gate::advice;
use crate::gate::judgement::{Judgement, MetricJudgement, Reason, Verdict};
use crate::gate::record::{Build, GateRecord};
use crate::gate::sentence::{SAME_BINARY, because, sentence};
use crate::inert;
use crate::quantity::{count, counted, duration, percent, unbroken};
use maud::{Markup, html};

/// Reasons that are listed.
const MOST_REASONS: usize = 40;

pub(super) fn render(record: &GateRecord, judgement: &Judgement, anchors: &Anchors<'_>) -> Markup {
    let (class, mark) = look(judgement.verdict);
    html! {
        header id="verdict" {
            p.origin {
                "gate · " b { (arm(&record.head)) } " against " b { (arm(&record.base)) }
                " · run " (text(&record.run)) " · took " (duration(record.elapsed_ns))
                @if record.build_ns > 0 { ", builds " (duration(record.build_ns)) }
            }
            h1 class={ "word " (class) } { span aria-hidden="true" { (mark) } (judgement.verdict.as_str()) }
            @match &judgement.because[..] {
                [] => p.sentence { (unbroken(&sentence(record, judgement))) "." },
                [first, more @ ..] => {
                    p.sentence { (unbroken(&because(first))) "." (link(first, anchors)) }
                    (others(more, anchors))
                }
            }
            @if let Some(next) = advice::next(judgement) { p.next { "Next: " (next) "." } }
            @if judgement.same_binary { p.next { (SAME_BINARY) "." } }
            @for remark in record.remarks() { p.next { (text(remark)) "." } }
            (strip(record, judgement))
        }
    }
}

/// Colour class and mark of a word; the word itself always stands beside them.
fn look(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Pass => ("good", "✓"),
        Verdict::Improved => ("good", "↗"),
        Verdict::Regressed => ("bad", "↘"),
        Verdict::Broken => ("bad", "✕"),
        Verdict::CannotJudge | Verdict::NothingChecked => ("unsure", "?"),
    }
}

fn arm(build: &Build) -> Markup {
    let name = inert::short(&build.asked, 120);
    html! {
        (name)
        @if let Some(commit) = &build.commit { @if *commit != build.asked { " (" (inert::short(commit, 12)) ")" } }
    }
}

fn link(reason: &Reason, anchors: &Anchors<'_>) -> Markup {
    let anchor = reason.workload.as_deref().and_then(|workload| anchors.find(workload));
    html! { @if let Some(anchor) = anchor { " " a href={ "#" (anchor) } { "Its blocks" } } }
}

fn others(more: &[Reason], anchors: &Anchors<'_>) -> Markup {
    html! {
        @if !more.is_empty() {
            ul.warnings {
                @for reason in more.iter().take(MOST_REASONS) {
                    li { (unbroken(&because(reason))) "." (link(reason, anchors)) }
                }
                @if more.len() > MOST_REASONS { li { "and " (counted(more.len() - MOST_REASONS, "reason")) " more." } }
            }
        }
    }
}

/// What has to be in order before any word is believed.
fn strip(record: &GateRecord, judgement: &Judgement) -> Markup {
    let drops = &judgement.drops;
    let pairs = judgement.null_control.iter().map(|control| control.pairs).min().unwrap_or(0);
    let alarms = judgement.null_control.iter().any(|control| control.alarms);
    let seen = |judged: &MetricJudgement| Some((judged.evidence()?.smallest_change, judged.limit));
    let visible: Vec<(f64, f64)> = judgement.primary().filter_map(seen).collect();
    let blind = visible.iter().filter(|(smallest, limit)| smallest > limit).count();
    let finest =
        visible.iter().map(|(smallest, _)| *smallest).filter(|smallest| smallest.is_finite()).fold(f64::NAN, f64::min);
    html! {
        ul.strip aria-label="Integrity" {
            li { (sign(!drops.is_one_sided())) "blocks " b { (count(drops.blocks)) } ", dropped " b { (count(drops.dropped)) } }
            li {
                (sign(!alarms && pairs > 0)) "null control "
                b { @if alarms { "alarms" } @else if pairs == 0 { "none" } @else { "quiet" } }
                " over " (counted(pairs as usize, "pair"))
            }
            li {
                "smallest change seen "
                b { @if finest.is_nan() { "none" } @else { (percent(finest)) } }
                @if blind > 0 { ", " (counted(blind, "comparison")) " could not see " (if blind == 1 { "its" } else { "their" }) " limit" }
            }
            li { (sign(judgement.counts.iter().all(|count| !count.regressed))) "counted exactly " b { (count(judgement.counts.len() as u64)) } }
            li { "seed " b { (record.seed) } }
        }
    }
}

/// A mark for people who look before they read; the words beside it say the same.
fn sign(is_good: bool) -> Markup {
    match is_good {
        true => html! { span.good aria-hidden="true" { "✓ " } },
        false => html! { span.bad aria-hidden="true" { "✕ " } },
    }
}
