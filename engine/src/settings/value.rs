//! Values with units as people type them: durations, sizes, rates.

use std::time::Duration;

/// Why a typed value was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// There is a number, but no unit.
    #[error("`{text}` has no unit: write for example `{example}`")]
    MissingUnit {
        /// What was typed.
        text: String,
        /// What would have been understood.
        example: String,
    },
    /// The unit is not one of ours.
    #[error("`{text}`: unknown unit `{unit}`; known units are {known}")]
    UnknownUnit {
        /// What was typed.
        text: String,
        /// The part after the number.
        unit: String,
        /// The units that are known.
        known: &'static str,
    },
    /// Not a number at all.
    #[error("`{text}` is not {expected}")]
    NotANumber {
        /// What was typed.
        text: String,
        /// What was expected.
        expected: &'static str,
    },
    /// Zero where zero makes no sense.
    #[error("`{text}` must be more than zero")]
    NotPositive {
        /// What was typed.
        text: String,
    },
    /// Larger than can be counted.
    #[error("`{text}` is too large")]
    TooLarge {
        /// What was typed.
        text: String,
    },
    /// Not one of the allowed words.
    #[error("`{text}` is none of {allowed}{}", suggestion.as_ref().map(|word| format!("; did you mean `{word}`?")).unwrap_or_default())]
    NotAChoice {
        /// What was typed.
        text: String,
        /// The allowed words.
        allowed: String,
        /// The nearest of them.
        suggestion: Option<String>,
    },
}

type Units = &'static [(&'static str, f64)];

