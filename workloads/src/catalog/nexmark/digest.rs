//! Answers that are put together on all threads: of jobs that keep most of their records, one thread could not hash the rows.

use crate::answers::{Answers, BatchAnswer, BatchKey};
use downbeat_engine::dstream::DStream;
use downbeat_engine::exchange::Key;
use downbeat_engine::record::{Family, Pair};
use std::sync::Arc;

/// A [`BatchAnswer`] as a record: rows and total, and the two halves of the digest.
pub(super) type Digest = Pair<Pair<u64, u64>, Pair<u64, u64>>;

type OwnedDigest = ((u64, u64), (u64, u64));

/// The digest of one row.
#[inline]
pub(super) fn row(key: &[u8], count: u64) -> OwnedDigest {
    let mut answer = BatchAnswer::default();
    answer.add(key, count);
    ((answer.rows, answer.total), (answer.digest[0], answer.digest[1]))
}

/// What two digests of rows are together.
fn merged((rows, digest): OwnedDigest, (more_rows, more_digest): OwnedDigest) -> OwnedDigest {
    let sum = |a: (u64, u64), b: (u64, u64)| (a.0.wrapping_add(b.0), a.1.wrapping_add(b.1));
    (sum(rows, more_rows), sum(digest, more_digest))
}

/// How a group of rows is called: calls back with the bytes.
pub(super) type Named<K> = fn(<K as Family>::View<'_>, &mut dyn FnMut(&[u8]));

/// Records the rows of each batch, which come in groups. A group is a row too, of its name and `of_group`, a function of the
/// number and the total of its rows; the final answer has these rows of groups alone, summed over the whole run.
pub(super) fn record_groups<K: Key>(
    rows: &DStream<Pair<K, Digest>>,
    answers: &Arc<Answers>,
    named: Named<K>,
    of_group: fn(rows: u64, total: u64) -> u64,
) {
    let answers = answers.clone();
    rows.reduce_by_key(merged).for_each_batch(move |batch| {
        let mut answer = BatchAnswer::default();
        batch.for_each(|(group, ((rows, total), (low, high)))| {
            answer.merge(&BatchAnswer { rows, total, digest: [low, high] });
            named(group, &mut |name| answer.add(name, of_group(rows, total)));
        });
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.add_to_final(|row| {
            batch.for_each(|(group, ((rows, total), _))| named(group, &mut |name| row(name, of_group(rows, total))));
        });
    });
}
