//! Draws the keys of a payload by the law that the load asks for.

use super::{KeyLaw, Keys};
use crate::random::{Random, below_u64};
use rand_xoshiro::rand_core::RngCore;

/// What a share of 1 is in the thresholds of a hot key.
const WHOLE: u128 = 1 << 64;

/// Where a payload gets its keys from: words, tags, users, auctions, whatever its job groups by. A key is an index; the payload
/// makes the same bytes of the same index.
#[derive(Clone, Debug)]
pub struct KeySource {
    law: KeyLaw,
    draws: Draws,
}

#[derive(Clone, Debug)]
enum Draws {
    Fixed(Keys),
    Even(u32),
    Hot { keys: u32, thresholds: [u128; 2], period_records: Option<u64>, move_records: Option<u64> },
    Growing { from: u32, to: u32, records: u64 },
}

impl KeySource {
    /// The keys that `law` asks for; `own` is the payload's own law, which [`KeyLaw::Default`] means.
    pub fn new(law: &KeyLaw, own: Keys) -> Self {
        KeySource::chosen(law).unwrap_or(KeySource { law: KeyLaw::Default, draws: Draws::Fixed(own) })
    }

    /// The same for a payload whose own law is more than a distribution of weights; `None` means that it draws its own.
    pub fn chosen(law: &KeyLaw) -> Option<Self> {
        let draws = match *law {
            KeyLaw::Default => return None,
            KeyLaw::Uniform { keys } => Draws::Even(keys),
            KeyLaw::Zipf { exponent, keys } => Draws::Fixed(Keys::zipf(exponent, keys)),
            KeyLaw::Hot { share_ppm, keys, period_records, move_records } => {
                let thresholds = share_ppm.map(|ppm| u128::from(ppm) * WHOLE / 1_000_000);
                Draws::Hot { keys, thresholds, period_records, move_records }
            }
            KeyLaw::Growing { from, to, records } => Draws::Growing { from, to, records },
        };
        Some(KeySource { law: law.clone(), draws })
    }

    /// The payload's [`variant`](crate::payload::LineSource::variant), as far as the keys are concerned.
    pub fn variant(&self) -> String {
        if self.law == KeyLaw::Default { String::new() } else { format!("keys {}", self.law) }
    }

    /// A key of this record, one of `0..keys`. It depends on nothing but the law, the state of `random` and the record's number,
    /// so a stream that belongs to the record's block gives the same key for ever.
    #[inline]
    pub(crate) fn draw(&self, random: &mut Random, record: u64) -> u32 {
        match &self.draws {
            Draws::Fixed(keys) => keys.next(random),
            Draws::Even(keys) => below_u64(random, *keys),
            Draws::Hot { keys, thresholds, period_records, move_records } => {
                let hot = move_records.map_or(0, |records| (record / records % u64::from(*keys)) as u32);
                if u128::from(random.next_u64()) < threshold(thresholds, *period_records, record) {
                    return hot;
                }
                let other = below_u64(random, keys - 1);
                other + u32::from(other >= hot)
            }
            Draws::Growing { from, to, records } => {
                let grown = u128::from(record.min(*records)) * u128::from(to - from) / u128::from(*records);
                below_u64(random, from + grown as u32)
            }
        }
    }
}

