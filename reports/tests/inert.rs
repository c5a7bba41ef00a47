//! Hostile text in every format, read back by small parsers of those formats: the same structure as with harmless names, and the text as it
//! was, but for what has no place there.

use crate::examples;
use crate::hostile::{full, poison};
use crate::payloads::{HARMLESS, HOSTILE};
use crate::replaced::replaced;
use crate::tags::decoded;
use downbeat_reports::compare::{Comparison, render_markdown};
use downbeat_reports::format::{FORMATS, Options, csv, find, github, junit, markdown, ndjson};
use downbeat_reports::inert;
use downbeat_reports::record::TrialRecord;
use downbeat_reports::summary::Summary;
use serde_json::Value;

fn render(format: fn(&Summary<'_>) -> String, record: &TrialRecord) -> String {
    format(&Summary::new(record, false).unwrap())
}

/// Harmless and hostile output of a format, for each example and payload.
fn pairs(format: fn(&Summary<'_>) -> String, mut compare: impl FnMut(&str, &str, &str)) {
    for (_, record) in examples::all() {
        let record = full(record);
        let plain = render(format, &poison(&record, HARMLESS));
        for with in HOSTILE {
            compare(&plain, &render(format, &poison(&record, with)), with);
        }
    }
}

/// Cells of a table by RFC 4180.
fn cells(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let (mut quoted, mut characters) = (false, text.chars().peekable());
    while let Some(c) = characters.next() {
        match c {
            '"' if quoted && characters.peek() == Some(&'"') => cell.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            c => cell.push(c),
        }
    }
    assert!(!quoted && row.is_empty() && cell.is_empty(), "cut off");
    rows
}

#[test]
fn csv_has_the_same_cells_and_no_formulas() {
    pairs(csv::render, |plain, hostile, with| {
        let (plain, hostile) = (cells(plain), cells(hostile));
        assert_eq!(plain.len(), hostile.len(), "{with:?}");
        for (row, other) in plain.iter().zip(&hostile) {
            assert_eq!(row.len(), other.len(), "{with:?}");
            for (cell, other) in row.iter().zip(other) {
                assert!(
                    !other.trim_start().starts_with(['=', '+', '-', '@', '|', '％', '＝', '＋', '－', '＠']),
                    "{other:?}"
                );
                let with = inert::line(with);
                let unmarked = other.strip_prefix('\'').unwrap_or(other);
                assert!(replaced(cell, other, &with) || replaced(cell, unmarked, &with), "{cell:?} {other:?}");
            }
        }
    });
}

/// Elements with their attributes, decoded; panics where XML is not well-formed.
fn elements(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found = Vec::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = text.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").unwrap();
    while let Some(at) = rest.find('<') {
        assert!(rest[..at].trim().is_empty(), "text between elements: {:?}", &rest[..at]);
        let end = at + rest[at..].find('>').expect("an open tag");
        let (inner, empty) = match rest[at + 1..end].strip_suffix('/') {
            Some(inner) => (inner, true),
            None => (&rest[at + 1..end], false),
        };
        rest = &rest[end + 1..];
        if let Some(closed) = inner.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(closed));
            continue;
        }
        let (name, attributes) = inner.split_once(' ').unwrap_or((inner, ""));
        found.push((name.to_owned(), attributes_of(attributes)));
        if !empty {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty() && rest.trim().is_empty());
    found
}

fn attributes_of(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, after)) = text.trim_start().split_once("=\"") {
        let (value, after) = after.split_once('"').expect("a closing quote");
        assert!(name.chars().all(|c| c.is_ascii_alphanumeric()), "{name:?}");
        assert!(!value.contains('<') && !value.contains('>'));
        found.push((name.to_owned(), decoded(value)));
        text = after;
    }
    assert!(text.trim().is_empty(), "{text:?}");
    found
}

