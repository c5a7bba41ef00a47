//! Every block of a workload in the order in which they ran: how much slower the head was, which count, which were dropped and why, and
//! where the rule looked.

use super::anchors::Anchors;
use super::axis::Axis;
use super::table;
use crate::format::html::text;
use crate::format::svg::unit;
use crate::gate::exclusion::{self, Standing, triggers};
use crate::gate::judgement::{Judgement, MetricJudgement};
use crate::gate::metric::{Metric, PRIMARY, share_of};
use crate::gate::record::{Arm, Block, GateRecord, Pass};
use crate::gate::rule::LOOKS;
use crate::gate::shown::{change, figure};
use crate::inert;
use crate::quantity::counted;
use maud::{Markup, html};

const WIDTH: f64 = 960.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 936.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 170.0;

/// Blocks are at least this far from one another where there are few.
const WIDEST_STEP: f64 = 26.0;

/// A block with what became of it.
struct Placed<'a> {
    block: &'a Block,
    standing: Standing,
    /// What disturbed it, or why it failed.
    why: String,
    /// The look that takes place right behind it: how many blocks count.
    look: Option<usize>,
}

pub(super) fn render(record: &GateRecord, judgement: &Judgement, anchors: &Anchors<'_>) -> Markup {
    html! {
        section id="blocks" {
            h2 { "Block by block" }
            p.lead {
                "A block is one fresh process of each arm; they take turns, and a coin decides who begins. Whether it counts is decided by what disturbed the host from outside, "
                "never by what was measured. The rule looks after " (LOOKS[0]) ", " (LOOKS[1]) " and " (LOOKS[2]) " blocks that count."
            }
            @for (workload, anchor) in anchors.workloads() {
                (of_workload(workload, anchor, &placed(record, workload), judgement))
            }
        }
    }
}

fn placed<'a>(record: &'a GateRecord, workload: &str) -> Vec<Placed<'a>> {
    let mut counting = [0_usize; 2];
    let mut placed = Vec::new();
    for block in record.blocks.iter().filter(|block| block.workload == workload) {
        let standing = exclusion::standing(block);
        let count = &mut counting[usize::from(block.pass == Pass::Confirmation)];
        *count += usize::from(standing == Standing::Counts);
        let look = LOOKS.into_iter().find(|look| look == count && standing == Standing::Counts);
        placed.push(Placed { block, standing, why: why(block, standing), look });
    }
    placed
}

fn why(block: &Block, standing: Standing) -> String {
    let of_run = |name: &str, failure: &Option<String>| {
        failure.as_ref().map(|failure| format!("{name} failed: {}", inert::short(failure, 200)))
    };
    match standing {
        Standing::Counts => "counts".to_owned(),
        Standing::Failed => {
            let failed = [of_run("base", &block.base.failure), of_run("head", &block.head.failure)];
            failed.into_iter().flatten().collect::<Vec<_>>().join("; ")
        }
        Standing::Dropped => {
            let triggers = triggers(block);
            let of = |(arm, disturbance): &(Arm, crate::gate::exclusion::Disturbance)| {
                format!("{} at the {}", disturbance.name(), arm_name(*arm))
            };
            format!("dropped: {}", triggers.iter().map(of).collect::<Vec<_>>().join(", "))
        }
    }
}

fn arm_name(arm: Arm) -> &'static str {
    match arm {
        Arm::Base => "base",
        Arm::Head => "head",
        Arm::Null => "copy",
    }
}

fn slower(metric: Metric, placed: &Placed<'_>) -> Option<f64> {
    metric.slower(&placed.block.base, &placed.block.head).map(share_of)
}

