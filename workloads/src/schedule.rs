//! When records are meant to be sent: constant or Poisson arrivals, as offsets from the schedule's begin.

use crate::random::{Purpose, Random, stream};
use rand_distr::{Distribution, Exp1};
use std::fmt::Write;
use std::sync::OnceLock;
use xxhash_rust::xxh3::xxh3_128;

/// Lowest rate that can be asked for, records per second.
pub const RATE_LEAST_PER_S: f64 = 1e-3;

/// Highest rate that can be asked for, records per second.
pub const RATE_MOST_PER_S: f64 = 1e12;

/// Rates are kept in millionths of a record per second: nanoseconds per second × this.
const NS_PER_S_MICRO: u128 = 1_000_000_000 * 1_000_000;

/// Poisson times are summed in 2⁻¹⁶ ns, as integers, so that a sum never drifts and never depends on how far it has come.
const UNITS_PER_NS_LOG2: u32 = 16;

/// Times that go into a schedule's hash.
const HASHED_TIMES: u64 = 1024;

/// How intended send times lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Record `i` at exactly `i / rate`, rounded down to a nanosecond.
    Constant,
    /// A Poisson process: independent exponential gaps, the first one before record 0.
    Poisson,
}

impl Arrivals {
    /// The word for it in settings and records.
    pub fn name(self) -> &'static str {
        match self {
            Arrivals::Constant => "constant",
            Arrivals::Poisson => "poisson",
        }
    }
}

/// The intended send times of a load. They depend on nothing but what [`Schedule::new`] is given: not on batches, pacing, or
/// any setting of the engine.
pub struct Schedule {
    arrivals: Arrivals,
    /// Millionths of a record per second.
    rate_micro: u64,
    seed: u64,
    horizon_ns: u64,
    records_limit: u64,
    records: OnceLock<u64>,
}

/// A run of consecutive records of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Number of the first one.
    pub first_record: u64,
    /// How many; at least one.
    pub records: u64,
    /// When the first one is meant to be sent.
    pub first_offset_ns: u64,
    /// When the last one is.
    pub last_offset_ns: u64,
}

impl Schedule {
    /// What is due before `horizon_ns`, and no more than `records_limit` records. The rate is [`RATE_LEAST_PER_S`] to
    /// [`RATE_MOST_PER_S`] and rounded to a millionth of a record per second.
    pub fn new(arrivals: Arrivals, rate_per_s: f64, seed: u64, horizon_ns: u64, records_limit: Option<u64>) -> Self {
        let rate_micro = ((rate_per_s * 1e6).round() as u64).max(1);
        let records_limit = records_limit.unwrap_or(u64::MAX);
        Schedule { arrivals, rate_micro, seed, horizon_ns, records_limit, records: OnceLock::new() }
    }

    /// How the times lie.
    pub fn arrivals(&self) -> Arrivals {
        self.arrivals
    }

    /// Records per second.
    pub fn rate_per_s(&self) -> f64 {
        self.rate_micro as f64 / 1e6
    }

    /// Where the schedule ends: every record is due before this.
    pub fn horizon_ns(&self) -> u64 {
        self.horizon_ns
    }

    /// How many records are planned. Poisson arrivals are counted one by one when this is first asked (some 5 ns each).
    pub fn records(&self) -> u64 {
        *self.records.get_or_init(|| self.records_before(self.horizon_ns))
    }

    /// How many records are due before `offset_ns`. Constant arrivals: arithmetic. Poisson arrivals: counted from the begin.
    pub fn records_before(&self, offset_ns: u64) -> u64 {
        match self.arrivals {
            Arrivals::Constant => {
                constant_records_before(self.rate_micro, offset_ns.min(self.horizon_ns)).min(self.records_limit)
            }
            Arrivals::Poisson => self.cursor().take_before(offset_ns, u64::MAX).map_or(0, |span| span.records),
        }
    }

    /// Walks through the schedule from its begin.
    pub fn cursor(&self) -> Cursor {
        let law = match self.arrivals {
            Arrivals::Constant => Law::Constant { rate_micro: self.rate_micro },
            Arrivals::Poisson => Law::Poisson(Box::new(Gaps::new(self.rate_micro, self.seed))),
        };
        Cursor { law, next_record: 0, horizon_ns: self.horizon_ns, records_limit: self.records_limit }
    }

    /// Identifies the schedule and the payload that is sent by it, 32 hexadecimal digits.
    ///
    /// Hashing each time would take as long as sending. It is not needed: the times are a function of law, rate, seed,
    /// horizon and limit, and the bytes one of the payload's hash; all of these are hashed. The first 1024 times are hashed
    /// too, so that another hash shows if the function itself ever changes. A horizon that ends before the next constant
    /// arrival plans the same events, so there the number of records stands for it.
    pub fn hash(&self, payload_hash: &str) -> String {
        let mut text =
            format!("downbeat schedule 1, {}, {} micro/s, seed {}", self.arrivals.name(), self.rate_micro, self.seed);
        let end = match self.arrivals {
            Arrivals::Constant => self.records(),
            Arrivals::Poisson => self.horizon_ns,
        };
        let mut cursor = self.cursor();
        for _ in 0..HASHED_TIMES {
            let Some(span) = cursor.take_before(u64::MAX, 1) else { break };
            // Writing to a string cannot fail.
            let _ = write!(text, ", {}", span.first_offset_ns);
        }
        let _ = write!(text, ", end {end}, limit {}, payload {payload_hash}", self.records_limit);
        format!("{:032x}", xxh3_128(text.as_bytes()))
    }
}

