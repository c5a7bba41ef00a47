//! `downbeat list`: workloads, knobs, stored runs, exit codes.

use crate::failure::Failure;
use crate::gate;
use crate::report;
use crate::request::{ListRequest, Listed};
use crate::settings::{KnobInfo, knobs};
use downbeat_reports::exit::Exit;
use downbeat_reports::gate::rule;
use downbeat_reports::inert;
use downbeat_reports::search::found::Found;
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
    let files = [&[store::RESULT_FILE, gate::stored::RECORD][..], &Found::FILES].concat();
    Ok(store::list(root, &files)?.iter().map(|path| result(path)).collect())
}

/// A run, a search or a gate.
fn result(path: &Path) -> Entry {
    let said = match (gate::stored::find(path), report::search_file(path)) {
        (Ok(Some(record)), _) => {
            let verdict = rule::judge(&record).verdict;
            let workloads: Vec<&str> = record.workloads.iter().map(|workload| workload.name.as_str()).collect();
            Ok(("gate", format!("gate of {}: {}", workloads.join(", "), verdict.as_str())))
        }
        (Err(failure), _) => Err(failure),
        (Ok(None), Some(file)) => report::search(&file).map(|found| ("search", found.sentence())),
        (Ok(None), None) => return run(path),
    };
    match said {
        Ok((kind, sentence)) => {
            let (place, shown) = (path.display().to_string(), inert::line(&path.display().to_string()).into_owned());
            let text = format!("{shown:<32} {}\n", inert::short(&sentence, 200));
            Entry { object: json!({ "path": place, "kind": kind, "says": sentence }), text }
        }
        Err(failure) => unreadable(path, &failure.message),
    }
}

fn unreadable(path: &Path, why: &str) -> Entry {
    let place = path.display().to_string();
    let text = format!("{}  unreadable\n", inert::line(&place));
    Entry { object: json!({ "path": place, "error": why }), text }
}

fn run(path: &Path) -> Entry {
    let place = path.display().to_string();
    let shown = inert::line(&place).into_owned();
    let record = match store::load(path) {
        Ok(record) => record,
        Err(error) => return unreadable(path, &error.to_string()),
    };
    let word = Summary::new(&record, false).map_or("unreadable", |summary| summary.verdict.word.as_str());
    let interval = record.settings.get("interval").map_or("", String::as_str);
    // Of a sender whose pace nobody planned the setting says nothing.
    let planned = record.schedule.rate_per_s.and_then(|_| record.settings.get("rate"));
    let rate = planned.map_or("by source", String::as_str);
    let object = json!({ "path": place, "kind": "run", "run": record.run, "workload": record.workload, "rate": rate, "interval": interval, "verdict": word });
    let workload = inert::short(&record.workload, 14);
    Entry {
        object,
        text: format!("{shown:<32} {workload:<14} {:<10} {:<8} {word}\n", inert::line(rate), inert::line(interval)),
    }
}
