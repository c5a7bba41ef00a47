//! The law by which the keys of a payload are drawn: the knob `keys`.

use crate::call::{Call, format_amount, format_decimal, parse_amount, parse_decimal};
use downbeat_engine::settings::{ValueError, suggest};
use std::fmt;

/// Most keys of a law whose weights are equal.
pub const KEYS_MOST: u32 = 1_000_000_000;

/// Most keys of a zipf law: it holds 8 bytes for each.
pub const ZIPF_KEYS_MOST: u32 = 10_000_000;

/// Largest exponent of a zipf law; from there on all but the first few keys never come.
pub const ZIPF_EXPONENT_MOST: f64 = 10.0;

/// How keys are drawn. What changes on the way changes with the record's number, not with time, so that the text is the same
/// at every rate.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum KeyLaw {
    /// Each payload's own law over its own keys.
    #[default]
    Default,
    /// Each of this many keys is as likely as the others.
    Uniform {
        /// How many keys there are.
        keys: u32,
    },
    /// The weight of the `r`-th key is `r^-exponent`, `r` from 1.
    Zipf {
        /// 0 (all alike) to [`ZIPF_EXPONENT_MOST`].
        exponent: f64,
        /// How many keys there are.
        keys: u32,
    },
    /// One key has a share of its own; the others have equal parts of the rest.
    Hot {
        /// The hot key's share, millionths: at the begin of a period, and in its middle.
        share_ppm: [u32; 2],
        /// How many keys there are, the hot one among them; at least 2.
        keys: u32,
        /// The share goes from the first to the second and back, linearly, in so many records.
        period_records: Option<u64>,
        /// After so many records the next key is the hot one.
        move_records: Option<u64>,
    },
    /// All keys that exist are as likely; new ones appear evenly over the first records.
    Growing {
        /// Keys at record 0.
        from: u32,
        /// Keys from record `records` on.
        to: u32,
        /// Number of records in which the space grows.
        records: u64,
    },
}

/// What the knob takes, for help.
pub(crate) const RANGE: &str = "default, uniform(KEYS), zipf(EXPONENT,KEYS), hot(SHARE,KEYS), growing(FROM,TO,RECORDS)";

const KEYS: &str = "a number of keys, 1 to 1000M";
const RECORDS: &str = "a number of records such as `100k`";
const SHARE: &str = "a share such as `50%` or `10%..90%`, to a millionth";
const UNIFORM: &str = "of the form `uniform(KEYS)`";
const ZIPF: &str = "of the form `zipf(EXPONENT,KEYS)`, such as `zipf(1.1,100k)`";
const HOT: &str =
    "of the form `hot(SHARE,KEYS)`, such as `hot(50%,1k)`, `hot(10%..90%,1k,period=1M)`, `hot(50%,1k,move=100k)`";
const GROWING: &str = "of the form `growing(FROM,TO,RECORDS)`, such as `growing(1k,1M,10M)`";

impl KeyLaw {
    /// Reads a law as it is typed.
    ///
    /// # Errors
    /// An unknown law, another form than its own, a number out of range.
    pub fn parse(text: &str) -> Result<Self, ValueError> {
        match Call::name_of(text) {
            "default" if text.trim() == "default" => Ok(KeyLaw::Default),
            "uniform" => uniform(Call::parse(text, UNIFORM)?),
            "zipf" => zipf(Call::parse(text, ZIPF)?),
            "hot" => hot(Call::parse(text, HOT)?),
            "growing" => growing(Call::parse(text, GROWING)?),
            name => Err(ValueError::NotAChoice {
                text: text.into(),
                allowed: RANGE.into(),
                suggestion: suggest(name, ["default", "uniform", "zipf", "hot", "growing"]).map(str::to_owned),
            }),
        }
    }

    /// Does the law change with the record's number? Then text that is replayed from a ring would go back in it.
    pub fn changes(&self) -> bool {
        match self {
            KeyLaw::Default | KeyLaw::Uniform { .. } | KeyLaw::Zipf { .. } => false,
            KeyLaw::Hot { period_records, move_records, .. } => period_records.is_some() || move_records.is_some(),
            KeyLaw::Growing { .. } => true,
        }
    }
}

fn uniform(call: Call<'_>) -> Result<KeyLaw, ValueError> {
    let [keys] = call.exactly()?;
    call.finish()?;
    Ok(KeyLaw::Uniform { keys: parse_keys(keys)? })
}

fn zipf(call: Call<'_>) -> Result<KeyLaw, ValueError> {
    let [exponent, keys] = call.exactly()?;
    call.finish()?;
    let refused = || ValueError::NotANumber { text: exponent.into(), expected: "an exponent, 0 to 10" };
    let number: f64 = exponent.parse().map_err(|_| refused())?;
    if !(0.0..=ZIPF_EXPONENT_MOST).contains(&number) {
        return Err(refused());
    }
    let keys = parse_amount(keys, 1, ZIPF_KEYS_MOST.into(), "a number of keys, 1 to 10M for zipf")?;
    // A negative zero would read back as another text.
    Ok(KeyLaw::Zipf { exponent: number.abs(), keys: keys as u32 })
}

