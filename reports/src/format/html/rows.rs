//! Which batches have a row of their own where there are too many: failed and late ones first, then others evenly spread. A batch that is
//! left out belongs to the row before it, so that a link to it leads somewhere without the script, too.

use crate::judged;
use crate::record::{BatchRecord, TrialRecord};
use std::cmp::Reverse;
use std::collections::BTreeSet;

/// That many batches all have a row; a report of 10,000 batches stays below 3 MB.
const ALL: usize = 2_000;

/// Rows where there are more batches.
const ROWS: usize = 1_200;

/// Rows of these for failed and late batches at most, the longest delays first.
const WORST: usize = 600;

/// A batch that has a row, and those left out between it and the next row.
pub(super) struct Row<'r> {
    pub(super) batch: &'r BatchRecord,
    pub(super) left_out: &'r [BatchRecord],
}

/// The rows in the order of the batches.
pub(super) fn rows(record: &TrialRecord) -> Vec<Row<'_>> {
    let places = places(record);
    let ends = places.iter().skip(1).copied().chain([record.batches.len()]);
    let row = |(place, end): (&usize, usize)| Row {
        batch: &record.batches[*place],
        left_out: &record.batches[place + 1..end],
    };
    places.iter().zip(ends).map(row).collect()
}

fn places(record: &TrialRecord) -> Vec<usize> {
    let all = record.batches.len();
    if all <= ALL {
        return (0..all).collect();
    }
    let mut places = worst(record);
    let spread = ROWS - places.len();
    places.extend((0..spread).map(|number| number * all / spread));
    places.into_iter().collect()
}

fn worst(record: &TrialRecord) -> BTreeSet<usize> {
    let is_late = |batch: &BatchRecord| judged::is_judged(batch) && judged::is_late(record, batch);
    let named = record.batches.iter().enumerate().filter(|(_, batch)| judged::is_troubled(batch) || is_late(batch));
    let mut worst: Vec<(bool, Reverse<u64>, usize)> =
        named.map(|(place, batch)| (!judged::is_troubled(batch), Reverse(batch.total_delay_ns), place)).collect();
    worst.sort_unstable();
    worst.into_iter().take(WORST).map(|(_, _, place)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::trial;

    fn many(late: impl Fn(u64) -> bool) -> TrialRecord {
        trial("t", 9_990, |index, _| (0, if late(index) { 250_000_000 + index } else { 80_000_000 }))
    }

    #[test]
    fn late_batches_have_rows_and_every_batch_belongs_to_one() {
        let record = many(|index| index % 97 == 5);
        let rows = rows(&record);
        assert!(rows.len() <= ROWS);
        let of_all: Vec<u64> =
            rows.iter().flat_map(|row| [row.batch].into_iter().chain(row.left_out)).map(|batch| batch.index).collect();
        assert_eq!(of_all, (0..10_000).collect::<Vec<u64>>());
        let late = |index: &u64| index % 97 == 5 && *index >= 10;
        let with_rows: BTreeSet<u64> = rows.iter().map(|row| row.batch.index).collect();
        assert!((0..10_000).filter(late).all(|index| with_rows.contains(&index)));
        assert!(rows.iter().all(|row| row.left_out.len() < 12), "no stretch is without rows");
    }

    #[test]
    fn of_too_many_late_ones_the_worst_have_rows() {
        let record = many(|_| true);
        let rows = rows(&record);
        let last: Vec<u64> = rows.iter().map(|row| row.batch.index).filter(|index| *index >= 9_400).collect();
        assert_eq!(last, (9_400..10_000).collect::<Vec<u64>>());
        assert!(rows.len() > WORST + 500 && rows.len() <= ROWS);
    }

    #[test]
    fn where_there_is_room_all_have_one() {
        let record = trial("t", 1_990, |_, _| (0, 80_000_000));
        assert_eq!(rows(&record).len(), 2_000);
    }
}
