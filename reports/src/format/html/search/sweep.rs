//! A sweep: ranking with intervals and the group that cannot be told from the best, main effects, interactions as a heat map.

use super::{cells, method, top};
use crate::format::html::text;
use crate::format::svg::{Scale, unit};
use crate::quantity::{percent, rate};
use crate::search::Interval;
use crate::search::sweep::{CellResult, Response, SweepRecord, WorkloadSweep};
use crate::stats::effects::{Interaction, Residual, Table};
use maud::{Markup, html};

/// Cells of the ranking.
const RANKED: usize = 40;

/// Steps of the heat map's scale.
const STEPS: usize = 5;

pub(super) fn render(record: &SweepRecord) -> Markup {
    let cells: usize = record.workloads.iter().map(|sweep| sweep.cells.len()).sum();
    let origin = format!("sweep · {}", record.hash);
    let what = match record.response {
        Response::Capacity => "records per second, unpaced",
        Response::P99 => "99th percentile of the latency at the asked rate",
    };
    let sentence =
        format!("{cells} settings of {} in {} interleaved rounds: {what}.", record.knobs.join(", "), record.rounds);
    html! {
        (top(&origin, "SWEEP", &sentence, None))
        @for (number, sweep) in record.workloads.iter().enumerate() { (workload(record, sweep, number)) }
        @if !record.skipped.is_empty() {
            section id="skipped" { h2 { "Skipped" } ul { @for skipped in &record.skipped { li { (text(skipped)) } } } }
        }
        (method(&record.command, &record.settings, &record.environment))
    }
}

fn workload(record: &SweepRecord, sweep: &WorkloadSweep, number: usize) -> Markup {
    let (table, ranked) = record.table(sweep);
    let residual = table.residual();
    let rounds = table.logs.first().map_or(0, Vec::len);
    html! {
        section id={ "workload-" (number) } {
            h2 { (text(&sweep.workload)) }
            p.lead {
                (rounds) " of " (record.rounds) " rounds complete. "
                @match &residual {
                    Some(residual) => { "One measurement varies by " (percent(residual.deviation)) " within a round; intervals are 95\u{a0}%." },
                    None => { "No intervals: they need two complete rounds of two cells that never failed." },
                }
                @if let Some(per_s) = sweep.ceiling_per_s { " The generator proved " (rate(per_s)) " into a null job." }
            }
            (ranking(record, sweep, &table, &ranked, residual.as_ref(), number))
            @if let Some(residual) = &residual {
                (effects(record, &table, residual))
                (interactions(record, &table, residual, number))
            }
            (cells::render(record, sweep))
            (left_out(record, sweep))
        }
    }
}

struct Row<'r> {
    rank: usize,
    cell: &'r CellResult,
    interval: Interval,
    is_best: bool,
}

fn rows<'r>(sweep: &'r WorkloadSweep, table: &Table, cells: &[usize], residual: Option<&Residual>) -> Vec<Row<'r>> {
    let means = table.means();
    let mut order: Vec<usize> = (0..means.len()).collect();
    order.sort_by(|one, other| means[*other].total_cmp(&means[*one]));
    let group = residual.map(|residual| table.best_group(residual)).unwrap_or_default();
    let around = |log: f64| match residual {
        Some(residual) => residual.around(log, residual.deviation / (residual.rounds as f64).sqrt(), 1),
        None => Interval { estimate: log.exp(), lower: log.exp(), upper: log.exp() },
    };
    let row = |(rank, place): (usize, &usize)| Row {
        rank: rank + 1,
        cell: &sweep.cells[cells[*place]],
        interval: around(means[*place]),
        is_best: group.contains(place),
    };
    order.iter().enumerate().map(row).filter(|row| row.rank <= RANKED || row.cell.today).collect()
}

fn ranking(
    record: &SweepRecord,
    sweep: &WorkloadSweep,
    table: &Table,
    cells: &[usize],
    residual: Option<&Residual>,
    number: usize,
) -> Markup {
    let rows = rows(sweep, table, cells, residual);
    let most = rows.iter().map(|row| row.interval.upper).fold(0.0, f64::max);
    let x = Scale::new(most * 1.02, 0.0, 200.0);
    // Of a latency less is better: the merit is its inverse, and so are the ends of its interval.
    let shown = |interval: &Interval| {
        let of = |merit: f64| record.response.show(if record.response == Response::P99 { 1.0 / merit } else { merit });
        match record.response {
            Response::Capacity => (of(interval.estimate), of(interval.lower), of(interval.upper)),
            Response::P99 => (of(interval.estimate), of(interval.upper), of(interval.lower)),
        }
    };
    html! {
        h3 { "Ranking" }
        div.table tabindex="0" role="region" aria-label={ "Ranking of " (text(&sweep.workload)) } {
            table id={ "ranking-" (number) } {
                thead { tr { th.number { "" span.hidden { "Rank" } } th { "Setting" } th.number { "Mean" } th.number { "95 % interval" } th { span.hidden { "Drawn" } } th { "" span.hidden { "Remark" } } } }
                tbody {
                    @for row in &rows {
                        @let (estimate, low, high) = shown(&row.interval);
                        tr {
                            td.number { (row.rank) }
                            td { (text(&record.words(&row.cell.levels))) }
                            td.number { (estimate) }
                            td.number { @if residual.is_some() { "[" (low) ", " (high) "]" } @else { "–" } }
                            td.drawn { (whisker(&row.interval, x)) }
                            td {
                                @if row.is_best { "= best " }
                                @if row.cell.today { b { "today" } }
                            }
                        }
                    }
                }
            }
        }
        p.keys { "= best: cannot be told from the best setting. Bars are from 0; of a latency they show its inverse." }
    }
}

