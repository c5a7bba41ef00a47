//! `html`: one self-contained report, complete without script or network, byte-identical for the same summary.

mod comparison;
mod curve;
mod delays;
pub(crate) mod difference;
mod downloads;
mod flames;
mod frames;
mod late_flames;
mod method;
pub(crate) mod pairs;
mod phases;
mod rows;
mod script;
mod search;
mod spread;
mod tables;
mod theme;
mod timeline;
mod top;
mod waiting;

use crate::compare::Comparison;
use crate::inert;
use crate::quantity::bytes;
use crate::search::found::Found;
use crate::summary::Summary;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::borrow::Cow;

/// Beyond this size browsers open a page slowly; the footer then says how large it is.
const LARGE_BYTES: usize = 20 << 20;

/// The whole page of a run.
pub fn render(summary: &Summary<'_>) -> String {
    let sections = html! {
        (top::render(summary))
        (timeline::render(summary))
        (curve::render(summary))
        (phases::render(summary))
        (tables::late(summary))
        (flames::render(summary))
        (downloads::render(summary))
        (method::render(summary))
    };
    let title = format!("{}: {}, run {}", summary.verdict.word, summary.record.workload, summary.record.run);
    page(&title, "result.json", &sections).into_string()
}

/// The page of a search.
pub fn search(found: &Found) -> String {
    let (title, sections) = search::render(found);
    page(&title, found.file(), &sections).into_string()
}

/// The page of runs beside one another.
pub fn comparison(comparison: &Comparison, summaries: &[Summary<'_>]) -> String {
    let names: Vec<&str> = comparison.runs.iter().map(|run| run.run.as_str()).collect();
    let title = format!("Comparison: {}", names.join(", "));
    page(&title, "the runs' result.json", &comparison::render(comparison, summaries)).into_string()
}

/// A page of sections, written from that file.
pub(crate) fn page(title: &str, source: &str, sections: &Markup) -> Markup {
    let stylesheet = theme::stylesheet();
    let policy = theme::content_security_policy(&stylesheet, script::SOURCE);
    let size = sections.0.len();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (text(title)) }
                // Stylesheet and script are this crate's own text, without any `</`; escaping would change what the policy's hashes cover.
                style { (PreEscaped(stylesheet)) }
            }
            body {
                main {
                    (sections)
                    footer {
                        "Written by downbeat from " (source) "; nothing was measured for it. It loads nothing, and is complete without its script."
                        @if size > LARGE_BYTES { " It is " (bytes(size as u64)) " large." }
                        " " (script::theme_button())
                    }
                }
                script { (PreEscaped(script::SOURCE)) }
            }
        }
    }
}

/// Text from outside, without control characters; the template escapes the rest.
pub(crate) fn text(outside: &str) -> Cow<'_, str> {
    inert::line(outside)
}
