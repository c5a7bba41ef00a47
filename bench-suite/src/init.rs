//! `downbeat init`: a small cargo project with a job of one's own.

use crate::failure::Failure;
use crate::request::InitRequest;
use crate::run::command_line;
use crate::settings::{KnobInfo, knobs};
use std::path::{Path, PathBuf};

/// The job: the very example that is built with downbeat.
const MAIN: &str = include_str!("../examples/own_job.rs");

/// Built as downbeat itself is.
const CARGO: &str = include_str!("../../.cargo/config.toml");

/// What the job in [`MAIN`] is called on the command line.
const JOB: &str = "line-lengths";

/// Settings that are written out; the others are named by `list knobs`. Each one's default is a value.
const SETTINGS: &[&str] = &["rate", "interval", "batches", "codec", "allocator", "seed"];

/// The source tree that this program was built from.
const BUILT_FROM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Writes the project; returns what to tell.
///
/// # Errors
/// The directory is not empty, or downbeat's source tree is not where it should be (exit 2); a file cannot be written (exit 7).
pub(crate) fn init(request: &InitRequest) -> Result<String, Failure> {
    let source = source_tree(request.downbeat_path.as_deref())?;
    let directory = &request.directory;
    check_empty(directory)?;
    let mut files = vec![
        ("Cargo.toml", manifest(&source)?),
        ("src/main.rs", MAIN.to_owned()),
        (".cargo/config.toml", CARGO.to_owned()),
        ("downbeat.toml", settings()),
        ("README.md", readme()),
        (".gitignore", "/target\n/results\n".to_owned()),
    ];
    // The versions that downbeat was tested with. A source tree without a lock file leaves the choice to cargo.
    if let Ok(lock) = std::fs::read_to_string(source.join("Cargo.lock")) {
        files.push(("Cargo.lock", lock));
    }
    for (name, content) in files {
        write(&directory.join(name), &content)?;
    }
    let quoted = command_line::quoted(&[directory.display().to_string()]);
    let (place, source) = (directory.display(), source.display());
    Ok(format!(
        "{place} holds a job of your own, {JOB}, on the downbeat of {source}\n  \
         src/main.rs    what is sent, what is computed, what the right answer is\n  \
         downbeat.toml  settings\n\
         next: cd {quoted} && cargo run --release -- run {JOB} --config downbeat.toml\n"
    ))
}

/// The root of downbeat's source tree, as an absolute path.
fn source_tree(asked: Option<&Path>) -> Result<PathBuf, Failure> {
    let place = asked.unwrap_or(Path::new(BUILT_FROM));
    let found = place.canonicalize().ok().filter(|root| is_ours(&root.join("bench-suite/Cargo.toml")));
    found.ok_or_else(|| {
        let place = place.display();
        let message = match asked {
            Some(_) => {
                format!("--downbeat-path {place}: this is not downbeat's source tree, there is no bench-suite in it")
            }
            None => format!("the source tree that this program was built from is gone: {place}"),
        };
        Failure::usage(message).help("give --downbeat-path DIR, the root of a clone of downbeat")
    })
}

fn is_ours(manifest: &Path) -> bool {
    std::fs::read_to_string(manifest).is_ok_and(|content| content.lines().any(|line| line == "name = \"downbeat\""))
}

fn check_empty(directory: &Path) -> Result<(), Failure> {
    let place = directory.display();
    let problem = match std::fs::read_dir(directory).map(Iterator::count) {
        Ok(0) => return Ok(()),
        Ok(_) => format!("{place} is not empty, and nothing in it is overwritten"),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => format!("cannot write a project into {place}: {error}"),
    };
    Err(Failure::usage(problem).help("name a new directory: downbeat init own-job"))
}

fn manifest(source: &Path) -> Result<String, Failure> {
    let path = source.join("bench-suite");
    let path = path.to_str().ok_or_else(|| {
        Failure::usage(format!("{} is not UTF-8, as paths in Cargo.toml are", path.display()))
            .help("give --downbeat-path DIR, a clone at another place")
    })?;
    let path = toml::Value::String(path.to_owned());
    Ok(format!(
        "# A job of your own under downbeat.\n\
         [package]\nname = \"own-job\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n\
         [dependencies]\n# A clone of downbeat; another machine needs one too, and its path here.\ndownbeat = {{ path = {path} }}\n\n\
         # As downbeat itself is built: fast, with the lines that flamegraphs need.\n\
         [profile.release]\ndebug = 1\nlto = \"thin\"\ncodegen-units = 1\n\n\
         # No part of any workspace around it.\n[workspace]\n"
    ))
}

fn settings() -> String {
    let entry = |knob: &KnobInfo| {
        let KnobInfo { name, trades, range, default, .. } = knob;
        format!("\n# {trades}\n# {range}\n{name} = \"{default}\"\n")
    };
    let all = knobs();
    let shown = SETTINGS.iter().filter_map(|name| all.iter().find(|knob| knob.name == *name));
    let text: String = shown.map(entry).collect();
    format!("# Settings of a run, as they are without this file. Many more: cargo run --release -- list knobs\n{text}")
}

fn readme() -> String {
    format!(
        "# own-job\n\n\
         Does `{JOB}` keep its interval? `cargo run --release -- run {JOB} --config downbeat.toml` says so;\n\
         `cargo run --release -- --help` says what else there is. The job is in `src/main.rs`.\n"
    )
}

fn write(path: &Path, content: &str) -> Result<(), Failure> {
    let parents = path.parent().map_or(Ok(()), std::fs::create_dir_all);
    parents.and_then(|()| std::fs::write(path, content)).map_err(|error| {
        Failure::environment(format!("cannot write {}: {error}", path.display()))
            .help("name a directory that can be written")
    })
}
