//! How intended send times lie: the knob `arrivals`.

use crate::call::{Call, format_decimal, parse_decimal};
use downbeat_engine::settings::{ValueError, format_duration_ns, suggest};
use std::fmt;
use std::path::PathBuf;

/// Digits after the point of a [`Factor`].
const FACTOR_DIGITS: u32 = 4;

/// A factor of the asked rate, in ten-thousandths.
pub type Factor = u32;

/// The [`Factor`] of the asked rate itself.
pub const FACTOR_ONE: Factor = 10_000;

/// Largest [`Factor`].
const FACTOR_MOST: Factor = 1000 * FACTOR_ONE;

/// Shortest and longest part of a shape.
const PART_LEAST_NS: u64 = 1_000_000;
const PART_MOST_NS: u64 = 30 * 86_400 * 1_000_000_000;

/// Most steps of [`Arrivals::Steps`].
const STEPS_MOST: usize = 1000;

/// Over what a ramp goes and how long a step lasts, when that is not said.
const RAMP_NS: u64 = 60_000_000_000;
const STEP_NS: u64 = 10_000_000_000;

/// How intended send times lie. Factors are relative to the asked rate, so a search over rates keeps the shape. Times of
/// shapes count from the first live batch, warm-up included; what primes windows before it comes at the asked rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrivals {
    /// Record `i` at exactly `i / rate`, rounded down to a nanosecond.
    Constant,
    /// A Poisson process: independent exponential gaps, the first one before record 0.
    Poisson,
    /// The rate goes linearly from one factor to another, and then begins again. Mean over a period: the rate × the mean of
    /// both factors.
    Ramp {
        /// At the begin of a period.
        from: Factor,
        /// At its end.
        to: Factor,
        /// Its length.
        over_ns: u64,
    },
    /// The rate stays at each factor for the same time; after the last one the first one follows.
    Steps {
        /// One after another; at least one is more than zero.
        factors: Vec<Factor>,
        /// How long each of them lasts.
        each_ns: u64,
    },
    /// The asked rate, and a multiple of it for a while.
    Spike {
        /// The rate in the spike.
        factor: Factor,
        /// When it begins; `None`: at once.
        at_ns: Option<u64>,
        /// How long it lasts.
        for_ns: u64,
        /// After this time all of it comes again; `None`: never.
        every_ns: Option<u64>,
    },
    /// A Poisson process whose rate switches between two states (MMPP) that last for exponential times. The mean over both
    /// states is the asked rate; the state at the begin is drawn by their shares of the time.
    Bursty {
        /// Rate in a burst / rate between bursts.
        factor: Factor,
        /// Mean length of a burst.
        burst_ns: u64,
        /// Mean time between bursts.
        calm_ns: u64,
    },
    /// Recorded times, stretched so that their mean rate is the asked rate, again and again.
    Replay {
        /// The file with the times.
        path: PathBuf,
    },
}

/// What the knob takes, for help.
pub(crate) const RANGE: &str = "constant, poisson, ramp(FROM,TO,over=60s), steps(A,B,…,each=10s), spike(FACTOR,at=10s,for=1s,every=30s), bursty(FACTOR,BURST,CALM), replay(FILE)";

const WORDS: [&str; 7] = ["constant", "poisson", "ramp", "steps", "spike", "bursty", "replay"];

const FACTOR: &str = "a factor of the rate, 0 to 1000 with at most 4 digits after the point";
const RAMP: &str = "of the form `ramp(FROM,TO)` or `ramp(0.5,1.5,over=60s)`, one of them more than zero";
const STEPS: &str =
    "of the form `steps(A,B,…)` or `steps(0.5,1,2,each=10s)`, 1 to 1000 factors, one of them more than zero";
const SPIKE: &str =
    "of the form `spike(FACTOR,for=TIME)` or `spike(5,at=10s,for=1s,every=30s)`; a spike ends before it comes again";
const BURSTY: &str =
    "of the form `bursty(FACTOR,BURST,CALM)`, such as `bursty(4,200ms,1.8s)`, with a factor of 1 to 1000";
const REPLAY: &str = "of the form `replay(FILE)`";
const PART: &str = "a time of 1ms to 720h";

