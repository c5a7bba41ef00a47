//! The differential flamegraph of a workload that became slower: where the head spends more of its CPU time than the base.

use crate::flame::{Stack, stacks, unavailable};
use crate::format::html::difference::{Beside, MARKS};
use crate::format::html::text;
use crate::gate::record::{GateRecord, Profiles};
use crate::quantity::count;
use maud::{Markup, html};

pub(super) fn render(record: &GateRecord) -> Markup {
    html! {
        @if !record.profiles.is_empty() {
            section id="flamegraph" {
                h2 { "Where the head spends more" }
                p.lead {
                    "Both builds ran the same batches once more, unpaced, under a sampling profiler: shares of each build's own CPU time, not times. "
                    "Drawn is the head; what only the base has is in the table. " (MARKS)
                }
                @for (number, profiles) in record.profiles.iter().enumerate() { (of_workload(profiles, number)) }
            }
        }
    }
}

fn of_workload(profiles: &Profiles, number: usize) -> Markup {
    let arms = [("base", &profiles.base), ("head", &profiles.head)];
    let missing: Vec<(&str, String)> =
        arms.into_iter().filter_map(|(arm, profile)| Some((arm, unavailable(profile)?))).collect();
    html! {
        h3 { (text(&profiles.workload)) }
        @for (arm, why) in &missing { p { "There is no profile of the " (arm) ": " (why) "." } }
        @if missing.is_empty() { (graph(&stacks(&profiles.base), &stacks(&profiles.head), number)) }
    }
}

fn graph(base: &[Stack], head: &[Stack], number: usize) -> Markup {
    let samples = |stacks: &[Stack]| stacks.iter().map(|stack| stack.samples).fold(0, u64::saturating_add);
    let (base_samples, head_samples) = (samples(base), samples(head));
    let beside = Beside {
        stacks: head,
        samples: head_samples,
        usual: base,
        usual_samples: base_samples,
        drawn: "Head",
        other: "Base",
        in_other: "in the base",
    };
    html! {
        figure tabindex="0" {
            (beside.drawing(&format!("flame-{}", number + 1), "Differential flamegraph, base to head"))
            figcaption { (count(base_samples)) " samples of the base, " (count(head_samples)) " of the head" }
        }
        (beside.table("Functions by change"))
    }
}
