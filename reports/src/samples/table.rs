//! Folded stacks on disk: each name of a frame once, and of each stack the places of its names. Stacks with callers are deep and
//! alike, so that the file is a fraction of what the stacks would be.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::collections::HashMap;

/// Between the frames of a folded stack.
const BETWEEN: char = ';';

#[derive(Serialize, Deserialize)]
struct Table {
    frames: Vec<String>,
    stacks: Vec<Vec<usize>>,
}

pub(super) fn serialize<S: Serializer>(stacks: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    let mut table = Table { frames: Vec::new(), stacks: Vec::with_capacity(stacks.len()) };
    let mut places: HashMap<&str, usize> = HashMap::new();
    for stack in stacks {
        let place = |frame| {
            *places.entry(frame).or_insert_with(|| {
                table.frames.push(frame.to_owned());
                table.frames.len() - 1
            })
        };
        table.stacks.push(stack.split(BETWEEN).map(place).collect());
    }
    table.serialize(serializer)
}

pub(super) fn deserialize<'d, D: Deserializer<'d>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let Table { frames, stacks } = Table::deserialize(deserializer)?;
    let name = |place: &usize| frames.get(*place).map(String::as_str).ok_or(*place);
    let folded = |stack: &Vec<usize>| {
        let names: Result<Vec<&str>, usize> = stack.iter().map(name).collect();
        names.map(|names| names.join(";"))
    };
    let all: Result<Vec<String>, usize> = stacks.iter().map(folded).collect();
    all.map_err(|place| D::Error::custom(format!("there is no frame {place}, there are {}", frames.len())))
}
