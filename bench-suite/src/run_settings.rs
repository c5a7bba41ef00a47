//! How a run is measured: its own settings and `RUN_KNOBS`, beside those of the engine and of the load.

use downbeat_engine::EngineError;
use downbeat_engine::allocator::{self, Arenas};
use downbeat_engine::settings::{Knob, KnobKind, ValueError, assign, format_duration_ns, parse_duration_ns, suggest};

/// How a run is measured and judged.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSettings {
    /// Batches that are judged.
    pub batches: u64,
    /// Judge for this long instead, nanoseconds.
    pub duration_ns: Option<u64>,
    /// What goes before them unjudged.
    pub warmup: Warmup,
    /// Share of late batches that is still accepted.
    pub late_limit: f64,
    /// Samples per second of CPU time in the profile.
    pub profile_hz: u32,
    /// Whether the measured trial is sampled too.
    pub trial_samples: bool,
    /// The trial ends at the latest after this, nanoseconds.
    pub max_time_ns: Option<u64>,
    /// The allocator and whether it counts, as `DOWNBEAT_ALLOCATOR` takes it.
    pub allocator: String,
    /// Its options.
    pub allocator_options: allocator::Options,
}

impl Default for RunSettings {
    fn default() -> Self {
        RunSettings {
            batches: 100,
            duration_ns: None,
            warmup: Warmup::Auto,
            late_limit: 0.01,
            profile_hz: 99,
            trial_samples: false,
            max_time_ns: None,
            allocator: "mimalloc".to_owned(),
            allocator_options: allocator::Options::default(),
        }
    }
}

impl RunSettings {
    /// Name of the allocator, whether it counts or not.
    pub fn allocator_name(&self) -> &str {
        self.allocator.strip_suffix(allocator::UNCOUNTED).unwrap_or(&self.allocator)
    }

    /// Checks the settings as a whole.
    ///
    /// # Errors
    /// An option that the chosen allocator does not have.
    pub fn validate(&self) -> Result<(), EngineError> {
        self.allocator_options.check(self.allocator_name())
    }
}

/// What goes before the judged batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warmup {
    /// The longer of 10 batches and 2 s.
    Auto,
    /// That many batches.
    Batches(u64),
    /// At least this long, nanoseconds.
    Time(u64),
}

impl Warmup {
    /// Batches of this interval that are not judged.
    pub fn batches(self, interval_ns: u64) -> u64 {
        match self {
            Warmup::Auto => 2_000_000_000_u64.div_ceil(interval_ns).max(10),
            Warmup::Batches(batches) => batches,
            Warmup::Time(time_ns) => time_ns.div_ceil(interval_ns),
        }
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        match text.trim() {
            "auto" => Ok(Warmup::Auto),
            whole if !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit()) => {
                whole.parse().map(Warmup::Batches).map_err(|_| ValueError::TooLarge { text: text.into() })
            }
            time if time.starts_with(|first: char| first.is_ascii_digit() || first == '-') => {
                parse_duration_ns(time).map(Warmup::Time)
            }
            _ => Err(ValueError::NotANumber {
                text: text.into(),
                expected: "`auto`, a number of batches or a duration such as `2s`",
            }),
        }
    }
}

impl std::fmt::Display for Warmup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Warmup::Auto => formatter.write_str("auto"),
            Warmup::Batches(batches) => write!(formatter, "{batches}"),
            Warmup::Time(time_ns) => formatter.write_str(&format_duration_ns(*time_ns)),
        }
    }
}

/// From this frequency on the kernel's tick drops samples and scales the profile wrongly.
const PROFILE_HZ_LIMIT: u32 = 250;

