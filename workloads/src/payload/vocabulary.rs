//! The words that exist: 100,000 distinct ones of 3 to 11 bytes, the same for every seed.

use crate::random::{Purpose, Random, below, stream};
use std::collections::HashSet;

/// How many words there are.
pub(crate) const WORDS: u32 = 100_000;

/// Bytes of a slot: a word of up to 11 bytes, the space after it, room to copy all of it at once.
const SLOT_BYTES: usize = 16;

/// Bytes of a line under construction; the longest line any source makes is far below it.
const LINE_BYTES: usize = 512;

/// The words, by rank of frequency.
///
/// The seed of the load does not change them: a seed decides which words come when, not how long the frequent ones are, so
/// that bytes per line are the same for every seed. Two to ten letters and a digit, as in the yardstick; where the
/// yardstick has the same word twice, this draws again.
pub(crate) struct Vocabulary {
    slots: Vec<[u8; SLOT_BYTES]>,
}

impl Vocabulary {
    pub(crate) fn new() -> Self {
        let mut random = stream(0, Purpose::Vocabulary, 0);
        let mut seen = HashSet::with_capacity(WORDS as usize);
        let mut slots = Vec::with_capacity(WORDS as usize);
        while slots.len() < WORDS as usize {
            let slot = draw(&mut random, (slots.len() % 10) as u8);
            if seen.insert(slot) {
                slots.push(slot);
            }
        }
        Vocabulary { slots }
    }

    /// The word of this rank.
    #[cfg(test)]
    pub(crate) fn word(&self, rank: u32) -> &[u8] {
        let slot = &self.slots[rank as usize];
        &slot[..usize::from(slot[SLOT_BYTES - 1])]
    }

    /// Appends the word of this rank and a space. Beyond the words that exist, the same ones come again with `x` and the number
    /// of the round after them: no word of the vocabulary goes on after its digit, so all of them differ.
    #[inline]
    pub(crate) fn append(&self, rank: u32, line: &mut Line) {
        if rank >= WORDS {
            self.append(rank % WORDS, line);
            line.unpush();
            line.push(format!("x{} ", rank / WORDS).as_bytes());
            return;
        }
        let slot = &self.slots[rank as usize];
        line.bytes[line.len..line.len + SLOT_BYTES].copy_from_slice(slot);
        line.len += usize::from(slot[SLOT_BYTES - 1]) + 1;
    }
}

/// A word, a space, zeros, and in the last byte the word's length.
fn draw(random: &mut Random, digit: u8) -> [u8; SLOT_BYTES] {
    let letters = 2 + below(random, 9) as usize;
    let mut slot = [0; SLOT_BYTES];
    for letter in &mut slot[..letters] {
        *letter = b'a' + below(random, 26) as u8;
    }
    slot[letters] = b'0' + digit;
    slot[letters + 1] = b' ';
    slot[SLOT_BYTES - 1] = letters as u8 + 1;
    slot
}

/// A line under construction.
pub(crate) struct Line {
    bytes: [u8; LINE_BYTES],
    len: usize,
}

impl Line {
    pub(crate) fn new() -> Self {
        Line { bytes: [0; LINE_BYTES], len: 0 }
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Takes back the last byte.
    pub(crate) fn unpush(&mut self) {
        self.len -= 1;
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_short_and_lower_case() {
        let vocabulary = Vocabulary::new();
        let words: HashSet<&[u8]> = (0..WORDS).map(|rank| vocabulary.word(rank)).collect();
        assert_eq!(words.len(), WORDS as usize);
        for word in words {
            assert!((3..=11).contains(&word.len()));
            assert!(word.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()));
        }
    }

    #[test]
    fn appending_gives_the_word_and_a_space() {
        let (vocabulary, mut line) = (Vocabulary::new(), Line::new());
        vocabulary.append(5, &mut line);
        vocabulary.append(99_999, &mut line);
        vocabulary.append(WORDS + 5, &mut line);
        vocabulary.append(12 * WORDS + 5, &mut line);
        line.unpush();
        let [word, last] = [5, 99_999].map(|rank| vocabulary.word(rank));
        assert_eq!(line.as_bytes(), [word, b" ", last, b" ", word, b"x1 ", word, b"x12"].concat());
    }
}
