//! What searches found, as plain data, and how it is shown: the rate that holds, and the settings that make it hold.

pub mod found;
pub mod max;
pub mod sweep;
pub mod tune;

use crate::figures::Figures;
use crate::limit::Limit;
use serde::{Deserialize, Serialize};

/// A number with the ends of its 95 % interval.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Median.
    pub estimate: f64,
    /// 2.5 % lie below.
    pub lower: f64,
    /// 2.5 % lie above.
    pub upper: f64,
}

impl Interval {
    /// Width as a share of the number.
    pub fn width(&self) -> f64 {
        (self.upper - self.lower) / self.estimate
    }

    /// Whether a number lies inside.
    pub fn contains(&self, number: f64) -> bool {
        (self.lower..=self.upper).contains(&number)
    }
}

/// What one trial of a search for a rate showed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tried {
    /// The rate, records per second.
    pub rate_per_s: f64,
    /// Whether it was a decisive one.
    pub decisive: bool,
    /// Whether it exceeded the limits.
    pub exceeds: bool,
    /// By how much, as a logarithm, where that can be told.
    #[serde(default)]
    pub margin: Option<f64>,
    /// Judged batches.
    pub judged: u64,
    /// Late ones among them.
    pub late: u64,
}

impl Tried {
    /// What a trial at this rate shows to a search with these limits.
    pub fn of(figures: &Figures, limits: &[Limit], rate_per_s: f64, decisive: bool) -> Tried {
        Tried {
            rate_per_s,
            decisive,
            exceeds: figures.exceeded(limits).is_some(),
            margin: figures.margin(limits),
            judged: figures.judged,
            late: figures.late,
        }
    }
}

/// Why a search for a rate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stop {
    /// The interval is narrow enough.
    Narrow,
    /// It holds at the highest rate that may be tried.
    AtTheMost,
    /// So many decisive trials did not narrow it: the host is too noisy.
    TooNoisy,
    /// One trial said nothing, however often it was repeated.
    SaidNothing,
    /// The time was over.
    BudgetSpent,
    /// Somebody stopped it.
    Interrupted,
}

impl Stop {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Stop::Narrow => "the interval is as narrow as asked",
            Stop::AtTheMost => "it holds at the highest rate that the generator can prove",
            Stop::TooNoisy => "more trials did not narrow it: the host is too noisy",
            Stop::SaidNothing => "a trial said nothing, however often it was repeated",
            Stop::BudgetSpent => "the time was over before the interval was as narrow as asked",
            Stop::Interrupted => "it was interrupted",
        }
    }
}

/// Decisive trials at one rate, pooled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Rung {
    /// The rate, records per second.
    pub rate_per_s: f64,
    /// Decisive trials.
    pub trials: u64,
    /// Those that exceeded the limits.
    pub exceeded: u64,
    /// Judged batches of all.
    pub judged: u64,
    /// Late ones among them.
    pub late: u64,
}

impl Rung {
    /// It holds when at least half of its trials do, over at least 100 judged batches; `None` with fewer.
    pub fn holds(&self) -> Option<bool> {
        (self.judged >= 100).then_some(2 * self.exceeded <= self.trials)
    }
}
