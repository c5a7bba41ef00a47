//! The right answer of `enrich`.

use super::log_fields::{address, log_fields};
use super::parsed::{LineParser, Parsed};
use super::{BatchRanges, Oracle, WrongAnswer, check_batch, check_final, check_repeated};
use crate::answers::{Answers, BatchAnswer, Row, sort_rows};
use crate::payload::{Payload, SECTION_VERSIONS, url_sections};
use std::collections::BTreeMap;

/// Looks an address up in all versions of the table at once; each batch takes what its version says.
pub struct EnrichOracle {
    batches_per_version: u64,
}

impl EnrichOracle {
    /// The version changes after so many batches.
    pub fn new(batches_per_version: u64) -> Self {
        EnrichOracle { batches_per_version }
    }
}

/// The row of a request by version.
type Rows = [&'static str; SECTION_VERSIONS as usize];

impl Oracle for EnrichOracle {
    fn check(&self, payload: &Payload, batches: &[BatchRanges], answers: &Answers) -> Vec<WrongAnswer> {
        let mut lines = Parsed::new(payload, Departments::new());
        let (mut totals, mut wrong) = (BTreeMap::<&'static str, u64>::new(), Vec::new());
        check_repeated(batches, answers, &mut wrong);
        for batch in batches {
            let version = (batch.batch.index / self.batches_per_version % SECTION_VERSIONS) as usize;
            let mut counts = BTreeMap::<&'static str, u64>::new();
            lines.for_each(&batch.ranges, |rows| *counts.entry(rows[version]).or_default() += 1);
            let mut expected = BatchAnswer::default();
            for (row, count) in counts {
                expected.add(row.as_bytes(), count);
                *totals.entry(row).or_default() += count;
            }
            check_batch(batch.batch, expected, answers, &mut wrong);
        }
        let mut rows: Vec<Row> =
            totals.into_iter().map(|(row, count)| Row { key: row.as_bytes().to_vec(), count }).collect();
        sort_rows(&mut rows);
        check_final(&rows, answers, &mut wrong);
        wrong
    }
}

/// Finds the rows of a line.
struct Departments(BTreeMap<Vec<u8>, Rows>);

impl Departments {
    fn new() -> Self {
        let mut rows: BTreeMap<Vec<u8>, Rows> = BTreeMap::new();
        for version in 0..SECTION_VERSIONS {
            for (url, section) in url_sections(version) {
                rows.entry(url).or_insert(["nobody"; SECTION_VERSIONS as usize])[version as usize] = section;
            }
        }
        Departments(rows)
    }
}

impl LineParser for Departments {
    type Parsed = Rows;

    fn parse(&mut self, line: &[u8]) -> Rows {
        let address = log_fields(line).and_then(|fields| address(fields.request));
        let other = if address.is_some() { "nobody" } else { "malformed" };
        address.and_then(|address| self.0.get(address)).copied().unwrap_or([other; SECTION_VERSIONS as usize])
    }
}