/// The knobs of a run, in the order in which they are shown.
pub static RUN_KNOBS: &[Knob<RunSettings>] = &[
    Knob {
        name: "batches",
        kind: KnobKind::Count,
        range: "1 and more; a verdict of HOLDS needs 20",
        default: "100",
        trades: "smaller late shares can be told from chance against time",
        spark: None,
        get: |settings| settings.batches.to_string(),
        set: |settings, text| parse_count(text).map(|value| settings.batches = value),
    },
    Knob {
        name: "duration",
        kind: KnobKind::Duration,
        range: "none, or a duration; replaces batches",
        default: "none",
        trades: "the same as batches, said as time",
        spark: None,
        get: |settings| none_or_duration(settings.duration_ns),
        set: |settings, text| parse_none_or_duration(text).map(|value| settings.duration_ns = value),
    },
    Knob {
        name: "warmup",
        kind: KnobKind::Text,
        range: "auto, a number of batches, or a duration",
        default: "auto: the longer of 10 batches and 2s",
        trades: "batches that are still settling stay out of the verdict against time",
        spark: None,
        get: |settings| settings.warmup.to_string(),
        set: |settings, text| Warmup::parse(text).map(|value| settings.warmup = value),
    },
    Knob {
        name: "late_limit",
        kind: KnobKind::Share,
        range: "0% to 50%",
        default: "1%",
        trades: "how many late batches are still called holding",
        spark: None,
        // Rounded, because 0.07 × 100 is 7.000000000000001.
        get: |settings| format!("{}%", (settings.late_limit * 1e8).round() / 1e6),
        set: |settings, text| parse_share(text, 0.5).map(|value| settings.late_limit = value),
    },
    Knob {
        name: "profile_hz",
        kind: KnobKind::Count,
        range: "1 to 249",
        default: "99",
        trades: "more samples against losing them to the kernel's tick",
        spark: None,
        get: |settings| settings.profile_hz.to_string(),
        set: |settings, text| parse_profile_hz(text).map(|value| settings.profile_hz = value),
    },
    Knob {
        name: "trial_samples",
        kind: KnobKind::Choice(ON_OFF),
        range: "on, off; where the kernel permits perf_event_open",
        default: "off",
        trades: "functions of the late batches themselves against the sampler's cost in the measured trial",
        spark: None,
        get: |settings| on_off(settings.trial_samples),
        set: |settings, text| one_of(text, ON_OFF).map(|place| settings.trial_samples = place == 0),
    },
    Knob {
        name: "max_time",
        kind: KnobKind::Duration,
        range: "none, or a duration",
        default: "none; with a TCP source 60s without any record",
        trades: "a hard end of the trial against finishing it",
        spark: None,
        get: |settings| none_or_duration(settings.max_time_ns),
        set: |settings, text| parse_none_or_duration(text).map(|value| settings.max_time_ns = value),
    },
    Knob {
        name: "allocator",
        kind: KnobKind::Text,
        range: "system, mimalloc, jemalloc; each with `,uncounted`",
        default: "mimalloc",
        trades: "speed of many small allocations against memory held; uncounted leaves the counters out",
        spark: None,
        get: |settings| settings.allocator.clone(),
        set: |settings, text| parse_allocator(text).map(|value| settings.allocator = value),
    },
    Knob {
        name: "allocator_decay",
        kind: KnobKind::Duration,
        range: "default, or 1ms to 1h, whole milliseconds; of mimalloc and jemalloc",
        default: "default: the allocator's own",
        trades: "pages at hand for the next batch against memory held",
        spark: None,
        get: |settings| default_or(settings.allocator_options.decay_ms, |ms| format_duration_ns(ms * 1_000_000)),
        set: |settings, text| assign(&mut settings.allocator_options.decay_ms, parse_default_or(text, parse_decay_ms)),
    },
    Knob {
        name: "allocator_arenas",
        kind: KnobKind::Text,
        range: "default, or 1 to 256; of jemalloc and system; of jemalloc also per_core",
        default: "default: the allocator's own",
        trades: "threads that do not wait for each other's allocations against memory that only one of them can use",
        spark: None,
        get: |settings| default_or(settings.allocator_options.arenas, |arenas| arenas.to_string()),
        set: |settings, text| assign(&mut settings.allocator_options.arenas, parse_default_or(text, parse_arenas)),
    },
    Knob {
        name: "allocator_huge_pages",
        kind: KnobKind::Choice(DEFAULT_ON_OFF),
        range: "default, on, off",
        default: "default: the allocator's own; of mimalloc and jemalloc",
        trades: "fewer misses when addresses are translated against memory held, and pauses while huge pages are made",
        spark: None,
        get: |settings| default_or(settings.allocator_options.huge_pages, on_off),
        set: |settings, text| assign(&mut settings.allocator_options.huge_pages, parse_default_on_off(text)),
    },
    Knob {
        name: "allocator_background_thread",
        kind: KnobKind::Choice(DEFAULT_ON_OFF),
        range: "default, on, off",
        default: "default: the allocator's own; of jemalloc",
        trades: "freed pages go back without the workers' time against one more thread that wants a core",
        spark: None,
        get: |settings| default_or(settings.allocator_options.background_thread, on_off),
        set: |settings, text| assign(&mut settings.allocator_options.background_thread, parse_default_on_off(text)),
    },
];

