//! `sensors`: mean and maximum of each device's readings in each batch; late and malformed ones are counted apart.

use super::Job;
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::load::LoadSettings;
use crate::oracle::{Oracle, SensorsOracle};
use crate::payload::{LATE_BOUND_MS, LineSource, SensorReadings};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{Batch, DStream};
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use memchr::memchr;
use std::io::Write;
use std::sync::Arc;

/// The row of readings that were sent more than [`LATE_BOUND_MS`] after they were measured.
const LATE: &[u8] = b"*late";

/// The row of lines that are no readings.
const MALFORMED: &[u8] = b"*malformed";

/// How many readings, their sum and the largest one, in hundredths.
type Readings = Pair<u64, Pair<i64, i64>>;

/// A line is a reading if it has four fields with commas between: a device, which is not empty and does not begin with `*`; two
/// times of 1 to 15 digits; a value of 1 to 7 digits, a dot and two digits, with or without a minus. A reading is late by its own
/// two times, so whatever came before it or however it is sent makes no difference. Rows of a batch are a device, its mean (in
/// hundredths, rounded down) and its maximum, with the number of readings; `*late`; `*malformed`. The final answer is how many
/// readings of each device there were, and of these two.
pub(super) struct Sensors;

impl Job for Sensors {
    fn name(&self) -> &'static str {
        "sensors"
    }

    fn about(&self) -> &'static str {
        "Mean and maximum per device in each batch: CSV readings of 10,000 devices, 2% of them late, some lines broken."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(SensorReadings::drawn(load.seed, &load.keys))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        match load.records {
            RecordsKind::Borrowed => by_device(lines, answers),
            RecordsKind::Owned => by_device(&lines.owned(), answers),
        }
        Ok(())
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(SensorsOracle))
    }
}

fn by_device<R: TextRecord>(lines: &DStream<R>, answers: &Arc<Answers>) {
    let answers = answers.clone();
    lines
        .flat_map::<Pair<Text, Readings>>(|line, out| out(classified(R::bytes(line))))
        .reduce_by_key(|a, b| (a.0 + b.0, (a.1.0 + b.1.0, a.1.1.max(b.1.1))))
        .for_each_batch(move |batch| record(batch, &answers));
}

fn record(batch: &Batch<'_, Pair<Text, Readings>>, answers: &Answers) {
    let (mut answer, mut row) = (BatchAnswer::default(), Vec::new());
    batch.for_each(|(device, (readings, (sum, most)))| {
        row.clear();
        row.extend_from_slice(device);
        if !device.starts_with(b"*") {
            let mean = sum.div_euclid(readings as i64);
            // Writing to a vector cannot fail.
            let _ = write!(row, " {mean} {most}");
        }
        answer.add(&row, readings);
    });
    answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
    answers.add_to_final(|row| batch.for_each(|(device, (readings, _))| row(device, readings)));
}

/// The device and its reading, or what else a line is.
fn classified(line: &[u8]) -> (&[u8], (u64, (i64, i64))) {
    match reading(line) {
        None => (MALFORMED, (1, (0, 0))),
        Some(reading) if reading.sent_ms > reading.measured_ms + LATE_BOUND_MS => (LATE, (1, (0, 0))),
        Some(Reading { device, hundredths, .. }) => (device, (1, (hundredths, hundredths))),
    }
}

struct Reading<'l> {
    device: &'l [u8],
    measured_ms: u64,
    sent_ms: u64,
    hundredths: i64,
}

fn reading(line: &[u8]) -> Option<Reading<'_>> {
    let (device, rest) = field(line)?;
    let (measured, rest) = field(rest)?;
    let (sent, value) = field(rest)?;
    if device.is_empty() || device[0] == b'*' {
        return None;
    }
    let (is_negative, digits) = match value {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (whole, decimals) = digits.split_last_chunk::<3>()?;
    let [b'.', decimals @ ..] = decimals else { return None };
    let hundredths = (number(whole, 7)? * 100 + number(decimals, 2)?) as i64;
    let hundredths = if is_negative { -hundredths } else { hundredths };
    Some(Reading { device, measured_ms: number(measured, 15)?, sent_ms: number(sent, 15)?, hundredths })
}

/// Up to the next comma, which must be there, and what follows it.
fn field(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b',', text)?;
    Some((&text[..end], &text[end + 1..]))
}

/// A number of 1 to `most` digits, 15 at most.
fn number(digits: &[u8], most: usize) -> Option<u64> {
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    let add = |number: u64, digit: &u8| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0'));
    digits.iter().try_fold(0, add)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_what_its_definition_says() {
        let classify = |line: &'static str| classified(line.as_bytes());
        assert_eq!(classify("a,1000,1000,-0.07"), (&b"a"[..], (1, (-7, -7))));
        assert_eq!(classify("a b,1000,3000,1234567.89"), (&b"a b"[..], (1, (123_456_789, 123_456_789))));
        assert_eq!(classify("a,9000,1000,1.00").0, b"a", "a clock that is ahead is not late");
        assert_eq!(classify("a,1000,3001,1.00"), (LATE, (1, (0, 0))));
        for line in [
            "",
            "a",
            "a,1,1",
            "a,1,1,",
            "a,1,1,1",
            "a,1,1,1.0",
            "a,1,1,.00",
            "a,1,1,-.00",
            "a,1,1,1.000",
            "a,1,1,+1.00",
            "a,1,1,12345678.00",
            "a,1,,1.00",
            "a,x,1,1.00",
            "a,1,1234567890123456,1.00",
            ",1,1,1.00",
            "*late,1,1,1.00",
            "a,1,1,1.00,ok",
            "a,1,1,NaN",
            "a,1,1,1,00",
            "a,1,-1,1.00",
            "a,1,1,--1.00",
            "a,1,1, 1.00",
        ] {
            assert_eq!(classify(line), (MALFORMED, (1, (0, 0))), "{line}");
        }
    }
}
