//! The differential flamegraph of a workload that became slower: where the head spends more of its CPU time than the base.

use super::table;
use crate::flame::differential::{ChangedBar, Differential, Shares};
use crate::format::html::text;
use crate::format::svg::unit;
use crate::gate::record::{GateRecord, Profiles};
use crate::inert;
use crate::quantity::{count, percent};
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const ROW: f64 = 18.0;

/// Narrower frames are left out: they could be neither seen nor pointed at.
const NARROWEST: f64 = 0.8;

/// Width of a character of a frame's name.
const CHARACTER: f64 = 6.3;

/// Functions in the table.
const RANKED: usize = 20;

pub(super) fn render(record: &GateRecord) -> Markup {
    html! {
        @if !record.profiles.is_empty() {
            section id="flamegraph" {
                h2 { "Where the head spends more" }
                p.lead {
                    "Both builds ran the same batches once more, unpaced, under a sampling profiler: shares of each build's own CPU time, not times. "
                    "A bar is as wide as the mean of both shares. What differs by less than three standard errors is grey: with so few samples it is chance."
                }
                @for (number, profiles) in record.profiles.iter().enumerate() { (of_workload(profiles, number)) }
            }
        }
    }
}

fn of_workload(profiles: &Profiles, number: usize) -> Markup {
    html! {
        h3 { (text(&profiles.workload)) }
        @match Differential::of(&profiles.base, &profiles.head) {
            Some(differential) => (graph(&differential, number)),
            None => {
                @for (arm, profile) in [("base", &profiles.base), ("head", &profiles.head)] {
                    @if let Some(why) = crate::flame::unavailable(profile) { p { "There is no profile of the " (arm) ": " (why) "." } }
                }
            }
        }
    }
}

fn graph(differential: &Differential, number: usize) -> Markup {
    let bars: Vec<ChangedBar> = differential.bars().into_iter().filter(|bar| bar.width * WIDTH >= NARROWEST).collect();
    let height = (bars.iter().map(|bar| bar.depth).max().unwrap_or(0) + 1) as f64 * ROW;
    let (base, head) = differential.samples();
    let id = format!("flame-{}", number + 1);
    html! {
        figure {
            svg.frame viewBox={ "0 0 " (WIDTH) " " (unit(height)) } role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
                title id={ (id) "-title" } { "Differential flamegraph, base to head" }
                desc id={ (id) "-desc" } { (description(differential)) }
                @for bar in &bars { (frame(bar)) }
            }
            figcaption { (count(base)) " samples of the base, " (count(head)) " of the head" }
        }
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.s5 width="24" height="12" {} } "+ a larger share in the head" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.s1 width="24" height="12" {} } "− a smaller one" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { rect.s0 width="24" height="12" {} } "no difference beyond chance" }
        }
        (functions(differential))
    }
}

fn frame(bar: &ChangedBar) -> Markup {
    let (x, y, width) = (bar.start * WIDTH, bar.depth as f64 * ROW, bar.width * WIDTH);
    let characters = ((width - 8.0) / CHARACTER).max(0.0) as usize;
    let (class, sign) = look(&bar.shares);
    html! {
        g {
            title { (inert::line(&bar.name)) ": " (percent(bar.shares.base)) " of the base, " (percent(bar.shares.head)) " of the head" }
            rect class={ "segment " (class) } x=(unit(x)) y=(unit(y)) width=(unit(width)) height=(unit(ROW - 1.0)) {}
            @if characters >= 3 {
                text.on-segment x=(unit(x + 4.0)) y=(unit(y + 12.5)) { (inert::short(&format!("{sign}{}", bar.name), characters)) }
            }
        }
    }
}

/// A fill, and the sign that says the same.
fn look(shares: &Shares) -> (&'static str, &'static str) {
    match (shares.differ, shares.head > shares.base) {
        (false, _) => ("s0", ""),
        (true, true) => ("s5", "+ "),
        (true, false) => ("s1", "− "),
    }
}

/// A difference of shares: `+4.2 points`.
fn points(shares: &Shares) -> String {
    let points = 100.0 * (shares.head - shares.base);
    let sign = if points > 0.0 { "+" } else { "−" };
    format!("{sign}{:.1} points", points.abs())
}

fn functions(differential: &Differential) -> Markup {
    table(
        "Functions by change",
        &html! {
            thead { tr { th { "Function, itself" } th.number { "Base" } th.number { "Head" } th.number { "Change" } th { "" } } }
            tbody {
                @for function in differential.functions().iter().take(RANKED) {
                    tr.grey[!function.shares.differ] {
                        td { code { (inert::line(&function.name)) } }
                        td.number { (percent(function.shares.base)) }
                        td.number { (percent(function.shares.head)) }
                        td.number { (points(&function.shares)) }
                        td { (if function.shares.differ { "beyond chance" } else { "may be chance" }) }
                    }
                }
            }
        },
    )
}

/// The drawing in words.
fn description(differential: &Differential) -> String {
    let functions = differential.functions();
    let changed: Vec<String> = functions
        .iter()
        .filter(|function| function.shares.differ)
        .take(5)
        .map(|function| format!("{} {}", inert::short(&function.name, 80), points(&function.shares)))
        .collect();
    match changed.is_empty() {
        true => "No function differs by more than chance explains.".to_owned(),
        false => format!("Beyond chance: {}.", changed.join(", ")),
    }
}
