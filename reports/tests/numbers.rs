//! Every number of the verdict, as the terminal, the page and Markdown show it, is one of the JSON, rounded as the documents say.

use crate::examples;
use crate::tags::texts;
use downbeat_reports::format::{Options, html, human, json, markdown};
use downbeat_reports::record::TrialRecord;
use downbeat_reports::store;
use downbeat_reports::summary::Summary;
use serde_json::Value;
use std::path::Path;

/// Results that are kept in the repository, and the examples of the golden files.
fn records() -> Vec<(String, TrialRecord)> {
    let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("recorded");
    let directories = std::fs::read_dir(recorded).unwrap().map(|entry| entry.unwrap().path());
    let runs = directories.filter(|directory| directory.join("result.json").is_file());
    let mut all: Vec<(String, TrialRecord)> =
        runs.map(|run| (run.display().to_string(), store::load(&run).unwrap())).collect();
    assert!(all.len() >= 5, "{}", all.len());
    all.extend(examples::all().map(|(name, record)| (name.to_owned(), record)));
    all
}

fn object(summary: &Summary<'_>) -> Value {
    serde_json::from_str(&json::render(summary)).unwrap()
}

/// A number with the unit behind it.
#[derive(Debug, PartialEq)]
struct Number {
    value: f64,
    unit: &'static str,
}

const DURATIONS: [(&str, f64); 4] = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];

/// The numbers of a sentence; those inside names, such as `p99`, are none.
fn numbers(sentence: &str) -> Vec<Number> {
    let text = sentence.replace(['\u{a0}', '('], " ");
    let words: Vec<&str> =
        text.split_whitespace().map(|word| word.trim_end_matches(['.', ',', ';', ')', ':'])).collect();
    let units = ["ns", "µs", "ms", "s", "%", "rec/s"];
    let read = |(place, word): (usize, &&str)| {
        let value = word.replace(',', "").parse::<f64>().ok()?;
        let next = words.get(place + 1).copied().unwrap_or("");
        Some(Number { value, unit: units.into_iter().find(|unit| *unit == next).unwrap_or("") })
    };
    words.iter().enumerate().filter_map(read).collect()
}