const DURATIONS: Units =
    &[("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("min", 60e9), ("h", 3600e9)];
const SIZES: Units =
    &[("B", 1.0), ("KiB", 1024.0), ("MiB", 1048576.0), ("GiB", 1073741824.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9)];
const RATES: Units = &[("/s", 1.0), ("k/s", 1e3), ("K/s", 1e3), ("M/s", 1e6)];

/// A duration such as `200ms`, `1.5s`, `2m`, in nanoseconds; more than zero.
///
/// # Errors
/// No number, no unit, unknown unit, zero or negative, too large.
pub fn parse_duration_ns(text: &str) -> Result<u64, ValueError> {
    positive_whole(text, DURATIONS, "a duration such as `200ms`", "ns, us, ms, s, m, h", "ms")
}

/// A size such as `64MiB`, in bytes; more than zero.
///
/// # Errors
/// No number, no unit, unknown unit, zero or negative, too large.
pub fn parse_bytes(text: &str) -> Result<u64, ValueError> {
    positive_whole(text, SIZES, "a size such as `64MiB`", "B, KiB, MiB, GiB, kB, MB, GB", "MiB")
}

/// A rate such as `150k/s`, in records per second; more than zero.
///
/// # Errors
/// No number, no unit, unknown unit, zero or negative, too large.
pub fn parse_rate(text: &str) -> Result<f64, ValueError> {
    let rate = scaled(text, RATES, "a rate such as `150k/s`", "/s, k/s, M/s", "/s")?;
    if rate > 1e12 { Err(ValueError::TooLarge { text: text.into() }) } else { Ok(rate) }
}

/// A whole number, more than zero. `k` and `M` are not understood here: a count has no unit.
pub(super) fn parse_count(text: &str) -> Result<usize, ValueError> {
    let count: usize =
        text.trim().parse().map_err(|_| ValueError::NotANumber { text: text.into(), expected: "a whole number" })?;
    if count == 0 { Err(ValueError::NotPositive { text: text.into() }) } else { Ok(count) }
}

/// Index of the word among the allowed ones.
fn parse_choice(text: &str, allowed: &[&str]) -> Result<usize, ValueError> {
    allowed.iter().position(|word| *word == text).ok_or_else(|| ValueError::NotAChoice {
        text: text.into(),
        allowed: allowed.join(", "),
        suggestion: super::suggest(text, allowed.iter().copied()).map(str::to_owned),
    })
}

/// What the word stands for.
pub(super) fn parse_word<T: Copy>(words: &[(&str, T)], text: &str) -> Result<T, ValueError> {
    let allowed: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    parse_choice(text, &allowed).map(|choice| words[choice].1)
}

/// The word for a value.
pub(super) fn word_of<T: PartialEq>(words: &[(&str, T)], value: T) -> String {
    words.iter().find(|(_, meant)| *meant == value).map_or("", |(word, _)| word).to_owned()
}

/// A number without unit, 0 or more.
pub(super) fn parse_number(text: &str) -> Result<f64, ValueError> {
    let refused = || ValueError::NotANumber { text: text.into(), expected: "a number such as `0.2`, 0 or more" };
    let number: f64 = text.trim().parse().map_err(|_| refused())?;
    if number >= 0.0 && number.is_finite() { Ok(number) } else { Err(refused()) }
}

/// `none`, or what `parse` reads.
pub(super) fn parse_none_or<T>(
    text: &str,
    parse: impl Fn(&str) -> Result<T, ValueError>,
) -> Result<Option<T>, ValueError> {
    if text.trim() == "none" { Ok(None) } else { parse(text).map(Some) }
}

/// `none`, or what `format` writes.
pub(super) fn none_or<T>(value: Option<T>, format: impl Fn(T) -> String) -> String {
    value.map_or_else(|| "none".to_owned(), format)
}

/// `on` or `off`.
pub(super) fn parse_on_off(text: &str) -> Result<bool, ValueError> {
    parse_choice(text, &["on", "off"]).map(|choice| choice == 0)
}

pub(super) fn on_off(on: bool) -> &'static str {
    if on { "on" } else { "off" }
}

fn positive_whole(
    text: &str,
    units: Units,
    expected: &'static str,
    known: &'static str,
    example: &str,
) -> Result<u64, ValueError> {
    let value = scaled(text, units, expected, known, example)?.round();
    if value < 1.0 {
        return Err(ValueError::NotPositive { text: text.into() });
    }
    if value >= 9e18 { Err(ValueError::TooLarge { text: text.into() }) } else { Ok(value as u64) }
}

fn scaled(
    text: &str,
    units: Units,
    expected: &'static str,
    known: &'static str,
    example: &str,
) -> Result<f64, ValueError> {
    let trimmed = text.trim();
    let split =
        trimmed.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+' | '_'))).unwrap_or(trimmed.len());
    let (number, unit) = (trimmed[..split].replace('_', ""), trimmed[split..].trim());
    let number: f64 = number.parse().map_err(|_| ValueError::NotANumber { text: text.into(), expected })?;
    if number <= 0.0 {
        return Err(ValueError::NotPositive { text: text.into() });
    }
    if unit.is_empty() {
        return Err(ValueError::MissingUnit { text: text.into(), example: format!("{trimmed}{example}") });
    }
    let scale = units
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(|| ValueError::UnknownUnit { text: text.into(), unit: unit.into(), known })?
        .1;
    Ok(number * scale)
}

/// Sets a field to what was typed, if that could be read.
///
/// # Errors
/// What reading it said.
pub fn assign<T>(field: &mut T, value: Result<T, ValueError>) -> Result<(), ValueError> {
    *field = value?;
    Ok(())
}

/// The shortest exact way to write a duration: `200ms`, `1.5s`, `250us`.
pub fn format_duration_ns(ns: u64) -> String {
    let duration = Duration::from_nanos(ns);
    if ns >= 1_000_000_000 || ns == 0 {
        format!("{}s", trim_zeros(duration.as_secs_f64()))
    } else if ns >= 1_000_000 {
        format!("{}ms", trim_zeros(ns as f64 / 1e6))
    } else if ns >= 1_000 {
        format!("{}us", trim_zeros(ns as f64 / 1e3))
    } else {
        format!("{ns}ns")
    }
}

/// A size in the largest binary unit that divides it.
pub fn format_bytes(bytes: u64) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units.iter().find(|(size, _)| bytes >= *size && bytes.is_multiple_of(*size)) {
        Some((size, unit)) => format!("{}{unit}", bytes / size),
        None => format!("{bytes}B"),
    }
}

/// A rate in the unit that reads best: `150k/s`.
pub fn format_rate(per_second: f64) -> String {
    if per_second >= 1e6 {
        format!("{}M/s", trim_zeros(per_second / 1e6))
    } else if per_second >= 1e3 {
        format!("{}k/s", trim_zeros(per_second / 1e3))
    } else {
        format!("{}/s", trim_zeros(per_second))
    }
}

fn trim_zeros(value: f64) -> String {
    let text = format!("{value:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
