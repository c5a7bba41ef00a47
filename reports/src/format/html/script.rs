//! The report's own script: picking a batch with the keyboard, a closer look at a span of batches, opening what a link points at. The page
//! is complete without it.

use super::theme;
use crate::judged;
use crate::record::TrialRecord;
use maud::{Markup, PreEscaped, html};
use std::fmt::Write;

/// The script as it stands in the page, without any `</`.
pub(super) const SOURCE: &str = include_str!("script.js");

/// Largest script that a page may have.
#[cfg(test)]
const LARGEST_BYTES: usize = 60_000;

/// Controls that the script shows, and the numbers that it draws from.
pub(super) fn explorer(record: &TrialRecord) -> Markup {
    let (Some(first), Some(last)) = (record.batches.first(), record.batches.last()) else { return html! {} };
    html! {
        div.explorer id="explorer" hidden {
            p.controls {
                label for="pick" { "Batch" }
                input id="pick" type="range" min=(first.index) max=(last.index) value=(first.index);
                button type="button" id="worst" { "worst" }
                button type="button" id="closer" { "closer" }
                button type="button" id="wider" { "wider" }
                a id="open" href="#batches" { "open" }
            }
            p.keys id="readout" role="status" {}
            svg id="detail" viewBox="0 0 960 190" role="img" aria-label="The picked batch and its neighbours: waiting and processing time of each, against the interval" {}
        }
        (data(record))
    }
}

/// Index, flags, delays in microseconds, records and waiting batches of each batch, as numbers only.
fn data(record: &TrialRecord) -> Markup {
    let mut text = String::with_capacity(40 * record.batches.len() + 80);
    let _ = write!(text, "{{\"interval\":{},\"batches\":[", record.judging.interval_ns / 1_000);
    for (place, batch) in record.batches.iter().enumerate() {
        let comma = if place == 0 { "" } else { "," };
        let flags = u8::from(batch.warmup)
            + 2 * u8::from(judged::is_late(record, batch))
            + 4 * u8::from(judged::is_troubled(batch));
        let wait_us = batch.generation_delay_ns.saturating_add(batch.scheduling_delay_ns) / 1_000;
        let (processing_us, records, queue) = (batch.processing_ns / 1_000, batch.records, batch.queue_depth);
        let _ = write!(text, "{comma}[{},{flags},{wait_us},{processing_us},{records},{queue}]", batch.index);
    }
    text.push_str("]}");
    html! { script type="application/json" id="batch-data" { (PreEscaped(text)) } }
}

/// The button that the script makes work.
pub(super) fn theme_button() -> Markup {
    html! { button type="button" id="theme" hidden { (theme::BUTTON) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_is_small_and_ends_no_element() {
        assert!(SOURCE.len() < LARGEST_BYTES && !SOURCE.contains("</") && !SOURCE.contains("<!--"));
        for loads in ["fetch", "XMLHttpRequest", "import", "http:", "https:", "eval", "innerHTML"] {
            assert!(!SOURCE.replace("http://www.w3.org/2000/svg", "").contains(loads), "{loads}");
        }
    }
}
