//! Values of knobs that look like calls: `spike(5,at=10s,for=1s)`.

use downbeat_engine::settings::{ValueError, parse_duration_ns};

/// A word, and what is in the parentheses after it.
pub(crate) struct Call<'t> {
    text: &'t str,
    form: &'static str,
    /// The word.
    pub(crate) name: &'t str,
    plain: Vec<&'t str>,
    named: Vec<(&'t str, &'t str)>,
}

impl<'t> Call<'t> {
    /// The word before the parentheses, without what is in them.
    pub(crate) fn name_of(text: &str) -> &str {
        text.split('(').next().unwrap_or_default().trim()
    }

    /// What lies between the first `(` and a `)` at the end; all of it is one text to whoever asks.
    pub(crate) fn inside(text: &'t str) -> Option<&'t str> {
        text.trim().split_once('(')?.1.strip_suffix(')')
    }

    /// Reads `text`; `form` says in errors how it should look, such as "of the form `uniform(KEYS)`".
    ///
    /// # Errors
    /// Parentheses that do not match.
    pub(crate) fn parse(text: &'t str, form: &'static str) -> Result<Self, ValueError> {
        let mut call = Call { text, form, name: Call::name_of(text), plain: Vec::new(), named: Vec::new() };
        if call.name == text.trim() {
            return Ok(call);
        }
        let inside = Call::inside(text).filter(|inside| !inside.contains(['(', ')'])).ok_or_else(|| call.refused())?;
        for argument in inside.split(',').map(str::trim) {
            match argument.split_once('=') {
                Some((name, value)) => call.named.push((name.trim(), value.trim())),
                None => call.plain.push(argument),
            }
        }
        Ok(call)
    }

    /// This call is not of its form.
    pub(crate) fn refused(&self) -> ValueError {
        ValueError::NotANumber { text: self.text.into(), expected: self.form }
    }

    /// The arguments without a name, exactly as many.
    ///
    /// # Errors
    /// There are more or fewer.
    pub(crate) fn exactly<const N: usize>(&self) -> Result<[&'t str; N], ValueError> {
        self.plain.clone().try_into().map_err(|_| self.refused())
    }

    /// All arguments without a name.
    pub(crate) fn plain(&self) -> &[&'t str] {
        &self.plain
    }

    /// The named argument, each of them once; it counts as understood.
    pub(crate) fn take(&mut self, name: &str) -> Option<&'t str> {
        let at = self.named.iter().position(|(given, _)| *given == name)?;
        Some(self.named.remove(at).1)
    }

    /// The named argument as a duration, nanoseconds.
    ///
    /// # Errors
    /// It is no duration.
    pub(crate) fn take_duration_ns(&mut self, name: &str) -> Result<Option<u64>, ValueError> {
        self.take(name).map(parse_duration_ns).transpose()
    }

    /// Were all named arguments understood?
    ///
    /// # Errors
    /// One was not, or was given twice.
    pub(crate) fn finish(self) -> Result<(), ValueError> {
        if self.named.is_empty() { Ok(()) } else { Err(self.refused()) }
    }
}

/// A decimal number, 0 or more, as a whole number of 10^-`digits`; nothing is rounded. `None` when it is no such number.
pub(crate) fn parse_decimal(text: &str, digits: usize) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || fraction.len() > digits || !is_number(whole) || !is_number(fraction) {
        return None;
    }
    format!("{whole}{fraction:0<digits$}").parse().ok()
}

/// The shortest text that [`parse_decimal`] reads as this.
pub(crate) fn format_decimal(value: u64, digits: u32) -> String {
    let unit = 10u64.pow(digits);
    let text = format!("{}.{:0width$}", value / unit, value % unit, width = digits as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number with `k` or `M` after it, or none, of `least` to `most`.
///
/// # Errors
/// It is no such number, or out of range; `expected` says what would do.
pub(crate) fn parse_amount(text: &str, least: u64, most: u64, expected: &'static str) -> Result<u64, ValueError> {
    let scales = [("k", 1_000), ("M", 1_000_000)];
    let found = scales.iter().find_map(|(unit, scale)| Some((text.strip_suffix(unit)?, *scale)));
    let (number, scale) = found.unwrap_or((text, 1u64));
    let amount = parse_decimal(number, 0).and_then(|number| number.checked_mul(scale));
    let amount = amount.filter(|amount| (least..=most).contains(amount));
    amount.ok_or_else(|| ValueError::NotANumber { text: text.into(), expected })
}

/// The shortest text that [`parse_amount`] reads as this.
pub(crate) fn format_amount(amount: u64) -> String {
    match amount {
        1.. if amount.is_multiple_of(1_000_000) => format!("{}M", amount / 1_000_000),
        1.. if amount.is_multiple_of(1_000) => format!("{}k", amount / 1_000),
        _ => amount.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_with_and_without_names_are_told_apart() {
        let mut call = Call::parse(" spike( 5 , at=10s,for = 1s)", "x").unwrap();
        assert_eq!((call.name, call.plain()), ("spike", &["5"][..]));
        assert_eq!(call.take_duration_ns("at"), Ok(Some(10_000_000_000)));
        assert_eq!((call.take("for"), call.take("for")), (Some("1s"), None));
        assert_eq!(call.finish(), Ok(()));
        for damaged in ["a(", "a(1", "a)1(", "a(1))", "a((1)", "a(1)b", "a()b"] {
            assert!(Call::parse(damaged, "x").and_then(Call::finish).is_err(), "{damaged}");
        }
        assert!(Call::parse("a(b=1,b=2)", "x").unwrap().finish().is_err());
    }

    #[test]
    fn decimals_and_amounts_are_exact_and_read_back() {
        assert_eq!(parse_decimal("0.0001", 4), Some(1));
        assert_eq!(parse_decimal("12.5", 4), Some(125_000));
        for damaged in ["", ".", ".5", "-1", "+1", "1.00001", "1e3", "0x1", "1.2.3", "99999999999999999999"] {
            assert_eq!(parse_decimal(damaged, 4), None, "{damaged}");
        }
        for value in [0, 1, 10_000, 12_345, 125_000] {
            assert_eq!(parse_decimal(&format_decimal(value, 4), 4), Some(value));
        }
        for amount in [1, 999, 1000, 1500, 2_000_000, 2_001_000] {
            assert_eq!(parse_amount(&format_amount(amount), 1, u64::MAX, "x"), Ok(amount));
        }
        assert!(parse_amount("0", 1, 9, "x").is_err() && parse_amount("99999999999999999M", 1, u64::MAX, "x").is_err());
    }
}