#[test]
fn junit_has_the_same_elements_and_the_text_as_it_was() {
    let format = |summary: &Summary<'_>| junit::render(summary);
    pairs(format, |plain, hostile, with| {
        let (plain, hostile) = (elements(plain), elements(hostile));
        assert_eq!(plain.len(), hostile.len(), "{with:?}");
        for ((name, attributes), (other, others)) in plain.iter().zip(&hostile) {
            assert_eq!((name, attributes.len()), (other, others.len()), "{with:?}");
            for ((name, value), (other, of_other)) in attributes.iter().zip(others) {
                assert_eq!(name, other);
                // A sentence loses the full stop of what it quotes.
                let ends = inert::line(with).trim_end_matches('.').to_owned();
                assert!(
                    replaced(value, of_other, &inert::line(with)) || replaced(value, of_other, &ends),
                    "{value:?} {of_other:?}"
                );
            }
        }
    });
}

#[test]
fn github_gets_the_same_commands_and_the_text_as_it_was() {
    pairs(github::render, |plain, hostile, with| {
        assert_eq!(plain.lines().count(), hostile.lines().count(), "{with:?}");
        for (line, other) in plain.lines().zip(hostile.lines()) {
            let (command, of_other) = (parts(line), parts(other));
            assert_eq!(command.0, of_other.0, "{with:?}");
            let ends = inert::line(with).trim_end_matches('.').to_owned();
            for (text, other) in [(command.1, of_other.1), (command.2, of_other.2)] {
                assert!(
                    replaced(&text, &other, &inert::line(with)) || replaced(&text, &other, &ends),
                    "{text:?} {other:?}"
                );
            }
        }
    });
}

/// Level, title and message of a command, as the runner decodes them.
fn parts(line: &str) -> (String, String, String) {
    let (head, message) = line.strip_prefix("::").unwrap().split_once("::").unwrap();
    let (level, title) = head.split_once(" title=").unwrap();
    assert!(["error", "warning", "notice"].contains(&level) && !title.contains([',', ':']), "{line}");
    let decode = |text: &str| text.replace("%3A", ":").replace("%2C", ",").replace("%25", "%");
    (level.to_owned(), decode(title), decode(message))
}

/// A piece of a line of Markdown.
#[derive(Debug, PartialEq)]
enum Piece {
    Code(String),
    Text(String),
    Active(char),
}

/// A line as a reader of Markdown takes it: code spans, text with its escapes undone, and what is neither.
fn pieces(line: &str) -> Vec<Piece> {
    let (mut pieces, mut text, mut rest) = (Vec::new(), String::new(), line);
    while let Some(c) = rest.chars().next() {
        if c == '`' {
            let fence = rest.len() - rest.trim_start_matches('`').len();
            let code = &rest[fence..];
            let ticks = "`".repeat(fence);
            let is_end = |at: &usize| !code[..*at].ends_with('`') && !code[at + fence..].starts_with('`');
            let end = code.match_indices(&ticks).map(|(at, _)| at).find(is_end).expect("an open code span");
            let inner = &code[..end];
            let padded = inner.starts_with(' ') && inner.ends_with(' ') && inner.len() >= 2;
            pieces.push(Piece::Text(std::mem::take(&mut text)));
            pieces.push(Piece::Code(if padded { inner[1..inner.len() - 1].to_owned() } else { inner.to_owned() }));
            rest = &code[end + fence..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' if rest.starts_with(|c: char| c.is_ascii_punctuation()) => {
                text.extend(rest.chars().next());
                rest = &rest[1..];
            }
            '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '$' | '&' | '!' | '\\' => {
                pieces.extend([Piece::Text(std::mem::take(&mut text)), Piece::Active(c)]);
            }
            // Keeps mentions and addresses from being linked; nobody sees it.
            '\u{2060}' => {}
            c => text.push(c),
        }
    }
    pieces.push(Piece::Text(text));
    pieces
}

