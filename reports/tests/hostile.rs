//! Hostile text in every string from outside: the structure of the page stays, and the terminal gets no control bytes.

use crate::examples;
use crate::payloads::{HARMLESS, HOSTILE};
use crate::tags::{Tag, tokenize};
use downbeat_reports::format::{FORMATS, Options, html};
use downbeat_reports::record::{Hiccup, Phase, TrialRecord};
use downbeat_reports::summary::Summary;
use serde_json::Value;

/// Replaces every string of the record that does not decide what is drawn.
pub(crate) fn poison(record: &TrialRecord, with: &str) -> TrialRecord {
    let mut value = serde_json::to_value(record).unwrap();
    replace(&mut value, with);
    let mut poisoned: TrialRecord = serde_json::from_value(value).unwrap();
    poisoned.latency_histogram.clone_from(&record.latency_histogram);
    for batch in &mut poisoned.batches {
        for phase in batch.phases.iter_mut().chain(&mut batch.busy) {
            phase.name = format!("{}{with}", phase.name);
        }
    }
    poisoned.settings =
        record.settings.iter().map(|(name, value)| (format!("{name}{with}"), format!("{value}{with}"))).collect();
    poisoned.origins = poisoned.settings.clone();
    poisoned.environment = poisoned.settings.clone();
    poisoned.integrity.input = [(with.to_owned(), 3)].into();
    // A `;` starts a frame unless a space follows, which is structure of its own.
    let with = with.replace(';', ",").trim_start().to_owned();
    poisoned.profile.folded = vec![format!("thread;{with};leaf 10"), format!("{with};b 4")];
    poisoned
}

fn replace(value: &mut Value, with: &str) {
    match value {
        Value::String(text) => with.clone_into(text),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, with)),
        Value::Object(fields) => fields.values_mut().for_each(|field| replace(field, with)),
        _ => {}
    }
}

/// The record with every optional string present, so that each has a place on the page.
pub(crate) fn full(mut record: TrialRecord) -> TrialRecord {
    let text = || Some("plain".to_owned());
    record.failure = text();
    record.warnings = vec!["plain".to_owned(); 2];
    record.integrity.sequence_errors = vec!["plain".to_owned()];
    record.batches[40].failure = text();
    record.batches[41].wrong = text();
    record
}

fn page(record: &TrialRecord) -> String {
    html::render(&Summary::new(record, false).unwrap())
}

/// Elements and attribute names, with the texts that may differ (labels that fit or do not) taken out.
fn structure(page: &str) -> Vec<(String, Vec<String>)> {
    let names = |tag: Tag| (tag.name, tag.attributes.into_iter().map(|(name, _)| name).collect());
    let drawn_by_width = |tag: &Tag| !tag.name.ends_with("text");
    tokenize(page).into_iter().filter(drawn_by_width).map(names).collect()
}

#[test]
fn hostile_text_leaves_the_structure_of_the_page() {
    for (name, record) in examples::all() {
        let record = full(record);
        let plain = structure(&page(&poison(&record, HARMLESS)));
        for with in HOSTILE {
            assert!(structure(&page(&poison(&record, with))) == plain, "{name}: {with:?}");
        }
    }
}

/// A `;` starts a frame unless a space follows, and a crate's name decides whether a function is the standard library's.
fn sampled_page(with: &str) -> String {
    let (record, samples) = (examples::sampled(), examples::samples_with(&with.replace(';', ",")));
    html::render(&Summary::new(&record, false).unwrap().with_samples(Some(&samples)))
}

#[test]
fn hostile_functions_leave_the_structure_of_the_page() {
    let plain = structure(&sampled_page(HARMLESS));
    for with in HOSTILE {
        assert!(structure(&sampled_page(with)) == plain, "{with:?}");
    }
}

#[test]
fn pages_have_no_other_scripts_no_handlers_and_no_links_out() {
    for (_, record) in examples::all() {
        for with in HOSTILE {
            let tags = tokenize(&page(&poison(&full(record.clone()), with)));
            // The numbers of the batches, which nothing runs, and the script that the policy names.
            assert_eq!(tags.iter().filter(|tag| tag.name == "script").count(), 2);
            for tag in tags {
                assert!(!["img", "iframe", "link", "object", "embed", "base"].contains(&tag.name.as_str()), "{tag:?}");
                for (name, value) in &tag.attributes {
                    assert!(!name.starts_with("on") && name != "style" && name != "src", "{tag:?}");
                    assert!(name != "href" || value.starts_with('#') || is_data(value), "{tag:?}");
                }
            }
        }
    }
}

/// A file inside the page: nothing but base64 behind its type.
fn is_data(link: &str) -> bool {
    let kinds = ["application/json", "text/csv", "text/plain"];
    let encoded = kinds.iter().find_map(|kind| link.strip_prefix(&format!("data:{kind};base64,")));
    encoded.is_some_and(|text| text.chars().all(|c| c.is_ascii_alphanumeric() || "+/=".contains(c)))
}

