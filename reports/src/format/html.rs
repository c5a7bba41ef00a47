//! `html`: one self-contained report, complete without script or network, byte-identical for the same summary.

mod curve;
mod flames;
mod method;
mod phases;
mod tables;
mod theme;
mod timeline;
mod top;

use crate::inert;
use crate::quantity::bytes;
use crate::summary::Summary;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use std::borrow::Cow;

/// Beyond this size browsers open a page slowly; the footer then says how large it is.
const LARGE_BYTES: usize = 20 << 20;

/// The whole page.
pub fn render(summary: &Summary<'_>) -> String {
    let sections = html! {
        (top::render(summary))
        (timeline::render(summary))
        (curve::render(summary))
        (phases::render(summary))
        (tables::late(summary))
        (flames::render(summary.record))
        (method::render(summary))
    };
    page(summary, &sections).into_string()
}

fn page(summary: &Summary<'_>, sections: &Markup) -> Markup {
    let stylesheet = theme::stylesheet();
    let policy = theme::content_security_policy(&stylesheet);
    let size = sections.0.len();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (summary.verdict.word) ": " (text(&summary.record.workload)) ", run " (text(&summary.record.run)) }
                // The stylesheet is this crate's own text, without any `<`; escaping would change what the policy's hash covers.
                style { (PreEscaped(stylesheet)) }
            }
            body {
                main {
                    (sections)
                    footer {
                        "Written by downbeat from result.json; nothing was measured for it. It loads nothing and runs no script."
                        @if size > LARGE_BYTES { " It is " (bytes(size as u64)) " large." }
                    }
                }
            }
        }
    }
}

/// Text from outside, without control characters; the template escapes the rest.
fn text(outside: &str) -> Cow<'_, str> {
    inert::line(outside)
}
