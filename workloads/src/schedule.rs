//! When records are meant to be sent, as offsets from the schedule's begin: constant, by a shape, random, or as recorded.

mod arrivals;
mod even;
mod profile;
mod recording;
mod walk;

pub(crate) use arrivals::RANGE as ARRIVALS_RANGE;
pub use arrivals::{Arrivals, FACTOR_ONE, Factor};
pub use recording::RECORDING_TIMES_MOST;

use crate::error::LoadError;
use profile::Profile;
use recording::Recording;
use std::fmt::Write;
use std::sync::{Arc, OnceLock};
use walk::Walk;
use xxhash_rust::xxh3::xxh3_128;

/// Lowest rate that can be asked for, records per second.
pub const RATE_LEAST_PER_S: f64 = 1e-3;

/// Highest rate that can be asked for, records per second.
pub const RATE_MOST_PER_S: f64 = 1e12;

/// Times that go into a schedule's hash.
const HASHED_TIMES: u64 = 1024;

/// The intended send times of a load. They depend on nothing but what [`Schedule::new`] is given: not on batches, pacing, or
/// any setting of the engine.
pub struct Schedule {
    arrivals: Arrivals,
    law: Law,
    /// Millionths of a record per second.
    rate_micro: u64,
    seed: u64,
    lead_ns: u64,
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

/// Where the times come from.
#[derive(Clone)]
enum Law {
    /// Each of them can be computed.
    Formula(Formula),
    /// One is drawn after another.
    Drawn,
}

#[derive(Clone)]
enum Formula {
    Constant {
        rate_micro: u64,
    },
    Profile(Arc<Profile>),
    /// The records of the lead come at the asked rate.
    Recorded {
        recording: Recording,
        rate_micro: u64,
        lead_ns: u64,
    },
}

impl Formula {
    fn offset_ns(&self, record: u64) -> u64 {
        match self {
            Formula::Constant { rate_micro } => even::offset_ns(*rate_micro, record),
            Formula::Profile(profile) => profile.offset_ns(record),
            Formula::Recorded { recording, rate_micro, lead_ns } => {
                match record.checked_sub(even::records_before(*rate_micro, *lead_ns)) {
                    None => even::offset_ns(*rate_micro, record),
                    Some(record) => lead_ns.saturating_add(recording.offset_ns(*rate_micro, record)),
                }
            }
        }
    }

    fn records_before(&self, offset_ns: u64) -> u64 {
        match self {
            Formula::Constant { rate_micro } => even::records_before(*rate_micro, offset_ns),
            Formula::Profile(profile) => profile.records_before(offset_ns),
            Formula::Recorded { recording, rate_micro, lead_ns } => {
                let of_lead = even::records_before(*rate_micro, offset_ns.min(*lead_ns));
                of_lead.saturating_add(recording.records_before(*rate_micro, offset_ns.saturating_sub(*lead_ns)))
            }
        }
    }
}

impl Schedule {
    /// What is due before `horizon_ns`, and no more than `records_limit` records. The rate is [`RATE_LEAST_PER_S`] to
    /// [`RATE_MOST_PER_S`] and rounded to a millionth of a record per second. Shapes and recordings begin after `lead_ns`; until
    /// then records come at the asked rate. A random process goes on for ever as it begins, and needs no lead.
    ///
    /// # Errors
    /// Recorded times that cannot be read.
    pub fn new(
        arrivals: &Arrivals,
        rate_per_s: f64,
        seed: u64,
        lead_ns: u64,
        horizon_ns: u64,
        records_limit: Option<u64>,
    ) -> Result<Self, LoadError> {
        let rate_micro = ((rate_per_s * 1e6).round() as u64).max(1);
        let law = match arrivals {
            Arrivals::Constant => Law::Formula(Formula::Constant { rate_micro }),
            Arrivals::Poisson | Arrivals::Bursty { .. } => Law::Drawn,
            Arrivals::Replay { path } => {
                Law::Formula(Formula::Recorded { recording: Recording::read(path)?, rate_micro, lead_ns })
            }
            Arrivals::Ramp { .. } | Arrivals::Steps { .. } | Arrivals::Spike { .. } => {
                Law::Formula(Formula::Profile(Arc::new(Profile::of(arrivals, rate_micro, lead_ns))))
            }
        };
        let records_limit = records_limit.unwrap_or(u64::MAX);
        let (arrivals, records) = (arrivals.clone(), OnceLock::new());
        Ok(Schedule { arrivals, law, rate_micro, seed, lead_ns, horizon_ns, records_limit, records })
    }

