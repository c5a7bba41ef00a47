//! Were records lost or doubled? The sequence ranges of successive batches must follow each other without gap or overlap.

use super::collector::Collected;

/// Sentences kept about gaps and overlaps.
const KEPT: usize = 20;

/// What the sequence ranges say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sequences {
    /// Records in committed batches.
    pub(super) committed: u64,
    /// Records that were in more than one committed batch.
    pub(super) doubled: u64,
    /// Gaps and overlaps, one sentence each.
    pub(super) errors: Vec<String>,
}

/// Walks through the batches in order, primed ones first.
pub(super) fn check(batches: &[Collected]) -> Sequences {
    let mut found = Sequences::default();
    let mut expected = 0;
    for Collected { report, .. } in batches {
        let kind = if report.primed { "primed batch" } else { "batch" };
        let range = format!("{}..{}", report.first_sequence, report.end_sequence);
        let mut complain = |problem: String| {
            if found.errors.len() < KEPT {
                found.errors.push(format!("{kind} {} holds the records {range}{problem}", report.index));
            }
        };
        if report.end_sequence.wrapping_sub(report.first_sequence) != report.records {
            complain(format!(", but counts {} of them", report.records));
        }
        if report.first_sequence > expected && report.records > 0 {
            complain(format!(": {} before it are missing", report.first_sequence - expected));
        }
        if report.first_sequence < expected && report.records > 0 {
            complain(format!(
                ": {} of them were in a batch before",
                expected.min(report.end_sequence) - report.first_sequence
            ));
        }
        if report.failure.is_none() {
            found.committed += report.records;
            found.doubled += expected.min(report.end_sequence).saturating_sub(report.first_sequence);
        }
        expected = expected.max(report.end_sequence);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::examples::report;

    fn batch(index: u64, first_sequence: u64, end_sequence: u64) -> Collected {
        Collected { report: report(index, first_sequence, end_sequence), judged: true }
    }

    #[test]
    fn ranges_that_follow_each_other_are_fine() {
        let found = check(&[batch(0, 0, 5), batch(1, 5, 5), batch(2, 5, 9)]);
        assert_eq!(found, Sequences { committed: 9, doubled: 0, errors: Vec::new() });
    }

    #[test]
    fn gaps_and_overlaps_are_told_by_batch() {
        let found = check(&[batch(0, 0, 5), batch(1, 7, 9), batch(2, 8, 12)]);
        assert_eq!(found.doubled, 1);
        assert_eq!(
            found.errors,
            [
                "batch 1 holds the records 7..9: 2 before it are missing",
                "batch 2 holds the records 8..12: 1 of them were in a batch before"
            ]
        );
    }

    #[test]
    fn counts_that_do_not_match_the_range_are_told() {
        let mut wrong = batch(0, 0, 5);
        wrong.report.records = 4;
        assert_eq!(check(&[wrong]).errors, ["batch 0 holds the records 0..5, but counts 4 of them"]);
    }
}
