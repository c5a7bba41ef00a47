//! Hostile text is shown as it is, not only without effect: pages, text for terminals, JSON, of runs, gates, comparisons and explanations.

use crate::examples;
use crate::gate_formats;
use crate::hostile::{full, poison};
use crate::payloads::{HARMLESS, HOSTILE};
use crate::replaced::{forms, replaced_by_any};
use crate::tags::{decoded, texts, tokenize};
use downbeat_reports::compare::{self, Comparison};
use downbeat_reports::explain::pools::Pools;
use downbeat_reports::explain::{Explanation, render_human};
use downbeat_reports::format::{Options, hgrm, html, human, json};
use downbeat_reports::gate::rule::judge;
use downbeat_reports::record::TrialRecord;
use downbeat_reports::summary::Summary;
use serde_json::Value;

/// Texts with the same number of pieces, each with a form of the payload in its place.
fn assert_same(plain: &[String], hostile: &[String], forms: &[String]) {
    for (one, other) in plain.iter().zip(hostile) {
        assert!(replaced_by_any(one, other, forms), "{forms:?}:\n  {one:?}\n  {other:?}");
    }
    assert_eq!(plain.len(), hostile.len(), "{forms:?}");
}

/// A frame of a flamegraph: frames lie in the order of their names, so those of other names lie elsewhere.
fn is_frame(text: &str) -> bool {
    text.contains(" samples, ")
}

/// What a page says, but for the sizes of the files in it and the frames of flamegraphs, which have a test of their own.
fn said_by(page: &str) -> Vec<String> {
    let is_size = |text: &str| text.starts_with(" (") && text.contains("B): ");
    texts(page).into_iter().filter(|text| !is_size(text) && !is_frame(text)).collect()
}

/// A page says the same, and so do the attributes that people hear or that links lead to.
fn assert_same_page(plain: &str, hostile: &str, with: &str) {
    assert_same(&said_by(plain), &said_by(hostile), &forms(with));
    let attributes = |page: &str| -> Vec<String> {
        let all = tokenize(page).into_iter().flat_map(|tag| tag.attributes);
        // Files inside the page are compared as formats of their own.
        let named = all.filter(|(name, value)| {
            // Places in the page have names of their own where a name would be none.
            ["title", "aria-label", "href"].contains(&name.as_str())
                && !value.starts_with("data:")
                && !value.starts_with('#')
        });
        named.map(|(_, value)| decoded(&value)).filter(|value| !is_frame(value)).collect()
    };
    assert_same(&attributes(plain), &attributes(hostile), &forms(with));
}

/// Text for a terminal: its paragraphs and the items in them, without the spaces that lines are broken at.
fn said(text: &str) -> Vec<String> {
    let mut paragraphs: Vec<String> = Vec::new();
    for line in text.lines() {
        match paragraphs.last_mut() {
            Some(last) if line.starts_with("         ") => last.push_str(&format!(" {line}")),
            _ => paragraphs.push(line.to_owned()),
        }
    }
    let items = paragraphs.iter().flat_map(|paragraph| paragraph.split(" · "));
    items.map(without_spaces).collect()
}

fn without_spaces(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

fn assert_same_text(plain: &str, hostile: &str, with: &str) {
    let forms: Vec<String> = forms(with).iter().map(|form| without_spaces(form)).collect();
    assert_same(&said(plain), &said(hostile), &forms);
}

#[test]
fn pages_of_runs_say_what_was_meant() {
    let page = |record: &TrialRecord| html::render(&Summary::new(record, false).unwrap());
    let records = [examples::not_judged(), examples::broken()].map(full);
    let plain = records.each_ref().map(|record| page(&poison(record, HARMLESS)));
    // Pages are large: each payload in one of them.
    for (number, with) in HOSTILE.iter().enumerate() {
        let at = number % records.len();
        assert_same_page(&plain[at], &page(&poison(&records[at], with)), with);
    }
}

/// Threads and functions of the samples have that name.
fn sampled_page(with: &str) -> String {
    let frame = with.replace(';', ",").trim().to_owned();
    let (record, samples) = (examples::sampled(), examples::samples_of(&frame, &frame));
    html::render(&Summary::new(&record, false).unwrap().with_samples(Some(&samples)))
}

#[test]
fn threads_and_functions_keep_their_names() {
    for with in HOSTILE {
        let said = texts(&sampled_page(with));
        let starts = |text: &&String| {
            forms(with).iter().any(|form| text.starts_with(&form.chars().take(150).collect::<String>()))
        };
        assert!(said.iter().filter(starts).count() >= 2, "{with:?} as a thread and as a function");
    }
}

#[test]
fn terminals_show_what_was_meant() {
    let options = Options { colour: false, report: Some("report.html".to_owned()), ..Options::default() };
    for (_, record) in examples::all() {
        let record = full(record);
        let shown = |with: &str| human::render(&Summary::new(&poison(&record, with), false).unwrap(), &options);
        let plain = shown(HARMLESS);
        for with in HOSTILE {
            assert_same_text(&plain, &shown(with), with);
        }
    }
}

#[test]
fn hgrm_has_numbers_only() {
    for (_, record) in examples::all() {
        let shown = |with: &str| hgrm::render(&Summary::new(&poison(&full(record.clone()), with), false).unwrap());
        HOSTILE.iter().for_each(|with| assert_eq!(shown(with), shown(HARMLESS), "{with:?}"));
    }
}

/// The texts of a value, names of fields among them, in order.
fn strings(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => {
            for (name, field) in fields {
                found.push(name.clone());
                strings(field, found);
            }
        }
        _ => {}
    }
}

