//! One of several processes that together send what one would.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// Most processes that share a load.
const SHARDS_MOST: u64 = 1024;

/// The records `i` with `i ≡ number (mod of)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which one, from 0.
    number: u64,
    /// Of how many.
    of: u64,
}

impl Shard {
    /// All records.
    pub const WHOLE: Shard = Shard { number: 0, of: 1 };

    /// Does it hold all records?
    pub fn is_whole(self) -> bool {
        self.of == 1
    }

    /// How many of the records of a range it holds.
    pub fn count(self, records: Range<u64>) -> u64 {
        // Records of the shard before a number: those at number, number + of, …
        let before = |end: u64| end.saturating_sub(self.number).div_ceil(self.of);
        before(records.end) - before(records.start)
    }

    /// The first of its records from this one on.
    pub fn first_from(self, record: u64) -> u64 {
        record + (self.number + self.of - record % self.of) % self.of
    }

    /// From one of its records to the next.
    pub fn step(self) -> u64 {
        self.of
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `2/3`: the second of three.
    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=SHARDS_MOST).contains(&of) && (1..=of).contains(&number) => {
                Ok(Shard { number: number - 1, of })
            }
            _ => Err(format!("`{text}` is not of the form K/N, such as 1/3, 2/3 and 3/3, with N up to {SHARDS_MOST}")),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.number + 1, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_together_hold_each_record_once() {
        for of in 1..=5 {
            let shards: Vec<Shard> = (1..=of).map(|number| format!("{number}/{of}").parse().unwrap()).collect();
            for range in [0..0, 0..1, 0..17, 3..4, 5..23, 7..7] {
                let counts: Vec<u64> = shards.iter().map(|shard| shard.count(range.clone())).collect();
                assert_eq!(counts.iter().sum::<u64>(), range.end - range.start, "{of} {range:?}");
                for (shard, count) in shards.iter().zip(counts) {
                    let (mut record, mut walked) = (shard.first_from(range.start), 0);
                    while record < range.end {
                        assert_eq!(record % of, shard.number);
                        (record, walked) = (record + shard.step(), walked + 1);
                    }
                    assert_eq!(walked, count, "{shard} {range:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_no_shard_is_refused() {
        for text in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/2/3", "1/1025", "a/b"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
        assert_eq!("2/3".parse::<Shard>().map(|shard| shard.to_string()).as_deref(), Ok("2/3"));
        assert!("1/1".parse::<Shard>().is_ok_and(Shard::is_whole));
    }
}