impl Arrivals {
    /// Reads arrivals as they are typed. A file to replay is not opened.
    ///
    /// # Errors
    /// An unknown word, another form than its own, a number out of range.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match Call::name_of(text) {
            "constant" if text.trim() == "constant" => Ok(Arrivals::Constant),
            "poisson" if text.trim() == "poisson" => Ok(Arrivals::Poisson),
            "ramp" => ramp(Call::parse(text, RAMP)?),
            "steps" => steps(Call::parse(text, STEPS)?),
            "spike" => spike(Call::parse(text, SPIKE)?),
            "bursty" => bursty(Call::parse(text, BURSTY)?),
            "replay" => match Call::inside(text).filter(|path| !path.is_empty()) {
                // The name of a file may hold commas and parentheses.
                Some(path) => Ok(Arrivals::Replay { path: path.into() }),
                None => Err(ValueError::NotANumber { text: text.into(), expected: REPLAY }),
            },
            name => Err(ValueError::NotAChoice {
                text: text.into(),
                allowed: RANGE.into(),
                suggestion: suggest(name, WORDS).map(str::to_owned),
            }),
        }
    }
}

impl Arrivals {
    /// Highest rate / asked rate, as far as it is planned: random gaps and recorded times count by their mean.
    pub fn peak_factor(&self) -> f64 {
        let of = |factor: Factor| f64::from(factor) / f64::from(FACTOR_ONE);
        match self {
            Arrivals::Constant | Arrivals::Poisson | Arrivals::Replay { .. } => 1.0,
            Arrivals::Ramp { from, to, .. } => of(*from.max(to)),
            Arrivals::Steps { factors, .. } => of(factors.iter().copied().max().unwrap_or(FACTOR_ONE)),
            Arrivals::Spike { factor, .. } => of((*factor).max(FACTOR_ONE)),
            Arrivals::Bursty { factor, burst_ns, calm_ns } => {
                let (burst, calm) = (*burst_ns as f64, *calm_ns as f64);
                of(*factor) * (burst + calm) / (of(*factor) * burst + calm)
            }
        }
    }
}

fn ramp(mut call: Call<'_>) -> Result<Arrivals, ValueError> {
    let [from, to] = call.exactly()?;
    let (from, to) = (parse_factor(from)?, parse_factor(to)?);
    let over_ns = part_ns(&mut call, "over")?.unwrap_or(RAMP_NS);
    if from == 0 && to == 0 {
        return Err(call.refused());
    }
    call.finish()?;
    Ok(Arrivals::Ramp { from, to, over_ns })
}

fn steps(mut call: Call<'_>) -> Result<Arrivals, ValueError> {
    let factors: Vec<Factor> = call.plain().iter().map(|factor| parse_factor(factor)).collect::<Result<_, _>>()?;
    let each_ns = part_ns(&mut call, "each")?.unwrap_or(STEP_NS);
    if factors.iter().all(|factor| *factor == 0) || factors.len() > STEPS_MOST {
        return Err(call.refused());
    }
    call.finish()?;
    Ok(Arrivals::Steps { factors, each_ns })
}

fn spike(mut call: Call<'_>) -> Result<Arrivals, ValueError> {
    let [factor] = call.exactly()?;
    let factor = parse_factor(factor)?;
    let at_ns = part_ns(&mut call, "at")?;
    let for_ns = part_ns(&mut call, "for")?.ok_or_else(|| call.refused())?;
    let every_ns = part_ns(&mut call, "every")?;
    // Without a pause at the rate itself, a factor of 0 would leave nothing to send.
    if every_ns.is_some_and(|every_ns| at_ns.unwrap_or(0) + for_ns >= every_ns) {
        return Err(call.refused());
    }
    call.finish()?;
    Ok(Arrivals::Spike { factor, at_ns, for_ns, every_ns })
}

fn bursty(call: Call<'_>) -> Result<Arrivals, ValueError> {
    let [factor, burst, calm] = call.exactly()?;
    let factor = parse_factor(factor)?;
    if factor < FACTOR_ONE {
        return Err(call.refused());
    }
    call.finish()?;
    let part = |text| downbeat_engine::settings::parse_duration_ns(text).and_then(|time_ns| in_range(text, time_ns));
    Ok(Arrivals::Bursty { factor, burst_ns: part(burst)?, calm_ns: part(calm)? })
}

fn part_ns(call: &mut Call<'_>, name: &str) -> Result<Option<u64>, ValueError> {
    let Some(time_ns) = call.take_duration_ns(name)? else { return Ok(None) };
    in_range(&format_duration_ns(time_ns), time_ns).map(Some)
}

fn in_range(text: &str, time_ns: u64) -> Result<u64, ValueError> {
    let fits = (PART_LEAST_NS..=PART_MOST_NS).contains(&time_ns);
    if fits { Ok(time_ns) } else { Err(ValueError::NotANumber { text: text.into(), expected: PART }) }
}