fn parse_count(text: &str) -> Result<u64, ValueError> {
    let not_whole = || ValueError::NotANumber { text: text.into(), expected: "a whole number" };
    match text.trim().parse::<i64>().map_err(|_| not_whole())? {
        count if count <= 0 => Err(ValueError::NotPositive { text: text.into() }),
        count => Ok(count.unsigned_abs()),
    }
}

fn parse_profile_hz(text: &str) -> Result<u32, ValueError> {
    match u32::try_from(parse_count(text)?) {
        Ok(hz) if hz < PROFILE_HZ_LIMIT => Ok(hz),
        _ => Err(ValueError::NotANumber {
            text: text.into(),
            expected: "1 to 249: from 250 on the kernel's tick drops samples",
        }),
    }
}

fn parse_share(text: &str, limit: f64) -> Result<f64, ValueError> {
    let (number, scale) = match text.trim().strip_suffix('%') {
        Some(number) => (number.trim(), 100.0),
        None => (text.trim(), 1.0),
    };
    let expected = "a share such as `1%` or `0.01`";
    let value: f64 = number.parse().map_err(|_| ValueError::NotANumber { text: text.into(), expected })?;
    match value / scale {
        share if share.is_nan() || share < 0.0 => Err(ValueError::NotANumber { text: text.into(), expected }),
        share if share > limit => Err(ValueError::TooLarge { text: text.into() }),
        share => Ok(share),
    }
}

fn none_or_duration(duration_ns: Option<u64>) -> String {
    duration_ns.map_or_else(|| "none".to_owned(), format_duration_ns)
}

fn parse_none_or_duration(text: &str) -> Result<Option<u64>, ValueError> {
    if text.trim() == "none" { Ok(None) } else { parse_duration_ns(text).map(Some) }
}

fn parse_allocator(text: &str) -> Result<String, ValueError> {
    let name = text.strip_suffix(allocator::UNCOUNTED).unwrap_or(text);
    one_of(name, allocator::NAMES).map(|_| text.to_owned())
}

/// Place of the word among those that are known.
fn one_of(word: &str, known: &[&str]) -> Result<usize, ValueError> {
    known.iter().position(|name| *name == word).ok_or_else(|| ValueError::NotAChoice {
        text: word.into(),
        allowed: known.join(", "),
        suggestion: suggest(word, known.iter().copied()).map(str::to_owned),
    })
}

/// What leaves an option as the allocator has it by itself.
const DEFAULT: &str = "default";
const ON_OFF: &[&str] = &["on", "off"];
const DEFAULT_ON_OFF: &[&str] = &[DEFAULT, "on", "off"];

fn default_or<T>(value: Option<T>, format: impl Fn(T) -> String) -> String {
    value.map_or_else(|| DEFAULT.to_owned(), format)
}

fn parse_default_or<T>(text: &str, parse: impl Fn(&str) -> Result<T, ValueError>) -> Result<Option<T>, ValueError> {
    if text.trim() == DEFAULT { Ok(None) } else { parse(text).map(Some) }
}

fn on_off(on: bool) -> String {
    if on { "on" } else { "off" }.to_owned()
}

fn parse_default_on_off(text: &str) -> Result<Option<bool>, ValueError> {
    one_of(text, DEFAULT_ON_OFF).map(|place| [None, Some(true), Some(false)][place])
}

