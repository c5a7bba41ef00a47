//! JSON for speedscope.app, its format `sampled`: <https://www.speedscope.app/file-format-schema.json>. Several profiles share their frames.

use super::{Source, source, why_none};
use crate::explain::pools::{LATE, ON_TIME, Pools};
use crate::flame::Stack;
use crate::inert;
use crate::summary::Summary;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct File<'f> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    name: String,
    exporter: &'static str,
    shared: Shared<'f>,
    profiles: Vec<Profile>,
}

#[derive(Serialize)]
struct Shared<'f> {
    frames: Vec<Frame<'f>>,
}

#[derive(Serialize)]
struct Frame<'f> {
    name: &'f str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    unit: &'static str,
    start_value: u64,
    end_value: u64,
    samples: Vec<Vec<usize>>,
    weights: Vec<u64>,
}

/// The late batches that waited for nobody, those that were on time, and everything; or the replay.
pub fn render(summary: &Summary<'_>) -> String {
    let groups: Vec<(String, Vec<Stack>)> = match source(summary) {
        Source::Trial(samples) => {
            let pools = Pools::new(summary.record, samples);
            let of = |part: &str| samples.stacks(|seen| pools.part(seen.batch) == part);
            [("late batches that waited for nobody", of(LATE)), ("batches on time", of(ON_TIME))]
                .into_iter()
                .filter(|(_, stacks)| !stacks.is_empty())
                .chain([("the whole trial", samples.stacks(|_| true))])
                .map(|(name, stacks)| (name.to_owned(), stacks))
                .collect()
        }
        Source::Replay(stacks) if stacks.is_empty() => vec![(format!("no samples: {}", why_none(summary)), stacks)],
        Source::Replay(stacks) => vec![("unpaced replay".to_owned(), stacks)],
    };
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for frame in groups.iter().flat_map(|(_, stacks)| stacks).flat_map(|stack| &stack.frames) {
        places.entry(frame).or_default();
    }
    places.values_mut().enumerate().for_each(|(place, at)| *at = place);
    let profiles = groups.iter().map(|(name, stacks)| profile(name, stacks, &places)).collect();
    let record = summary.record;
    let file = File {
        schema: "https://www.speedscope.app/file-format-schema.json",
        name: format!("{}, run {}", inert::short(&record.workload, 60), inert::short(&record.run, 60)),
        exporter: "downbeat",
        shared: Shared { frames: places.keys().map(|name| Frame { name }).collect() },
        profiles,
    };
    super::super::json::write(&file)
}

fn profile(name: &str, stacks: &[Stack], places: &BTreeMap<&str, usize>) -> Profile {
    Profile {
        kind: "sampled",
        name: name.to_owned(),
        unit: "none",
        start_value: 0,
        end_value: stacks.iter().map(|stack| stack.samples).fold(0, u64::saturating_add),
        samples: stacks.iter().map(|stack| stack.frames.iter().map(|frame| places[frame.as_str()]).collect()).collect(),
        weights: stacks.iter().map(|stack| stack.samples).collect(),
    }
}
