//! What a tuning is for: `max rate, late<1%`, `min p99 at 100k/s`, `min threads that hold 50k/s`.

use crate::failure::Failure;
use downbeat_engine::settings::{format_rate, parse_rate};
use downbeat_reports::limit::{Limit, Metric};
use std::fmt;

/// The goal, with what every setting must keep.
#[derive(Clone, Debug, PartialEq)]
pub struct Goal {
    /// What is to be found.
    pub aim: Aim,
    /// What must be kept.
    pub limits: Vec<Limit>,
}

/// What is to be found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Aim {
    /// The setting with the highest rate that holds.
    MaxRate,
    /// The setting with the least latency at a rate.
    MinLatency {
        /// Share of the records that do not exceed it.
        quantile: f64,
        /// Records per second.
        rate_per_s: f64,
    },
    /// The least threads that hold a rate.
    MinThreads {
        /// Records per second.
        rate_per_s: f64,
    },
}

impl Goal {
    /// Reads a goal; limits follow behind commas, and without any `late_limit` is one.
    ///
    /// # Errors
    /// What cannot be understood, with what can.
    pub fn parse(text: &str, late_limit: f64) -> Result<Goal, Failure> {
        let refuse = |why: String| {
            Failure::usage(format!("--goal: {why}"))
                .help("write for example 'max rate, late<1%', 'min p99 at 100k/s' or 'min threads that hold 50k/s'")
        };
        let mut parts = text.split(',').map(str::trim);
        let words: Vec<&str> = parts.next().unwrap_or_default().split_whitespace().collect();
        let rate = |text: &str| parse_rate(text).map_err(|error| refuse(error.to_string()));
        let aim = match words[..] {
            ["max", "rate"] => Aim::MaxRate,
            ["min", "threads", "that", "hold", at] => Aim::MinThreads { rate_per_s: rate(at)? },
            ["min", metric, "at", at] => match Limit::parse(&format!("{metric}<1s")).map(|limit| limit.metric) {
                Ok(Metric::Latency(quantile)) => Aim::MinLatency { quantile, rate_per_s: rate(at)? },
                _ => return Err(refuse(format!("`{metric}` is no latency such as p50, p99 or max"))),
            },
            _ => return Err(refuse(format!("`{}` is no goal", words.join(" ")))),
        };
        let limits: Result<Vec<Limit>, _> = parts.map(Limit::parse).collect();
        let mut limits = limits.map_err(|error| refuse(error.to_string()))?;
        if limits.is_empty() {
            limits.push(Limit::late(late_limit));
        }
        Ok(Goal { aim, limits })
    }

    /// The rate that the goal asks for, if it does.
    pub fn rate_per_s(&self) -> Option<f64> {
        match self.aim {
            Aim::MaxRate => None,
            Aim::MinLatency { rate_per_s, .. } | Aim::MinThreads { rate_per_s } => Some(rate_per_s),
        }
    }

    /// [`share_of_interval`] of its limits.
    pub fn share_of_interval(&self, interval_ns: u64) -> f64 {
        share_of_interval(&self.limits, interval_ns)
    }
}

/// Share of the interval that a batch may take so that all limits can be kept, 1 at most; 0 or less when the interval alone
/// breaks a limit: records wait for the end of their interval, and then for their batch.
pub fn share_of_interval(limits: &[Limit], interval_ns: u64) -> f64 {
    let interval = interval_ns as f64;
    let of = |limit: &Limit| match limit.metric {
        Metric::Late => 1.0,
        Metric::Utilisation => limit.most(interval_ns),
        Metric::Latency(quantile) => (limit.most(interval_ns) - quantile * interval) / interval,
    };
    limits.iter().map(of).fold(1.0, f64::min)
}

impl fmt::Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.aim {
            Aim::MaxRate => formatter.write_str("max rate")?,
            Aim::MinLatency { quantile, rate_per_s } => {
                write!(formatter, "min {} at {}", Metric::Latency(quantile), format_rate(rate_per_s))?;
            }
            Aim::MinThreads { rate_per_s } => write!(formatter, "min threads that hold {}", format_rate(rate_per_s))?,
        }
        self.limits.iter().try_for_each(|limit| write!(formatter, ", {limit}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goals_are_read_and_printed_alike() {
        for text in [
            "max rate, late<1%",
            "min p99 at 100k/s, late<5%",
            "min threads that hold 50k/s, p99<1s",
            "max rate, p99<1s, late<1%",
        ] {
            assert_eq!(Goal::parse(text, 0.01).unwrap_or_else(|error| panic!("{error}")).to_string(), text);
        }
        assert_eq!(Goal::parse("max rate", 0.02).unwrap().to_string(), "max rate, late<2%");
        assert_eq!(Goal::parse("min max at 1k/s", 0.01).unwrap().rate_per_s(), Some(1_000.0));
    }

    #[test]
    fn goals_that_make_no_sense_are_refused() {
        for (text, why) in [
            ("fast", "no goal"),
            ("", "no goal"),
            ("min p99", "no goal"),
            ("min late at 1k/s", "no latency"),
            ("min p99 at 100", "no unit"),
            ("min p99 at -5k/s", "--goal"),
            ("max rate, p99", "no `<`"),
        ] {
            let error = Goal::parse(text, 0.01).expect_err(text).to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn a_latency_limit_leaves_what_the_interval_does_not_take() {
        let goal = |text: &str| Goal::parse(text, 0.01).unwrap();
        assert_eq!(goal("max rate").share_of_interval(200_000_000), 1.0);
        assert!((goal("max rate, p50<150ms").share_of_interval(200_000_000) - 0.25).abs() < 1e-9);
        assert!(goal("max rate, p99<100ms").share_of_interval(200_000_000) < 0.0);
        assert_eq!(goal("max rate, utilisation<60%").share_of_interval(1), 0.6);
    }
}
