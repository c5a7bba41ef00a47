//! The load's settings and `LOAD_KNOBS`, the table from which flags, TOML keys, help and reports are derived.

use crate::error::LoadError;
use crate::keys::{self, KeyLaw};
use crate::payload::COLUMN_BYTES;
use crate::records::RecordsKind;
use crate::schedule::{ARRIVALS_RANGE, Arrivals, RATE_LEAST_PER_S, RATE_MOST_PER_S, Schedule};
use downbeat_engine::settings::{
    Knob, KnobKind, ValueError, format_bytes, format_duration_ns, format_rate, parse_bytes, parse_duration_ns,
    parse_rate, suggest,
};
use std::path::PathBuf;

/// Where generated text comes from while it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextMode {
    /// From a ring that was made beforehand.
    Ring,
    /// It is made while it is sent, so no line comes back.
    Live,
}

/// What is sent, and when. Values are checked when a schedule is made of them.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadSettings {
    /// Records (lines, tweets) per second; taken to a millionth of a record per second.
    pub rate_per_s: f64,
    /// How the intended send times lie.
    pub arrivals: Arrivals,
    /// How the keys of the text are drawn.
    pub keys: KeyLaw,
    /// Seed of text and arrivals.
    pub seed: u64,
    /// Replayed from a ring, or made on the fly.
    pub text: TextMode,
    /// Size of the ring.
    pub ring_bytes: usize,
    /// Length of the window of jobs that have one, nanoseconds.
    pub window_ns: u64,
    /// A session without a request for longer than this is over, nanoseconds; rounded up to whole intervals.
    pub session_timeout_ns: u64,
    /// How the job holds the text that it makes of its lines.
    pub records: RecordsKind,
    /// A user's own file instead of generated text.
    pub input: Option<PathBuf>,
    /// Replay that file again and again, not once.
    pub input_loop: bool,
    /// Longest line that is taken from that file; the engine's `line_limit`.
    pub line_limit_bytes: usize,
}

impl Default for LoadSettings {
    fn default() -> Self {
        LoadSettings {
            rate_per_s: 100_000.0,
            arrivals: Arrivals::Constant,
            keys: KeyLaw::Default,
            seed: 42,
            text: TextMode::Ring,
            ring_bytes: 64 << 20,
            window_ns: 10_000_000_000,
            session_timeout_ns: 1_000_000_000,
            records: RecordsKind::Borrowed,
            input: None,
            input_loop: false,
            line_limit_bytes: 1 << 20,
        }
    }
}

impl LoadSettings {
    /// Checks the settings as a whole.
    ///
    /// # Errors
    /// The first setting that cannot work, with what would.
    pub fn validate(&self) -> Result<(), LoadError> {
        let refuse =
            |knob: &'static str, value: String, rule: &'static str| Err(LoadError::Setting { knob, value, rule });
        if !(RATE_LEAST_PER_S..=RATE_MOST_PER_S).contains(&self.rate_per_s) {
            return refuse("rate", format_rate(self.rate_per_s), "must be 0.001/s to 1000000M/s");
        }
        if self.ring_bytes == 0 || self.ring_bytes > COLUMN_BYTES {
            return refuse("ring", format_bytes(self.ring_bytes as u64), "must be 1B to 256MiB");
        }
        if self.input.is_some() && self.keys != KeyLaw::Default {
            return refuse("keys", self.keys.to_string(), "an input file has its own keys; leave one of them out");
        }
        if self.text == TextMode::Ring && self.keys.changes() {
            let rule = "changes with the record's number, but a ring begins again and again; give text = live";
            return refuse("keys", self.keys.to_string(), rule);
        }
        if self.window_ns == 0 {
            return refuse("window", format_duration_ns(self.window_ns), "must be more than zero");
        }
        Ok(())
    }

    /// The intended send times of everything due within `horizon_ns` of the schedule's begin, and of no more than
    /// `records_limit` records ([`Payload::records_limit`](crate::payload::Payload::records_limit)).
    ///
    /// # Errors
    /// What [`LoadSettings::validate`] finds; recorded times that cannot be read.
    pub fn schedule(&self, horizon_ns: u64, records_limit: Option<u64>) -> Result<Schedule, LoadError> {
        self.schedule_after(0, horizon_ns, records_limit)
    }

