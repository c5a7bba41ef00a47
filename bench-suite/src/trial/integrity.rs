//! Were records lost or doubled? The sequence ranges of successive batches must follow each other without overlap, and without any
//! gap but for what was shed.

use super::collector::Collected;
use downbeat_engine::metrics::BatchReport;

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

/// Walks through the batches in order, primed ones first. A batch's records follow those of the batch before it; a gap is as
/// long as what was shed.
pub(super) fn check(batches: &[Collected]) -> Sequences {
    let mut found = Sequences::default();
    let mut expected = 0;
    for Collected { report, .. } in batches {
        let walked = walk(report, expected);
        let kind = if report.primed { "primed batch" } else { "batch" };
        let range = format!("{}..{}", report.first_sequence, report.end_sequence);
        for problem in walked.problems(report) {
            if found.errors.len() < KEPT {
                found.errors.push(format!("{kind} {} holds the records {range}{problem}", report.index));
            }
        }
        if report.failure.is_none() {
            found.committed += report.records;
            found.doubled += walked.doubled;
        }
        expected = walked.end.max(expected + (report.records + report.shed).saturating_sub(walked.doubled));
    }
    found
}

/// The ranges of one batch against what came before.
struct Walked {
    records: u64,
    /// Records between the ranges, and before the first.
    gaps: u64,
    /// Records that were there before.
    doubled: u64,
    end: u64,
}

fn walk(report: &BatchReport, expected: u64) -> Walked {
    let mut walked = Walked { records: 0, gaps: 0, doubled: 0, end: expected };
    for range in &report.ranges {
        walked.records += range.end.saturating_sub(range.start);
        walked.gaps += range.start.saturating_sub(walked.end);
        walked.doubled += walked.end.min(range.end).saturating_sub(range.start);
        walked.end = walked.end.max(range.end);
    }
    walked
}

impl Walked {
    fn problems(&self, report: &BatchReport) -> Vec<String> {
        let mut problems = Vec::new();
        if self.records != report.records {
            problems.push(format!(", but counts {} of them", report.records));
        }
        match (self.gaps, report.shed) {
            (gaps, shed) if gaps <= shed => {}
            (gaps, 0) => problems.push(format!(": {gaps} before it are missing")),
            (gaps, shed) => problems.push(format!(": {} are missing beside {shed} that were shed", gaps - shed)),
        }
        if self.doubled > 0 {
            problems.push(format!(": {} of them were in a batch before", self.doubled));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::during::During;
    use crate::trial::examples::report;

    fn batch(index: u64, first_sequence: u64, end_sequence: u64) -> Collected {
        Collected { report: report(index, first_sequence, end_sequence), during: During::default(), judged: true }
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

    #[test]
    fn gaps_are_what_was_shed_and_no_more() {
        let shed = |index, ranges: &[(u64, u64)], shed| {
            let mut batch = batch(index, 0, 0);
            let (first, end) = (ranges.first().map_or(0, |range| range.0), ranges.last().map_or(0, |range| range.1));
            (batch.report.first_sequence, batch.report.end_sequence) = (first, end);
            batch.report.records = ranges.iter().map(|(start, end)| end - start).sum();
            batch.report.ranges = ranges.iter().map(|(start, end)| *start..*end).collect();
            batch.report.shed = shed;
            batch
        };
        // Before, between and after ranges, and in batches without any record.
        let fine = [shed(0, &[(2, 5), (7, 8)], 4), shed(1, &[], 3), shed(2, &[(15, 20)], 4)];
        assert_eq!(check(&fine), Sequences { committed: 9, doubled: 0, errors: Vec::new() });
        let missing = [shed(0, &[(0, 5)], 0), shed(1, &[(8, 10)], 2)];
        assert_eq!(check(&missing).errors, ["batch 1 holds the records 8..10: 1 are missing beside 2 that were shed"]);
        let doubled = [shed(0, &[(0, 5)], 1), shed(1, &[(3, 6)], 0)];
        assert_eq!(check(&doubled).doubled, 3, "what was shed cannot be in a later batch either");
    }
}