fn same_markdown(plain: &str, hostile: &str, with: &str) {
    assert_eq!(plain.lines().count(), hostile.lines().count(), "{with:?}");
    let with = inert::line(with);
    for (line, other) in plain.lines().zip(hostile.lines()) {
        let (pieces_of, others) = (pieces(line), pieces(other));
        assert_eq!(pieces_of.len(), others.len(), "{with:?}: {other}");
        for (piece, of_other) in pieces_of.iter().zip(&others) {
            match (piece, of_other) {
                (Piece::Active(c), Piece::Active(d)) => assert_eq!(c, d),
                (Piece::Code(text), Piece::Code(hostile)) => {
                    assert!(replaced(text, hostile, &with.replace('|', "¦")), "{text:?} {hostile:?}");
                }
                (Piece::Text(text), Piece::Text(hostile)) => {
                    let ends = with.trim_end_matches('.');
                    assert!(replaced(text, hostile, &with) || replaced(text, hostile, ends), "{text:?} {hostile:?}");
                }
                _ => panic!("{with:?}: {other}"),
            }
        }
    }
}

#[test]
fn markdown_has_the_same_pieces_and_the_text_as_it_was() {
    pairs(markdown::render, same_markdown);
}

#[test]
fn markdown_for_a_pull_request_is_short() {
    for (name, record) in examples::all() {
        let mut record = full(record);
        record.warnings = vec!["x".to_owned(); 50];
        let lines = render(markdown::render, &record).lines().count();
        assert!(lines <= 40, "{name}: {lines}");
    }
}

#[test]
fn comparisons_have_the_same_pieces() {
    let compared = |with: &str| {
        let records = [poison(&full(examples::holds()), HARMLESS), poison(&full(examples::holds()), with)];
        let summaries = records.each_ref().map(|record| Summary::new(record, false).unwrap());
        render_markdown(&Comparison::of(&summaries))
    };
    // Two other harmless names, so that as much differs.
    let plain = compared("qzharmlesstoo");
    for with in HOSTILE {
        let hostile = compared(with);
        assert_eq!(plain.lines().count(), hostile.lines().count(), "{with:?}");
        for (line, other) in plain.lines().zip(hostile.lines()) {
            let actives = |line: &str| {
                pieces(line).into_iter().filter(|piece| matches!(piece, Piece::Active(_))).collect::<Vec<_>>()
            };
            assert_eq!(actives(line), actives(other), "{with:?}");
        }
    }
}

#[test]
fn ndjson_is_one_object_a_line_with_the_same_fields() {
    pairs(ndjson::render, |plain, hostile, with| {
        assert_eq!(plain.lines().count(), hostile.lines().count(), "{with:?}");
        for (line, other) in plain.lines().zip(hostile.lines()) {
            let (event, of_other): (Value, Value) =
                (serde_json::from_str(line).unwrap(), serde_json::from_str(other).unwrap());
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&event), names(&of_other), "{with:?}");
            assert_eq!((event["v"].as_u64(), &event["event"]), (Some(1), &of_other["event"]));
            if event["event"] == "warning" {
                assert_eq!(of_other["text"], with);
            }
        }
    });
}

/// Exports of the samples with that function's name. A `;` starts a frame unless a space follows, as in `[u8; 4]`, so neither is part of
/// the name here.
fn exported(name: &str, with: &str) -> Vec<u8> {
    let (record, samples) = (examples::sampled(), examples::samples_with(with.replace(';', ",").trim_start()));
    let summary = Summary::new(&record, false).unwrap().with_samples(Some(&samples));
    find(name).unwrap().write(&summary, &Options::default())
}

#[test]
fn folded_stacks_have_the_same_frames_and_counts() {
    let lines = |with: &str| -> Vec<(usize, u64)> {
        let text = String::from_utf8(exported("folded", with)).unwrap();
        let line = |line: &str| {
            let (frames, count) = line.rsplit_once(' ').unwrap();
            (frames.split(';').count(), count.parse().unwrap())
        };
        let mut lines: Vec<_> = text.lines().map(line).collect();
        lines.sort_unstable();
        lines
    };
    let plain = lines(HARMLESS);
    for with in HOSTILE {
        assert_eq!(lines(with), plain, "{with:?}");
    }
}