/// A place in a schedule.
pub struct Cursor {
    law: Law,
    next_record: u64,
    horizon_ns: u64,
    records_limit: u64,
}

enum Law {
    Constant { rate_micro: u64 },
    Poisson(Box<Gaps>),
}

impl Cursor {
    /// Number of the record that comes next.
    pub fn next_record(&self) -> u64 {
        self.next_record
    }

    /// When the next record is meant to be sent; `None` at the end of the schedule.
    pub fn next_offset_ns(&self) -> Option<u64> {
        let offset_ns = match &self.law {
            Law::Constant { rate_micro } => constant_offset_ns(*rate_micro, self.next_record),
            Law::Poisson(gaps) => gaps.next_ns(),
        };
        (self.next_record < self.records_limit && offset_ns < self.horizon_ns).then_some(offset_ns)
    }

    /// Where the schedule ends, if no number of records ends it before.
    pub fn horizon_ns(&self) -> u64 {
        self.horizon_ns
    }

    /// Is there nothing left to send or to wait for? True after the last record when their number is limited, else from the
    /// horizon on.
    pub fn is_over_at(&self, offset_ns: u64) -> bool {
        self.next_record >= self.records_limit || (offset_ns >= self.horizon_ns && self.next_offset_ns().is_none())
    }

    /// Takes the records that are due before `offset_ns`, `most` at most; `None` when there is none.
    pub fn take_before(&mut self, offset_ns: u64, most: u64) -> Option<Span> {
        let offset_ns = offset_ns.min(self.horizon_ns);
        let limit = self.next_record.saturating_add(most).min(self.records_limit);
        let first_record = self.next_record;
        let (end, first_offset_ns, last_offset_ns) = match &mut self.law {
            Law::Constant { rate_micro } => {
                let end = constant_records_before(*rate_micro, offset_ns).min(limit).max(first_record);
                let offset_of = |record| constant_offset_ns(*rate_micro, record);
                (end, offset_of(first_record), offset_of(end.saturating_sub(1)))
            }
            Law::Poisson(gaps) => {
                let first_offset_ns = gaps.next_ns();
                let (taken, last_offset_ns) = gaps.take_before(offset_ns, limit.saturating_sub(first_record));
                (first_record + taken, first_offset_ns, last_offset_ns)
            }
        };
        self.next_record = end;
        let records = end - first_record;
        (records > 0).then_some(Span { first_record, records, first_offset_ns, last_offset_ns })
    }
}

/// ⌊record / rate⌋ in nanoseconds: 2⁶⁴ × 10¹⁵ fits 128 bits, so nothing is rounded but the result.
fn constant_offset_ns(rate_micro: u64, record: u64) -> u64 {
    u64::try_from(u128::from(record) * NS_PER_S_MICRO / u128::from(rate_micro)).unwrap_or(u64::MAX)
}

/// Number of records `i` with ⌊i / rate⌋ < offset, which is ⌈offset × rate⌉.
fn constant_records_before(rate_micro: u64, offset_ns: u64) -> u64 {
    let records = (u128::from(offset_ns) * u128::from(rate_micro)).div_ceil(NS_PER_S_MICRO);
    u64::try_from(records).unwrap_or(u64::MAX)
}

/// The times of a Poisson process, one after another.
struct Gaps {
    random: Random,
    mean_units: f64,
    next_units: u128,
}

impl Gaps {
    fn new(rate_micro: u64, seed: u64) -> Self {
        let mean_units = 1e15 / rate_micro as f64 * f64::from(1u32 << UNITS_PER_NS_LOG2);
        let mut gaps = Gaps { random: stream(seed, Purpose::Arrivals, 0), mean_units, next_units: 0 };
        gaps.advance();
        gaps
    }

    #[inline]
    fn advance(&mut self) {
        let gap: f64 = Exp1.sample(&mut self.random);
        // At the lowest rate the longest gap, some 40 means, still fits 64 bits; converting to 128 would take longer than drawing.
        self.next_units += u128::from((gap * self.mean_units) as u64);
    }

    fn next_ns(&self) -> u64 {
        u64::try_from(self.next_units >> UNITS_PER_NS_LOG2).unwrap_or(u64::MAX)
    }

    /// How many of the next `most` times are before `offset_ns`, and the last of them.
    fn take_before(&mut self, offset_ns: u64, most: u64) -> (u64, u64) {
        let limit_units = u128::from(offset_ns) << UNITS_PER_NS_LOG2;
        let (mut taken, mut last_units) = (0, self.next_units);
        while taken < most && self.next_units < limit_units {
            last_units = self.next_units;
            self.advance();
            taken += 1;
        }
        (taken, u64::try_from(last_units >> UNITS_PER_NS_LOG2).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests;