fn parse_factor(text: &str) -> Result<Factor, ValueError> {
    let factor = parse_decimal(text, FACTOR_DIGITS as usize).filter(|factor| *factor <= u64::from(FACTOR_MOST));
    factor.map(|factor| factor as Factor).ok_or_else(|| ValueError::NotANumber { text: text.into(), expected: FACTOR })
}

impl fmt::Display for Arrivals {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let factor = |factor: &Factor| format_decimal(u64::from(*factor), FACTOR_DIGITS);
        let time = |name: &str, time_ns: Option<u64>| {
            time_ns.map(|time_ns| format!(",{name}={}", format_duration_ns(time_ns))).unwrap_or_default()
        };
        match self {
            Arrivals::Constant => formatter.write_str("constant"),
            Arrivals::Poisson => formatter.write_str("poisson"),
            Arrivals::Ramp { from, to, over_ns } => {
                write!(formatter, "ramp({},{}{})", factor(from), factor(to), time("over", Some(*over_ns)))
            }
            Arrivals::Steps { factors, each_ns } => {
                let factors: Vec<String> = factors.iter().map(factor).collect();
                write!(formatter, "steps({}{})", factors.join(","), time("each", Some(*each_ns)))
            }
            Arrivals::Spike { factor: of_rate, at_ns, for_ns, every_ns } => {
                let times = [time("at", *at_ns), time("for", Some(*for_ns)), time("every", *every_ns)];
                write!(formatter, "spike({}{})", factor(of_rate), times.concat())
            }
            Arrivals::Bursty { factor: of_calm, burst_ns, calm_ns } => {
                let [burst, calm] = [*burst_ns, *calm_ns].map(format_duration_ns);
                write!(formatter, "bursty({},{burst},{calm})", factor(of_calm))
            }
            Arrivals::Replay { path } => write!(formatter, "replay({})", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_read_back_what_they_print() {
        for text in [
            "constant",
            "poisson",
            "ramp(0.5,1.5,over=60s)",
            "ramp(0,1000,over=1ms)",
            "steps(0.5,1,2,each=10s)",
            "steps(1,each=2592000s)",
            "spike(5,at=10s,for=1s)",
            "spike(0,for=1s,every=30s)",
            "bursty(4,200ms,1.8s)",
            "replay(times, of (a) day.txt)",
        ] {
            assert_eq!(Arrivals::parse(text).map(|arrivals| arrivals.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(Arrivals::parse("ramp(1, 2)").unwrap().to_string(), "ramp(1,2,over=60s)");
        assert_eq!(Arrivals::parse("steps(1,2)").unwrap().to_string(), "steps(1,2,each=10s)");
    }

    #[test]
    fn peaks_are_those_of_the_shape() {
        let peak = |text: &str| Arrivals::parse(text).unwrap().peak_factor();
        assert_eq!(
            ["poisson", "ramp(3,0.5)", "steps(0.5,2)", "spike(0,for=1s)", "spike(9,for=1s)"].map(peak),
            [1.0, 3.0, 2.0, 1.0, 9.0]
        );
        // 4 × 2 / (4 × 0.2 + 1.8)
        assert!((peak("bursty(4,200ms,1.8s)") - 8.0 / 2.6).abs() < 1e-12);
    }

    #[test]
    fn what_is_no_arrivals_is_refused_with_what_would_do() {
        let refused = |text: &str| Arrivals::parse(text).expect_err(text).to_string();
        assert!(refused("poison").ends_with("did you mean `poisson`?"), "{}", refused("poison"));
        assert!(refused("rmp(1,2)").ends_with("did you mean `ramp`?"));
        assert_eq!(refused("ramp(0.12345,1)"), format!("`0.12345` is not {FACTOR}"));
        assert_eq!(refused("spike(5,at=10s)"), format!("`spike(5,at=10s)` is not {SPIKE}"));
        assert!(refused("spike(5,at=10,for=1s)").contains("no unit"));
        for text in [
            "",
            "constant(1)",
            "ramp",
            "ramp(1)",
            "ramp(0,0)",
            "ramp(1,-1)",
            "ramp(1,1001)",
            "ramp(1,2,over=1us)",
            "ramp(1,2,over=0s)",
            "ramp(1,2,over=721h)",
            "ramp(1,2,each=1s)",
            "steps()",
            "steps(0,0)",
            "spike(5,at=10s,for=1s,every=11s)",
            "spike(5,for=1s,for=2s)",
            "bursty(0.5,1s,1s)",
            "bursty(5,1s)",
            "bursty(5,1,1s)",
            "replay",
            "replay()",
        ] {
            refused(text);
        }
    }
}