    /// The same when what primes windows takes the first `lead_ns`: shapes of arrivals begin after it.
    ///
    /// # Errors
    /// As [`LoadSettings::schedule`].
    pub fn schedule_after(
        &self,
        lead_ns: u64,
        horizon_ns: u64,
        records_limit: Option<u64>,
    ) -> Result<Schedule, LoadError> {
        self.validate()?;
        Schedule::new(&self.arrivals, self.rate_per_s, self.seed, lead_ns, horizon_ns, records_limit)
    }
}

/// The load's knobs, in the order in which they are shown.
pub static LOAD_KNOBS: &[Knob<LoadSettings>] = &[
    Knob {
        name: "rate",
        kind: KnobKind::Rate,
        range: "0.001/s to 1000000M/s",
        default: "100k/s",
        trades: "more load against headroom; a record is a line as it arrives",
        spark: None,
        get: |load| format_rate(load.rate_per_s),
        set: |load, text| {
            load.rate_per_s = parse_rate(text)?;
            Ok(())
        },
    },
    Knob {
        name: "arrivals",
        kind: KnobKind::Text,
        range: ARRIVALS_RANGE,
        default: "constant",
        trades: "batches of equal size against the bursts of many senders and the changes of a day; factors are of the rate",
        spark: None,
        get: |load| load.arrivals.to_string(),
        set: |load, text| {
            load.arrivals = Arrivals::parse(text)?;
            Ok(())
        },
    },
    Knob {
        name: "keys",
        kind: KnobKind::Text,
        range: keys::RANGE,
        default: "default",
        trades: "even partitions and small tables against the skew and growth of real keys; what changes on the way needs text = live",
        spark: None,
        get: |load| load.keys.to_string(),
        set: |load, text| {
            load.keys = KeyLaw::parse(text)?;
            Ok(())
        },
    },
    Knob {
        name: "seed",
        kind: KnobKind::Count,
        range: "0 and more",
        default: "42",
        trades: "nothing: the same seed sends the same bytes at the same times, another one tells chance from effect",
        spark: None,
        get: |load| load.seed.to_string(),
        set: |load, text| {
            load.seed = text
                .trim()
                .parse()
                .map_err(|_| ValueError::NotANumber { text: text.into(), expected: "a whole number below 2^64" })?;
            Ok(())
        },
    },
    Knob {
        name: "text",
        kind: KnobKind::Choice(&["ring", "live"]),
        range: "ring, live",
        default: "ring",
        trades: "a sender that costs next to nothing against text in which no line comes back",
        spark: None,
        get: |load| match load.text {
            TextMode::Ring => "ring".into(),
            TextMode::Live => "live".into(),
        },
        set: |load, text| {
            load.text = match choice(text, &["ring", "live"])? {
                0 => TextMode::Ring,
                _ => TextMode::Live,
            };
            Ok(())
        },
    },
    Knob {
        name: "ring",
        kind: KnobKind::Bytes,
        range: "1B to 256MiB",
        default: "64MiB",
        trades: "text that repeats later, and does not fit into caches, against memory and time to make it",
        spark: None,
        get: |load| format_bytes(load.ring_bytes as u64),
        set: |load, text| {
            let bytes = parse_bytes(text)?;
            let fits = usize::try_from(bytes).ok().filter(|bytes| *bytes <= COLUMN_BYTES);
            load.ring_bytes = fits.ok_or_else(|| ValueError::TooLarge { text: text.into() })?;
            Ok(())
        },
    },
    Knob {
        name: "window",
        kind: KnobKind::Duration,
        range: "a multiple of the interval",
        default: "10s",
        trades: "what the answer looks back on against memory and the time to prime it",
        spark: Some("windowDuration"),
        get: |load| format_duration_ns(load.window_ns),
        set: |load, text| {
            load.window_ns = parse_duration_ns(text)?;
            Ok(())
        },
    },
    Knob {
        name: "session_timeout",
        kind: KnobKind::Duration,
        range: "rounded up to whole intervals",
        default: "1s",
        trades: "sessions that survive a pause against state that is kept for longer",
        spark: Some("StateSpec.timeout"),
        get: |load| format_duration_ns(load.session_timeout_ns),
        set: |load, text| {
            load.session_timeout_ns = parse_duration_ns(text)?;
            Ok(())
        },
    },
    Knob {
        name: "records",
        kind: KnobKind::Choice(&["borrowed", "owned"]),
        range: "borrowed, owned",
        default: "borrowed",
        trades: "views of the received block against one allocation for each text that the job makes of a line",
        spark: None,
        get: |load| match load.records {
            RecordsKind::Borrowed => "borrowed".into(),
            RecordsKind::Owned => "owned".into(),
        },
        set: |load, text| {
            load.records = match choice(text, &["borrowed", "owned"])? {
                0 => RecordsKind::Borrowed,
                _ => RecordsKind::Owned,
            };
            Ok(())
        },
    },
];

