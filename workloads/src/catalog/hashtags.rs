//! `hashtags`: the ten most frequent hashtags of a window that slides with each batch.

use super::Job;
use crate::answers::{Answers, BatchAnswer, BatchKey, Row};
use crate::load::LoadSettings;
use crate::oracle::{HashtagsOracle, Oracle};
use crate::payload::{LineSource, Tweets};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{Batch, DStream};
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::sync::Arc;
use std::time::Duration;

/// Rows of the answer.
const TOP: usize = 10;

/// What a hashtag is, [`Tweets`] says. Ordered by count descending, then tag; the final answer is that of the last batch.
pub(super) struct Hashtags;

impl Job for Hashtags {
    fn name(&self) -> &'static str {
        "hashtags"
    }

    fn about(&self) -> &'static str {
        "The ten most frequent hashtags of the last 10s at each batch: tweet-like lines, zipf 1.1 over 20,000 tags."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(Tweets::drawn(load.seed, &load.keys))
    }

    fn prime_batches(&self, load: &LoadSettings, interval_ns: u64) -> u64 {
        load.window_ns.div_ceil(interval_ns)
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        let (window, slide) = (Duration::from_nanos(load.window_ns), Duration::from_nanos(interval_ns));
        let tags = lines.flat_map::<Text>(each_hashtag);
        match load.records {
            RecordsKind::Borrowed => top_of_window(&tags, window, slide, answers),
            RecordsKind::Owned => top_of_window(&tags.owned(), window, slide, answers),
        }
        Ok(())
    }

    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>> {
        let window_batches = usize::try_from(load.window_ns / interval_ns).unwrap_or(usize::MAX);
        Some(Box::new(HashtagsOracle::new(window_batches.max(1))))
    }
}

fn top_of_window<R: TextRecord>(tags: &DStream<R>, window: Duration, slide: Duration, answers: &Arc<Answers>) {
    let answers = answers.clone();
    tags.map_to_pair::<R, u64>(|tag| (tag, 1))
        .reduce_by_key_and_inverse_window(|a, b| a + b, |a, b| a - b, window, slide)
        .for_each_batch(move |batch| record_top(batch, &answers));
}

/// Emits the hashtags of a line: from a `#` at the start of a token to the first byte that cannot be in a tag.
fn each_hashtag<'l>(line: &'l [u8], out: &mut dyn FnMut(&'l [u8])) {
    for start in memchr::memchr_iter(b'#', line) {
        if start > 0 && !matches!(line[start - 1], b'\t'..=b'\r' | b' ') {
            continue;
        }
        let name = &line[start + 1..];
        let length = name.iter().position(|byte| !is_tag_byte(*byte)).unwrap_or(name.len());
        if length > 0 {
            out(&line[start..=start + length]);
        }
    }
}

fn is_tag_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn record_top<R: TextRecord>(batch: &Batch<'_, Pair<R, u64>>, answers: &Answers) {
    let mut top = Top::default();
    batch.for_each(|(tag, count)| top.offer(R::bytes(tag), count));
    let mut answer = BatchAnswer::default();
    for (rank, row) in (0..).zip(&top.rows) {
        answer.add_ranked(rank, &row.key, row.count);
    }
    answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
    answers.replace_final(|add| top.rows.iter().for_each(|row| add(&row.key, row.count)));
}

/// The best rows so far, best first.
#[derive(Default)]
struct Top {
    rows: Vec<Row>,
}

impl Top {
    #[inline]
    fn offer(&mut self, key: &[u8], count: u64) {
        let is_behind = |row: &Row| count < row.count || (count == row.count && key > row.key.as_slice());
        if self.rows.len() == TOP && self.rows.last().is_some_and(is_behind) {
            return;
        }
        let place = self.rows.partition_point(is_behind);
        self.rows.insert(place, Row { key: key.to_vec(), count });
        self.rows.truncate(TOP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hashtags(line: &[u8]) -> Vec<&[u8]> {
        let mut tags = Vec::new();
        each_hashtag(line, &mut |tag| tags.push(tag));
        tags
    }

    #[test]
    fn a_hashtag_is_what_its_definition_says() {
        assert_eq!(hashtags(b"#a and #B_2, #c!\t#d"), [&b"#a"[..], b"#B_2", b"#c", b"#d"]);
        assert_eq!(hashtags("#münchen's #été".as_bytes()), ["#münchen".as_bytes(), "#été".as_bytes()]);
        assert_eq!(hashtags(b"#one#two"), [b"#one"]);
        assert_eq!(hashtags(b"# ## ##a x#a (#a) #-1 &#39; #"), [b""; 0]);
        assert_eq!(hashtags(b"a\x0b#x\x0c#y\r#z\xff"), [&b"#x"[..], b"#y", b"#z\xff"]);
    }

    #[test]
    fn the_top_is_ordered_by_count_then_tag_and_ties_are_exact() {
        let mut top = Top::default();
        for tag in [b"#e", b"#b", b"#d", b"#c", b"#a"] {
            top.offer(tag, 5);
        }
        (0..20).for_each(|index| top.offer(format!("#x{index:02}").as_bytes(), 3));
        top.offer(b"#best", 9);
        top.offer(b"#w", 3);
        let tags: Vec<&[u8]> = top.rows.iter().map(|row| row.key.as_slice()).collect();
        assert_eq!(tags, [&b"#best"[..], b"#a", b"#b", b"#c", b"#d", b"#e", b"#w", b"#x00", b"#x01", b"#x02"]);
    }

    #[test]
    fn one_window_is_primed() {
        let load = LoadSettings::default();
        assert_eq!(Hashtags.prime_batches(&load, 200_000_000), 50);
        assert_eq!(Hashtags.prime_batches(&load, 10_000_000_000), 1);
    }
}
