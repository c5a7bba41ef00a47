//! Reads a payload in runs of records that lie together in one column.

use super::{BLOCK_LINES, LineSource, Payload, Ring};
use downbeat_engine::record::{Column, TextColumn};
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

/// Columns of live text that are kept to be used again once the engine has let go of them.
const RETIRED_MOST: usize = 1024;

/// Gives the records of a payload as runs in shared columns, without copying.
pub struct Reader {
    lines: Lines,
}

enum Lines {
    Replayed(Arc<Ring>),
    Live(LiveLines),
}

impl Reader {
    pub(super) fn new(payload: &Payload) -> Self {
        let lines = match payload {
            Payload::Replayed { ring, .. } => Lines::Replayed(ring.clone()),
            Payload::Live(source) => {
                Lines::Live(LiveLines { source: source.clone(), held: None, retired: VecDeque::new() })
            }
        };
        Reader { lines }
    }

    /// The column that holds `record`, and its lines from this record to the column's end.
    pub fn run(&mut self, record: u64) -> (&Arc<TextColumn>, Range<usize>) {
        match &mut self.lines {
            Lines::Replayed(ring) => {
                let (column, index) = ring.place(record);
                let column = &ring.columns()[column];
                (column, index..column.len())
            }
            Lines::Live(live) => live.run(record),
        }
    }

    /// Shows each record of these ranges.
    pub fn for_each(&mut self, ranges: &[Range<u64>], mut visit: impl FnMut(&[u8])) {
        for range in ranges {
            let mut record = range.start;
            while record < range.end {
                let (column, lines) = self.run(record);
                let end = lines.end.min(lines.start + (range.end - record) as usize);
                record += (end - lines.start) as u64;
                (lines.start..end).for_each(|line| visit(column.view(line)));
            }
        }
    }
}

/// Makes each block when its first record is asked for.
struct LiveLines {
    source: Arc<dyn LineSource>,
    held: Option<(u64, Arc<TextColumn>)>,
    retired: VecDeque<Arc<TextColumn>>,
}

impl LiveLines {
    fn run(&mut self, record: u64) -> (&Arc<TextColumn>, Range<usize>) {
        let (block, index) = (record / BLOCK_LINES as u64, (record % BLOCK_LINES as u64) as usize);
        let held = match self.held.take() {
            Some((number, column)) if number == block => column,
            other => {
                self.retire(other);
                self.make(block)
            }
        };
        let (_, column) = self.held.insert((block, held));
        (column, index..BLOCK_LINES)
    }

    fn retire(&mut self, done: Option<(u64, Arc<TextColumn>)>) {
        if self.retired.len() < RETIRED_MOST {
            self.retired.extend(done.map(|(_, column)| column));
        }
    }

    /// Makes a block in the oldest column that nobody else holds, or in a new one.
    fn make(&mut self, block: u64) -> Arc<TextColumn> {
        let oldest = self.retired.pop_front().map(Arc::try_unwrap);
        let mut column = match oldest {
            Some(Ok(free)) => free,
            Some(Err(in_use)) => {
                self.retired.push_back(in_use);
                TextColumn::with_capacity(BLOCK_LINES, BLOCK_LINES * 128)
            }
            None => TextColumn::with_capacity(BLOCK_LINES, BLOCK_LINES * 128),
        };
        column.clear();
        self.source.fill(block, &mut column);
        Arc::new(column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Ring, Words};

    fn first_lines(payload: &Payload, records: u64) -> Vec<Vec<u8>> {
        let (mut reader, mut lines) = (payload.reader(), Vec::new());
        while (lines.len() as u64) < records {
            let (column, range) = reader.run(lines.len() as u64);
            lines.extend(range.map(|index| column.view(index).to_vec()));
        }
        lines.truncate(records as usize);
        lines
    }

    #[test]
    fn live_text_is_what_an_endless_ring_would_hold() {
        let ring = Ring::generate(&Words::new(9), 1 << 20);
        let lines = ring.lines();
        let live = Payload::Live(Arc::new(Words::new(9)));
        assert_eq!(first_lines(&live, lines), first_lines(&Payload::replayed(ring), lines));
    }

    #[test]
    fn a_column_that_is_still_held_is_never_written_again() {
        let live = Payload::Live(Arc::new(Words::new(9)));
        let mut reader = live.reader();
        let held: Vec<Arc<TextColumn>> =
            (0..50).map(|block| reader.run(block * BLOCK_LINES as u64).0.clone()).collect();
        let lines = first_lines(&live, 50 * BLOCK_LINES as u64);
        for (block, column) in held.iter().enumerate() {
            assert!((0..BLOCK_LINES).all(|index| column.view(index) == lines[block * BLOCK_LINES + index]));
        }
    }

    #[test]
    fn runs_of_a_ring_wrap_around() {
        let payload = Payload::replayed(Ring::generate(&Words::new(9), 10_000));
        let Payload::Replayed { ring, .. } = &payload else { unreachable!() };
        let lines = first_lines(&payload, 3 * ring.lines());
        assert!(lines.iter().enumerate().all(|(record, line)| line == ring.line(record as u64)));
    }
}