/// Whether a number is this value, rounded: durations to three digits, shares to two, counts and rates not at all.
fn is_rounded(number: &Number, value: f64) -> bool {
    if value == 0.0 {
        return number.value == 0.0;
    }
    let is_near = |shown: f64, value: f64, digits: i32| {
        let unit_in_last_place = 10_f64.powi(value.abs().log10().floor() as i32 + 1 - digits);
        (shown - value).abs() <= 0.5001 * unit_in_last_place
    };
    match number.unit {
        "%" => {
            is_near(number.value, 100.0 * value, 2) || (100.0 * value - number.value).abs() <= 0.5001 && value >= 1.0
        }
        "" => number.value == value,
        "rec/s" => (number.value - value).abs() <= 0.5,
        unit => {
            let size = DURATIONS.iter().find(|(name, _)| *name == unit).unwrap().1;
            is_near(number.value, value / size, 3)
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

/// The judged batches of the object.
fn judged(object: &Value) -> Vec<&Value> {
    let batches = object["batches"].as_array().unwrap().iter();
    batches.filter(|batch| batch["warmup"] == false && batch["has_job"] == true && batch["failure"].is_null()).collect()
}

/// The lower of two in the middle: it is that of a batch.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied().unwrap_or(0.0)
}

/// What a sentence may say of the JSON, by unit: fields of it, and figures that follow from them by what SCHEMA.md says.
fn sayable(object: &Value, unit: &str) -> Vec<f64> {
    let interval = object["judging"]["interval_ns"].as_f64().unwrap();
    let batches = judged(object);
    let integrity = &object["integrity"];
    let verdict = &object["verdict"];
    let field = |of: &Value, names: &[&str]| names.iter().filter_map(|name| number(&of[*name])).collect::<Vec<f64>>();
    let sum = |name: &str| batches.iter().filter_map(|batch| number(&batch[name])).sum::<f64>();
    match unit {
        "rec/s" => vec![number(&object["schedule"]["rate_per_s"]).unwrap_or(0.0)],
        "%" => {
            let limits = field(&verdict["limits"], &["late_share", "blocked", "generator_late"]);
            let shares = field(verdict, &["late_share", "late_share_at_least", "late_share_excluded", "utilisation"]);
            let measured = batches.len() as f64 * interval;
            let blocked = number(&integrity["blocked_ns"]).unwrap_or(0.0) / measured.max(1.0);
            let records: f64 = object["batches"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|batch| batch["warmup"] == false)
                .filter_map(|batch| number(&batch["records"]))
                .sum();
            let late = number(&integrity["generator_late_records"]).unwrap_or(0.0) / records.max(1.0);
            let late_of_all = number(&integrity["generator_late_records"]).unwrap_or(0.0)
                / number(&integrity["accepted"]).unwrap_or(1.0).max(1.0);
            let mut phases: Vec<(String, f64)> = Vec::new();
            for (name, ns) in batches.iter().flat_map(|batch| batch["phases"].as_object().unwrap()) {
                match phases.iter_mut().find(|(known, _)| known == name) {
                    Some((_, sum)) => *sum += ns.as_f64().unwrap(),
                    None => phases.push((name.clone(), ns.as_f64().unwrap())),
                }
            }
            let phases = phases.into_iter().map(|(_, ns)| ns / sum("processing_ns").max(1.0));
            let derived = [object["headroom"].as_f64().unwrap_or(0.0), blocked, late, late_of_all];
            limits.into_iter().chain(shares).chain(derived).chain(phases).collect()
        }
        "" => {
            let counts = field(verdict, &["judged", "late"]);
            let kept = field(
                integrity,
                &[
                    "lost",
                    "doubled",
                    "shed",
                    "accepted",
                    "wrong_batches",
                    "checked_batches",
                    "generator_late_records",
                    "planned",
                    "committed",
                ],
            );
            let planned = [
                number(&object["judging"]["planned_batches"]).unwrap(),
                number(&verdict["limits"]["judged_batches"]).unwrap(),
            ];
            let indexes = object["batches"]
                .as_array()
                .unwrap()
                .iter()
                .filter(|batch| !batch["wrong"].is_null() || !batch["failure"].is_null());
            let indexes = indexes.filter_map(|batch| number(&batch["index"]));
            counts.into_iter().chain(kept).chain(planned).chain(indexes).collect()
        }
        _ => {
            let names = ["p50", "p90", "p99", "p99_9", "max"];
            let percentiles = [field(&object["latency_ns"], &names), field(&object["total_delay_ns"], &names)].concat();
            let slope = field(&verdict["slope_ns_per_batch"], &["estimate", "low", "high"]);
            let pauses =
                object["noise"]["hiccups"].as_array().unwrap().iter().filter_map(|pause| number(&pause["length_ns"]));
            let longest = pauses.fold(0.0, f64::max);
            let processing = median(batches.iter().filter_map(|batch| number(&batch["processing_ns"])).collect());
            let slope_limit = number(&verdict["limits"]["slope"]).unwrap() * interval;
            let lag = number(&integrity["generator_lag_ns"]["max"]).unwrap_or(0.0);
            let moved = number(&integrity["clock_jump_ns"]).unwrap_or(0.0);
            let derived = [interval, (interval / 20.0).max(5e6), longest, processing, slope_limit, lag, moved];
            percentiles.into_iter().chain(slope).chain(derived).collect()
        }
    }
}

#[test]
fn every_number_of_the_verdict_is_one_of_the_json() {
    let mut checked = 0;
    for (name, record) in records() {
        let summary = Summary::new(&record, false).unwrap();
        let object = object(&summary);
        let sentence = object["verdict"]["text"].as_str().unwrap();
        // What is quoted from the oracle or an error is no number of ours.
        let own = sentence.split("; batch ").next().unwrap();
        let (streaks, rest) = match own.split_once(" late streaks overlap") {
            Some((before, after)) => (
                before.rsplit(", but ").next().unwrap(),
                format!("{} {after}", before.rsplit_once(", but ").unwrap().0),
            ),
            None => ("", own.to_owned()),
        };
        assert!(streaks.is_empty() || numbers(streaks).len() == 2, "{streaks}");
        for number in numbers(&rest) {
            let known = sayable(&object, number.unit);
            assert!(
                known.iter().any(|value| is_rounded(&number, *value)),
                "{name}: {number:?} of {sentence:?}: {known:?}"
            );
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} numbers");
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_sentence_is_the_same_everywhere() {
    for (name, record) in records() {
        let summary = Summary::new(&record, false).unwrap();
        let object = object(&summary);
        let sentence = object["verdict"]["text"].as_str().unwrap();
        let text = words(&human::render(&summary, &Options::default()));
        assert!(
            text.starts_with(&words(&format!("{} {sentence}", object["verdict"]["word"].as_str().unwrap()))),
            "{name}: {text}"
        );
        let page = texts(&html::render(&summary));
        assert!(page.iter().any(|text| words(text) == words(sentence)), "{name}: {page:?}");
        let plain = markdown::render(&summary).replace(['\\', '\u{2060}'], "");
        assert!(plain.lines().any(|line| line == sentence.replace('\\', "")), "{name}: {plain}");
    }
}

/// The four figures of the page with their names.
fn figures(page: &str) -> Vec<(String, String)> {
    let (_, list) = page.split_once("<dl class=\"numbers\">").unwrap();
    let figures = list.split("</dl>").next().unwrap().split("<dt>").skip(1);
    // Behind a figure stands how sure it is.
    let alone = figures.map(|part| part.split("<dd class=\"sure\">").next().unwrap());
    let parts: Vec<String> = alone.map(|part| words(&texts(part).join(" "))).collect();
    let names = ["Rate, planned", "Rate, measured", "End-to-end p50", "End-to-end p99", "Headroom"];
    let named = |part: &String| {
        names.iter().find_map(|name| Some(((*name).to_owned(), part.strip_prefix(name)?.trim().to_owned())))
    };
    parts.iter().map(|part| named(part).unwrap()).collect()
}

#[test]
fn the_four_figures_of_the_page_and_those_of_the_terminal_are_fields_of_the_json() {
    let mut checked = 0;
    for (name, record) in records() {
        let summary = Summary::new(&record, false).unwrap();
        let object = object(&summary);
        let latency = &object["latency_ns"];
        let supported_to = latency["supported_to"].as_f64().unwrap();
        let figures = figures(&html::render(&summary));
        assert_eq!(figures.len(), 4, "{name}");
        let text = words(&human::render(&summary, &Options::default()));
        let plain = markdown::render(&summary);
        for (figure, value) in figures {
            let (field, quantile) = match figure.as_str() {
                "End-to-end p50" => (&latency["p50"], 0.5),
                "End-to-end p99" => (&latency["p99"], 0.99),
                "Headroom" => (&object["headroom"], 0.0),
                _ => (&object["schedule"]["rate_per_s"], 0.0),
            };
            let Some(expected) = number(field) else {
                assert_eq!(value, "not measured", "{name}: {figure}");
                continue;
            };
            if quantile > supported_to {
                assert_eq!(value, "too few batches", "{name}: {figure}");
                continue;
            }
            assert!(is_rounded(&numbers(&value)[0], expected), "{name}: {figure} {value} is not {expected}");
            assert!(plain.contains(&value), "{name}: {figure} {value} is not in {plain}");
            assert!(quantile == 0.0 || text.contains(&value), "{name}: {figure} {value} is not in {text}");
            checked += 1;
        }
    }
    assert!(checked >= 25, "{checked} figures");
}

#[test]
fn numbers_are_read_with_their_units_and_rounded_as_documented() {
    let read = numbers("At 8,000,000 rec/s p99 1.62\u{a0}s (limit 1 %); 30 of 30.");
    let shown: Vec<(f64, &str)> = read.iter().map(|number| (number.value, number.unit)).collect();
    assert_eq!(shown, [(8e6, "rec/s"), (1.62, "s"), (1.0, "%"), (30.0, ""), (30.0, "")]);
    let is = |value, unit, of| is_rounded(&Number { value, unit }, of);
    assert!(is(1.62, "s", 1_624_999_999.0) && !is(1.62, "s", 1_626_000_000.0));
    assert!(is(151.0, "%", 1.514) && is(7.2, "%", 0.0722) && !is(7.3, "%", 0.0722));
    assert!(is(30.0, "", 30.0) && !is(30.0, "", 31.0));
}
