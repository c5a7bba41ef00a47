//! `downbeat init` writes a project, and never over anything. That what it writes builds and runs, `scripts/examples` shows.

use crate::command::Place;

/// The whole project, file by file, with what was told.
fn written(place: &Place, directory: &str, told: &str) -> String {
    let mut all = told.to_owned();
    for name in ["Cargo.toml", ".cargo/config.toml", "downbeat.toml", "README.md", ".gitignore"] {
        let content = std::fs::read_to_string(place.path(directory).join(name)).unwrap();
        // What is said of a knob belongs to its slice.
        let is_shown = |line: &&str| name != "downbeat.toml" || !line.starts_with('#');
        let lines: Vec<&str> = content.lines().filter(is_shown).collect();
        all.push_str(&format!("--- {name}\n{}\n", lines.join("\n")));
    }
    all
}

#[test]
fn a_project_is_written_that_its_settings_fit() {
    let place = Place::new();
    let ended = place.run("init own/deep");
    assert_eq!((ended.code, ended.stderr.as_str()), (0, ""), "{ended:?}");
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().canonicalize().unwrap();
    let all = written(&place, "own/deep", &ended.stdout).replace(source.to_str().unwrap(), "SOURCE");
    insta::assert_snapshot!(all);
    let main = std::fs::read_to_string(place.path("own/deep/src/main.rs")).unwrap();
    assert_eq!(main, std::fs::read_to_string(source.join("bench-suite/examples/own_job.rs")).unwrap());
    let lock = std::fs::read(place.path("own/deep/Cargo.lock")).unwrap();
    assert_eq!(lock, std::fs::read(source.join("Cargo.lock")).unwrap());
    let plan = place.run("run word-count --dry-run --config own/deep/downbeat.toml");
    assert_eq!(plan.code, 0, "{plan:?}");
    let settings = std::fs::read_to_string(place.path("own/deep/downbeat.toml")).unwrap();
    assert!(settings.contains("\n# more load against headroom"), "each setting is explained: {settings}");
}

#[test]
fn nothing_is_overwritten_and_a_missing_source_tree_is_named() {
    let place = Place::new();
    place.write("mine.txt", "mine");
    std::fs::create_dir(place.path("empty")).unwrap();
    let refused = |arguments: &str| {
        let ended = place.run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{ended:?}");
        ended.stderr
    };
    assert_eq!(
        refused("init"),
        "error: . is not empty, and nothing in it is overwritten\nhelp: name a new directory: downbeat init own-job\n"
    );
    assert!(refused("init mine.txt").starts_with("error: cannot write a project into mine.txt: "));
    let elsewhere = refused("init new --downbeat-path empty");
    assert!(elsewhere.contains("empty: this is not downbeat's source tree"), "{elsewhere}");
    assert!(elsewhere.contains("help: give --downbeat-path DIR"), "{elsewhere}");
    assert!(!place.path("new").exists());
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    assert_eq!(place.run(&format!("init empty --downbeat-path {source}")).code, 0);
    assert!(place.path("empty/Cargo.toml").is_file());
    assert_eq!(std::fs::read_to_string(place.path("mine.txt")).unwrap(), "mine");
}