#[test]
fn pages_load_nothing_and_apply_one_stylesheet() {
    let (_, record) = &examples::all()[0];
    let tags = tokenize(&page(record));
    let policy = tags.iter().find_map(|tag| tag.attributes.iter().find(|(_, value)| value.contains("default-src")));
    assert!(policy.unwrap().1.contains("default-src 'none'; style-src 'sha256-"));
    assert!(!policy.unwrap().1.contains("unsafe"));
    assert_eq!(tags.iter().filter(|tag| tag.name == "style").count(), 1);
}

#[test]
fn elements_are_balanced_ids_unique_and_links_lead_somewhere() {
    let pages = examples::all().map(|(name, record)| (name, page(&record)));
    for (name, page) in pages.into_iter().chain([("sampled", sampled_page("plain"))]) {
        let tags = tokenize(&page);
        let mut open: Vec<String> = Vec::new();
        for tag in &tags {
            match tag.name.strip_prefix('/') {
                Some(closed) => assert_eq!(open.pop().as_deref(), Some(closed), "{name}"),
                None if ["meta", "!doctype", "input"].contains(&tag.name.as_str()) => {}
                None => open.push(tag.name.clone()),
            }
        }
        assert!(open.is_empty(), "{name}: {open:?}");
        let values = |wanted: &str| -> Vec<String> {
            let attributes = tags.iter().flat_map(|tag| tag.attributes.clone());
            attributes.filter(|(name, _)| name == wanted).map(|(_, value)| value).collect()
        };
        let ids = values("id");
        for id in &ids {
            assert_eq!(ids.iter().filter(|other| *other == id).count(), 1, "{name}: {id}");
        }
        for link in values("href").into_iter().filter(|link| !is_data(link)) {
            assert!(ids.contains(&link[1..].to_owned()), "{name}: {link}");
        }
        assert!(ids.contains(&"batch-88".to_owned()), "{name}");
    }
}

#[test]
fn plots_have_a_role_a_title_and_a_description() {
    for (name, record) in examples::all() {
        let tags = tokenize(&page(&record));
        for (position, tag) in tags.iter().enumerate().filter(|(_, tag)| tag.name == "svg") {
            let has = |name: &str| tag.attributes.iter().any(|(known, _)| known == name);
            // What the script draws has a label instead.
            if has("role") && !has("aria-label") {
                assert_eq!(
                    (tags[position + 1].name.as_str(), tags[position + 3].name.as_str()),
                    ("title", "desc"),
                    "{name}"
                );
            } else {
                assert!(has("role") || has("aria-hidden"), "{name}: {tag:?}");
            }
        }
    }
}

#[test]
fn terminals_and_plain_files_get_no_control_bytes() {
    for (name, record) in examples::all() {
        for with in HOSTILE {
            let mut record = poison(&full(record.clone()), with);
            record.batches[44].phases.insert(0, Phase { name: with.to_owned(), ns: 1 });
            let summary = Summary::new(&record, false).unwrap();
            let options = Options { colour: false, report: Some(with.to_owned()), ..Options::default() };
            for format in FORMATS.iter().filter(|format| format.name != "html") {
                let text = (format.render)(&summary, &options);
                let active = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
                assert_eq!(text.chars().find(active), None, "{name} as {}: {with:?}", format.name);
            }
        }
    }
}

#[test]
fn absurd_records_are_rendered_without_a_panic() {
    let empty = TrialRecord::default();
    let mut huge = examples::falls_behind();
    huge.judging.interval_ns = 0;
    huge.noise.hiccups = vec![Hiccup { start_ns: u64::MAX, length_ns: u64::MAX }];
    huge.profile.folded = vec![format!("a;b {}", u64::MAX); 3];
    huge.profile.folded.push("f;".repeat(100_000) + "f 1");
    for batch in &mut huge.batches {
        batch.time_ns = i64::MIN;
        batch.index = u64::MAX - batch.index;
        for figure in [
            &mut batch.due_ns,
            &mut batch.records,
            &mut batch.generation_delay_ns,
            &mut batch.scheduling_delay_ns,
            &mut batch.processing_ns,
            &mut batch.total_delay_ns,
            &mut batch.idle_ns,
            &mut batch.phases[0].ns,
        ] {
            *figure = u64::MAX;
        }
    }
    for record in [empty, huge] {
        let summary = Summary::new(&record, false).unwrap();
        for format in FORMATS {
            assert!(!(format.render)(&summary, &Options::default()).is_empty(), "{}", format.name);
        }
        let _ = downbeat_reports::flame::render(&record);
    }
}

#[test]
fn ten_thousand_batches_stay_below_three_megabytes() {
    let record = examples::trial("t", 10_000, |index, _| (0, if index % 7 == 0 { 250_000_000 } else { 80_000_000 }));
    let page = page(&record);
    assert!(page.len() < 3 << 20, "{} bytes", page.len());
}
