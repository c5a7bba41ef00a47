//! What any search stored: read back, checked, and shown in each format that a search has.

use super::max::{self, MaxRecord};
use super::sweep::{self, SweepRecord};
use super::tune::{self, TuneRecord};
use crate::format::{html, json, markdown};
use crate::inert;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Formats of searches, by the names of those of runs.
pub const FORMATS: [&str; 4] = ["human", "json", "html", "markdown"];

/// Most lines of a search's text that Markdown shows.
const MARKDOWN_LINES: usize = 34;

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

    /// In the format of that name. `None` when searches have no such format.
    pub fn render(&self, format: &str) -> Option<String> {
        Some(match format {
            "human" => self.text(),
            "json" => match self {
                Found::Max(record) => json::write(record),
                Found::Sweep(record) => json::write(record),
                Found::Tune(record) => json::write(record),
            },
            "html" => html::search(self),
            "markdown" => self.markdown(),
            _ => return None,
        })
    }

    /// The text for people, inert for terminals.
    fn text(&self) -> String {
        let text = match self {
            Found::Max(record) => record.render_human(),
            Found::Sweep(record) => record.render_human(),
            Found::Tune(record) => record.render_human(),
        };
        text.split('\n').map(inert::line).collect::<Vec<_>>().join("\n")
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

    /// The answer as a sentence, the text below it folded away.
    fn markdown(&self) -> String {
        let sentence = self.sentence();
        let command = match self {
            Found::Max(record) => &record.command,
            Found::Sweep(record) => &record.command,
            Found::Tune(record) => &record.command,
        };
        let text = self.text();
        // Indented, so that nothing inside can end the block.
        let lines = text.lines().take(MARKDOWN_LINES).map(|line| format!("    {line}\n"));
        let block: String = lines.collect();
        let more = if text.lines().count() > MARKDOWN_LINES { "\nThe rest is in the report.\n" } else { "" };
        let again = if command.is_empty() {
            String::new()
        } else {
            format!("\nAgain: {}\n", markdown::code(&inert::short(command, 1_000)))
        };
        format!("### {}\n\n{block}{more}{again}", markdown::escape(&inert::short(&sentence, 600)))
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
