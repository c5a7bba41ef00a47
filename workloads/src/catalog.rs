//! The catalog: jobs that are run under load, each with its text and its oracle.

mod ad_event;
mod ads;
mod distinct_users;
mod enrich;
mod hashtags;
mod log_errors;
mod log_line;
mod nexmark;
mod null;
mod sensors;
mod sessions;
mod word_count;

use crate::answers::Answers;
use crate::error::LoadError;
use crate::load::{LoadSettings, TextMode};
use crate::oracle::Oracle;
use crate::payload::{LineSource, Payload, Ring, read_file};
use downbeat_engine::dstream::DStream;
use downbeat_engine::error::EngineError;
use downbeat_engine::record::Text;
use std::sync::Arc;

/// A job on lines of text.
pub trait Job: Sync {
    /// Name on the command line.
    fn name(&self) -> &'static str;

    /// One sentence for `list workloads`.
    fn about(&self) -> &'static str;

    /// The text that is sent when there is no input file: a function of the load's settings alone, its seed among them.
    fn text(&self, load: &LoadSettings) -> Arc<dyn LineSource>;

    /// Batches to be run before the first live one, so that windows are full.
    fn prime_batches(&self, load: &LoadSettings, interval_ns: u64) -> u64 {
        let _ = (load, interval_ns);
        0
    }

    /// Builds the job; its output fills `answers`.
    ///
    /// # Errors
    /// The job cannot be built with these settings. What only shows when the whole graph is known, such as a window that is
    /// no multiple of the interval, is reported by the context's start.
    fn build(
        &self,
        lines: &DStream<Text>,
        load: &LoadSettings,
        interval_ns: u64,
        answers: &Arc<Answers>,
    ) -> Result<(), EngineError>;

    /// What checks the answers, if there is anything that can.
    fn oracle(&self, load: &LoadSettings, interval_ns: u64) -> Option<Box<dyn Oracle>>;

    /// The lines to be replayed: of the input file, or the first of the job's text.
    ///
    /// # Errors
    /// A setting that cannot work; an input file that cannot be read, is too large or has no line.
    fn ring(&self, load: &LoadSettings) -> Result<Ring, LoadError> {
        load.validate()?;
        match &load.input {
            Some(path) => read_file(path, load.line_limit_bytes),
            None => Ok(Ring::generate(&*self.text(load), load.ring_bytes)),
        }
    }

    /// The records that are sent: [`Job::ring`] once through or for ever, or text made on the fly.
    ///
    /// # Errors
    /// As [`Job::ring`].
    fn payload(&self, load: &LoadSettings) -> Result<Payload, LoadError> {
        load.validate()?;
        if load.input.is_none() && load.text == TextMode::Live {
            return Ok(Payload::Live(self.text(load)));
        }
        Ok(Payload::Replayed { ring: Arc::new(self.ring(load)?), once: load.input.is_some() && !load.input_loop })
    }
}

/// Batches in the load's window, at least one.
fn window_batches(load: &LoadSettings, interval_ns: u64) -> usize {
    usize::try_from(load.window_ns / interval_ns).unwrap_or(usize::MAX).max(1)
}

/// All jobs, in the order in which they are shown.
pub static CATALOG: &[&dyn Job] = &[
    &word_count::WordCount,
    &hashtags::Hashtags,
    &nexmark::Q0,
    &nexmark::Q1,
    &nexmark::Q2,
    &nexmark::Q3,
    &nexmark::Q5,
    &nexmark::Q8,
    &ads::Ads,
    &log_errors::LogErrors,
    &sessions::Sessions,
    &enrich::Enrich,
    &distinct_users::DistinctUsers,
    &sensors::Sensors,
    &null::Null,
];

/// The job of this name.
pub fn find_job(name: &str) -> Option<&'static dyn Job> {
    CATALOG.iter().copied().find(|job| job.name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::KeyLaw;

    #[test]
    fn jobs_are_found_by_their_names_which_differ() {
        for (index, job) in CATALOG.iter().enumerate() {
            assert!(CATALOG[..index].iter().all(|other| other.name() != job.name()), "{} twice", job.name());
            assert_eq!(find_job(job.name()).map(|found| found.about()), Some(job.about()));
            assert!(job.about().ends_with('.'));
        }
        assert!(find_job("word_count").is_none());
    }

    #[test]
    fn the_payload_is_what_the_load_asks_for() {
        let job = find_job("word-count").expect("in the catalog");
        let load = LoadSettings { ring_bytes: 10_000, ..LoadSettings::default() };
        assert_eq!(job.payload(&load).unwrap().records_limit(), None);
        let live = LoadSettings { text: TextMode::Live, ..load.clone() };
        assert!(matches!(job.payload(&live), Ok(Payload::Live(_))));
        let grown = LoadSettings { keys: KeyLaw::Growing { from: 1, to: 9, records: 100 }, ..live.clone() };
        assert_ne!(job.payload(&live).unwrap().hash(), job.payload(&grown).unwrap().hash(), "other keys, other bytes");
        let missing = LoadSettings { input: Some("/nonexistent".into()), ..load.clone() };
        assert!(matches!(job.payload(&missing), Err(LoadError::InputUnreadable { .. })));
        let path = std::env::temp_dir().join(format!("downbeat-catalog-{}", std::process::id()));
        std::fs::write(&path, "a b\nc\n").unwrap();
        let once = LoadSettings { input: Some(path.clone()), ..load };
        assert_eq!(job.payload(&once).unwrap().records_limit(), Some(2));
        assert_eq!(job.payload(&LoadSettings { input_loop: true, ..once }).unwrap().records_limit(), None);
        std::fs::remove_file(path).unwrap();
    }
}
