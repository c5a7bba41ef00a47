//! Downbeat against Spark, and against a naive interpreter: the same programs, the same answers, batch by batch.
//!
//! `programs/` holds the programs, one edge each; `spark-4.1.4/` what Spark answers to them, recorded by
//! `scripts/spark-conformance`. Where downbeat answers otherwise on purpose, the program says so, why, and what.

mod answers;
mod datum;
mod engine;
mod function;
mod naive;
mod operations;
mod program;
mod random;
mod table;

use answers::Answers;
use downbeat_engine::Settings;
use program::Program;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A program and what Spark answers to it.
struct Case {
    program: Program,
    spark: Answers,
}

impl Case {
    /// What downbeat must answer.
    fn expected(&self) -> Answers {
        let own = self.program.differs.as_ref().map(|differs| &differs.own);
        own.unwrap_or(&self.spark).clone().canonical()
    }
}

fn directory(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(name)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> T {
    let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The files of programs, in order of their names.
fn files() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory("programs")).expect("the programs are in the repository");
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    files
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for file in files() {
        let mut spark: BTreeMap<String, Answers> =
            read_json(&directory("spark-4.1.4").join(file.file_name().expect("a file")));
        for program in read_json::<Vec<Program>>(&file) {
            let missing = || panic!("{} has no answer of Spark; run scripts/spark-conformance", program.name);
            let spark = spark.remove(&program.name).unwrap_or_else(missing);
            cases.push(Case { program, spark });
        }
        assert!(spark.is_empty(), "{:?} are answers to no program; run scripts/spark-conformance", spark.keys());
    }
    cases
}

/// Fails with every program whose answer is another one than expected.
fn compare<'c>(cases: impl IntoIterator<Item = &'c Case>, run: impl Fn(&Program) -> Answers) {
    let (mut wrong, mut programs) = (Vec::new(), 0);
    for case in cases {
        programs += 1;
        let (name, expected, answered) = (&case.program.name, case.expected(), run(&case.program).canonical());
        if answered != expected {
            let show = |answers| serde_json::to_string(answers).expect("plain data");
            wrong.push(format!("{name}:\n  expected {}\n  answered {}", show(&expected), show(&answered)));
        }
    }
    assert!(wrong.is_empty(), "{} of {} programs:\n{}", wrong.len(), programs, wrong.join("\n"));
}

#[test]
fn conformance_programs_are_read_whole() {
    let mut names = BTreeSet::new();
    for file in files() {
        let written: Vec<serde_json::Value> = read_json(&file);
        let read: Vec<Program> = read_json(&file);
        for (written, read) in written.iter().zip(read) {
            // What is written back is what was read: a misspelt field would be missing.
            assert_eq!(*written, serde_json::to_value(&read).expect("plain data"));
            assert!(names.insert(read.name.clone()), "two programs are called {}", read.name);
        }
    }
    assert!(names.len() >= 60);
}

#[test]
fn conformance_naive_interpreter_agrees_with_spark() {
    compare(&cases(), naive::run);
}

#[test]
fn conformance_engine_agrees_with_spark() {
    let cases = cases();
    compare(&cases, |program| engine::run(program, Settings::default().threads(2)));
}

#[test]
fn conformance_differences_are_real() {
    for Case { program, spark } in cases() {
        if let Some(differs) = program.differs {
            let (own, spark) = (differs.own.canonical(), spark.canonical());
            assert_ne!(own, spark, "{}: Spark's answer is the same; take `differs` out", program.name);
        }
    }
}
