//! A ring of lines: made or read beforehand, replayed as often as wanted without copying.

use super::LineSource;
use downbeat_engine::record::{Column, TextColumn};
use downbeat_engine::source::LineCounts;
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// Payload bytes at which a column of a ring is closed; no ring that is made from a seed is larger.
pub const COLUMN_BYTES: usize = 256 << 20;

/// Lines in columns of at most [`COLUMN_BYTES`] (a single longer line, from a file, has a column of its own).
pub struct Ring {
    columns: Vec<Arc<TextColumn>>,
    /// Line number one past the end of each column.
    ends: Vec<u64>,
    hash: String,
    counts: LineCounts,
}

impl Ring {
    /// The first lines of a source, as many as fit in `bytes` (newlines counted), at least one.
    pub fn generate(source: &dyn LineSource, bytes: usize) -> Self {
        let bytes = bytes.min(COLUMN_BYTES);
        let mut column = TextColumn::with_capacity(bytes / 48, bytes);
        let mut block = TextColumn::default();
        for number in 0.. {
            block.clear();
            source.fill(number, &mut block);
            for index in 0..block.len() {
                let line = block.view(index);
                if column.total_bytes() + line.len() + 1 > bytes && !column.is_empty() {
                    return Ring::of(vec![column], LineCounts::default());
                }
                column.push(line);
            }
        }
        unreachable!("a source never ends, a column does")
    }

    /// A ring of these columns; `None` when there is no line in them. `counts` are the oddities met while reading them.
    pub fn from_columns(columns: Vec<TextColumn>, counts: LineCounts) -> Option<Self> {
        let columns: Vec<TextColumn> = columns.into_iter().filter(|column| !column.is_empty()).collect();
        if columns.is_empty() { None } else { Some(Ring::of(columns, counts)) }
    }

    fn of(columns: Vec<TextColumn>, counts: LineCounts) -> Self {
        let mut hasher = Xxh3::new();
        let mut ends = Vec::with_capacity(columns.len());
        let mut lines = 0;
        for column in &columns {
            lines += column.len() as u64;
            ends.push(lines);
            hasher.update(column.joined(0..column.len()));
        }
        // No line holds a newline, so bytes and number of lines determine each line.
        hasher.update(&lines.to_le_bytes());
        let hash = format!("{:032x}", hasher.digest128());
        Ring { columns: columns.into_iter().map(Arc::new).collect(), ends, hash, counts }
    }

    /// How many lines there are; at least one.
    pub fn lines(&self) -> u64 {
        self.ends[self.ends.len() - 1]
    }

    /// Their bytes, newlines included.
    pub fn bytes(&self) -> u64 {
        self.columns.iter().map(|column| column.total_bytes() as u64).sum()
    }

    /// The columns, in order.
    pub fn columns(&self) -> &[Arc<TextColumn>] {
        &self.columns
    }

    /// Line `record` modulo [`Ring::lines`].
    pub fn line(&self, record: u64) -> &[u8] {
        let (column, index) = self.place(record);
        self.columns[column].view(index)
    }

    /// XXH3 (128 bits, hexadecimal) over all lines.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// What was odd about the file that was read; all zero for generated text.
    pub fn counts(&self) -> &LineCounts {
        &self.counts
    }

    /// Column and index within it of a record.
    pub(crate) fn place(&self, record: u64) -> (usize, usize) {
        let line = record % self.lines();
        let column = self.ends.partition_point(|end| *end <= line);
        let start = if column == 0 { 0 } else { self.ends[column - 1] };
        (column, (line - start) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::{Tweets, Words};

    fn column(lines: &[&str]) -> TextColumn {
        let mut column = TextColumn::default();
        lines.iter().for_each(|line| column.push(line.as_bytes()));
        column
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_for_ever() {
        assert_eq!(Ring::generate(&Words::new(42), 1 << 20).hash(), "4fd7036f1b3db9b252dffbc3e432a681");
        assert_eq!(Ring::generate(&Tweets::new(42), 1 << 20).hash(), "5636a7396d8e991deecfe0715da1165f");
        assert_ne!(Ring::generate(&Words::new(43), 1 << 20).hash(), Ring::generate(&Words::new(42), 1 << 20).hash());
    }

    #[test]
    fn a_ring_is_filled_up_to_its_size_with_the_first_lines_of_its_source() {
        let words = Words::new(1);
        let ring = Ring::generate(&words, 100_000);
        assert!((99_800..=100_000).contains(&ring.bytes()), "{}", ring.bytes());
        let mut block = TextColumn::default();
        (0..2).for_each(|number| words.fill(number, &mut block));
        assert!((0..ring.lines()).all(|line| ring.line(line) == block.view(line as usize)));
        assert_eq!(Ring::generate(&words, 1).lines(), 1);
    }

    #[test]
    fn lines_are_counted_across_columns_and_wrap_around() {
        let ring =
            Ring::from_columns(vec![column(&["a", "b"]), column(&[]), column(&["c"])], LineCounts::default()).unwrap();
        let lines: Vec<&[u8]> = (0..7).map(|record| ring.line(record)).collect();
        assert_eq!(lines, [&b"a"[..], b"b", b"c", b"a", b"b", b"c", b"a"]);
        assert_eq!((ring.lines(), ring.bytes(), ring.columns().len()), (3, 6, 2));
    }

    #[test]
    fn the_hash_sees_every_byte_and_every_line_end() {
        let of =
            |lines: &[&str]| Ring::from_columns(vec![column(lines)], LineCounts::default()).unwrap().hash().to_owned();
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_ne!(of(&["ab"]), of(&["ab", ""]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
        assert!(Ring::from_columns(vec![], LineCounts::default()).is_none());
    }
}
