//! SCHEMA.md against the objects that are written: every key of a full example is documented, and nothing else is.

use crate::examples;
use downbeat_reports::format::json;
use downbeat_reports::record::{Hiccup, TrialRecord};
use downbeat_reports::summary::{MissingTrial, Summary};
use downbeat_reports::verdict::{Because, Word};
use serde_json::Value;
use std::collections::BTreeSet;

const SCHEMA: &str = include_str!("../SCHEMA.md");

/// Objects whose keys are data, not fields.
const MAPS: [&str; 7] = [
    "settings",
    "origins",
    "environment",
    "batches[].phases",
    "batches[].busy",
    "integrity.input",
    "resources.allocator_options",
];

fn full() -> TrialRecord {
    let mut record = examples::falls_behind();
    record.noise.hiccups = vec![Hiccup { start_ns: 1, length_ns: 2 }];
    record
}

fn object(record: &TrialRecord) -> Value {
    serde_json::from_str(&json::render(&Summary::new(record, false).unwrap())).unwrap()
}

/// The path of every field, lists as `name[]`.
fn paths(value: &Value, above: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !MAPS.contains(&above) => {
            for (name, field) in fields {
                let path = if above.is_empty() { name.clone() } else { format!("{above}.{name}") };
                found.insert(path.clone());
                paths(field, &path, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| paths(item, &format!("{above}[]"), found)),
        _ => {}
    }
}

fn documented() -> BTreeSet<String> {
    let cell = |line: &str| Some(line.strip_prefix("| `")?.split('`').next()?.to_owned());
    let fields = SCHEMA.split("## Closed lists").next().unwrap();
    fields.lines().filter_map(cell).collect()
}

#[test]
fn every_field_is_documented_and_every_documented_field_exists() {
    let mut found = BTreeSet::new();
    paths(&object(&full()), "", &mut found);
    let documented = documented();
    let undocumented: Vec<&String> = found.difference(&documented).collect();
    let invented: Vec<&String> = documented.difference(&found).collect();
    assert!(undocumented.is_empty() && invented.is_empty(), "undocumented {undocumented:?}, invented {invented:?}");
}

#[test]
fn every_word_and_reason_is_documented() {
    for word in Word::ALL {
        assert!(SCHEMA.contains(&format!("`{word}`")), "{word}");
    }
    for because in Because::ALL {
        assert!(SCHEMA.contains(&format!("`{}`", because.as_str())), "{because:?}");
    }
}

#[test]
fn all_objects_have_the_same_fields() {
    let top = |value: &Value| -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        paths(value, "", &mut found);
        // Only what does not hang on a list that may be empty.
        found.into_iter().filter(|path| !path.contains("[]")).collect()
    };
    let expected = top(&object(&full()));
    for (name, record) in examples::all() {
        assert_eq!(top(&object(&record)), expected, "{name}");
    }
    let missing = MissingTrial {
        run: "r".to_owned(),
        command: "c".to_owned(),
        workload: "w".to_owned(),
        settings: [("a".to_owned(), "b".to_owned())].into(),
        failure: "died".to_owned(),
        word: Word::NotJudged,
        exit: downbeat_reports::exit::Exit::Environment,
    };
    let object = missing.object();
    assert_eq!(top(&object), expected);
    assert_eq!(object["verdict"]["because"], "no-record");
    assert_eq!(object["exit"]["code"], 7);
    assert_eq!(object["settings"]["a"], "b");
    assert_eq!(object["integrity"]["lost"], Value::Null);
}
