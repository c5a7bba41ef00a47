//! The flamegraph inside the report: static, without script, with a ranking of functions as its text.

use super::frames::{description, drawing, frames, ranking_table, shallow};
use super::{late_flames, text, waiting};
use crate::flame::tree::{layout, ranking};
use crate::flame::{stacks, subtitle, unavailable};
use crate::quantity::count;
use crate::record::TrialRecord;
use crate::summary::Summary;
use maud::{Markup, html};

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let record = summary.record;
    html! {
        section id="flamegraph" {
            h2 { "Where the CPU time goes" }
            (late_flames::render(summary))
            h3 { "The same batches again, unpaced" }
            @match unavailable(&record.profile) {
                Some(reason) => p.lead { "There is no flamegraph: " (reason) "." },
                None => (graph(record)),
            }
            (waiting::render(record))
        }
    }
}

fn graph(record: &TrialRecord) -> Markup {
    let stacks = stacks(&record.profile);
    let bars = layout(&stacks);
    let ranked = ranking(&stacks);
    let all: u64 = stacks.iter().map(|stack| stack.samples).sum();
    html! {
        p.lead {
            "Sampled while the same batches ran again, " b { "unpaced" } ": shares of CPU time, not of the delays above. "
            "The interactive drawing is flamegraph.svg beside this file."
        }
        figure tabindex="0" {
            (drawing("flame", "Flamegraph of the unpaced replay", &description(&ranked, all), &frames(&bars, all), all))
            figcaption {
                (subtitle(record))
                @if let Some(sampler) = &record.profile.sampler { " · " (text(sampler)) }
                @if record.profile.expected_samples > 0 { " · " (count(record.profile.expected_samples)) " samples expected" }
                @if let Some(words) = shallow(&stacks) { " · " (words) }
            }
        }
        details {
            summary { "Functions by their own samples" }
            (ranking_table("Functions by their own samples", &ranked, all))
        }
    }
}
