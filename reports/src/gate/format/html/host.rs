//! How even the host was: the null control, what was dropped by arm and by signal, the noise of each arm's processes.

use super::table;
use crate::gate::exclusion::{Disturbance, Drops, FOREIGN, MOST_DROPPED, STEAL, THROTTLED};
use crate::gate::judgement::Judgement;
use crate::gate::noise::ArmNoise;
use crate::gate::null_control::NullControl;
use crate::gate::record::Arm;
use crate::gate::shown::change;
use crate::quantity::{count, duration, percent};
use maud::{Markup, html};

pub(super) fn render(judgement: &Judgement) -> Markup {
    html! {
        section id="null" {
            h2 { "Null control" }
            p.lead {
                "In every block a copy of the base runs too, through the same test. What it differs by is noise of this host; when it alarms, nothing is judged."
            }
            (null_control(&judgement.null_control))
        }
        section id="host" {
            h2 { "How quiet the host was" }
            p.lead {
                "A block is dropped with all its arms when more than " (percent(STEAL)) " of a process's time was stolen, " (percent(THROTTLED)) " throttled or "
                (percent(FOREIGN)) " used by other processes. Pressure and hiccups drop nothing, since a build can cause them; a slow canary (a fixed piece of work right "
                "before a block) neither, since the arms take turns and a slow host is slow for all of them."
            }
            (noise(&judgement.noise))
            (drops(&judgement.drops))
        }
    }
}

fn null_control(controls: &[NullControl]) -> Markup {
    table(
        "Null control",
        &html! {
            thead { tr { th { "Metric" } th.number { "Pairs" } th.number { "Copy slower by" } th.number { "p" } th.number { "Alarms at" } th { "Answer" } } }
            tbody {
                @for control in controls {
                    tr {
                        td { (control.metric.name()) }
                        td.number { (count(control.pairs)) }
                        td.number { (control.slower.map_or_else(|| "–".to_owned(), change)) }
                        td.number { (control.p.map_or_else(|| "–".to_owned(), |p| format!("{p:.3}"))) }
                        td.number { (format!("{:.4}", control.level)) }
                        td { (if control.alarms { "✕ ALARM" } else if control.pairs == 0 { "? none" } else { "✓ quiet" }) }
                    }
                }
            }
        },
    )
}

fn noise(noise: &[ArmNoise]) -> Markup {
    let share = |share: Option<f64>| share.map_or_else(|| "unknown".to_owned(), percent);
    let name = |arm: Arm| match arm {
        Arm::Base => "base",
        Arm::Head => "head",
        Arm::Null => "copy of the base",
    };
    table(
        "Noise by arm",
        &html! {
            thead { tr {
                th { "Arm" } th.number { "Processes" } th.number { "Steal" } th.number { "Throttled" } th.number { "Foreign load" } th.number { "Pressure" }
                th.number { "Canary" } th.number { "Its deviation" } th.number { "Longest hiccup" }
            } }
            tbody {
                @for arm in noise {
                    tr {
                        td { (name(arm.arm)) }
                        td.number { (count(arm.processes)) }
                        @for value in [arm.steal, arm.throttled, arm.foreign, arm.pressure] { td.number { (share(value)) } }
                        td.number { (arm.canary_ns.map_or_else(|| "–".to_owned(), |ns| duration(ns as u64))) }
                        td.number { (share(arm.canary_deviation)) }
                        td.number { (duration(arm.hiccup_ns)) }
                    }
                }
            }
        },
    )
}

fn drops(drops: &Drops) -> Markup {
    let of = |wanted: Disturbance| {
        drops.by.iter().find(|(disturbance, _)| *disturbance == wanted).map_or(0, |(_, count)| *count)
    };
    let kinds = [Disturbance::Steal, Disturbance::Throttled, Disturbance::Foreign];
    html! {
        h3 { "Dropped blocks" }
        (table("Dropped blocks", &html! {
            tbody {
                tr { th scope="row" { "Dropped" } td.number { (count(drops.dropped)) " of " (count(drops.blocks)) " (at most " (percent(MOST_DROPPED)) ")" } }
                tr { th scope="row" { "Base disturbed" } td.number { (count(drops.base)) } }
                tr { th scope="row" { "Head disturbed" } td.number { (count(drops.head)) } }
                tr { th scope="row" { "Copy of the base disturbed" } td.number { (count(drops.null)) } }
                @for kind in kinds { tr { th scope="row" { "By " (kind.name()) } td.number { (count(of(kind))) } } }
                tr {
                    th scope="row" { "Uneven between base and head" }
                    td.number { "p = " (format!("{:.3}", drops.one_sided_p)) @if drops.is_one_sided() { ", ✕ one-sided: nothing is judged" } }
                }
            }
        }))
    }
}
