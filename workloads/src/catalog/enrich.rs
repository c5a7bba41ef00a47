//! `enrich`: requests by the department that looks after their address, by a table that changes from time to time.

use super::Job;
use super::log_line::{log_line, path};
use crate::answers::{Answers, BatchAnswer, BatchKey};
use crate::keys::KeyLaw;
use crate::load::LoadSettings;
use crate::oracle::{EnrichOracle, Oracle};
use crate::payload::{LineSource, LogLines, SECTION_VERSIONS, url_sections};
use crate::records::{RecordsKind, TextRecord};
use downbeat_engine::dstream::{BatchTime, DStream, Dataset};
use downbeat_engine::error::EngineError;
use downbeat_engine::record::{Pair, Text};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Batches between two changes of the table.
const BATCHES_PER_VERSION: u64 = 3;

/// What stands for the address of a line that cannot be read; no address is empty.
const NO_ADDRESS: &[u8] = b"";

/// Batches 0 to 2 see version 0 of [`url_sections`], 3 to 5 version 1 and so on; after the last version the first one follows. Rows
/// are departments, `nobody` for addresses that the version does not have, and `malformed` for lines without a request. The
/// final answer is the count of each row over the whole run.
pub(super) struct Enrich;

impl Job for Enrich {
    fn name(&self) -> &'static str {
        "enrich"
    }

    fn about(&self) -> &'static str {
        "Requests per department in each batch: a web server's log joined with 9,000 addresses that change every 3 batches."
    }

    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource> {
        Arc::new(LogLines::drawn(load.seed, &load.keys, &KeyLaw::Default))
    }

    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        _: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError> {
        match load.records {
            RecordsKind::Borrowed => by_department(lines, answers),
            RecordsKind::Owned => by_department(&lines.owned(), answers),
        }
    }

    fn oracle(&self, _: &LoadSettings, _: u64) -> Option<Box<dyn Oracle>> {
        Some(Box::new(EnrichOracle::new(BATCHES_PER_VERSION)))
    }
}

/// Which version each batch sees that is not over yet: the number of a batch is known to outputs alone, its time also to what
/// joins. Batches may run side by side.
#[derive(Default)]
struct Versions(Mutex<BTreeMap<BatchTime, usize>>);

impl Versions {
    fn choose(&self, time: BatchTime, version: usize) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(time, version);
    }

    fn of(&self, time: BatchTime) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&time).copied().unwrap_or_default()
    }

    fn forget(&self, time: BatchTime) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&time);
    }
}

fn by_department<R: TextRecord>(lines: &DStream<R>, answers: &Arc<Answers>) -> Result<(), EngineError> {
    let tables = tables()?;
    let (versions, answers) = (Arc::new(Versions::default()), answers.clone());
    let (chosen, over) = (versions.clone(), versions.clone());
    // The outputs of a batch run in this order: the version is chosen before anything is joined.
    lines.for_each_batch(move |batch| {
        let version = batch.index() / BATCHES_PER_VERSION % SECTION_VERSIONS;
        chosen.choose(batch.time(), version as usize);
    });
    let requests = lines.flat_map::<Pair<Text, u64>>(|line, out| {
        let address = log_line(R::bytes(line)).and_then(|request| path(request.request));
        out((address.unwrap_or(NO_ADDRESS), 1));
    });
    let joined = requests.transform(move |requests, time| {
        let named = requests.left_outer_join_dataset(&tables[versions.of(time)]);
        named.map_to_pair::<Text, u64>(|(address, (requests, department))| match department {
            Some(department) => (department, requests),
            None if address == NO_ADDRESS => (b"malformed", requests),
            None => (b"nobody", requests),
        })
    });
    joined.reduce_by_key(|a, b| a + b).for_each_batch(move |batch| {
        let mut answer = BatchAnswer::default();
        batch.for_each(|(department, requests)| answer.add(department, requests));
        answers.record(BatchKey { primed: batch.is_primed(), index: batch.index() }, answer);
        answers.add_to_final(|row| batch.for_each(|(department, requests)| row(department, requests)));
        over.forget(batch.time());
    });
    Ok(())
}

fn tables() -> Result<Vec<Dataset<Text, Text>>, EngineError> {
    let table = |version| {
        let sections = url_sections(version);
        Dataset::new(sections.iter().map(|(url, section)| (url.as_slice(), section.as_bytes())))
    };
    (0..SECTION_VERSIONS).map(table).collect()
}
