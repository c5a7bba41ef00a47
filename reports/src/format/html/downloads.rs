//! The data behind the report, to be saved: JSON, CSV and hgrm as links that hold the files themselves.

use crate::format::{csv, hgrm, json};
use crate::quantity::{bytes, count};
use crate::summary::Summary;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{Markup, html};

/// A larger file is not put into the page, so that a run of 10,000 batches stays below 3 MB.
const LARGEST_BYTES: usize = 400_000;

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let files = [
        ("result.json", "application/json", "everything: the record and what follows from it", json::render(summary)),
        ("batches.csv", "text/csv", "one line a batch, units in the names of the columns", csv::render(summary)),
        ("latency.hgrm", "text/plain", "latency percentiles for HdrHistogram plotters", hgrm::render(summary)),
    ];
    html! {
        section id="data" {
            h2 { "Data" }
            p.lead { (count(summary.record.batches.len() as u64)) " batches. " code { "downbeat report DIR --format …" } " makes the same files from the stored result." }
            ul {
                @for (name, kind, about, content) in &files {
                    li {
                        @if content.len() <= LARGEST_BYTES {
                            a download=(name) href={ "data:" (kind) ";base64," (BASE64.encode(content)) } { (name) }
                        } @else {
                            code { (name) }
                        }
                        " (" (bytes(content.len() as u64)) "): " (about)
                        @if content.len() > LARGEST_BYTES { "; too large to stand in this page" }
                    }
                }
            }
        }
    }
}
