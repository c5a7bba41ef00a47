//! What a job's output saw: a digest per batch, and the final answer when it is asked for.

use crate::random::mix;
use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use xxhash_rust::xxh3::xxh3_128;

/// Which batch of a trial. Primed batches count on their own, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BatchKey {
    /// Run back to back to fill windows before the first live batch.
    pub primed: bool,
    /// Counts from 0.
    pub index: u64,
}

impl std::fmt::Display for BatchKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}batch {}", if self.primed { "primed " } else { "" }, self.index)
    }
}

/// The answer of one batch, as little of it as tells two answers apart: the order of rows makes no difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BatchAnswer {
    /// How many rows.
    pub rows: u64,
    /// Their counts together.
    pub total: u64,
    /// The sum over all rows of 128 bits that depend on every bit of the row.
    pub digest: [u64; 2],
}

impl BatchAnswer {
    /// Adds a row.
    #[inline]
    pub fn add(&mut self, key: &[u8], count: u64) {
        self.add_hashed(KeyHash::of(key), count);
    }

    /// Adds a row that has a place among the others, such as the third of the ten most frequent.
    pub fn add_ranked(&mut self, rank: u64, key: &[u8], count: u64) {
        let KeyHash([low, high]) = KeyHash::of(key);
        self.add_hashed(KeyHash([low ^ mix(rank + 1), high ^ mix(!rank)]), count);
    }

    /// Adds all rows of another answer.
    pub(crate) fn merge(&mut self, other: &BatchAnswer) {
        self.rows += other.rows;
        self.total = self.total.wrapping_add(other.total);
        self.digest[0] = self.digest[0].wrapping_add(other.digest[0]);
        self.digest[1] = self.digest[1].wrapping_add(other.digest[1]);
    }

    /// Adds a row whose key was hashed before.
    #[inline]
    pub(crate) fn add_hashed(&mut self, KeyHash([low, high]): KeyHash, count: u64) {
        self.rows += 1;
        self.total = self.total.wrapping_add(count);
        self.digest[0] = self.digest[0].wrapping_add(mix(low ^ count));
        self.digest[1] = self.digest[1].wrapping_add(mix(high.wrapping_add(count)));
    }
}

impl std::fmt::Display for BatchAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let BatchAnswer { rows, total, digest } = self;
        write!(formatter, "{rows} rows that count {total} (digest {:016x}{:016x})", digest[0], digest[1])
    }
}

/// XXH3 (128 bits) of a key.
#[derive(Clone, Copy)]
pub(crate) struct KeyHash([u64; 2]);

impl KeyHash {
    #[inline]
    pub(crate) fn of(key: &[u8]) -> Self {
        let hash = xxh3_128(key);
        KeyHash([hash as u64, (hash >> 64) as u64])
    }
}

/// A row of a final answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The word or tag.
    pub key: Vec<u8>,
    /// How often it was there.
    pub count: u64,
}

impl std::fmt::Display for Row {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} × `{}`", self.count, self.key.escape_ascii())
    }
}

/// Sorts rows as answers are ordered: count descending, then key ascending.
pub fn sort_rows(rows: &mut [Row]) {
    rows.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.key.cmp(&b.key)));
}

/// Collects the answers of a trial; the job's output fills it, the oracle and `--answer` read it.
pub struct Answers {
    keeps_final: bool,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    batches: BTreeMap<BatchKey, BatchAnswer>,
    repeated: Vec<BatchKey>,
    totals: HashMap<Vec<u8>, u64, foldhash::fast::RandomState>,
}

impl Answers {
    /// Collects a digest per batch, and, when `keeps_final`, the final answer too, which costs the job a look-up per row.
    pub fn new(keeps_final: bool) -> Self {
        Answers { keeps_final, seen: Mutex::default() }
    }

    /// The answer of a batch, by the job's output.
    pub fn record(&self, batch: BatchKey, answer: BatchAnswer) {
        let mut seen = self.lock();
        if seen.batches.insert(batch, answer).is_some() {
            seen.repeated.push(batch);
        }
    }

    /// Adds the rows that `each_row` emits to the final answer, when that is kept; does not call it when not.
    pub fn add_to_final(&self, each_row: impl FnOnce(&mut dyn FnMut(&[u8], u64))) {
        if self.keeps_final {
            let totals = &mut self.lock().totals;
            each_row(&mut |key, count| match totals.get_mut(key) {
                Some(total) => *total = total.wrapping_add(count),
                None => drop(totals.insert(key.to_vec(), count)),
            });
        }
    }

    /// Makes the rows that `each_row` emits the final answer, when that is kept; does not call it when not.
    pub fn replace_final(&self, each_row: impl FnOnce(&mut dyn FnMut(&[u8], u64))) {
        if self.keeps_final {
            self.lock().totals.clear();
            self.add_to_final(each_row);
        }
    }