/// Index of the word among the allowed ones.
fn choice(text: &str, allowed: &[&str]) -> Result<usize, ValueError> {
    allowed.iter().position(|word| *word == text).ok_or_else(|| ValueError::NotAChoice {
        text: text.into(),
        allowed: allowed.join(", "),
        suggestion: suggest(text, allowed.iter().copied()).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use downbeat_engine::settings::{KNOBS, find_knob};

    #[test]
    fn every_knob_reads_back_what_it_prints() {
        for knob in LOAD_KNOBS {
            let mut load = LoadSettings::default();
            let text = (knob.get)(&load);
            assert_eq!(text, knob.default, "{}", knob.name);
            (knob.set)(&mut load, &text).unwrap_or_else(|error| panic!("{}: {error}", knob.name));
            assert_eq!(load, LoadSettings::default(), "{}", knob.name);
        }
    }

    #[test]
    fn knob_names_are_unique_also_among_the_engines_and_choices_are_listed() {
        for (index, knob) in LOAD_KNOBS.iter().enumerate() {
            assert!(LOAD_KNOBS[..index].iter().all(|other| other.name != knob.name), "{} twice", knob.name);
            assert!(find_knob(KNOBS, knob.name).is_none(), "{} is a knob of the engine", knob.name);
            if let KnobKind::Choice(words) = knob.kind {
                assert_eq!(knob.range, words.join(", "), "{}", knob.name);
                for word in words {
                    let mut load = LoadSettings::default();
                    (knob.set)(&mut load, word).unwrap();
                    assert_eq!((knob.get)(&load), *word);
                }
            }
            assert!(!knob.trades.is_empty());
        }
    }

    #[test]
    fn values_that_cannot_be_understood_are_refused_with_advice() {
        let refused = |knob: &str, text: &str| {
            let knob = find_knob(LOAD_KNOBS, knob).expect("in the table");
            (knob.set)(&mut LoadSettings::default(), text).expect_err(text)
        };
        assert_eq!(refused("rate", "5000").to_string(), "`5000` has no unit: write for example `5000/s`");
        assert!(refused("arrivals", "poison").to_string().ends_with("did you mean `poisson`?"));
        assert!(matches!(refused("ring", "257MiB"), ValueError::TooLarge { .. }));
        assert!(matches!(refused("seed", "-1"), ValueError::NotANumber { .. }));
        assert!(matches!(refused("window", "0s"), ValueError::NotPositive { .. }));
    }

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let refused = |load: LoadSettings, named: &str| match load.schedule(1_000_000_000, None).err() {
            Some(LoadError::Setting { knob, .. }) => assert_eq!(knob, named),
            other => panic!("{named}: {other:?}"),
        };
        let fine = LoadSettings::default();
        assert_eq!(fine.schedule(1_000_000_000, None).map(|schedule| schedule.records()), Ok(100_000));
        refused(LoadSettings { rate_per_s: 0.0, ..fine.clone() }, "rate");
        refused(LoadSettings { rate_per_s: f64::NAN, ..fine.clone() }, "rate");
        refused(LoadSettings { ring_bytes: 0, ..fine.clone() }, "ring");
        refused(LoadSettings { window_ns: 0, ..fine.clone() }, "window");
        let keys = |keys: &str| LoadSettings { keys: KeyLaw::parse(keys).unwrap(), ..fine.clone() };
        refused(keys("growing(1,2,3)"), "keys");
        refused(keys("hot(5%,10,move=7)"), "keys");
        refused(LoadSettings { input: Some("x".into()), ..keys("uniform(5)") }, "keys");
        assert!(LoadSettings { text: TextMode::Live, ..keys("growing(1,2,3)") }.validate().is_ok());
        assert!(keys("hot(5%,10)").validate().is_ok());
    }
}
