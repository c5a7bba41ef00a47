//! Starts the command in a directory of its own.

use assert_cmd::cargo::CommandCargoExt;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// A directory of its own to run the command in.
pub(crate) struct Place {
    directory: tempfile::TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Place { directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }

    pub(crate) fn is_empty(&self) -> bool {
        std::fs::read_dir(self.directory.path()).unwrap().next().is_none()
    }

    /// The command with its arguments, split at spaces.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        self.prepared(Command::cargo_bin("downbeat").unwrap(), arguments)
    }

    /// One of the example programs, which `cargo test` has built beside the command.
    pub(crate) fn example(&self, name: &str, arguments: &str) -> Command {
        let bin = Command::cargo_bin("downbeat").unwrap();
        let program = Path::new(bin.get_program()).with_file_name("examples").join(name);
        assert!(
            program.is_file(),
            "{} is missing: run `cargo test` without `--test`, which builds examples",
            program.display()
        );
        self.prepared(Command::new(program), arguments)
    }

    fn prepared(&self, mut command: Command, arguments: &str) -> Command {
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("DOWNBEAT_")) {
            command.env_remove(name);
        }
        // What the surroundings of the tests want of colour, width and progress is no part of them.
        for name in ["NO_COLOR", "CLICOLOR_FORCE", "COLUMNS", "CI"] {
            command.env_remove(name);
        }
        command.args(arguments.split_whitespace()).current_dir(self.directory.path());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }
}

impl Ended {
    pub(crate) fn of(output: Output) -> Self {
        Ended {
            code: output.status.code().unwrap_or(-1),
            // Of all formats only pprof's is no text.
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The object on stdout.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Waits until something is there.
pub(crate) fn until(what: &str, is_there: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Sends a signal, `-INT` for example, to a process.
pub(crate) fn signal(process: u32, name: &str) {
    assert!(Command::new("kill").args([name, &process.to_string()]).status().unwrap().success());
}

/// A run that ends by a verdict, whatever this machine makes of it.
pub(crate) fn is_a_verdict(code: i32) -> bool {
    matches!(code, 0 | 3 | 125)
}

/// Flags of a run that takes two seconds.
pub(crate) const TINY: &str = "--interval 20ms --batches 20 --warmup 5 --rate 5k/s --ring 1MiB";
