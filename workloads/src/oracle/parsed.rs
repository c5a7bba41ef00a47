//! What a parser makes of each record: once for lines that come back, when they are asked for if they do not.

use crate::payload::{Payload, Reader};
use std::ops::Range;

/// Makes something small of a line.
pub(super) trait LineParser {
    /// What it makes.
    type Parsed;

    /// Of one line.
    fn parse(&mut self, line: &[u8]) -> Self::Parsed;
}

/// The records of a payload, parsed.
pub(super) struct Parsed<P: LineParser> {
    /// The parser, with what it has learnt.
    pub(super) parser: P,
    lines: Lines<P::Parsed>,
}

enum Lines<T> {
    Replayed(Vec<T>),
    Live(Reader),
}

impl<P: LineParser> Parsed<P> {
    pub(super) fn new(payload: &Payload, mut parser: P) -> Self {
        let lines = match payload {
            Payload::Replayed { ring, .. } => {
                Lines::Replayed((0..ring.lines()).map(|line| parser.parse(ring.line(line))).collect())
            }
            Payload::Live(_) => Lines::Live(payload.reader()),
        };
        Parsed { parser, lines }
    }

    /// Shows each record of these ranges.
    pub(super) fn for_each(&mut self, ranges: &[Range<u64>], mut visit: impl FnMut(&P::Parsed)) {
        match &mut self.lines {
            Lines::Replayed(lines) => {
                let count = lines.len() as u64;
                let records = ranges.iter().flat_map(Range::clone);
                records.for_each(|record| visit(&lines[(record % count) as usize]));
            }
            Lines::Live(reader) => reader.for_each(ranges, |line| visit(&self.parser.parse(line))),
        }
    }
}
