//! `downbeat list`: workloads, knobs, stored runs, exit codes.

use crate::cli::{ListRequest, Listed};
use crate::failure::Failure;
use crate::settings::{KnobInfo, knobs};
use downbeat_reports::exit::Exit;
use downbeat_reports::inert;
use downbeat_reports::store;
use downbeat_reports::summary::Summary;
use downbeat_workloads::catalog::Job;
use downbeat_workloads::load::LoadSettings;
use serde_json::{Value, json};
use std::path::Path;

/// The list as text, with a line end.
///
/// # Errors
/// The place of the runs cannot be read.
pub(crate) fn list(request: &ListRequest, jobs: &[&dyn Job]) -> Result<String, Failure> {
    let entries = match request.what {
        Listed::Workloads => jobs.iter().map(|job| workload(*job)).collect(),
        Listed::Knobs => knobs().iter().map(knob).collect(),
        Listed::Runs => runs(&request.root)?,
        Listed::ExitCodes => Exit::ALL.into_iter().map(exit_code).collect(),
    };
    if request.json {
        let objects: Vec<&Value> = entries.iter().map(|entry| &entry.object).collect();
        let json = serde_json::to_string_pretty(&objects);
        return json
            .map(|json| json + "\n")
            .map_err(|error| Failure::internal(format!("cannot write the list: {error}")));
    }
    if entries.is_empty() {
        return Ok("nothing yet\n".to_owned());
    }
    Ok(entries.into_iter().map(|entry| entry.text).collect())
}

/// One entry in both forms.
struct Entry {
    object: Value,
    text: String,
}

fn workload(job: &dyn Job) -> Entry {
    let (name, about, text) = (job.name(), job.about(), job.text(&LoadSettings::default()));
    let payload = text.name();
    Entry {
        object: json!({ "name": name, "about": about, "payload": payload }),
        text: format!("{name:<14} {about}\n{:14} payload {payload}\n", ""),
    }
}

fn knob(knob: &KnobInfo) -> Entry {
    let object = json!({
        "name": knob.name,
        "group": knob.group,
        "flag": format!("--{}", knob.flag()),
        "variable": knob.variable(),
        "range": knob.range,
        "default": knob.default,
        "trades": knob.trades,
        "spark": knob.spark,
    });
    let spark = knob.spark.map(|name| format!("\n{:25} in Spark: {name}", "")).unwrap_or_default();
    let (name, default, range, trades) = (knob.name, knob.default, knob.range, knob.trades);
    let text = format!("{name:<25} {range}; default {default}\n{:25} {trades}{spark}\n", "");
    Entry { object, text }
}

fn exit_code(exit: Exit) -> Entry {
    let (code, name, meaning) = (exit.code(), exit.name(), exit.meaning());
    Entry {
        object: json!({ "code": code, "name": name, "meaning": meaning }),
        text: format!("{code:>3}  {name:<15}  {meaning}\n"),
    }
}

fn runs(root: &Path) -> Result<Vec<Entry>, Failure> {
    if !root.exists() {
        return Ok(Vec::new());
    }
    Ok(store::list(root)?.iter().map(|path| run(path)).collect())
}

fn run(path: &Path) -> Entry {
    let place = path.display().to_string();
    let shown = inert::line(&place).into_owned();
    let record = match store::load(path) {
        Ok(record) => record,
        Err(error) => {
            return Entry {
                object: json!({ "path": place, "error": error.to_string() }),
                text: format!("{shown}  unreadable\n"),
            };
        }
    };
    let word = Summary::new(&record, false).map_or("unreadable", |summary| summary.verdict.word.as_str());
    let interval = record.settings.get("interval").map_or("", String::as_str);
    let rate = record.settings.get("rate").map_or("", String::as_str);
    let object = json!({ "path": place, "run": record.run, "workload": record.workload, "rate": rate, "interval": interval, "verdict": word });
    let workload = inert::short(&record.workload, 14);
    Entry {
        object,
        text: format!("{shown:<32} {workload:<14} {:<10} {:<8} {word}\n", inert::line(rate), inert::line(interval)),
    }
}
