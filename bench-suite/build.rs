//! Hands the compiler's version and the commit to the program: both belong into every record.

use std::process::Command;

fn main() {
    let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned());
    pass("BUILD_OF_DOWNBEAT_RUSTC", &first_line(&rustc, &["--version"]));
    pass("BUILD_OF_DOWNBEAT_COMMIT", &first_line("git", &["rev-parse", "--short=12", "HEAD"]));
    pass("BUILD_OF_DOWNBEAT_PROFILE", &std::env::var("PROFILE").unwrap_or_default());
    println!("cargo::rerun-if-changed=build.rs");
    // The log of a worktree lies elsewhere; a source archive has none.
    let log = first_line("git", &["rev-parse", "--git-path", "logs/HEAD"]);
    if !log.is_empty() {
        println!("cargo::rerun-if-changed={log}");
    }
}

/// Empty when the program is not there or fails: a source archive has no commit.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().ok().filter(|output| output.status.success());
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    text.lines().next().unwrap_or_default().trim().to_owned()
}

fn pass(name: &str, value: &str) {
    println!("cargo::rustc-env={name}={value}");
}