/// From the first to the second and back, linearly, in each period.
fn threshold([from, to]: &[u128; 2], period_records: Option<u64>, record: u64) -> u128 {
    let Some(period) = period_records else { return *from };
    let place = record % period;
    // Of `period`, how far towards the second: 0 … period … 0.
    let towards = (2 * place).min(2 * (period - place));
    // 2⁶⁴ × period stays below 2¹²⁷.
    (from * u128::from(period - towards) + to * u128::from(towards)) / u128::from(period)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::tests::{chi_square, zipf_shares};
    use crate::random::{Purpose, stream};

    fn source(law: &str) -> KeySource {
        KeySource::new(&KeyLaw::parse(law).unwrap(), Keys::Uniform(3))
    }

    /// How often each key came among the draws of these records, one draw each.
    fn counts(law: &str, keys: usize, records: std::ops::Range<u64>) -> Vec<u32> {
        let (source, mut random) = (source(law), stream(9, Purpose::Words, 0));
        let mut counts = vec![0; keys];
        records.for_each(|record| counts[source.draw(&mut random, record) as usize] += 1);
        counts
    }

    /// The statistic has mean `keys - 1` and deviation √(2 (keys − 1)); five of them either way.
    fn assert_follows(counts: &[u32], shares: &[f64]) {
        let (found, freedom) = (chi_square(counts, shares), counts.len() as f64 - 1.0);
        assert!((found - freedom).abs() < 5.0 * (2.0 * freedom).sqrt(), "chi square {found} of {freedom}");
    }

    #[test]
    fn each_law_has_its_frequencies() {
        assert_follows(&counts("default", 3, 0..300_000), &[1.0 / 3.0; 3]);
        assert_follows(&counts("uniform(1k)", 1000, 0..1_000_000), &[0.001; 1000]);
        assert_follows(&counts("zipf(1.3,500)", 500, 0..1_000_000), &zipf_shares(1.3, 500));
        let mut hot = vec![0.7 / 99.0; 100];
        hot[0] = 0.3;
        assert_follows(&counts("hot(30%,100)", 100, 0..1_000_000), &hot);
        assert_follows(&counts("growing(10,100,1k)", 100, 1000..1_001_000), &[0.01; 100]);
        assert_follows(&counts("growing(10,100,1M)", 10, 0..11_000), &[0.1; 10]);
    }

    #[test]
    fn a_hot_key_has_all_or_nothing_at_the_ends_of_the_scale() {
        assert_eq!(counts("hot(100%,2)", 2, 0..10_000), [10_000, 0]);
        assert_eq!(counts("hot(0%,2)", 2, 0..10_000), [0, 10_000]);
    }

    #[test]
    fn the_hot_key_moves_and_its_share_drifts_with_the_record_number() {
        for (epoch, hot) in [(0, 0), (1, 1), (7, 7), (10, 0), (23, 3)] {
            let counts = counts("hot(90%,10,move=1k)", 10, epoch * 1000..(epoch + 1) * 1000);
            assert!(counts[hot] > 850 && counts.iter().sum::<u32>() == 1000, "{epoch}: {counts:?}");
        }
        // A share that goes from 0 to 1 and back has a mean of (place + 1/2) / 5 in each tenth on the way up.
        for tenth in 0..10u64 {
            let share =
                f64::from(counts("hot(0%..100%,2,period=1M)", 2, tenth * 100_000..(tenth + 1) * 100_000)[0]) / 1e5;
            let expected = (tenth.min(9 - tenth) as f64 + 0.5) / 5.0;
            assert!((share - expected).abs() < 0.01, "{tenth}: {share} instead of {expected}");
        }
    }

    #[test]
    fn a_growing_space_has_at_each_record_the_keys_that_exist_then() {
        let (source, mut random) = (source("growing(10,1000,990)"), stream(9, Purpose::Words, 0));
        let mut newest = 0;
        for record in 0..2000u64 {
            let exist = 10 + record.min(990) as u32;
            for _ in 0..200 {
                let key = source.draw(&mut random, record);
                assert!(key < exist, "record {record}: {key}");
                newest = newest.max(key);
            }
        }
        assert!(newest > 990);
    }

    #[test]
    fn a_draw_is_a_function_of_the_stream_and_the_record() {
        for law in ["uniform(9)", "zipf(1,9)", "hot(10%..50%,9,period=10,move=3)", "growing(1,9,100)"] {
            let draw = |seed, record| source(law).draw(&mut stream(seed, Purpose::Words, 0), record);
            assert!((0..100).all(|record| draw(1, record) == draw(1, record)), "{law}");
            assert!((0..100).any(|record| draw(1, record) != draw(2, record)), "{law}");
        }
    }
}
