//! The right answer of `sensors`.

use super::parsed::{LineParser, Parsed};
use super::tokens::{Counts, Dictionary};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::{LATE_BOUND_MS, Payload};
use std::collections::BTreeMap;

/// Keeps all values of a batch and looks at them at its end.
pub struct SensorsOracle;

impl Oracle for SensorsOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut lines = Parsed::new(payload, Readings::default());
        let (mut totals, mut wrong) = (Counts::default(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let mut values: BTreeMap<u32, Vec<i64>> = BTreeMap::new();
            lines.for_each(&batch.ranges, |(row, value)| values.entry(*row).or_default().push(*value));
            let mut expected = BatchAnswer::default();
            for (row, values) in values {
                expected.add(&shown(&lines.parser.0.keys[row as usize], &values), values.len() as u64);
                totals.add(row, values.len() as u64);
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let keys = &lines.parser.0.keys;
        let mut rows: Vec<Row> =
            totals.iter().map(|(row, count)| Row { key: keys[row as usize].clone(), count }).collect();
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// The row of a device with its mean, rounded down, and maximum; rows that are no device have neither.
fn shown(key: &[u8], values: &[i64]) -> Vec<u8> {
    if key.first() == Some(&b'*') {
        return key.to_vec();
    }
    let (sum, count) = (values.iter().map(|value| i128::from(*value)).sum::<i128>(), values.len() as i128);
    let mean = (sum - (sum % count + count) % count) / count;
    let most = values.iter().max().copied().unwrap_or_default();
    [key, format!(" {mean} {most}").as_bytes()].concat()
}

/// The row of a line, and its value in hundredths.
#[derive(Default)]
struct Readings(Dictionary);

impl LineParser for Readings {
    type Parsed = (u32, i64);

    fn parse(&mut self, line: &[u8]) -> (u32, i64) {
        match reading(line) {
            None => (self.0.id(b"*malformed"), 0),
            Some((_, held_ms, _)) if held_ms > LATE_BOUND_MS as i64 => (self.0.id(b"*late"), 0),
            Some((device, _, value)) => (self.0.id(device), value),
        }
    }
}

/// Device, for how long it was held back, value.
fn reading(line: &[u8]) -> Option<(&[u8], i64, i64)> {
    let fields: Vec<&[u8]> = line.split(|byte| *byte == b',').collect();
    let [device, measured, sent, value] = fields[..] else { return None };
    if matches!(device, [] | [b'*', ..]) {
        return None;
    }
    let value = std::str::from_utf8(value).ok()?;
    let (whole, decimals) = value.strip_prefix('-').unwrap_or(value).split_once('.')?;
    if decimals.len() != 2 {
        return None;
    }
    let magnitude = digits(whole.as_bytes(), 7)? * 100 + digits(decimals.as_bytes(), 2)?;
    let value = if value.starts_with('-') { -magnitude } else { magnitude };
    Some((device, digits(sent, 15)? - digits(measured, 15)?, value))
}

fn digits(text: &[u8], most: usize) -> Option<i64> {
    let all_digits = text.iter().all(u8::is_ascii_digit) && text.len() <= most;
    std::str::from_utf8(text).ok().filter(|_| all_digits)?.parse().ok()
}
