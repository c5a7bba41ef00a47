//! Flamegraphs of the measured trial, one for each stage: the late batches, each frame beside the batches that were on time.

use super::difference::{Beside, MARKS};
use super::frames::{description, drawing, frames, ranking_table, shallow};
use super::text;
use crate::explain::pools::{Pool, Pooled, Pools, without_library};
use crate::flame::Stack;
use crate::flame::tree;
use crate::judged;
use crate::quantity::count;
use crate::record::TrialRecord;
use crate::samples::{COST, FEWEST};
use crate::summary::Summary;
use maud::{Markup, html};

/// Stages that are drawn, those with most samples.
const STAGES: usize = 8;

pub(super) fn render(summary: &Summary<'_>) -> Markup {
    let pools = summary.samples.map(|samples| Pools::new(summary.record, samples));
    let of = |pools: &Pools<'_>| -> Vec<Pooled> {
        pools.stages().into_iter().take(STAGES).map(|stage| pools.of_stage(stage)).collect()
    };
    let stages = pools.as_ref().map(of).unwrap_or_default();
    html! {
        h3 { "Late batches, in the measured trial" }
        @if stages.is_empty() {
            p.lead { "There is no flamegraph of the late batches: " (reason(summary)) "." }
        } @else {
            (lead(summary.record))
            @for (place, pooled) in stages.iter().enumerate() { (stage(summary.record, place, pooled)) }
        }
    }
}

fn reason(summary: &Summary<'_>) -> String {
    match (&summary.record.sampling.unavailable, summary.samples) {
        (Some(reason), _) => text(reason).into_owned(),
        (None, Some(_)) => "no sample was taken in a judged batch".to_owned(),
        (None, None) => "no samples of the trial lie beside its result".to_owned(),
    }
}

fn lead(record: &TrialRecord) -> Markup {
    let sampling = &record.sampling;
    html! {
        p.lead {
            "Sampled while the batches were measured, " (sampling.frequency_hz) " times a second of each thread's CPU time, and joined to "
            "the batch and stage that ran: " (count(sampling.in_batches)) " of " (count(sampling.samples)) " samples lie in one batch"
            @if sampling.lost > 0 { ", " (count(sampling.lost)) " were lost" }
            ". " (COST) " Of a streak of late batches only the first one counts: it says why. " (MARKS)
        }
    }
}

fn stage(record: &TrialRecord, place: usize, pooled: &Pooled) -> Markup {
    let (drawing, table) = match &pooled.usual {
        Some(usual) => differential(place, pooled, usual),
        None => plain(place, pooled),
    };
    html! {
        figure tabindex="0" {
            (drawing)
            figcaption {
                b { (pooled.stage) } ": " (whose(record, pooled))
                @if let Some(words) = shallow(&pooled.stacks) { " · " (words) }
            }
        }
        details {
            summary { "Functions of " (pooled.stage) }
            (table)
        }
    }
}

fn id_and_title(place: usize, pooled: &Pooled) -> (String, String) {
    (format!("flame-{place}"), format!("Flamegraph of the stage {}", pooled.stage))
}

fn differential(place: usize, pooled: &Pooled, usual: &[Stack]) -> (Markup, Markup) {
    let (id, title) = id_and_title(place, pooled);
    let label = format!("Functions of {} in late batches and in those on time", pooled.stage);
    let beside = Beside {
        stacks: &pooled.stacks,
        samples: pooled.samples,
        usual,
        usual_samples: pooled.usual_samples,
        drawn: "Late",
        other: "On time",
        in_other: "in batches on time",
    };
    (beside.drawing(&id, &title), beside.table(&label))
}

fn plain(place: usize, pooled: &Pooled) -> (Markup, Markup) {
    let (id, title) = id_and_title(place, pooled);
    let bars = tree::layout(&pooled.stacks);
    let ranked = tree::ranking(&without_library(&pooled.stacks));
    let words = description(&ranked, pooled.samples);
    let label = format!("Functions of {} by their own samples", pooled.stage);
    (
        drawing(&id, &title, &words, &frames(&bars, pooled.samples), pooled.samples),
        ranking_table(&label, &ranked, pooled.samples),
    )
}

/// Whose samples are drawn, why these, and beside which.
fn whose(record: &TrialRecord, pooled: &Pooled) -> String {
    let (all, fewest) = (count(pooled.samples), count(FEWEST));
    let drawn = match pooled.pool {
        Pool::All if judged::late_worst_first(record).is_empty() => {
            format!("{all} samples of all judged batches; none of them was late")
        }
        Pool::All => {
            let late = count(pooled.late_samples);
            format!("{all} samples of all judged batches: the {late} of the late ones are fewer than {fewest}")
        }
        Pool::Late => {
            let (whose, heads) = (pooled.pool.words(), count(pooled.head_samples));
            format!("{all} samples of {whose}: the {heads} of those that waited for nobody are fewer than {fewest}")
        }
        Pool::Heads | Pool::Batch => format!("{all} samples of {}", pooled.pool.words()),
    };
    let usual = count(pooled.usual_samples);
    let beside = match (&pooled.usual, pooled.pool) {
        (Some(_), _) => format!(", beside {usual} of the batches on time"),
        (None, Pool::All) if pooled.samples < FEWEST => format!("; fewer than {fewest} say little about shares"),
        (None, Pool::All) => String::new(),
        (None, _) => format!("; the {usual} of the batches on time are too few to compare"),
    };
    drawn + &beside
}
