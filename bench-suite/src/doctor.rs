//! `downbeat doctor`: what of this host makes figures worse, and what to do about it.

mod checks;
mod host;

use crate::failure::Failure;
use crate::request::DoctorRequest;
use checks::{CHECKS, Check, Seen, State};
use downbeat_reports::{columns, inert};
use host::Host;
use serde_json::{Value, json};

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// What was found, with a line end. A host that makes figures worse is no failure of the command.
///
/// # Errors
/// There is no `/proc`, so that nothing can be looked at (exit 7).
pub(crate) fn doctor(request: &DoctorRequest) -> Result<String, Failure> {
    let host = Host::look().map_err(|error| {
        Failure::environment(format!("cannot read /proc/stat: {error}"))
            .help("mount /proc: nothing can be known of a host without it")
    })?;
    let found: Vec<(&Check, Seen)> = CHECKS.iter().map(|check| (check, (check.look)(&host))).collect();
    match request.json {
        true => written(&found),
        false => Ok(shown(&found)),
    }
}

fn written(found: &[(&Check, Seen)]) -> Result<String, Failure> {
    let checks: Vec<Value> = found.iter().map(|(check, seen)| object(check, seen)).collect();
    let object = json!({ "schema": SCHEMA, "warnings": number(found, State::Warn), "checks": checks });
    serde_json::to_string_pretty(&object)
        .map(|json| json + "\n")
        .map_err(|error| Failure::internal(format!("cannot write what was found: {error}")))
}

fn object(check: &Check, seen: &Seen) -> Value {
    json!({
        "name": check.name,
        "state": seen.state.word(),
        "value": seen.value,
        "why": check.why,
        "advice": check.advice,
    })
}

/// A line for what is well; why and what to do beside what is not.
fn shown(found: &[(&Check, Seen)]) -> String {
    let mut text = String::new();
    for (check, seen) in found {
        text.push_str(&columns::words(seen.state.word(), &format!("{}: {}", check.name, inert::line(&seen.value))));
        if seen.state != State::Ok {
            text.push_str(&columns::words("  why", check.why));
        }
        if seen.state == State::Warn {
            text.push_str(&columns::words("  do", check.advice));
        }
    }
    let (warnings, unknown) = (number(found, State::Warn), number(found, State::Unknown));
    text.push_str(&match (warnings, unknown) {
        (0, 0) => "\nNothing here makes figures worse.\n".to_owned(),
        (0, unknown) => format!("\nNothing known here makes figures worse; {unknown} unknown.\n"),
        (warnings, 0) => format!("\nFigures may be worse for {warnings} of {} reasons.\n", found.len()),
        (warnings, unknown) => {
            format!("\nFigures may be worse for {warnings} of {} reasons; {unknown} unknown.\n", found.len())
        }
    });
    text
}

fn number(found: &[(&Check, Seen)], state: State) -> usize {
    found.iter().filter(|(_, seen)| seen.state == state).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_well_takes_a_line_and_what_is_not_says_why_and_what_to_do() {
        let (first, second) = (&CHECKS[0], &CHECKS[1]);
        let text = shown(&[(first, Seen::ok("fine")), (second, Seen::warn("bad\u{1b}[2J"))]);
        assert!(text.starts_with(&format!("ok       {}: fine\nwarn     {}: bad", first.name, second.name)), "{text}");
        assert!(text.contains("  why    ") && text.contains("  do     ") && !text.contains('\u{1b}'), "{text}");
        assert!(text.ends_with("\nFigures may be worse for 1 of 2 reasons.\n"), "{text}");
    }
}
