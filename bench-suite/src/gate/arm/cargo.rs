//! cargo builds the binary of a checkout.

use crate::failure::Failure;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Lines of the compiler's words that are told: the first error and what is around it.
const TOLD_LINES: usize = 60;

/// The binary that is taken when a checkout has several.
const NAME: &str = "downbeat";

/// Functions begin at a cache line. Otherwise code that did not change is moved within its lines by changes elsewhere: of two revisions whose
/// engine and workloads had the same functions of the same sizes, shifted by 32 bytes modulo 64, one was 7 % slower in `sessions`.
pub(super) const ALIGNED: &str = r#"build.rustflags=["-C", "llvm-args=-align-all-functions=6"]"#;

/// One of cargo's messages.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Builds the release binary of the package or workspace in `source`, as its lock file says. Returns its path.
///
/// # Errors
/// It does not build, or builds no binary, or several of which none is `downbeat` (exit 7).
pub(super) fn build(source: &Path, target: &Path) -> Result<PathBuf, Failure> {
    let mut command = Command::new("cargo");
    command
        // Joined with the flags of the checkout's own configuration; where the environment or a target sets flags, cargo takes only these.
        .args([
            "--config",
            ALIGNED,
            "build",
            "--release",
            "--locked",
            "--bins",
            "--message-format=json-render-diagnostics",
            "--target-dir",
        ])
        .arg(target)
        .current_dir(source)
        .stdin(Stdio::null());
    // A cargo that runs this program sets these for its own build.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("CARGO_PKG_")) {
        command.env_remove(name);
    }
    let output = command
        .output()
        .map_err(|error| Failure::environment(format!("does not build: cannot start cargo: {error}")))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Failure::environment("does not build").help(errors(&words)));
    }
    binary(&String::from_utf8_lossy(&output.stdout))
}

/// What the compiler complains of, without what it said about its progress.
fn errors(words: &str) -> String {
    let lines: Vec<&str> = words.lines().collect();
    let begin = lines.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let told: Vec<&str> = lines[begin..].iter().take(TOLD_LINES).copied().collect();
    let left = lines.len() - begin - told.len();
    let more = if left > 0 { format!("\n… {left} more lines") } else { String::new() };
    format!("the compiler says\n{}{more}", told.join("\n"))
}

fn binary(messages: &str) -> Result<PathBuf, Failure> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<Message>(line).ok());
    let built: Vec<(String, PathBuf)> = messages
        .filter(|message| message.reason == "compiler-artifact")
        .filter_map(|message| Some((message.target?, message.executable?)))
        .filter(|(target, _)| target.kind.iter().any(|kind| kind == "bin"))
        .map(|(target, executable)| (target.name, executable))
        .collect();
    match built.as_slice() {
        [] => Err(Failure::environment("builds no binary").help("its `cargo build --release --bins` must make one")),
        [(_, only)] => Ok(only.clone()),
        several => {
            let names: Vec<&str> = several.iter().map(|(name, _)| name.as_str()).collect();
            let named = several.iter().find(|(name, _)| name == NAME).map(|(_, path)| path.clone());
            let message = format!("builds several binaries: {}", names.join(", "));
            named.ok_or_else(|| Failure::environment(message).help("build the one that is meant and give its path"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, kind: &str, executable: Option<&str>) -> String {
        let executable = executable.map_or("null".to_owned(), |path| format!("\"{path}\""));
        format!(
            r#"{{"reason":"compiler-artifact","target":{{"name":"{name}","kind":["{kind}"]}},"executable":{executable}}}"#
        )
    }

    #[test]
    fn the_only_binary_is_taken_or_the_one_called_downbeat() {
        let library = artifact("engine", "lib", None);
        let script = artifact("build-script-build", "custom-build", Some("/x/build-script"));
        let mine = artifact("mine", "bin", Some("/x/mine"));
        let ours = artifact("downbeat", "bin", Some("/x/downbeat"));
        let other = artifact("other", "bin", Some("/x/other"));
        let of = |lines: &[&String]| {
            let lines: Vec<&str> = lines.iter().map(|line| line.as_str()).collect();
            binary(&lines.join("\n")).map(|path| path.display().to_string()).map_err(|failure| failure.message)
        };
        assert_eq!(of(&[&library, &script, &mine]).unwrap(), "/x/mine");
        assert_eq!(of(&[&mine, &ours]).unwrap(), "/x/downbeat");
        assert_eq!(of(&[&mine, &other]).unwrap_err(), "builds several binaries: mine, other");
        assert_eq!(of(&[&library, &"cargo says nothing".to_owned()]).unwrap_err(), "builds no binary");
    }

    #[test]
    fn progress_is_left_out_and_the_first_error_is_told() {
        let words = "   Compiling a\n   Compiling b\nerror[E0425]: cannot find `x`\n --> src/main.rs:1:1\nerror: could not compile";
        let told = errors(words);
        assert!(told.starts_with("the compiler says\nerror[E0425]") && !told.contains("Compiling"), "{told}");
        assert!(errors(&"error\n".repeat(100)).ends_with("… 40 more lines"));
    }
}