    /// How the times lie.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Records per second that were asked for; shapes are relative to it.
    pub fn rate_per_s(&self) -> f64 {
        self.rate_micro as f64 / 1e6
    }

    /// Where the schedule ends: every record is due before this.
    pub fn horizon_ns(&self) -> u64 {
        self.horizon_ns
    }

    /// How many records are planned. Random arrivals are counted one by one when this is first asked (some 5 ns each).
    pub fn records(&self) -> u64 {
        *self.records.get_or_init(|| self.records_before(self.horizon_ns))
    }

    /// How many records are due before `offset_ns`. Random arrivals are counted from the begin, all others are computed.
    pub fn records_before(&self, offset_ns: u64) -> u64 {
        match &self.law {
            Law::Formula(formula) => formula.records_before(offset_ns.min(self.horizon_ns)).min(self.records_limit),
            Law::Drawn => self.cursor().take_before(offset_ns, u64::MAX).map_or(0, |span| span.records),
        }
    }

    /// Walks through the schedule from its begin.
    pub fn cursor(&self) -> Cursor {
        let place = match (&self.law, &self.arrivals) {
            (Law::Formula(formula), _) => {
                Place::Computed { next_offset_ns: formula.offset_ns(0), formula: formula.clone() }
            }
            (Law::Drawn, Arrivals::Bursty { factor, burst_ns, calm_ns }) => {
                Place::Drawn(Box::new(Walk::bursty(self.rate_micro, self.seed, *factor, *burst_ns, *calm_ns)))
            }
            (Law::Drawn, _) => Place::Drawn(Box::new(Walk::poisson(self.rate_micro, self.seed))),
        };
        Cursor { place, next_record: 0, horizon_ns: self.horizon_ns, records_limit: self.records_limit }
    }

    /// Identifies the schedule and the payload that is sent by it, 32 hexadecimal digits.
    ///
    /// Hashing each time would take as long as sending. It is not needed: the times are a function of law, rate, seed,
    /// horizon and limit, and the bytes one of the payload's hash; all of these are hashed. The first 1024 times are hashed
    /// too, so that another hash shows if the function itself ever changes. A horizon that ends before the next arrival that
    /// can be computed plans the same events, so there the number of records stands for it.
    pub fn hash(&self, payload_hash: &str) -> String {
        let mut text = format!("downbeat schedule 1, {}, {} micro/s, seed {}", self.name(), self.rate_micro, self.seed);
        let end = match self.law {
            Law::Formula(_) => self.records(),
            Law::Drawn => self.horizon_ns,
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

    /// The arrivals by what determines them: a recording by its times, not by the name of its file.
    fn name(&self) -> String {
        let after = || if self.lead_ns > 0 { format!(" after {}", self.lead_ns) } else { String::new() };
        match &self.law {
            Law::Formula(Formula::Recorded { recording, .. }) => format!("replay {}{}", recording.hash(), after()),
            Law::Formula(Formula::Profile(_)) => format!("{}{}", self.arrivals, after()),
            Law::Formula(Formula::Constant { .. }) | Law::Drawn => self.arrivals.to_string(),
        }
    }
}

/// A place in a schedule.
pub struct Cursor {
    place: Place,
    next_record: u64,
    horizon_ns: u64,
    records_limit: u64,
}

enum Place {
    Computed { formula: Formula, next_offset_ns: u64 },
    Drawn(Box<Walk>),
}

impl Cursor {
    /// Number of the record that comes next.
    pub fn next_record(&self) -> u64 {
        self.next_record
    }

    /// When the next record is meant to be sent; `None` at the end of the schedule.
    pub fn next_offset_ns(&self) -> Option<u64> {
        let offset_ns = match &self.place {
            Place::Computed { next_offset_ns, .. } => *next_offset_ns,
            Place::Drawn(walk) => walk.next_ns(),
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
        let (end, first_offset_ns, last_offset_ns) = match &mut self.place {
            Place::Computed { formula, next_offset_ns } => {
                let end = formula.records_before(offset_ns).min(limit).max(first_record);
                let (first_ns, last_ns) = (*next_offset_ns, formula.offset_ns(end.saturating_sub(1)));
                *next_offset_ns = formula.offset_ns(end);
                (end, first_ns, last_ns)
            }
            Place::Drawn(walk) => {
                let first_offset_ns = walk.next_ns();
                let (taken, last_offset_ns) = walk.take_before(offset_ns, limit.saturating_sub(first_record));
                (first_record + taken, first_offset_ns, last_offset_ns)
            }
        };
        self.next_record = end;
        let records = end - first_record;
        (records > 0).then_some(Span { first_record, records, first_offset_ns, last_offset_ns })
    }
}

#[cfg(test)]
mod tests;
