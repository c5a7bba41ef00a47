//! Word count as a careful person would write it by hand: the algorithm of a local table per thread, merged at the end.

use std::collections::HashMap;

type Counts<'t> = HashMap<&'t [u8], u64, foldhash::fast::RandomState>;

/// Calls the closure with each word of a text.
pub trait Tokenizer: Copy + Send + Sync {
    /// All words in order.
    fn each_word<'t>(self, text: &'t [u8], word: impl FnMut(&'t [u8]));
}

/// downbeat's own tokenizer.
#[derive(Clone, Copy)]
pub struct Downbeat;

impl Tokenizer for Downbeat {
    fn each_word<'t>(self, text: &'t [u8], word: impl FnMut(&'t [u8])) {
        downbeat_engine::exchange::for_each_word(text, word);
    }
}

/// memchr2 on blank and newline, as the hand-written yardstick does it.
#[derive(Clone, Copy)]
pub struct Memchr;

impl Tokenizer for Memchr {
    fn each_word<'t>(self, text: &'t [u8], mut word: impl FnMut(&'t [u8])) {
        let mut start = 0;
        for end in memchr::memchr2_iter(b' ', b'\n', text) {
            if end > start {
                word(&text[start..end]);
            }
            start = end + 1;
        }
    }
}

fn count(text: &[u8], tokenizer: impl Tokenizer) -> Counts<'_> {
    let mut counts = Counts::default();
    tokenizer.each_word(text, |word| *counts.entry(word).or_insert(0) += 1);
    counts
}

/// Counts the words of a text on `threads` threads; returns how many there were.
pub fn word_count(text: &[u8], threads: usize, tokenizer: impl Tokenizer) -> u64 {
    let mut cuts = vec![0];
    for index in 1..threads {
        let rough = text.len() * index / threads;
        cuts.push(rough + memchr::memchr(b'\n', &text[rough..]).map_or(0, |at| at + 1));
    }
    cuts.push(text.len());
    let tables: Vec<Counts<'_>> = std::thread::scope(|scope| {
        let spawn = |cut: &[usize]| {
            let piece = &text[cut[0]..cut[1]];
            scope.spawn(move || count(piece, tokenizer))
        };
        let workers: Vec<_> = cuts.windows(2).map(spawn).collect();
        workers.into_iter().map(|worker| worker.join().expect("counting does not panic")).collect()
    });
    let mut tables = tables.into_iter();
    let mut total = tables.next().unwrap_or_default();
    for (word, count) in tables.flatten() {
        *total.entry(word).or_insert(0) += count;
    }
    total.values().sum()
}
