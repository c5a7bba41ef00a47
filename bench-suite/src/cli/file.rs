//! `--config FILE`: settings in TOML, one `name = value` a line, no tables.

use crate::failure::Failure;
use crate::settings::Given;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Spanned, Value};

/// The settings in a file, in the order of its lines.
///
/// # Errors
/// The file cannot be read (exit 7), is no TOML or has a value that no setting takes (exit 2).
pub(super) fn read(path: &Path) -> Result<Vec<Given>, Failure> {
    let content = std::fs::read_to_string(path).map_err(|error| {
        Failure::environment(format!("cannot read --config {}: {error}", path.display()))
            .help("give a readable TOML file")
    })?;
    parse(&content, &path.display().to_string())
}

fn parse(content: &str, path: &str) -> Result<Vec<Given>, Failure> {
    let table: BTreeMap<Spanned<String>, Spanned<Value>> = toml::from_str(content).map_err(|error| {
        Failure::usage(format!("{path} is no TOML: {}", error.to_string().trim_end())).help(EXAMPLE)
    })?;
    let mut settings = Vec::new();
    for (key, value) in table {
        let line = 1 + content[..key.span().start].matches('\n').count();
        let place = format!("{path}:{line}");
        let name = key.into_inner();
        let Some(text) = as_text(value.get_ref()) else {
            let kind = value.get_ref().type_str();
            let message =
                format!("{place}: `{name}` is of type {kind}; settings are `name = \"value\"`, without tables");
            return Err(Failure::usage(message).help(EXAMPLE));
        };
        settings.push((line, Given { name, text, place }));
    }
    settings.sort_by_key(|(line, _)| *line);
    Ok(settings.into_iter().map(|(_, setting)| setting).collect())
}

const EXAMPLE: &str = "write for example\n  interval = \"200ms\"\n  rate = \"100k/s\"\n  threads = 2";

fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(on) => Some(if *on { "on" } else { "off" }.to_owned()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_all_kinds_become_text_with_their_place() {
        let settings =
            parse("# mine\ninterval = \"1s\"\nthreads = 2\nbuffer_reuse = false\nlate_limit = 0.02\n", "x.toml")
                .unwrap();
        let seen: Vec<_> = settings.iter().map(|s| (s.name.as_str(), s.text.as_str(), s.place.as_str())).collect();
        assert_eq!(
            seen,
            [
                ("interval", "1s", "x.toml:2"),
                ("threads", "2", "x.toml:3"),
                ("buffer_reuse", "off", "x.toml:4"),
                ("late_limit", "0.02", "x.toml:5")
            ]
        );
    }

    #[test]
    fn tables_and_broken_files_are_refused_by_place() {
        let error = parse("a = 1\n[engine]\nthreads = 2\n", "x.toml").unwrap_err();
        assert!(error.message.starts_with("x.toml:2: `engine` is of type table"), "{error}");
        let error = parse("interval = \n", "x.toml").unwrap_err();
        assert!(error.message.contains("line 1"), "{error}");
        assert_eq!(error.code, 2);
    }
}