#[test]
fn speedscope_has_the_same_profiles_and_as_many_frames() {
    let read = |with: &str| -> Value { serde_json::from_slice(&exported("speedscope", with)).unwrap() };
    let shape = |value: &Value| {
        let profiles = value["profiles"].as_array().unwrap().iter();
        let profiles: Vec<_> = profiles.map(|one| (one["name"].clone(), one["endValue"].clone())).collect();
        (profiles, value["shared"]["frames"].as_array().unwrap().len())
    };
    let plain = shape(&read(HARMLESS));
    for with in HOSTILE {
        let value = read(with);
        assert_eq!(shape(&value), plain, "{with:?}");
        let frames = value["shared"]["frames"].as_array().unwrap().len() as u64;
        for profile in value["profiles"].as_array().unwrap() {
            let stacks = profile["samples"].as_array().unwrap();
            assert_eq!(stacks.len(), profile["weights"].as_array().unwrap().len());
            let mut places = stacks.iter().flat_map(|stack| stack.as_array().unwrap());
            assert!(places.all(|place| place.as_u64().unwrap() < frames));
            let weights = profile["weights"].as_array().unwrap().iter().map(|weight| weight.as_u64().unwrap());
            assert_eq!(Some(weights.sum()), profile["endValue"].as_u64());
        }
    }
}

fn varint(rest: &mut &[u8]) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first().expect("a whole number");
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if *byte < 0x80 {
            return value;
        }
    }
}

/// Fields of a protobuf message that has numbers and nested bytes only.
fn fields(mut rest: &[u8]) -> Vec<(u64, u64, &[u8])> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest);
        let value = varint(&mut rest);
        let (content, after) = match key & 7 {
            0 => rest.split_at(0),
            2 => rest.split_at(value as usize),
            wire => panic!("wire type {wire}"),
        };
        rest = after;
        found.push((key >> 3, value, content));
    }
    found
}

#[test]
fn pprof_has_every_sample_with_its_labels_and_names_that_are_there() {
    for with in HOSTILE.into_iter().chain([HARMLESS]) {
        let bytes = exported("pprof", with);
        let profile = fields(&bytes);
        let of = |field: u64| profile.iter().filter(move |one| one.0 == field).map(|one| one.2);
        let strings: Vec<&str> = of(6).map(|text| std::str::from_utf8(text).unwrap()).collect();
        assert_eq!(strings[0], "");
        let (locations, functions) = (of(4).count() as u64, of(5).count() as u64);
        assert!(locations == functions && of(5).all(|function| (fields(function)[1].1 as usize) < strings.len()));
        let (mut sum, mut late) = (0, 0);
        for sample in of(2).map(fields) {
            assert!(sample.iter().filter(|one| one.0 == 1).all(|one| (1..=locations).contains(&one.1)));
            let value = sample.iter().find(|one| one.0 == 2).unwrap().1;
            let label = |name: &str| {
                let labels = sample.iter().filter(|one| one.0 == 3).map(|one| fields(one.2));
                labels.filter(|label| strings[label[0].1 as usize] == name).map(|label| label[1].1).next()
            };
            sum += value;
            late += if strings[label("part").unwrap() as usize] == "late" { value } else { 0 };
            assert!(strings[label("thread").unwrap() as usize].starts_with("db-"));
            assert_eq!(label("batch").is_some(), label("stage").is_some());
        }
        assert_eq!((sum, late), (1_600, 440), "{with:?}");
    }
}

#[test]
fn every_format_of_runs_is_tested_against_hostile_text() {
    let tested = [
        "html",
        "human",
        "json",
        "hgrm",
        "csv",
        "junit",
        "github",
        "markdown",
        "ndjson",
        "folded",
        "pprof",
        "speedscope",
    ];
    let record = examples::holds();
    let summary = Summary::new(&record, false).unwrap();
    for format in FORMATS {
        assert!(tested.contains(&format.name), "{}", format.name);
        assert_eq!((format.render)(&summary, &Options::default()), (format.render)(&summary, &Options::default()));
    }
}
