//! The tokens of a payload as ids, so that each batch is counted by array increments.

use crate::answers::KeyHash;
use crate::payload::{Payload, Reader, Ring};
use downbeat_engine::record::Column;
use std::collections::HashMap;
use std::ops::Range;

/// Cuts a line into the keys that are counted.
pub(super) type Tokenizer = fn(&[u8], &mut dyn FnMut(&[u8]));

/// Counts the tokens of ranges of records.
pub(super) struct Tokens {
    tokenizer: Tokenizer,
    dictionary: Dictionary,
    lines: Lines,
}

enum Lines {
    /// Lines that come back are cut once.
    Indexed(Indexed),
    /// Lines that do not are cut when they are counted.
    Live(Reader),
}

/// The ids of the tokens of all lines of a ring.
struct Indexed {
    ids: Vec<u32>,
    /// One past the last token of each line.
    ends: Vec<u32>,
    /// Counts of the whole ring.
    whole: Counts,
}

impl Tokens {
    pub(super) fn new(payload: &Payload, tokenizer: Tokenizer) -> Self {
        let mut dictionary = Dictionary::default();
        let lines = match payload {
            Payload::Replayed { ring, .. } => Lines::Indexed(index(ring, tokenizer, &mut dictionary)),
            Payload::Live(_) => Lines::Live(payload.reader()),
        };
        Tokens { tokenizer, dictionary, lines }
    }

    /// Adds the tokens of a range of records.
    pub(super) fn count(&mut self, records: Range<u64>, counts: &mut Counts) {
        match &mut self.lines {
            Lines::Indexed(indexed) => indexed.count(records, counts),
            Lines::Live(reader) => {
                let mut record = records.start;
                while record < records.end {
                    let (column, range) = reader.run(record);
                    let end = range.end.min(range.start + (records.end - record) as usize);
                    record += (end - range.start) as u64;
                    for line in range.start..end {
                        (self.tokenizer)(column.view(line), &mut |token| counts.add(self.dictionary.id(token), 1));
                    }
                }
            }
        }
    }

    /// The token of an id.
    pub(super) fn key(&self, id: u32) -> &[u8] {
        &self.dictionary.keys[id as usize]
    }

    /// Its hash.
    pub(super) fn key_hash(&self, id: u32) -> KeyHash {
        self.dictionary.hashes[id as usize]
    }
}

fn index(ring: &Ring, tokenizer: Tokenizer, dictionary: &mut Dictionary) -> Indexed {
    let mut indexed = Indexed { ids: Vec::new(), ends: Vec::new(), whole: Counts::default() };
    for line in 0..ring.lines() {
        tokenizer(ring.line(line), &mut |token| indexed.ids.push(dictionary.id(token)));
        // An input file has at most 4 GiB, and a token at least one byte and a separator.
        indexed.ends.push(indexed.ids.len() as u32);
    }
    indexed.ids.iter().for_each(|id| indexed.whole.add(*id, 1));
    indexed
}

impl Indexed {
    /// Any `lines` records in a row are the whole ring, wherever they begin.
    fn count(&self, records: Range<u64>, counts: &mut Counts) {
        let lines = self.ends.len() as u64;
        let rounds = (records.end - records.start) / lines;
        if rounds > 0 {
            self.whole.iter().for_each(|(id, count)| counts.add(id, count * rounds));
        }
        let (start, end) = ((records.start + rounds * lines) % lines, records.end % lines);
        if start <= end {
            self.count_lines(start..end, counts);
        } else {
            self.count_lines(start..lines, counts);
            self.count_lines(0..end, counts);
        }
    }

    fn count_lines(&self, lines: Range<u64>, counts: &mut Counts) {
        let first_token = |line: u64| if line == 0 { 0 } else { self.ends[line as usize - 1] as usize };
        self.ids[first_token(lines.start)..first_token(lines.end)].iter().for_each(|id| counts.add(*id, 1));
    }
}

/// Numbers keys in the order in which they are met.
#[derive(Default)]
pub(super) struct Dictionary {
    ids: HashMap<Vec<u8>, u32, foldhash::fast::RandomState>,
    pub(super) keys: Vec<Vec<u8>>,
    hashes: Vec<KeyHash>,
}

impl Dictionary {
    pub(super) fn id(&mut self, key: &[u8]) -> u32 {
        if let Some(id) = self.ids.get(key) {
            return *id;
        }
        let id = self.keys.len() as u32;
        self.ids.insert(key.to_vec(), id);
        self.keys.push(key.to_vec());
        self.hashes.push(KeyHash::of(key));
        id
    }
}

/// A count for each id; knows which ones are not 0.
#[derive(Default)]
pub(super) struct Counts {
    counts: Vec<u64>,
    counted: Vec<u32>,
}

impl Counts {
    #[inline]
    pub(super) fn add(&mut self, id: u32, count: u64) {
        if self.counts.len() <= id as usize {
            self.counts.resize((id as usize + 1).next_power_of_two(), 0);
        }
        let held = &mut self.counts[id as usize];
        if *held == 0 {
            self.counted.push(id);
        }
        *held += count;
    }

    /// Ids that were counted, with their counts.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64)> {
        self.counted.iter().map(|id| (*id, self.counts[*id as usize]))
    }

    pub(super) fn clear(&mut self) {
        self.counted.iter().for_each(|id| self.counts[*id as usize] = 0);
        self.counted.clear();
    }
}
