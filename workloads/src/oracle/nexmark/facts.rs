//! What an oracle wants to know of each record, read once from lines that come back.

use crate::payload::{Payload, Reader};
use downbeat_engine::record::Column;
use std::ops::Range;

/// A fact per record.
pub(super) struct Facts<F> {
    read: fn(&[u8]) -> F,
    lines: Lines<F>,
}

enum Lines<F> {
    /// Of each line of a ring.
    Known(Vec<F>),
    /// Lines that do not come back are read when they are asked for.
    Live(Reader),
}

impl<F> Facts<F> {
    pub(super) fn new(payload: &Payload, read: fn(&[u8]) -> F) -> Self {
        let lines = match payload {
            Payload::Replayed { ring, .. } => {
                Lines::Known((0..ring.lines()).map(|line| read(ring.line(line))).collect())
            }
            Payload::Live(_) => Lines::Live(payload.reader()),
        };
        Facts { read, lines }
    }

    /// Shows the facts of some ranges of records.
    pub(super) fn of(&mut self, ranges: &[Range<u64>], mut visit: impl FnMut(&F)) {
        for record in ranges.iter().cloned().flatten() {
            match &mut self.lines {
                Lines::Known(facts) => visit(&facts[(record % facts.len() as u64) as usize]),
                Lines::Live(reader) => {
                    let (column, lines) = reader.run(record);
                    visit(&(self.read)(column.view(lines.start)));
                }
            }
        }
    }
}