#[test]
fn json_keeps_every_text_as_it_was() {
    let record = full(examples::broken());
    let texts = |with: &str| {
        let text = json::render(&Summary::new(&poison(&record, with), false).unwrap());
        let mut found = Vec::new();
        strings(&serde_json::from_str(&text).unwrap(), &mut found);
        found
    };
    let plain = texts(HARMLESS);
    for with in HOSTILE {
        let mut forms = forms(with);
        forms.extend([with.to_owned(), with.replace(';', ",").trim_start().to_owned()]);
        let hostile = texts(with);
        assert_eq!(plain.len(), hostile.len(), "{with:?}");
        for (one, other) in plain.iter().zip(&hostile) {
            assert!(replaced_by_any(one, other, &forms), "{with:?}:\n  {one:?}\n  {other:?}");
        }
    }
}

#[test]
fn explanations_say_what_was_meant() {
    let shown = |index: usize, with: &str| {
        let frame = with.replace(';', ",").trim().to_owned();
        let (record, samples) = (poison(&full(examples::sampled()), with), examples::samples_of(&frame, &frame));
        let pools = Pools::new(&record, &samples);
        let explanation = Explanation::of(&record, &record.batches[index]).with_functions(Some(&pools));
        render_human(&record, &explanation)
    };
    for index in [45, 88] {
        let plain = shown(index, HARMLESS);
        assert!(plain.matches(HARMLESS).count() >= 4, "{plain}");
        for with in HOSTILE {
            assert_same_text(&plain, &shown(index, with), with);
        }
    }
}

/// Two runs whose settings have other values.
fn compared<T>(with: &str, show: impl Fn(&Comparison, &[Summary<'_>]) -> T) -> T {
    let mut records = [examples::holds(), examples::falls_behind()].map(|record| poison(&full(record), with));
    records[1].settings.values_mut().for_each(|value| value.push_str(" or not"));
    let summaries = records.each_ref().map(|record| Summary::new(record, false).unwrap());
    show(&Comparison::of(&summaries), &summaries)
}

#[test]
fn comparisons_say_what_was_meant() {
    let page = |with: &str| compared(with, html::comparison);
    let text = |with: &str| compared(with, |comparison, _| compare::render_human(comparison));
    let (plain_page, plain_text) = (page(HARMLESS), text(HARMLESS));
    assert!(plain_text.contains("differs  setting"), "{plain_text}");
    let names = |page: &str| tokenize(page).into_iter().map(|tag| tag.name).collect::<Vec<_>>();
    for with in HOSTILE {
        let page = page(with);
        assert_eq!(names(&page), names(&plain_page), "{with:?}");
        assert_same_page(&plain_page, &page, with);
        assert_same_text(&plain_text, &text(with), with);
    }
}

#[test]
fn gates_say_what_was_meant() {
    let with_everything = |name: &str| ["regressed", "disturbed"].contains(&name);
    for (at, (_, record, _)) in
        gate_formats::examples().into_iter().filter(|(name, ..)| with_everything(name)).enumerate()
    {
        let shown = |format: &str, with: &str| {
            let record = gate_formats::poison(&record, with);
            gate_formats::render(format, &record, &judge(&record))
        };
        let (page, text) = (shown("html", HARMLESS), shown("human", HARMLESS));
        // Pages are large: each payload in one of them.
        for with in HOSTILE.iter().skip(at).step_by(2) {
            assert_same_page(&page, &shown("html", with), with);
        }
        HOSTILE.iter().for_each(|with| assert_same_text(&text, &shown("human", with), with));
    }
}
