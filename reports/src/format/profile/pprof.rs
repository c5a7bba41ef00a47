//! The protobuf that `pprof` reads, without compression: <https://github.com/google/pprof/blob/main/proto/profile.proto>.
//!
//! The few messages are written by hand: fields of numbers and strings, which need no more than their two wire types.

use super::{Source, source, why_none};
use crate::explain::pools::Pools;
use crate::summary::Summary;
use std::collections::BTreeMap;

/// Numbers of the fields, message by message, as the schema gives them.
mod field {
    pub(super) const PROFILE_SAMPLE_TYPE: u64 = 1;
    pub(super) const PROFILE_SAMPLE: u64 = 2;
    pub(super) const PROFILE_LOCATION: u64 = 4;
    pub(super) const PROFILE_FUNCTION: u64 = 5;
    pub(super) const PROFILE_STRING: u64 = 6;
    pub(super) const PROFILE_PERIOD_TYPE: u64 = 11;
    pub(super) const PROFILE_PERIOD: u64 = 12;
    pub(super) const PROFILE_COMMENT: u64 = 13;
    pub(super) const VALUE_TYPE: u64 = 1;
    pub(super) const VALUE_UNIT: u64 = 2;
    pub(super) const SAMPLE_LOCATION: u64 = 1;
    pub(super) const SAMPLE_VALUE: u64 = 2;
    pub(super) const SAMPLE_LABEL: u64 = 3;
    pub(super) const LABEL_KEY: u64 = 1;
    pub(super) const LABEL_TEXT: u64 = 2;
    pub(super) const LABEL_NUMBER: u64 = 3;
    pub(super) const LOCATION_ID: u64 = 1;
    pub(super) const LOCATION_LINE: u64 = 4;
    pub(super) const LINE_FUNCTION: u64 = 1;
    pub(super) const FUNCTION_ID: u64 = 1;
    pub(super) const FUNCTION_NAME: u64 = 2;
}

/// Each sample has its thread, batch, stage and the batch's part (`late`, `on time`, …) as labels; those of a replay only the thread.
pub fn bytes(summary: &Summary<'_>) -> Vec<u8> {
    let mut profile = Writer::default();
    let record = summary.record;
    let frequency_hz = match source(summary) {
        Source::Trial(samples) => {
            let pools = Pools::new(record, samples);
            for seen in samples.seen() {
                let mut labels = vec![("part", Value::Text(pools.part(seen.batch)))];
                labels.extend(seen.batch.map(|batch| ("batch", Value::Number(batch))));
                labels.extend(seen.stage.as_deref().map(|stage| ("stage", Value::Text(stage))));
                for (place, count) in &seen.stacks {
                    profile.sample(samples.frames(*place), *count, &labels);
                }
            }
            record.sampling.frequency_hz
        }
        Source::Replay(stacks) => {
            stacks.iter().for_each(|stack| profile.sample(&stack.frames, stack.samples, &[]));
            record.profile.frequency_hz
        }
    };
    let comment = if profile.samples.is_empty() { format!("no samples: {}", why_none(summary)) } else { String::new() };
    profile.finish(frequency_hz, &comment)
}

/// What a label says.
#[derive(Clone, Copy)]
enum Value<'v> {
    Text(&'v str),
    Number(u64),
}

/// A profile while it is put together.
#[derive(Default)]
struct Writer {
    /// Place of each string but the first, which is empty.
    strings: BTreeMap<String, u64>,
    /// Id of each function, by the place of its name; its location has the same one.
    functions: BTreeMap<u64, u64>,
    samples: Vec<u8>,
}

impl Writer {
    fn string(&mut self, text: &str) -> u64 {
        if text.is_empty() {
            return 0;
        }
        let next = self.strings.len() as u64 + 1;
        *self.strings.entry(text.to_owned()).or_insert(next)
    }