fn hot(mut call: Call<'_>) -> Result<KeyLaw, ValueError> {
    let [share, keys] = call.exactly()?;
    let amount = |text| parse_amount(text, 1, u64::MAX / 4, RECORDS);
    let period_records = call.take("period").map(amount).transpose()?;
    let move_records = call.take("move").map(amount).transpose()?;
    let keys = parse_amount(keys, 2, KEYS_MOST.into(), "a number of keys, 2 to 1000M")? as u32;
    let (from, to) = share.split_once("..").unwrap_or((share, share));
    let share_ppm = [parse_share_ppm(from)?, parse_share_ppm(to)?];
    if (share_ppm[0] != share_ppm[1]) != period_records.is_some() {
        return Err(call.refused());
    }
    call.finish()?;
    Ok(KeyLaw::Hot { share_ppm, keys, period_records, move_records })
}

fn growing(call: Call<'_>) -> Result<KeyLaw, ValueError> {
    let [from, to, records] = call.exactly()?;
    let law = KeyLaw::Growing {
        from: parse_keys(from)?,
        to: parse_keys(to)?,
        records: parse_amount(records, 1, u64::MAX / 4, RECORDS)?,
    };
    match &law {
        KeyLaw::Growing { from, to, .. } if from > to => Err(call.refused()),
        _ => call.finish().map(|()| law),
    }
}

fn parse_keys(text: &str) -> Result<u32, ValueError> {
    parse_amount(text, 1, KEYS_MOST.into(), KEYS).map(|keys| keys as u32)
}

fn parse_share_ppm(text: &str) -> Result<u32, ValueError> {
    let ppm = match text.trim().strip_suffix('%') {
        Some(percent) => parse_decimal(percent.trim(), 4),
        None => parse_decimal(text.trim(), 6),
    };
    let ppm = ppm.filter(|ppm| *ppm <= 1_000_000).map(|ppm| ppm as u32);
    ppm.ok_or_else(|| ValueError::NotANumber { text: text.into(), expected: SHARE })
}

impl fmt::Display for KeyLaw {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let amount = |keys: &u32| format_amount(u64::from(*keys));
        match self {
            KeyLaw::Default => formatter.write_str("default"),
            KeyLaw::Uniform { keys } => write!(formatter, "uniform({})", amount(keys)),
            KeyLaw::Zipf { exponent, keys } => write!(formatter, "zipf({exponent},{})", amount(keys)),
            KeyLaw::Hot { share_ppm: [from, to], keys, period_records, move_records } => {
                let share = |ppm: &u32| format!("{}%", format_decimal(u64::from(*ppm), 4));
                write!(formatter, "hot({}", share(from))?;
                if from != to {
                    write!(formatter, "..{}", share(to))?;
                }
                write!(formatter, ",{}", amount(keys))?;
                if let Some(records) = period_records {
                    write!(formatter, ",period={}", format_amount(*records))?;
                }
                if let Some(records) = move_records {
                    write!(formatter, ",move={}", format_amount(*records))?;
                }
                formatter.write_str(")")
            }
            KeyLaw::Growing { from, to, records } => {
                write!(formatter, "growing({},{},{})", amount(from), amount(to), format_amount(*records))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn laws_read_back_what_they_print() {
        for text in [
            "default",
            "uniform(1)",
            "uniform(1000M)",
            "zipf(1.1,100k)",
            "zipf(0,7)",
            "hot(50%,1k)",
            "hot(0.0001%,1k,move=100k)",
            "hot(10%..90%,2,period=1M,move=7)",
            "growing(1k,1M,10M)",
        ] {
            assert_eq!(KeyLaw::parse(text).map(|law| law.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(KeyLaw::parse(" hot( 0.5 , 1000 ) ").map(|law| law.to_string()).as_deref(), Ok("hot(50%,1k)"));
    }

    #[test]
    fn what_is_no_law_is_refused_with_what_would_do() {
        let refused = |text: &str| KeyLaw::parse(text).expect_err(text).to_string();
        assert!(refused("zip(1,2)").ends_with("did you mean `zipf`?"), "{}", refused("zip(1,2)"));
        assert_eq!(refused("uniform(0)"), "`0` is not a number of keys, 1 to 1000M");
        assert_eq!(refused("uniform"), "`uniform` is not of the form `uniform(KEYS)`");
        for text in [
            "",
            "default(1)",
            "uniform()",
            "uniform(1,2)",
            "uniform(1,a=2)",
            "uniform(-5)",
            "uniform(5000M)",
            "zipf(1.1)",
            "zipf(NaN,5)",
            "zipf(-1,5)",
            "zipf(11,5)",
            "zipf(1,11M)",
            "hot(101%,5)",
            "hot(50%,1)",
            "hot(10%..90%,5)",
            "hot(50%,5,period=100)",
            "hot(50%,5,move=0)",
            "hot(50%,5,moved=5)",
            "growing(5,4,10)",
            "growing(1,5,0)",
        ] {
            refused(text);
        }
    }
}
