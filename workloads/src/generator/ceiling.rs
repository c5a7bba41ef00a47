//! How fast the generator could be if nobody else were there.

use crate::error::LoadError;
use crate::load::LoadSettings;
use crate::payload::Payload;
use downbeat_engine::record::TextColumn;
use std::hint::black_box;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Time that the measurement takes.
const BUDGET: Duration = Duration::from_millis(150);

/// Records handed over at once: those of a tick of 1 ms at 10 million a second.
const RECORDS_AT_ONCE: u64 = 10_000;

/// Records per second that the generator, alone on this thread, hands to a consumer that reads every byte and does nothing
/// with it. A load near this rate measures the generator, not the engine. Takes 150 ms.
///
/// # Errors
/// A setting of the load that cannot work.
pub fn ceiling_per_s(payload: &Payload, load: &LoadSettings) -> Result<f64, LoadError> {
    let schedule = load.schedule(u64::MAX, None)?;
    let (mut cursor, mut reader) = (schedule.cursor(), payload.reader());
    let begin = Instant::now();
    while begin.elapsed() < BUDGET {
        let (column, lines) = reader.run(cursor.next_record());
        let Some(span) = cursor.take_before(u64::MAX, RECORDS_AT_ONCE.min(lines.len() as u64)) else { break };
        read_every_byte(column, lines.start..lines.start + span.records as usize);
    }
    Ok(cursor.next_record() as f64 / begin.elapsed().as_secs_f64())
}

fn read_every_byte(column: &TextColumn, lines: Range<usize>) {
    let (words, rest) = column.joined(lines).as_chunks::<8>();
    let of_words = words.iter().fold(0, |all, word| all ^ u64::from_le_bytes(*word));
    black_box(rest.iter().fold(of_words, |all, byte| all ^ u64::from(*byte)));
}
