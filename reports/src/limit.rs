//! Limits that a trial must keep: `late<1%`, `p99<1s`, `p99.9<2*interval`, `utilisation<80%`.

use std::fmt;
use thiserror::Error;

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Metric {
    /// Share of late batches.
    Late,
    /// Median of processing time / interval.
    Utilisation,
    /// The latency that this share of the records does not exceed, intended send time to commit.
    Latency(f64),
}

/// How far it may go.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Bound {
    Share(f64),
    Nanoseconds(f64),
    Intervals(f64),
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limit {
    /// What is limited.
    pub metric: Metric,
    bound: Bound,
}

/// Why a text is no limit.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("`{text}` is no limit: {why}; write for example late<1%, p99<1s, p99.9<2*interval or utilisation<80%")]
pub struct LimitError {
    /// The text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Limit {
    /// At most this share of the batches late.
    pub fn late(share: f64) -> Limit {
        Limit { metric: Metric::Late, bound: Bound::Share(share) }
    }

    /// Reads limits that are separated by commas.
    ///
    /// # Errors
    /// The first that cannot be read, and why.
    pub fn parse_all(text: &str) -> Result<Vec<Limit>, LimitError> {
        text.split(',').map(str::trim).map(Limit::parse).collect()
    }

    /// Reads one limit.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Limit, LimitError> {
        let refuse = |why: String| LimitError { text: text.to_owned(), why };
        let Some((name, bound)) = text.split_once('<') else { return Err(refuse("there is no `<`".into())) };
        let (name, bound) = (name.trim(), bound.trim_start_matches('=').trim());
        let metric =
            metric(name).ok_or_else(|| refuse(format!("`{name}` is none of late, utilisation, p50 … p99.9, max")))?;
        let bound = match metric {
            Metric::Latency(_) => latency_bound(bound),
            Metric::Late | Metric::Utilisation => share(bound).map(Bound::Share),
        };
        let bound = bound.map_err(refuse)?;
        Ok(Limit { metric, bound })
    }

    /// The largest value that is within the limit: a share, or nanoseconds for a latency.
    pub fn most(&self, interval_ns: u64) -> f64 {
        match self.bound {
            Bound::Share(share) => share,
            Bound::Nanoseconds(ns) => ns,
            Bound::Intervals(intervals) => intervals * interval_ns as f64,
        }
    }
}

fn metric(name: &str) -> Option<Metric> {
    match name {
        "late" => Some(Metric::Late),
        "utilisation" | "utilization" => Some(Metric::Utilisation),
        "max" => Some(Metric::Latency(1.0)),
        _ => {
            let percent: f64 = name.strip_prefix('p')?.parse().ok()?;
            (percent > 0.0 && percent < 100.0).then_some(Metric::Latency(percent / 100.0))
        }
    }
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').ok_or_else(|| format!("`{text}` is no share such as 1%"))?;
    let percent: f64 = number.trim().parse().map_err(|_| format!("`{text}` is no share such as 1%"))?;
    match (0.0..=100.0).contains(&percent) {
        true => Ok(percent / 100.0),
        false => Err(format!("`{text}` is not between 0% and 100%")),
    }
}

fn latency_bound(text: &str) -> Result<Bound, String> {
    let positive = |number: f64| match number > 0.0 && number.is_finite() {
        true => Ok(number),
        false => Err(format!("`{text}` is not more than zero")),
    };
    let number = |digits: &str| digits.trim().parse::<f64>().map_err(|_| format!("`{}` is no number", digits.trim()));
    if text == "interval" {
        return Ok(Bound::Intervals(1.0));
    }
    if let Some((factor, "interval")) = text.split_once('*').map(|(factor, name)| (factor, name.trim())) {
        return positive(number(factor)?).map(Bound::Intervals);
    }
    if let Some(divisor) = text.strip_prefix("interval").and_then(|rest| rest.trim().strip_prefix('/')) {
        return positive(1.0 / number(divisor)?).map(Bound::Intervals);
    }
    // `s` last, because the other units end with it too.
    let units = [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("min", 60e9), ("s", 1e9)];
    let unit = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, size)));
    let (digits, size) = unit.ok_or_else(|| format!("`{text}` has no unit: write for example 500ms, or 2*interval"))?;
    positive(number(digits)? * size).map(Bound::Nanoseconds)
}

impl fmt::Display for Metric {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Metric::Late => formatter.write_str("late"),
            Metric::Utilisation => formatter.write_str("utilisation"),
            Metric::Latency(1.0) => formatter.write_str("max"),
            // Rounded, because 0.999 × 100 is 99.9 only nearly.
            Metric::Latency(quantile) => write!(formatter, "p{}", (quantile * 1e8).round() / 1e6),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}<", self.metric)?;
        match self.bound {
            Bound::Share(share) => write!(formatter, "{}%", (share * 1e8).round() / 1e6),
            Bound::Intervals(1.0) => formatter.write_str("interval"),
            Bound::Intervals(intervals) => write!(formatter, "{intervals}*interval"),
            Bound::Nanoseconds(ns) => {
                let units = [("s", 1e9), ("ms", 1e6), ("us", 1e3), ("ns", 1.0)];
                let (unit, size) = units.into_iter().find(|(_, size)| ns >= *size).unwrap_or(("ns", 1.0));
                write!(formatter, "{}{unit}", ns / size)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_printed_alike() {
        for text in ["late<1%", "late<0%", "p99<1s", "p99.9<250ms", "p50<2*interval", "max<interval", "utilisation<80%"]
        {
            let limit = Limit::parse(text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(limit.to_string(), text);
            assert_eq!(Limit::parse(&limit.to_string()), Ok(limit));
        }
        assert_eq!(Limit::parse_all("late<1%, p99 < 1s").map(|limits| limits.len()), Ok(2));
        assert_eq!(Limit::parse("p99<interval/2").unwrap().most(200), 100.0);
        assert_eq!(Limit::parse("p99<1.5*interval").unwrap().most(200), 300.0);
        assert_eq!(Limit::parse("p99<0.5s").unwrap().most(1), 5e8);
        assert_eq!(Limit::parse("late<2.5%").unwrap().most(1), 0.025);
    }

    #[test]
    fn what_cannot_be_a_limit_is_refused_with_its_reason() {
        let cases = [
            ("late", "no `<`"),
            ("lat<1%", "none of late"),
            ("p99<1", "no unit"),
            ("p99<-1s", "more than zero"),
            ("p99<0*interval", "more than zero"),
            ("p99<interval/0", "more than zero"),
            ("p100<1s", "none of late"),
            ("late<1", "no share"),
            ("late<101%", "between"),
            ("late<NaN%", "between"),
            ("p99<xs", "no number"),
            ("", "no `<`"),
        ];
        for (text, why) in cases {
            let error = Limit::parse(text).expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
