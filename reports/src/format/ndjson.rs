//! `ndjson`: events, one object a line: the trial, each batch, warnings, the verdict, the end. Each has the version `v`, the moment `t` it
//! speaks of, the `run` and its `event`. Fields may be added within a version; none changes its meaning.

use super::{Options, json};
use crate::quantity::moment;
use crate::summary::{MissingTrial, Summary};
use serde::Serialize;
use serde_json::{Map, Value};

/// Version of the events.
const VERSION: u32 = 1;

/// The events of a run, in order.
pub fn render(summary: &Summary<'_>) -> String {
    let record = summary.record;
    let moment_of = |batch: Option<&crate::record::BatchRecord>| batch.map(|batch| batch.time_ns);
    let (begin, end) = (moment_of(record.batches.first()), moment_of(record.batches.last()));
    let mut object = serde_json::to_value(summary.object()).unwrap_or_default();
    let (verdict, exit) = (object["verdict"].take(), object["exit"].take());
    let Value::Object(mut fields) = object else { return String::new() };
    // These are events of their own.
    fields.retain(|name, _| !["run", "batches", "warnings", "verdict", "exit"].contains(&name.as_str()));
    let mut figures = Map::new();
    for name in ["headroom", "allocation_share", "latency_ns", "total_delay_ns"] {
        figures.insert(name.to_owned(), fields.remove(name).unwrap_or_default());
    }
    figures.insert("verdict".to_owned(), verdict);

    let run = &record.run;
    let mut text = event("trial", begin, run, &fields);
    for batch in &record.batches {
        text.push_str(&event("batch", Some(batch.time_ns), run, batch));
    }
    for warning in &record.warnings {
        text.push_str(&event("warning", end, run, &serde_json::json!({ "text": warning })));
    }
    text + &event("verdict", end, run, &figures) + &event("exit", end, run, &exit)
}

/// A trial that left no record: its verdict and the end.
pub fn render_missing(missing: &MissingTrial, _: &Options) -> String {
    let mut object = missing.object();
    let exit = object["exit"].take();
    let verdict = serde_json::json!({
        "workload": missing.workload, "settings": missing.settings, "command": missing.command,
        "failure": missing.failure, "verdict": object["verdict"],
    });
    event("verdict", None, &missing.run, &verdict) + &event("exit", None, &missing.run, &exit)
}

#[derive(Serialize)]
struct Event<'a, T> {
    v: u32,
    t: Option<String>,
    run: &'a str,
    event: &'a str,
    #[serde(flatten)]
    fields: &'a T,
}

fn event(name: &str, time_ns: Option<i64>, run: &str, fields: &impl Serialize) -> String {
    json::write_line(&Event { v: VERSION, t: time_ns.map(moment), run, event: name, fields })
}
