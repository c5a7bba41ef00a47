//! What any search stored, read back and checked.

use super::max::{self, MaxRecord};
use super::sweep::{self, SweepRecord};
use super::tune::{self, TuneRecord};
use crate::format::json;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The record of a search.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// `max.json`
    Max(MaxRecord),
    /// `sweep.json`
    Sweep(SweepRecord),
    /// `tune.json`
    Tune(TuneRecord),
}

impl Found {
    /// The files that searches leave, with what reads each.
    pub const FILES: [&'static str; 3] = ["max.json", "sweep.json", "tune.json"];

    /// Reads the file of that name.
    ///
    /// # Errors
    /// In words: another schema, no JSON, a missing field, or cells that do not fit the knobs.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, String> {
        match file {
            "max.json" => Ok(Found::Max(read(bytes, max::SCHEMA)?)),
            "sweep.json" => {
                let record: SweepRecord = read(bytes, sweep::SCHEMA)?;
                record.check().map(|()| Found::Sweep(record))
            }
            "tune.json" => Ok(Found::Tune(read(bytes, tune::SCHEMA)?)),
            _ => Err(format!("{file} is no record of a search")),
        }
    }

    /// The file it is stored in.
    pub fn file(&self) -> &'static str {
        match self {
            Found::Max(_) => "max.json",
            Found::Sweep(_) => "sweep.json",
            Found::Tune(_) => "tune.json",
        }
    }

    /// The record itself.
    pub fn json(&self) -> String {
        match self {
            Found::Max(record) => json::write(record),
            Found::Sweep(record) => json::write(record),
            Found::Tune(record) => json::write(record),
        }
    }

    /// The answer in a sentence, without a full stop. May hold text from outside.
    pub fn sentence(&self) -> String {
        match self {
            Found::Max(record) => format!("{}: {}", record.workload, record.sentence()),
            Found::Sweep(record) => {
                let names: Vec<&str> = record.workloads.iter().map(|sweep| sweep.workload.as_str()).collect();
                format!("Sweep of {} over {}", names.join(", "), record.knobs.join(", "))
            }
            Found::Tune(record) => format!("{}, goal {}: {}", record.workload, record.goal, record.sentence()),
        }
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8], schema: u32) -> Result<T, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("it is no JSON: {error}"))?;
    match value.get("schema").and_then(Value::as_u64) {
        Some(found) if found == u64::from(schema) => {}
        Some(found) => return Err(format!("it has schema {found}, this build reads schema {schema}")),
        None => return Err("it has no schema".to_owned()),
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}