fn of_workload(workload: &str, anchor: &str, placed: &[Placed<'_>], judgement: &Judgement) -> Markup {
    let is_of = |judged: &&MetricJudgement| judged.workload == workload && judged.metric.is_primary();
    html! {
        h3 id=(anchor) { (text(workload)) }
        @if placed.is_empty() {
            p.lead { "No block of it was run." }
        } @else {
            @for judged in judgement.metrics.iter().filter(is_of) {
                figure tabindex="0" {
                    (drawing(judged, anchor, placed))
                    figcaption { (judged.metric.name()) " of " (text(workload)) ": " (judged.mark.as_str()) }
                }
            }
            (keys())
            details {
                summary { "All " (counted(placed.len(), "block")) " of " (text(workload)) }
                (all(placed))
            }
        }
    }
}

fn drawing(judged: &MetricJudgement, anchor: &str, placed: &[Placed<'_>]) -> Markup {
    let id = format!("{anchor}-{}-blocks", judged.metric.name());
    let shares = placed.iter().filter_map(|placed| slower(judged.metric, placed));
    let y = Axis::of(shares.chain([judged.margin, judged.limit]), BOTTOM, TOP);
    let step = ((RIGHT - LEFT) / placed.len().max(1) as f64).min(WIDEST_STEP);
    let x = |number: usize| LEFT + (number as f64 + 0.5) * step;
    let end = LEFT + placed.len() as f64 * step;
    let level = |share: f64| format!("M{} {}H{}", unit(LEFT), unit(y.at(share)), unit(end));
    let confirmation = placed.iter().position(|placed| placed.block.pass == Pass::Confirmation);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (unit(BOTTOM + 30.0)) } role="img" aria-labelledby={ (id) "-title " (id) "-desc" } {
            title id={ (id) "-title" } { (judged.metric.name()) " of each block, head against base" }
            desc id={ (id) "-desc" } { (description(judged, placed)) }
            @if let Some(first) = confirmation {
                rect.warm x=(unit(x(first) - 0.5 * step)) y=(unit(TOP)) width=(unit(end - x(first) + 0.5 * step)) height=(unit(BOTTOM - TOP)) {}
                text x=(unit(x(first) - 0.5 * step + 4.0)) y=(unit(BOTTOM + 16.0)) { "confirmation →" }
            }
            @for share in y.ticks(5) {
                path.grid d=(level(share)) {}
                text.end x=(unit(LEFT - 8.0)) y=(unit(y.at(share) + 4.0)) { (change(share)) }
            }
            path.axis d=(level(0.0)) {}
            path.interval d=(level(judged.margin)) {}
            path.limit-line d=(level(judged.limit)) {}
            @for (number, placed) in placed.iter().enumerate() {
                @if let Some(look) = placed.look {
                    @let at = x(number) + 0.5 * step;
                    path.grid d={ "M" (unit(at)) " " (unit(TOP - 6.0)) "V" (unit(BOTTOM)) } {}
                    text.end x=(unit(at - 3.0)) y=(unit(TOP - 8.0)) { "look at " (look) }
                }
                (mark(judged.metric, placed, x(number), &y))
            }
            text x=(unit(LEFT)) y=(unit(BOTTOM + 16.0)) { "first block" }
        }
    }
}

/// A dot for what counts, a hollow one for what was dropped, a cross at the foot where there is no figure.
fn mark(metric: Metric, placed: &Placed<'_>, x: f64, y: &Axis) -> Markup {
    let share = slower(metric, placed).filter(|_| placed.standing != Standing::Failed);
    html! {
        g {
            title {
                "block " (placed.block.index + 1) ": " (share.map_or_else(|| "no figure".to_owned(), change)) ", " (text(&placed.why))
            }
            @match (share, placed.standing) {
                (Some(share), Standing::Counts) => circle.dot cx=(unit(x)) cy=(unit(y.at(share))) r="4" {},
                (Some(share), _) => circle.late-mark cx=(unit(x)) cy=(unit(y.at(share))) r="4" {},
                (None, _) => path.wrong-mark d={ "M" (unit(x - 4.0)) " " (unit(BOTTOM - 10.0)) "l8 8m0 -8l-8 8" } {},
            }
        }
    }
}

fn keys() -> Markup {
    html! {
        p.keys {
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { circle.dot cx="12" cy="6" r="4" {} } "counts" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { circle.late-mark cx="12" cy="6" r="4" {} } "dropped with all its arms" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.wrong-mark d="M8 2l8 8m0 -8l-8 8" {} } "no figure" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.interval d="M1 6H23" {} } "margin" }
            span.key { svg viewBox="0 0 24 12" aria-hidden="true" { path.limit-line d="M1 6H23" {} } "limit" }
        }
    }
}

fn all(placed: &[Placed<'_>]) -> Markup {
    let arms = |order: &[Arm]| order.iter().map(|arm| arm_name(*arm)).collect::<Vec<_>>().join(", ");
    table(
        "Blocks",
        &html! {
            thead { tr {
                th.number { "Block" } th { "Order" } th.number { "Base, median" } th.number { "Head, median" }
                @for metric in PRIMARY { th.number { (metric.name()) } }
                th { "Standing" }
            } }
            tbody {
                @for placed in placed {
                    @let (base, head) = (Metric::Median.of(&placed.block.base), Metric::Median.of(&placed.block.head));
                    tr.grey[placed.standing != Standing::Counts] {
                        td.number { (placed.block.index + 1) @if placed.block.pass == Pass::Confirmation { " again" } }
                        td { (arms(&placed.block.order)) }
                        @for value in [base, head] { td.number { (value.map_or_else(|| "–".to_owned(), |value| figure(Metric::Median, value))) } }
                        @for metric in PRIMARY { td.number { (slower(metric, placed).map_or_else(|| "–".to_owned(), change)) } }
                        td { (text(&placed.why)) @if let Some(look) = placed.look { "; look at " (look) } }
                    }
                }
            }
        },
    )
}

/// The plot in words.
fn description(judged: &MetricJudgement, placed: &[Placed<'_>]) -> String {
    let of = |wanted: Standing| placed.iter().filter(|placed| placed.standing == wanted).count();
    let shares: Vec<f64> = placed
        .iter()
        .filter(|placed| placed.standing == Standing::Counts)
        .filter_map(|placed| slower(judged.metric, placed))
        .collect();
    let ends = shares.iter().copied().reduce(f64::min).zip(shares.iter().copied().reduce(f64::max));
    let range = ends.map_or_else(String::new, |(least, most)| format!(", from {} to {}", change(least), change(most)));
    format!(
        "{} count{range}; {} dropped, {} failed.",
        counted(of(Standing::Counts), "block"),
        of(Standing::Dropped),
        of(Standing::Failed)
    )
}
