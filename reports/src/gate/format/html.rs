//! `html`: one page like those of runs: the verdict and its reasons first, then every comparison, every block, what was counted, how quiet
//! the host was, and the method. Complete without script or network; the same record gives the same bytes.

mod anchors;
mod axis;
mod blocks;
mod counts;
mod flame;
mod host;
mod intervals;
mod method;
mod top;

use super::json;
use crate::format::html::{page, text};
use crate::gate::judgement::Judgement;
use crate::gate::record::GateRecord;
use crate::quantity::bytes;
use anchors::Anchors;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use maud::{Markup, html};

/// A larger record is not put into the page: it lies beside it.
const LARGEST_BYTES: usize = 1_500_000;

/// The page of a gate.
pub fn render(record: &GateRecord, judgement: &Judgement) -> String {
    let anchors = Anchors::of(judgement);
    let sections = html! {
        (top::render(record, judgement, &anchors))
        (intervals::render(judgement, &anchors))
        (blocks::render(record, judgement, &anchors))
        (flame::render(record))
        (counts::render(record, judgement))
        (host::render(judgement))
        (data(record, judgement))
        (method::render(record))
    };
    let title = format!("{}: {} against {}", judgement.verdict.as_str(), record.head.asked, record.base.asked);
    page(&title, "gate.json", &sections).into_string()
}

fn data(record: &GateRecord, judgement: &Judgement) -> Markup {
    let json = json::render(record, judgement);
    html! {
        section id="data" {
            h2 { "Data" }
            p.lead { "Every block and every p value. " code { "downbeat report DIR --format …" } " makes the other formats from the stored record." }
            ul { li {
                @if json.len() <= LARGEST_BYTES {
                    a download="gate-result.json" href={ "data:application/json;base64," (BASE64.encode(&json)) } { "gate-result.json" }
                } @else {
                    code { "downbeat report DIR --format json" }
                }
                " (" (bytes(json.len() as u64)) "): the judgement and the whole record"
            } }
        }
    }
}

/// A table that scrolls in itself.
fn table(label: &str, content: &Markup) -> Markup {
    html! { div.table tabindex="0" role="region" aria-label=(text(label)) { table { (content) } } }
}