fn parse_decay_ms(text: &str) -> Result<u64, ValueError> {
    let decay_ns = parse_duration_ns(text)?;
    if decay_ns.is_multiple_of(1_000_000) {
        return Ok(decay_ns / 1_000_000);
    }
    Err(ValueError::NotANumber {
        text: text.into(),
        expected: "a whole number of milliseconds, which allocators count in",
    })
}

fn parse_arenas(text: &str) -> Result<Arenas, ValueError> {
    if text.trim() == "per_core" {
        return Ok(Arenas::PerCore);
    }
    let count = usize::try_from(parse_count(text)?);
    count.map(Arenas::Count).map_err(|_| ValueError::TooLarge { text: text.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_knob_reads_back_what_it_prints() {
        for knob in RUN_KNOBS {
            let mut settings = RunSettings::default();
            let text = (knob.get)(&settings);
            (knob.set)(&mut settings, &text).unwrap_or_else(|error| panic!("{}: {error}", knob.name));
            assert_eq!(settings, RunSettings::default(), "{}", knob.name);
        }
    }

    #[test]
    fn warm_up_is_the_longer_of_ten_batches_and_two_seconds() {
        assert_eq!(Warmup::Auto.batches(200_000_000), 10);
        assert_eq!(Warmup::Auto.batches(20_000_000), 100);
        assert_eq!(Warmup::Auto.batches(1_000_000_000), 10);
        assert_eq!(Warmup::Time(50).batches(20), 3);
        assert_eq!(Warmup::parse("7"), Ok(Warmup::Batches(7)));
        assert_eq!(Warmup::parse("0"), Ok(Warmup::Batches(0)));
        assert_eq!(Warmup::parse("1.5s"), Ok(Warmup::Time(1_500_000_000)));
        assert!(Warmup::parse("-1s").is_err());
        assert!(Warmup::parse("long").is_err());
    }

    #[test]
    fn values_that_make_no_sense_are_refused() {
        let refused = |name: &str, text: &str| {
            let knob = RUN_KNOBS.iter().find(|knob| knob.name == name).unwrap();
            assert!((knob.set)(&mut RunSettings::default(), text).is_err(), "{name}={text}");
        };
        refused("batches", "0");
        refused("batches", "-3");
        refused("profile_hz", "250");
        refused("late_limit", "-1%");
        refused("late_limit", "NaN");
        refused("late_limit", "60%");
        refused("max_time", "60");
        refused("allocator", "mimaloc");
        refused("allocator_decay", "1500us");
        refused("allocator_decay", "500");
        refused("allocator_arenas", "0");
        refused("allocator_arenas", "per_thread");
        refused("allocator_huge_pages", "yes");
        assert_eq!(parse_share("2.5%", 0.5), Ok(0.025));
        assert_eq!(parse_allocator("system,uncounted").as_deref(), Ok("system,uncounted"));
    }

    #[test]
    fn every_allocator_of_the_engine_can_be_chosen_and_its_options_read_back_as_typed() {
        for name in allocator::NAMES {
            assert_eq!(parse_allocator(name).as_deref(), Ok(*name));
        }
        let mut settings = RunSettings { allocator: "jemalloc,uncounted".into(), ..RunSettings::default() };
        let mut set = |name: &str, text: &str| {
            let knob = RUN_KNOBS.iter().find(|knob| knob.name == name).unwrap();
            (knob.set)(&mut settings, text).unwrap();
            assert_eq!((knob.get)(&settings), text, "{name}");
        };
        set("allocator_arenas", "per_core");
        set("allocator_arenas", "2");
        set("allocator_decay", "500ms");
        set("allocator_huge_pages", "off");
        set("allocator_background_thread", "on");
        let options = allocator::Options {
            decay_ms: Some(500),
            arenas: Some(Arenas::Count(2)),
            huge_pages: Some(false),
            background_thread: Some(true),
        };
        assert_eq!((settings.allocator_options, settings.validate()), (options, Ok(())));
        settings.allocator = "mimalloc".into();
        assert!(settings.validate().is_err());
    }
}
