//! All cells of a sweep: a table that opens, and the same as CSV.

use crate::format::csv::cell;
use crate::format::html::text;
use crate::search::sweep::{CellResult, Response, SweepRecord, WorkloadSweep};
use maud::{Markup, html};

pub(super) fn render(record: &SweepRecord, sweep: &WorkloadSweep) -> Markup {
    let rounds = sweep.cells.iter().map(|cell| cell.responses.len()).max().unwrap_or(0);
    html! {
        details {
            summary { "All " (sweep.cells.len()) " cells" }
            div.table tabindex="0" role="region" aria-label={ "All cells of " (text(&sweep.workload)) } { table {
                thead { tr {
                    @for knob in &record.knobs { th { (text(knob)) } }
                    @for round in 1..=rounds { th.number { "Round " (round) } }
                    th { span.hidden { "Remark" } }
                } }
                tbody { @for cell in &sweep.cells { (row(record, cell, rounds)) } }
            } }
        }
    }
}

fn row(record: &SweepRecord, cell: &CellResult, rounds: usize) -> Markup {
    let response = |round: usize| cell.responses.get(round).copied().flatten();
    html! {
        tr {
            @for (values, level) in record.values.iter().zip(&cell.levels) { td { (text(&values[*level])) } }
            @for round in 0..rounds {
                td.number { (response(round).map_or_else(|| "–".to_owned(), |value| record.response.show(value))) }
            }
            td { @if cell.today { b { "today" } } @if !cell.failures.is_empty() { " failed" } }
        }
    }
}

/// A header and a line for each cell and round.
pub(super) fn csv(record: &SweepRecord) -> String {
    let response = match record.response {
        Response::Capacity => "capacity_per_s",
        Response::P99 => "p99_ns",
    };
    let names = ["workload"].into_iter().chain(record.knobs.iter().map(String::as_str));
    let mut lines = vec![line(names.chain(["round", response, "today"]))];
    for sweep in &record.workloads {
        lines.extend(sweep.cells.iter().flat_map(|cell| lines_of(record, &sweep.workload, cell)));
    }
    lines.concat()
}

fn lines_of(record: &SweepRecord, workload: &str, cell: &CellResult) -> Vec<String> {
    let values: Vec<&str> =
        record.values.iter().zip(&cell.levels).map(|(values, level)| values[*level].as_str()).collect();
    let of = |(round, value): (usize, &Option<f64>)| {
        let (round, value) = ((round + 1).to_string(), value.map(|value| value.to_string()).unwrap_or_default());
        let today = if cell.today { "yes" } else { "no" };
        line([workload].into_iter().chain(values.iter().copied()).chain([round.as_str(), value.as_str(), today]))
    };
    cell.responses.iter().enumerate().map(of).collect()
}

fn line<'t>(cells: impl Iterator<Item = &'t str>) -> String {
    cells.map(cell).collect::<Vec<String>>().join(",") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_has_a_line_for_each_cell_and_round() {
        let sweep = WorkloadSweep {
            workload: "=word".into(),
            cells: vec![CellResult {
                levels: vec![1],
                responses: vec![Some(2.5), None],
                today: true,
                failures: vec![],
            }],
            ..WorkloadSweep::default()
        };
        let record = SweepRecord {
            knobs: vec!["codec".into()],
            values: vec![vec!["none".into(), "a,b".into()]],
            workloads: vec![sweep],
            ..SweepRecord::default()
        };
        let expected =
            "workload,codec,round,capacity_per_s,today\n\"'=word\",\"a,b\",1,2.5,yes\n\"'=word\",\"a,b\",2,,yes\n";
        assert_eq!(csv(&record), expected);
    }
}
