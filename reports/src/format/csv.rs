//! `csv`: one line a batch, units in the names of the columns (RFC 4180, with plain line ends).

use crate::inert;
use crate::judged;
use crate::quantity::moment;
use crate::record::{BatchRecord, TrialRecord};
use crate::summary::Summary;
use std::borrow::Cow;

/// A column: its name and its cell.
type Column = (&'static str, fn(&TrialRecord, &BatchRecord) -> String);

/// The columns before those of the phases.
const COLUMNS: &[Column] = &[
    ("index", |_, batch| batch.index.to_string()),
    ("time_utc", |_, batch| moment(batch.time_ns)),
    ("state", |record, batch| judged::state(record, batch).to_owned()),
    ("records", |_, batch| batch.records.to_string()),
    ("bytes", |_, batch| batch.bytes.to_string()),
    ("blocks", |_, batch| batch.blocks.to_string()),
    ("shed_records", |_, batch| batch.shed.to_string()),
    ("generation_delay_ns", |_, batch| batch.generation_delay_ns.to_string()),
    ("scheduling_delay_ns", |_, batch| batch.scheduling_delay_ns.to_string()),
    ("processing_ns", |_, batch| batch.processing_ns.to_string()),
    ("total_delay_ns", |_, batch| batch.total_delay_ns.to_string()),
    ("total_delay_from_submission_ns", |_, batch| {
        batch.total_delay_ns.saturating_sub(batch.generation_delay_ns).to_string()
    }),
    ("idle_ns", |_, batch| batch.idle_ns.to_string()),
    ("longest_by_median_task", |_, batch| optional(batch.skew)),
    ("waiting_batches", |_, batch| batch.queue_depth.to_string()),
    ("sender_blocked_ns", |_, batch| batch.blocked_ns.to_string()),
    ("sender_throttled_ns", |_, batch| batch.throttled_ns.to_string()),
    ("rate_limit_per_s", |_, batch| optional(batch.rate_limit_per_s)),
    ("allocations", |_, batch| optional(batch.allocations)),
    ("allocated_bytes", |_, batch| optional(batch.allocated_bytes)),
    ("page_faults", |_, batch| optional(batch.page_faults)),
    ("major_page_faults", |_, batch| optional(batch.major_page_faults)),
    ("stolen_ns", |_, batch| optional(batch.stolen_ns)),
    ("generator_lag_ns", |_, batch| optional(batch.generator_lag_ns)),
];

fn optional(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// A header and a line for each batch.
pub fn render(summary: &Summary<'_>) -> String {
    let record = summary.record;
    let phases: Vec<&str> = judged::time_by_phase(&record.batches).into_iter().skip(1).map(|(name, _)| name).collect();
    let names = COLUMNS.iter().map(|(name, _)| (*name).to_owned());
    let of_phases = phases.iter().map(|name| format!("phase_{name}_ns"));
    let mut text = row(names.chain(of_phases).chain(["failure".to_owned(), "wrong".to_owned()]));
    for batch in &record.batches {
        let cells = COLUMNS.iter().map(|(_, cell)| cell(record, batch));
        let of_phases = phases.iter().map(|name| {
            let ns = batch.phases.iter().find(|phase| phase.name == *name).map_or(0, |phase| phase.ns);
            ns.to_string()
        });
        let words = [batch.failure.clone().unwrap_or_default(), batch.wrong.clone().unwrap_or_default()];
        text.push_str(&row(cells.chain(of_phases).chain(words)));
    }
    text
}

fn row(cells: impl Iterator<Item = String>) -> String {
    let cells: Vec<String> = cells.map(|text| cell(&text)).collect();
    cells.join(",") + "\n"
}

/// One cell: quoted where it must be, and nothing that a spreadsheet would compute.
pub(crate) fn cell(text: &str) -> String {
    let mut text = inert::line(text);
    // A leading apostrophe is what spreadsheets themselves write before text that looks like a formula. Full-width signs count too.
    let is_formula = text.trim_start().starts_with(['=', '+', '-', '@', '|', '%', '＝', '＋', '－', '＠']);
    if is_formula {
        text = Cow::Owned(format!("'{text}"));
    }
    match is_formula || text.contains([',', '"', ';', '\'']) || text.starts_with(' ') || text.ends_with(' ') {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text.into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn cells_are_quoted_where_they_must_be_and_never_formulas() {
        assert_eq!(cell("12"), "12");
        assert_eq!(cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(cell("=cmd|' /C calc'!A0"), "\"'=cmd|' /C calc'!A0\"");
        assert_eq!(cell("  @SUM(1)"), "\"'  @SUM(1)\"");
        assert_eq!(cell("a\nb"), "a\u{fffd}b");
    }
}