    /// The thread first, then frames from the outermost one.
    fn sample(&mut self, frames: &[String], count: u64, labels: &[(&str, Value<'_>)]) {
        let (thread, frames) = frames.split_first().map_or(("", frames), |(thread, frames)| (thread.as_str(), frames));
        let mut sample = Vec::new();
        for frame in frames.iter().rev() {
            let name = self.string(frame);
            let next = self.functions.len() as u64 + 1;
            number(&mut sample, field::SAMPLE_LOCATION, *self.functions.entry(name).or_insert(next));
        }
        number(&mut sample, field::SAMPLE_VALUE, count.min(i64::MAX as u64));
        for (key, value) in labels.iter().chain([&("thread", Value::Text(thread))]) {
            let mut label = Vec::new();
            number(&mut label, field::LABEL_KEY, self.string(key));
            match value {
                Value::Text(text) => number(&mut label, field::LABEL_TEXT, self.string(text)),
                Value::Number(count) => number(&mut label, field::LABEL_NUMBER, *count),
            }
            message(&mut sample, field::SAMPLE_LABEL, &label);
        }
        message(&mut self.samples, field::PROFILE_SAMPLE, &sample);
    }

    fn value_type(&mut self, kind: &str, unit: &str) -> Vec<u8> {
        let mut value = Vec::new();
        number(&mut value, field::VALUE_TYPE, self.string(kind));
        number(&mut value, field::VALUE_UNIT, self.string(unit));
        value
    }

    fn finish(mut self, frequency_hz: u32, comment: &str) -> Vec<u8> {
        let mut profile = Vec::new();
        let (samples, cpu) = (self.value_type("samples", "count"), self.value_type("cpu", "nanoseconds"));
        message(&mut profile, field::PROFILE_SAMPLE_TYPE, &samples);
        profile.append(&mut self.samples);
        for (name, id) in &self.functions {
            let (mut function, mut line, mut location) = (Vec::new(), Vec::new(), Vec::new());
            number(&mut function, field::FUNCTION_ID, *id);
            number(&mut function, field::FUNCTION_NAME, *name);
            number(&mut line, field::LINE_FUNCTION, *id);
            number(&mut location, field::LOCATION_ID, *id);
            message(&mut location, field::LOCATION_LINE, &line);
            message(&mut profile, field::PROFILE_LOCATION, &location);
            message(&mut profile, field::PROFILE_FUNCTION, &function);
        }
        message(&mut profile, field::PROFILE_PERIOD_TYPE, &cpu);
        number(&mut profile, field::PROFILE_PERIOD, 1_000_000_000 / u64::from(frequency_hz.max(1)));
        if !comment.is_empty() {
            let place = self.string(comment);
            number(&mut profile, field::PROFILE_COMMENT, place);
        }
        let mut strings: Vec<(&String, &u64)> = self.strings.iter().collect();
        strings.sort_by_key(|(_, place)| **place);
        message(&mut profile, field::PROFILE_STRING, b"");
        strings.iter().for_each(|(text, _)| message(&mut profile, field::PROFILE_STRING, text.as_bytes()));
        profile
    }
}

/// A field of the wire type 0.
fn number(into: &mut Vec<u8>, field: u64, value: u64) {
    varint(into, field << 3);
    varint(into, value);
}

/// A field of the wire type 2.
fn message(into: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(into, field << 3 | 2);
    varint(into, content.len() as u64);
    into.extend_from_slice(content);
}

/// Seven bits a byte, the lowest first; all bytes but the last have the eighth.
fn varint(into: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        into.push(value as u8 | 0x80);
        value >>= 7;
    }
    into.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_messages_are_those_of_the_wire_format() {
        // The examples of https://protobuf.dev/programming-guides/encoding: 150 in field 1, "testing" in field 2.
        let mut bytes = Vec::new();
        number(&mut bytes, 1, 150);
        message(&mut bytes, 2, b"testing");
        assert_eq!(bytes, b"\x08\x96\x01\x12\x07testing");
        let mut largest = Vec::new();
        varint(&mut largest, u64::MAX);
        assert_eq!(largest.len(), 10);
    }
}
