//! Lines of words: 6 to 14 of them, zipf 1.0 over 100,000 distinct ones unless the load says otherwise, one space between.

use super::LineSource;
use super::vocabulary::{Line, Vocabulary, WORDS};
use crate::keys::{KeyLaw, KeySource, Keys};
use crate::random::{Purpose, below, stream};
use downbeat_engine::record::{Column, TextColumn};

/// Fewest words of a line.
const WORDS_LEAST: u32 = 6;

/// Most words of a line.
const WORDS_MOST: u32 = 14;

/// The text of `word-count`, in the shape of the yardstick's.
pub struct Words {
    seed: u64,
    vocabulary: Vocabulary,
    keys: KeySource,
}

impl Words {
    /// The text of this seed.
    pub fn new(seed: u64) -> Self {
        Words::drawn(seed, &KeyLaw::Default)
    }

    /// The text of this seed with its words drawn by this law.
    pub fn drawn(seed: u64, law: &KeyLaw) -> Self {
        Words { seed, vocabulary: Vocabulary::new(), keys: KeySource::new(law, Keys::zipf(1.0, WORDS)) }
    }
}

impl LineSource for Words {
    fn name(&self) -> &'static str {
        "words-1"
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn variant(&self) -> String {
        self.keys.variant()
    }

    fn fill(&self, block: u64, column: &mut TextColumn) {
        let mut random = stream(self.seed, Purpose::Words, block);
        let mut line = Line::new();
        for record in super::records_of(block) {
            line.clear();
            for _ in 0..WORDS_LEAST + below(&mut random, WORDS_MOST - WORDS_LEAST + 1) {
                self.vocabulary.append(self.keys.draw(&mut random, record), &mut line);
            }
            line.unpush();
            column.push(line.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn lines_have_6_to_14_words_of_the_vocabulary_and_its_frequencies() {
        let words = Words::new(42);
        let mut column = TextColumn::default();
        (0..100).for_each(|block| words.fill(block, &mut column));
        assert_eq!(words.variant(), "");
        let (mut lengths, mut counts) = ([0u32; 20], HashMap::<&[u8], u32>::new());
        for index in 0..column.len() {
            let line: Vec<&[u8]> = column.view(index).split(|byte| *byte == b' ').collect();
            lengths[line.len()] += 1;
            line.into_iter().for_each(|word| *counts.entry(word).or_default() += 1);
        }
        assert!(lengths[6..=14].iter().all(|lines| *lines > 10_000) && lengths.iter().sum::<u32>() == 102_400);
        // Rank r has a share of 1 / (r × H(100,000)), and H(100,000) = 12.09.
        let total: u32 = counts.values().sum();
        for rank in [0u32, 1, 9] {
            let expected = f64::from(total) / 12.090_146 / f64::from(rank + 1);
            let found = f64::from(counts[words.vocabulary.word(rank)]);
            assert!((found / expected - 1.0).abs() < 0.05, "rank {rank}: {found} instead of {expected}");
        }
    }

    #[test]
    fn words_follow_the_law_of_the_load_also_beyond_the_vocabulary() {
        let words = Words::drawn(42, &KeyLaw::parse("growing(1,200k,100k)").unwrap());
        assert_eq!(words.variant(), "keys growing(1,200k,100k)");
        let distinct = |blocks: std::ops::Range<u64>| {
            let mut column = TextColumn::default();
            blocks.for_each(|block| words.fill(block, &mut column));
            let lines = (0..column.len()).flat_map(|index| column.view(index).split(|byte| *byte == b' '));
            lines.map(<[u8]>::to_vec).collect::<std::collections::HashSet<_>>().len()
        };
        assert!(distinct(0..1) < 2048, "two new words a record");
        // 1,024,000 draws of 200,000: of each, 1 − e^-5.12 is seen.
        let seen = distinct(1000..1100);
        assert!((195_000..200_001).contains(&seen), "{seen}");
    }
}
