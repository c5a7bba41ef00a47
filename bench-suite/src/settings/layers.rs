//! Which value wins: flag before environment before file before default; and where each one came from.

use super::{SetError, TrialSettings, VARIABLE_PREFIX, knobs};
use crate::failure::Failure;
use downbeat_engine::settings::suggest;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// A setting that was given by a file or a flag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    /// The knob's name, `-` and `_` are the same.
    pub(crate) name: String,
    /// The value as typed, or as `--set` takes it.
    pub(crate) text: String,
    /// Where, for messages: `--rate`, `--set rate` or `FILE:LINE`.
    pub(crate) place: String,
}

/// Settings with the origin of each value: `flag`, `environment`, `file` or `default`.
#[derive(Clone, Debug)]
pub struct Resolved {
    /// The settings.
    pub settings: TrialSettings,
    /// Origin by name of the knob.
    pub origins: BTreeMap<String, String>,
}

impl Resolved {
    /// Whether the user chose this knob's value.
    pub fn is_given(&self, name: &str) -> bool {
        self.origins.get(name).is_some_and(|origin| origin != "default")
    }
}

/// Applies the layers, the weakest first.
///
/// # Errors
/// An unknown name or a value that cannot be used, with its place and what was meant (exit 2).
pub(crate) fn resolve(
    file: &[Given],
    environment: &BTreeMap<String, String>,
    flags: &[Given],
) -> Result<Resolved, Failure> {
    let origins = knobs().iter().map(|knob| (knob.name.to_owned(), "default".to_owned())).collect();
    let mut resolved = Resolved { settings: TrialSettings::default(), origins };
    for setting in file {
        resolved.apply(&setting.name, &setting.text, &setting.place, "file")?;
    }
    for (variable, text) in environment {
        let name = known_variable(variable)?;
        resolved.apply(name, text, variable, "environment")?;
    }
    let mut seen: BTreeMap<&'static str, &Given> = BTreeMap::new();
    for setting in flags {
        let name = resolved.apply(&setting.name, &setting.text, &setting.place, "flag")?;
        if let Some(first) = seen.insert(name, setting) {
            let (first, second) = (&first.place, &setting.place);
            return Err(Failure::usage(format!("{first} and {second} both set `{name}`")).help("give one of them"));
        }
    }
    resolved.check()?;
    Ok(resolved)
}

impl Resolved {
    fn apply(&mut self, name: &str, text: &str, place: &str, origin: &str) -> Result<&'static str, Failure> {
        let known = self.settings.set(name, text).map_err(|error| refused(&error, place))?;
        self.origins.insert(known.to_owned(), origin.to_owned());
        Ok(known)
    }

    /// Rules over more than one setting.
    fn check(&mut self) -> Result<(), Failure> {
        self.settings.engine.validate()?;
        self.settings.run.validate()?;
        if self.settings.run.duration_ns.is_none() {
            return Ok(());
        }
        match self.strength("batches").cmp(&self.strength("duration")) {
            Ordering::Less => {}
            Ordering::Greater => self.settings.run.duration_ns = None,
            Ordering::Equal => {
                let message = "`batches` and `duration` both say how long to judge";
                return Err(Failure::usage(message).help("give one of them"));
            }
        }
        Ok(())
    }

    fn strength(&self, name: &str) -> Option<usize> {
        let origin = self.origins.get(name)?;
        ["default", "file", "environment", "flag"].iter().position(|known| known == origin)
    }
}

fn refused(error: &SetError, place: &str) -> Failure {
    match error {
        SetError::Unknown { .. } if place.starts_with("--set") => {
            Failure::usage(format!("--set: {error}")).help("downbeat list knobs")
        }
        SetError::Unknown { .. } => Failure::usage(format!("{place}: {error}")).help("downbeat list knobs"),
        SetError::Value(value) => Failure::usage(format!("{place}: {value}")),
    }
}

fn known_variable(variable: &str) -> Result<&'static str, Failure> {
    let knobs = knobs();
    if let Some(knob) = knobs.iter().find(|knob| knob.variable() == variable) {
        return Ok(knob.name);
    }
    let variables: Vec<String> = knobs.iter().map(|knob| knob.variable()).collect();
    let meant = suggest(variable, variables.iter().map(String::as_str));
    let meant = meant.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default();
    let message = format!("environment variable `{variable}` is no setting{meant}");
    Err(Failure::usage(message)
        .help(format!("unset it: every {VARIABLE_PREFIX}… variable sets a knob; downbeat list knobs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str, text: &str) -> Given {
        Given { name: name.into(), text: text.into(), place: format!("--{name}") }
    }

    fn in_file(name: &str, text: &str) -> Given {
        Given { name: name.into(), text: text.into(), place: "x.toml:1".into() }
    }

    fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn flag_beats_environment_beats_file_beats_default() {
        let file = [in_file("interval", "1s"), in_file("threads", "3"), in_file("partitions", "7")];
        let environment = variables(&[("DOWNBEAT_INTERVAL", "2s"), ("DOWNBEAT_THREADS", "4")]);
        let resolved = resolve(&file, &environment, &[flag("interval", "3s")]).unwrap();
        let engine = &resolved.settings.engine;
        assert_eq!((engine.interval_ns, engine.threads, engine.partitions), (3_000_000_000, 4, Some(7)));
        let origin = |name: &str| resolved.origins[name].as_str();
        assert_eq!(
            [origin("interval"), origin("threads"), origin("partitions"), origin("batches")],
            ["flag", "environment", "file", "default"]
        );
    }

    #[test]
    fn every_layer_names_its_place_in_errors() {
        let none = BTreeMap::new();
        let error = resolve(&[in_file("inteval", "1s")], &none, &[]).unwrap_err();
        assert_eq!(error.message, "x.toml:1: unknown setting `inteval`; did you mean `interval`?");
        let error = resolve(&[], &variables(&[("DOWNBEAT_INTERVL", "1s")]), &[]).unwrap_err();
        assert!(error.message.contains("did you mean `DOWNBEAT_INTERVAL`?"), "{error}");
        let error = resolve(&[], &none, &[flag("interval", "200")]).unwrap_err();
        assert_eq!(error.message, "--interval: `200` has no unit: write for example `200ms`");
        let error = resolve(&[], &none, &[flag("interval", "1s"), flag("interval", "2s")]).unwrap_err();
        assert!(error.message.contains("both set `interval`"), "{error}");
        let error = resolve(&[], &none, &[flag("batches", "5"), flag("duration", "5s")]).unwrap_err();
        assert!(error.message.contains("both say how long"), "{error}");
        let error = resolve(&[], &none, &[flag("interval", "1500us")]).unwrap_err();
        assert_eq!(error.code, 2);
        let error = resolve(&[], &none, &[flag("allocator", "system"), flag("allocator_decay", "1s")]).unwrap_err();
        assert!(error.code == 2 && error.message.starts_with("allocator_decay = 1s: the system's"), "{error}");
    }
}