    /// What was recorded for a batch.
    pub fn of_batch(&self, batch: BatchKey) -> Option<BatchAnswer> {
        self.lock().batches.get(&batch).copied()
    }

    /// Batches that were answered more than once.
    pub fn repeated(&self) -> Vec<BatchKey> {
        self.lock().repeated.clone()
    }

    /// The final answer, by count descending, then key; `None` when it is not kept.
    pub fn final_rows(&self) -> Option<Vec<Row>> {
        if !self.keeps_final {
            return None;
        }
        let mut rows: Vec<Row> =
            self.lock().totals.iter().map(|(key, count)| Row { key: key.clone(), count: *count }).collect();
        sort_rows(&mut rows);
        Some(rows)
    }

    /// Writes the final answer: a line `count<TAB>key` per row.
    ///
    /// # Errors
    /// What writing reports.
    pub fn write_final(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in self.final_rows().unwrap_or_default() {
            write!(out, "{}\t", row.count)?;
            out.write_all(&row.key)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    /// A panic in a job's output fails its batch; what was recorded before is as good as ever.
    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: &[(&str, u64)]) -> BatchAnswer {
        let mut answer = BatchAnswer::default();
        rows.iter().for_each(|(key, count)| answer.add(key.as_bytes(), *count));
        answer
    }

    #[test]
    fn the_order_of_rows_makes_no_difference_and_every_bit_of_a_row_does() {
        let right = answer(&[("a", 1), ("b", 2), ("long enough for another path of the hash", 3)]);
        assert_eq!(right, answer(&[("long enough for another path of the hash", 3), ("b", 2), ("a", 1)]));
        let wrong = [
            answer(&[("a", 2), ("b", 1), ("long enough for another path of the hash", 3)]),
            answer(&[("a", 1), ("c", 2), ("long enough for another path of the hash", 3)]),
            answer(&[("a", 1), ("b", 2), ("long enough for another path of the hasi", 3)]),
        ];
        for wrong in wrong {
            assert_eq!((wrong.rows, wrong.total), (right.rows, right.total), "only the digest can tell");
            assert_ne!(wrong.digest[0], right.digest[0]);
            assert_ne!(wrong.digest[1], right.digest[1]);
        }
    }

    #[test]
    fn errors_that_cancel_out_in_the_counts_do_not_in_the_digest() {
        let (right, wrong) = (answer(&[("a", 2), ("b", 4), ("a", 2)]), answer(&[("a", 1), ("b", 4), ("a", 3)]));
        assert_eq!((wrong.rows, wrong.total), (right.rows, right.total));
        assert!(wrong.digest[0] != right.digest[0] && wrong.digest[1] != right.digest[1]);
    }

    #[test]
    fn ranked_rows_must_be_in_their_places() {
        let ranked = |rows: &[(u64, &str)]| {
            let mut answer = BatchAnswer::default();
            rows.iter().for_each(|(rank, key)| answer.add_ranked(*rank, key.as_bytes(), 7));
            answer
        };
        assert_eq!(ranked(&[(0, "a"), (1, "b")]), ranked(&[(1, "b"), (0, "a")]));
        assert_ne!(ranked(&[(0, "a"), (1, "b")]), ranked(&[(0, "b"), (1, "a")]));
    }

    #[test]
    fn the_final_answer_is_ordered_by_count_then_key_and_kept_only_when_asked_for() {
        let answers = Answers::new(true);
        answers.add_to_final(|row| row(b"b", 2));
        answers.add_to_final(|row| {
            row(b"a", 2);
            row(b"c", 3);
            row(b"b", 0);
        });
        let mut text = Vec::new();
        answers.write_final(&mut text).unwrap();
        assert_eq!(text, b"3\tc\n2\ta\n2\tb\n");
        answers.replace_final(|row| row(b"z", 1));
        assert_eq!(answers.final_rows(), Some(vec![Row { key: b"z".to_vec(), count: 1 }]));
        let unkept = Answers::new(false);
        unkept.add_to_final(|_| panic!("no row is wanted"));
        assert_eq!(unkept.final_rows(), None);
    }

    #[test]
    fn a_batch_that_is_answered_twice_is_remembered() {
        let (answers, batch) = (Answers::new(false), BatchKey { primed: false, index: 3 });
        answers.record(batch, answer(&[]));
        assert!(answers.repeated().is_empty());
        answers.record(batch, answer(&[]));
        assert_eq!(answers.repeated(), [batch]);
        assert_eq!(answers.of_batch(BatchKey { primed: true, index: 3 }), None);
    }
}
