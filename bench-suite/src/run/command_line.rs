//! The command line as it can be pasted to measure the same again.

use std::ffi::OsString;
use std::path::Path;

/// The arguments quoted for a shell, with the seed added where it was not given, and without `--out`: results are never overwritten.
pub(crate) fn reproducing(arguments: impl IntoIterator<Item = OsString>, seed: u64, seed_is_given: bool) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--out" => drop(arguments.next()),
            joined if joined.starts_with("--out=") => {}
            _ => words.push(argument),
        }
    }
    if let Some(program) = words.first_mut() {
        let name = Path::new(program.as_str()).file_name().map(|name| name.to_string_lossy().into_owned());
        *program = name.unwrap_or_else(|| "downbeat".to_owned());
    }
    if !seed_is_given {
        words.extend(["--seed".to_owned(), seed.to_string()]);
    }
    quoted(&words)
}

/// Words quoted for a shell.
pub(crate) fn quoted(words: &[String]) -> String {
    words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=,%+@".contains(&byte);
    if !word.is_empty() && word.bytes().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_and_the_seed_is_named() {
        let arguments = ["/usr/bin/downbeat", "run", "word-count", "--input", "it's a file"].map(OsString::from);
        let text = reproducing(arguments.clone(), 7, false);
        assert_eq!(text, r"downbeat run word-count --input 'it'\''s a file' --seed 7");
        assert!(!reproducing(arguments, 7, true).contains("--seed"));
        let arguments =
            ["downbeat", "run", "null", "--out", "there", "--out=here", "--rate", "1k/s"].map(OsString::from);
        assert_eq!(reproducing(arguments, 7, true), "downbeat run null --rate 1k/s");
    }
}
