//! Random numbers that stay the same for ever: one seeded stream per purpose and block.

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{RngCore, SeedableRng};

/// xoshiro256++: its outputs are part of its definition, so a seed means the same bytes in every version and on every host.
pub(crate) type Random = Xoshiro256PlusPlus;

/// What a stream of random numbers is for. Streams of one seed are independent of each other.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    /// The words that exist.
    Vocabulary = 1,
    /// Lines of words.
    Words = 2,
    /// The hashtags that exist.
    Tags = 3,
    /// Tweet-like lines.
    Tweets = 4,
    /// Gaps between arrivals.
    Arrivals = 5,
    /// How long bursts and the time between them last.
    Bursts = 20,
    /// Ad events.
    AdEvents = 21,
    /// Lines of a web server's log.
    LogLines = 22,
    /// The addresses that a web server has.
    LogUrls = 23,
    /// Readings of sensors.
    Sensors = 24,
    /// Events of an online auction.
    Nexmark = 31,
}

/// The stream of this seed, purpose and block.
pub(crate) fn stream(seed: u64, purpose: Purpose, block: u64) -> Random {
    let of_purpose = mix(seed ^ (purpose as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    Random::seed_from_u64(mix(of_purpose ^ block))
}

/// A number below `bound` (Lemire's multiplication without rejection: the bias is at most bound / 2³²).
#[inline]
pub(crate) fn below(random: &mut Random, bound: u32) -> u32 {
    ((u64::from(random.next_u32()) * u64::from(bound)) >> 32) as u32
}

/// The same from 64 random bits, for bounds whose bias would show: it is at most bound / 2⁶⁴.
#[inline]
pub(crate) fn below_u64(random: &mut Random, bound: u32) -> u32 {
    ((u128::from(random.next_u64()) * u128::from(bound)) >> 64) as u32
}

/// The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection whose every output bit depends on every input bit.
#[inline]
pub(crate) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_of_one_seed_differ_by_purpose_and_block() {
        let first = |purpose, block| stream(1, purpose, block).next_u64();
        let all = [
            first(Purpose::Words, 0),
            first(Purpose::Words, 1),
            first(Purpose::Tweets, 0),
            first(Purpose::Arrivals, 0),
        ];
        for (index, value) in all.iter().enumerate() {
            assert!(!all[..index].contains(value));
        }
        assert_eq!(first(Purpose::Words, 1), all[1], "the same stream again");
    }

    #[test]
    fn numbers_below_a_bound_are_even() {
        let mut random = stream(7, Purpose::Words, 0);
        let mut seen = [0u32; 9];
        for _ in 0..90_000 {
            seen[below(&mut random, 9) as usize] += 1;
        }
        assert!(seen.iter().all(|count| (9_600..10_400).contains(count)), "{seen:?}");
    }
}
