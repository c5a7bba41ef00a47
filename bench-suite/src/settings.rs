//! All settings of a trial in one place: the engine's, the load's and the run's, each described by its slice of knobs.

mod layers;

pub use layers::Resolved;
pub(crate) use layers::{Given, resolve};

use crate::run_settings::{RUN_KNOBS, RunSettings};
use downbeat_engine::settings::{KNOBS, Knob, KnobKind, Settings, ValueError, find_knob, suggest};
use downbeat_workloads::load::{LOAD_KNOBS, LoadSettings};
use std::collections::BTreeMap;

/// Everything about a trial that can be tuned.
#[derive(Clone, Debug, Default)]
pub struct TrialSettings {
    /// The engine's settings.
    pub engine: Settings,
    /// The load's settings.
    pub load: LoadSettings,
    /// How the run is measured.
    pub run: RunSettings,
}

/// Why a setting was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetError {
    /// There is no such knob.
    #[error("unknown setting `{name}`{}", suggestion.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest knob.
        suggestion: Option<&'static str>,
    },
    /// The value cannot be used.
    #[error("{0}")]
    Value(#[from] ValueError),
}

/// A knob of any of the three slices, without the type of its settings.
#[derive(Clone, Copy, Debug)]
pub struct KnobInfo {
    /// Name in TOML and `--set`.
    pub name: &'static str,
    /// Which slice it is from: `engine`, `load` or `run`.
    pub group: &'static str,
    /// How its value is written.
    pub kind: KnobKind,
    /// What is allowed, in words.
    pub range: &'static str,
    /// The default, in words.
    pub default: &'static str,
    /// What it trades against what.
    pub trades: &'static str,
    /// What Spark calls it.
    pub spark: Option<&'static str>,
}

impl KnobInfo {
    fn of<S>(group: &'static str, knob: &Knob<S>) -> Self {
        KnobInfo {
            name: knob.name,
            group,
            kind: knob.kind,
            range: knob.range,
            default: knob.default,
            trades: knob.trades,
            spark: knob.spark,
        }
    }

    /// The flag, without its dashes in front.
    pub fn flag(&self) -> String {
        self.name.replace('_', "-")
    }

    /// The environment variable.
    pub fn variable(&self) -> String {
        format!("{VARIABLE_PREFIX}{}", self.name.to_uppercase())
    }
}

/// Every environment variable of ours starts with this.
pub const VARIABLE_PREFIX: &str = "DOWNBEAT_";

/// Every knob there is, the run's first, in the order in which they are shown.
pub fn knobs() -> Vec<KnobInfo> {
    let run = RUN_KNOBS.iter().map(|knob| KnobInfo::of("run", knob));
    let load = LOAD_KNOBS.iter().map(|knob| KnobInfo::of("load", knob));
    let engine = KNOBS.iter().map(|knob| KnobInfo::of("engine", knob));
    run.chain(load).chain(engine).collect()
}

impl TrialSettings {
    /// Sets a knob from text with a unit; `-` and `_` are the same in its name. Returns the knob's own name.
    ///
    /// # Errors
    /// [`SetError::Unknown`], [`SetError::Value`].
    pub fn set(&mut self, name: &str, text: &str) -> Result<&'static str, SetError> {
        if let Some(knob) = find_knob(KNOBS, name) {
            (knob.set)(&mut self.engine, text)?;
            return Ok(knob.name);
        }
        if let Some(knob) = find_knob(LOAD_KNOBS, name) {
            (knob.set)(&mut self.load, text)?;
            return Ok(knob.name);
        }
        if let Some(knob) = find_knob(RUN_KNOBS, name) {
            (knob.set)(&mut self.run, text)?;
            return Ok(knob.name);
        }
        let known = knobs();
        let suggestion = suggest(&name.replace('-', "_"), known.iter().map(|knob| knob.name));
        // The suggestion borrows from the table it was found in; the name itself lives for ever.
        let suggestion = known.iter().map(|knob| knob.name).find(|known| Some(*known) == suggestion);
        Err(SetError::Unknown { name: name.to_owned(), suggestion })
    }

    /// Every knob's value, with its unit.
    pub fn values(&self) -> BTreeMap<String, String> {
        let engine = KNOBS.iter().map(|knob| (knob.name, (knob.get)(&self.engine)));
        let load = LOAD_KNOBS.iter().map(|knob| (knob.name, (knob.get)(&self.load)));
        let run = RUN_KNOBS.iter().map(|knob| (knob.name, (knob.get)(&self.run)));
        engine.chain(load).chain(run).map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_over_all_slices() {
        let knobs = knobs();
        for (index, knob) in knobs.iter().enumerate() {
            assert!(knobs[..index].iter().all(|other| other.name != knob.name), "{} twice", knob.name);
            assert!(knob.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_' || byte.is_ascii_digit()));
        }
    }

    #[test]
    fn values_can_be_set_again_without_changing_anything() {
        let mut settings = TrialSettings::default();
        let values = settings.values();
        for (name, value) in &values {
            settings.set(name, value).unwrap_or_else(|error| panic!("{name} = {value}: {error}"));
        }
        assert_eq!(settings.values(), values);
    }

    #[test]
    fn mistyped_names_find_the_one_that_was_meant() {
        let error = TrialSettings::default().set("late-limt", "1%").unwrap_err();
        assert_eq!(error.to_string(), "unknown setting `late-limt`; did you mean `late_limit`?");
    }
}
