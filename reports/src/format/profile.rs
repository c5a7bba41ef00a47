//! `folded`, `pprof` and `speedscope`: the samples of the measured trial for other tools; without any, those of the unpaced replay.

mod pprof;
mod speedscope;

pub use pprof::bytes as pprof;
pub use speedscope::render as speedscope;

use crate::explain::pools::NO_BATCH;
use crate::flame::{self, Stack};
use crate::inert;
use crate::samples::Samples;
use crate::summary::Summary;
use std::collections::BTreeMap;

/// Where the samples come from.
enum Source<'s> {
    Trial(&'s Samples),
    Replay(Vec<Stack>),
}

fn source<'s>(summary: &Summary<'s>) -> Source<'s> {
    match summary.samples {
        Some(samples) if samples.count(|_| true) > 0 => Source::Trial(samples),
        _ => Source::Replay(flame::stacks(&summary.record.profile)),
    }
}

/// `thread;[stage];frame;frame count` a line, of the trial; without the stage, of the replay. A comment says why there are none.
pub fn folded(summary: &Summary<'_>) -> String {
    let line = |frames: &[String], samples: u64| {
        let frames: Vec<String> = frames.iter().map(|frame| frame.replace(';', ":")).collect();
        format!("{} {samples}\n", frames.join(";"))
    };
    let lines: String = match source(summary) {
        Source::Trial(samples) => by_stage(samples).iter().map(|(frames, samples)| line(frames, *samples)).collect(),
        Source::Replay(stacks) => stacks.iter().map(|stack| line(&stack.frames, stack.samples)).collect(),
    };
    if lines.is_empty() { format!("# no samples: {}\n", why_none(summary)) } else { lines }
}

/// The stage as a frame right above the thread.
fn by_stage(samples: &Samples) -> BTreeMap<Vec<String>, u64> {
    let mut counted: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for seen in samples.seen() {
        let stage = format!("[{}]", seen.stage.as_deref().unwrap_or(NO_BATCH));
        for (place, count) in &seen.stacks {
            let mut frames = samples.frames(*place).to_vec();
            frames.insert(frames.len().min(1), stage.clone());
            let sum = counted.entry(frames).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
    counted
}

/// Why there is nothing to export, on one line.
fn why_none(summary: &Summary<'_>) -> String {
    let trial = summary.record.sampling.unavailable.as_deref().unwrap_or("the trial has none");
    let replay = flame::unavailable(&summary.record.profile).unwrap_or_default();
    format!("{}; {replay}", inert::line(trial))
}
