//! Golden files: every format of every word. `DOWNBEAT_BLESS=1 cargo test` rewrites them; read the difference before you keep it.

use crate::examples;
use downbeat_reports::exit::Exit;
use downbeat_reports::explain::pools::Pools;
use downbeat_reports::explain::{Explanation, render_human};
use downbeat_reports::format::{FORMATS, Options, find, human, json};
use downbeat_reports::record;
use downbeat_reports::summary::{MissingTrial, Summary};
use downbeat_reports::verdict::Word;
use std::path::{Path, PathBuf};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// Compares with the golden file; what differs is kept beside it for reading.
pub(crate) fn check(name: &str, rendered: &str) {
    let path = golden(name);
    if std::env::var_os("DOWNBEAT_BLESS").is_some() {
        std::fs::write(&path, rendered).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = expected.lines().zip(rendered.lines()).position(|(one, other)| one != other);
    let at = differs.unwrap_or_else(|| expected.lines().count().min(rendered.lines().count()));
    assert!(
        expected == rendered,
        "{name} differs from line {}:\n  golden   {:?}\n  rendered {:?}",
        at + 1,
        expected.lines().nth(at),
        rendered.lines().nth(at)
    );
}

/// Most batches left out and one element a line, so that golden files are short and their differences can be read.
fn readable(rendered: &str) -> String {
    let lines = without_files(rendered).replace("><", ">\n<");
    let is_batch = |line: &&str| {
        let json = line.starts_with("    {\"index\":") && !line.starts_with("    {\"index\":88,");
        let event = line.contains("\"event\":\"batch\"") && !line.contains("\"index\":88,");
        let cells = line.split(',').nth(1).is_some_and(|cell| cell.ends_with(" UTC")) && !line.starts_with("88,");
        json || event || cells
    };
    lines.lines().filter(|line| !is_batch(line)).fold(String::new(), |text, line| text + line + "\n")
}

/// The files inside a page are those of the other formats; what the script draws from is in the tables, too.
fn without_files(page: &str) -> String {
    let mut parts = page.split(";base64,");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + ";base64,…" + &part[part.find('"').unwrap_or(0)..])
}

fn options() -> Options {
    Options { colour: false, report: Some("results/20260121-0931-a1f3/report.html".to_owned()), ..Options::default() }
}

fn missing() -> MissingTrial {
    let record = examples::holds();
    MissingTrial {
        run: record.run,
        command: record.command,
        workload: record.workload,
        settings: record.settings,
        failure: "the trial's process died by SIGSEGV after 3.1 s; its stderr is in trial.log".to_owned(),
        word: Word::Broken,
        exit: Exit::Internal,
    }
}

#[test]
fn every_format_of_every_word() {
    for (name, record) in examples::all() {
        let summary = Summary::new(&record, false).unwrap();
        for format in FORMATS.iter().filter(|format| format.bytes.is_none()) {
            let rendered = (format.render)(&summary, &options());
            check(&format!("{name}.{}", format.extension), &readable(&rendered));
        }
    }
}

#[test]
fn a_run_with_samples_as_a_page_and_for_other_tools() {
    let (record, samples) = (examples::sampled(), examples::samples());
    let summary = Summary::new(&record, false).unwrap().with_samples(Some(&samples));
    for format in ["html", "folded", "speedscope"].map(|name| find(name).unwrap()) {
        let rendered = (format.render)(&summary, &options());
        check(&format!("sampled.{}", format.extension), &readable(&rendered));
    }
    let pools = Pools::new(&record, &samples);
    let explained = [45, 72, 88].map(|index| {
        let explanation = Explanation::of(&record, &record.batches[index]).with_functions(Some(&pools));
        render_human(&record, &explanation)
    });
    check("sampled.explain.txt", &explained.concat());
}

#[test]
fn the_five_examples_are_the_five_words() {
    for word in Word::ALL {
        let words = examples::all().map(|(_, record)| Summary::new(&record, false).unwrap().verdict.word);
        assert_eq!(words.iter().filter(|other| **other == word).count(), 1, "{word}");
    }
}

#[test]
fn a_trial_without_a_record() {
    check("missing.json", &json::render_missing(&missing()));
    check("missing.txt", &human::render_missing(&missing(), &options()));
}

#[test]
fn human_output_fits_80_columns_but_for_paths() {
    for (name, record) in examples::all() {
        let summary = Summary::new(&record, false).unwrap();
        for line in human::render(&summary, &Options::default()).lines() {
            assert!(line.chars().count() <= 80, "{name}: {line}");
            assert_eq!(line.trim_end(), line, "{name}");
        }
    }
}

#[test]
fn colour_comes_only_when_asked_for_and_changes_nothing_else() {
    for (_, record) in examples::all() {
        let summary = Summary::new(&record, false).unwrap();
        let plain = human::render(&summary, &Options::default());
        let coloured = human::render(&summary, &Options { colour: true, ..Options::default() });
        assert!(!plain.contains('\u{1b}') && coloured.contains('\u{1b}'));
        let codes = ["\u{1b}[1;32m", "\u{1b}[1;33m", "\u{1b}[1;31m", "\u{1b}[0m"];
        assert_eq!(codes.iter().fold(coloured, |text, code| text.replace(code, "")), plain);
    }
}

#[test]
fn json_keeps_the_record_and_rendering_it_again_changes_nothing() {
    for (_, original) in examples::all() {
        let text = json::render(&Summary::new(&original, false).unwrap());
        let read = record::parse(text.as_bytes()).unwrap();
        assert_eq!(read, original);
        assert_eq!(json::render(&Summary::new(&read, false).unwrap()), text);
    }
}

#[test]
fn must_hold_and_interruption_change_the_exit_only() {
    let record = examples::falls_behind();
    let exit = |must_hold| Summary::new(&record, must_hold).unwrap().exit.code();
    assert_eq!((exit(false), exit(true)), (0, 6));
    let interrupted = Summary::new(&record, false).unwrap().with_exit(Exit::Interrupted);
    assert!(json::render(&interrupted).contains(r#""name":"interrupted""#));
    let codes = examples::all().map(|(_, record)| Summary::new(&record, true).unwrap().exit.code());
    assert_eq!(codes, [0, 6, 125, 3, 5]);
}

#[test]
fn hgrm_ends_at_the_largest_value_and_counts_every_record() {
    let record = examples::holds();
    let summary = Summary::new(&record, false).unwrap();
    let text = downbeat_reports::format::hgrm::render(&summary);
    let rows: Vec<Vec<f64>> = text
        .lines()
        .skip(2)
        .take_while(|line| !line.starts_with('#'))
        .map(|line| line.split_whitespace().map(|field| field.parse().unwrap()).collect())
        .collect();
    let last = rows.last().unwrap();
    assert_eq!(last[1], 1.0);
    assert_eq!(last[2], 2_000_000.0);
    assert!((last[0] - summary.latency.max.unwrap() as f64 / 1e6).abs() < 0.001);
    assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][2] <= pair[1][2]));
}