/// A bar from 0 to the estimate, and its interval as a line.
fn whisker(interval: &Interval, x: Scale) -> Markup {
    html! {
        svg viewBox="0 0 200 12" preserveAspectRatio="none" aria-hidden="true" {
            rect.share x="0" y="3" height="6" width=(unit(x.at(interval.estimate))) {}
            path.error d={ "M" (unit(x.at(interval.lower))) " 6H" (unit(x.at(interval.upper))) } {}
        }
    }
}

fn factor(interval: &Interval) -> String {
    format!("{:.3} × [{:.3}, {:.3}]", interval.estimate, interval.lower, interval.upper)
}

fn effects(record: &SweepRecord, table: &Table, residual: &Residual) -> Markup {
    let shares = table.shares();
    let effects = table.effects(residual);
    html! {
        @if !effects.is_empty() {
            h3 { "What each knob does" }
            p.lead { "Factor on the rate (or 1 ÷ latency) against the knob's first value, the other knobs being equal; 95 % for all at once." }
            div.table tabindex="0" role="region" aria-label="Effects" {
                table {
                    thead { tr { th { "Knob" } th { "Value" } th { "against" } th.number { "Factor" } th.number { "Knob's share of the variation" } } }
                    tbody {
                        @for effect in &effects {
                            @let values = &record.values[effect.knob];
                            tr {
                                td { code { (text(&record.knobs[effect.knob])) } }
                                td { (text(&values[effect.level])) }
                                td { (text(&values[effect.against])) }
                                td.number { @if effect.factor.contains(1.0) { "~ " } (factor(&effect.factor)) }
                                td.number { (percent(shares.get(effect.knob).copied().unwrap_or(0.0))) }
                            }
                        }
                    }
                }
            }
            p.keys { "~ cannot be told from no effect" }
        }
    }
}

/// The strongest interaction as a map of the means over its two knobs, and the others that can be told from none.
fn interactions(record: &SweepRecord, table: &Table, residual: &Residual, number: usize) -> Markup {
    let all = table.interactions(residual);
    let told: Vec<&Interaction> = all.iter().filter(|interaction| !interaction.factor.contains(1.0)).collect();
    html! {
        @if let Some(strongest) = all.first() {
            h3 { "Together" }
            @if told.is_empty() {
                p.lead { "No two knobs can be told to depend on each other. The map shows the pair that comes nearest." }
            } @else {
                p.lead { "Factor beyond the product of the two alone, where it can be told from 1. The map shows the strongest pair." }
                ul {
                    @for interaction in told.iter().take(10) {
                        @let ((one, other), (level, with)) = (interaction.knobs, interaction.levels);
                        li {
                            (text(&record.knobs[one])) "=" (text(&record.values[one][level])) " with "
                            (text(&record.knobs[other])) "=" (text(&record.values[other][with])) ": " (factor(&interaction.factor))
                        }
                    }
                }
            }
            (heat_map(record, table, strongest.knobs, number))
        }
    }
}

fn heat_map(record: &SweepRecord, table: &Table, (one, other): (usize, usize), number: usize) -> Markup {
    let means = table.means();
    let mean = |row: usize, column: usize| -> Option<f64> {
        let there =
            || table.levels.iter().zip(&means).filter(|(levels, _)| levels[one] == row && levels[other] == column);
        let count = there().count();
        (count > 0).then(|| there().map(|(_, mean)| mean).sum::<f64>() / count as f64)
    };
    let (rows, columns) = (record.values[one].len(), record.values[other].len());
    let all: Vec<f64> = (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .filter_map(|(row, column)| mean(row, column))
        .collect();
    let (least, most) = (all.iter().copied().fold(f64::MAX, f64::min), all.iter().copied().fold(f64::MIN, f64::max));
    let step = |log: f64| (((log - least) / (most - least).max(1e-9)) * STEPS as f64).min(STEPS as f64 - 1.0) as usize;
    let show = |log: f64| record.response.show(if record.response == Response::P99 { (-log).exp() } else { log.exp() });
    html! {
        div.table tabindex="0" role="region" aria-label="Map of the strongest pair" {
            table.heat id={ "heat-" (number) } {
                caption { "Mean over the other knobs, " (text(&record.knobs[one])) " down, " (text(&record.knobs[other])) " across; darker is better" }
                thead { tr { td {} @for value in &record.values[other] { th.number scope="col" { (text(value)) } } } }
                tbody {
                    @for (row, value) in record.values[one].iter().enumerate() {
                        tr {
                            th scope="row" { (text(value)) }
                            @for column in 0..columns {
                                @match mean(row, column) {
                                    Some(log) => td class={ "number h" (step(log)) } { (show(log)) },
                                    None => td.number { "not run" },
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn left_out(record: &SweepRecord, sweep: &WorkloadSweep) -> Markup {
    let failed: Vec<&CellResult> = sweep.cells.iter().filter(|cell| !cell.failures.is_empty()).collect();
    html! {
        @if !failed.is_empty() || !sweep.refused.is_empty() {
            h3 { "Left out" }
            ul {
                @for cell in failed { li { "failed: " (text(&record.words(&cell.levels))) ": " (text(&cell.failures[0])) } }
                @for (cell, why) in &sweep.refused { li { (text(cell)) ": " (text(why)) } }
            }
        }
    }
}
