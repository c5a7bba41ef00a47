//! Numbers as people read them: durations, counts, rates, shares and sizes, each with its unit; and moments.

use jiff::Timestamp;

/// A duration with three significant digits: `0 s`, `850 ns`, `12.3 µs`, `4.56 ms`, `1.62 s`, `312 s`.
pub fn duration(ns: u64) -> String {
    signed_duration(ns as f64)
}

/// A duration that may be negative or a fraction of a nanosecond.
pub fn signed_duration(ns: f64) -> String {
    if ns == 0.0 {
        return "0 s".to_owned();
    }
    let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3)];
    for (unit, size) in units {
        // From 0.9995 of a unit on, three digits would round up to 1,000 of the next smaller one.
        if ns.abs() >= size * 0.9995 {
            return format!("{} {unit}", three_digits(ns / size));
        }
    }
    format!("{} ns", three_digits(ns))
}

fn three_digits(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 => 0,
        size if size >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A whole number with thousands separated: `1,500`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate in records per second: `150,000 rec/s`, `2.5 rec/s`.
pub fn rate(per_s: f64) -> String {
    if per_s >= 100.0 {
        format!("{} rec/s", count(per_s.round() as u64))
    } else {
        format!("{} rec/s", three_digits(per_s))
    }
}

/// A rate as the `--rate` flag takes it, rounded to two significant digits: `150k/s`, `2.5M/s`, `42/s`.
pub fn rate_flag(per_s: f64) -> String {
    if per_s < 1.0 {
        return "1/s".to_owned();
    }
    let magnitude = 10_f64.powf(per_s.log10().floor() - 1.0);
    let rounded = (per_s / magnitude).round() * magnitude;
    match rounded {
        large if large >= 1e6 => format!("{}M/s", three_digits(large / 1e6)),
        middle if middle >= 1e3 => format!("{}k/s", three_digits(middle / 1e3)),
        small => format!("{}/s", small.round()),
    }
}

/// A share of 1 in percent with about two significant digits: `41 %`, `2.9 %`, `0.07 %`, `0 %`.
pub fn percent(share: f64) -> String {
    let value = share * 100.0;
    let decimals = match value.abs() {
        size if size >= 9.95 || size == 0.0 => 0,
        size if size >= 0.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    match text {
        "-0" | "0" if value != 0.0 => "< 0.01 %".to_owned(),
        "-0" => "0 %".to_owned(),
        text => format!("{text} %"),
    }
}

/// `1 check`, `9 checks`.
pub fn counted(number: usize, what: &str) -> String {
    format!("{} {what}{}", count(number as u64), if number == 1 { "" } else { "s" })
}

/// A size in bytes: `512 B`, `1.5 KiB`, `118 MiB`.
pub fn bytes(size: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, bytes) in units {
        if size >= bytes {
            return format!("{} {unit}", three_digits(size as f64 / bytes as f64));
        }
    }
    format!("{size} B")
}

/// A moment in UTC with milliseconds; times beyond the calendar are shown as nothing.
pub fn moment(wall_ns: i64) -> String {
    match Timestamp::from_nanosecond(i128::from(wall_ns)) {
        Ok(time) => format!("{}", time.strftime("%Y-%m-%d %H:%M:%S.%3f UTC")),
        Err(_) => "–".to_owned(),
    }
}

/// A quantile by the name people know: `p50`, `p99`, `p99.9`.
pub fn quantile(quantile: f64) -> String {
    format!("p{}", three_digits(quantile * 100.0))
}

/// Words that stay on the line of the number before them.
const UNITS: [&str; 10] = ["s", "ms", "µs", "ns", "%", "rec/s", "B", "KiB", "MiB", "GiB"];

/// A space that no line breaks at.
pub const NO_BREAK: char = '\u{a0}';

/// The text with [`NO_BREAK`] between each number and its unit.
pub fn unbroken(text: &str) -> String {
    let mut joined = String::with_capacity(text.len() + 8);
    for (position, word) in text.split(' ').enumerate() {
        let bare = word.trim_end_matches([',', ';', '.', ':', ')', ']']);
        let is_unit = UNITS.contains(&bare) && joined.ends_with(|c: char| c.is_ascii_digit());
        if position > 0 {
            joined.push(if is_unit { NO_BREAK } else { ' ' });
        }
        joined.push_str(word);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits_and_the_right_unit() {
        let cases = [
            (0, "0 s"),
            (850, "850 ns"),
            (999, "999 ns"),
            (12_340, "12.3 µs"),
            (999_600, "1 ms"),
            (4_560_000, "4.56 ms"),
            (200_000_000, "200 ms"),
            (1_620_000_000, "1.62 s"),
            (312_000_000_000, "312 s"),
        ];
        for (ns, text) in cases {
            assert_eq!(duration(ns), text);
        }
        assert_eq!(signed_duration(-1_500_000.0), "-1.5 ms");
        assert_eq!(signed_duration(0.25), "0.25 ns");
    }

    #[test]
    fn counts_rates_sizes() {
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_500), "1,500");
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(rate(150_000.4), "150,000 rec/s");
        assert_eq!(rate(2.5), "2.5 rec/s");
        assert_eq!(rate_flag(153_000.0), "150k/s");
        assert_eq!(rate_flag(2_540_000.0), "2.5M/s");
        assert_eq!(rate_flag(995_000.0), "1M/s");
        assert_eq!(rate_flag(42.4), "42/s");
        assert_eq!(bytes(512), "512 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(118 << 20), "118 MiB");
    }

    #[test]
    fn percents_and_quantiles() {
        let cases = [
            (0.0, "0 %"),
            (0.41, "41 %"),
            (1.0, "100 %"),
            (0.029_51, "3 %"),
            (0.025, "2.5 %"),
            (0.000_7, "0.07 %"),
            (0.000_001, "< 0.01 %"),
            (-0.13, "-13 %"),
        ];
        for (share, text) in cases {
            assert_eq!(percent(share), text);
        }
        assert_eq!([0.5, 0.99, 0.999].map(quantile), ["p50", "p99", "p99.9"]);
    }

    #[test]
    fn numbers_keep_their_units() {
        assert_eq!(unbroken("took 450 ms; (55 %). by s x"), "took 450\u{a0}ms; (55\u{a0}%). by s x");
    }
}
