//! The smallest change that so many blocks of such noise could have shown, and how many blocks a limit needs.
//!
//! (t_α + t_β) × s × √(π/3) / √n beyond the margin, with s = 1.4826 × the median absolute deviation of the pairs, 95 % power, and α of the hardest
//! step of Holm's adjustment: the family's α of that look divided by the number of tests in it. Quantiles of Student's distribution with
//! n − 1 degrees of freedom, not of the normal one: at levels such as 0.0002 and with 14 blocks the exact test needs nearly every
//! block on one side, and the normal formula promised 95 % where 84 % were seen. 3/π is the efficiency of the signed rank test beside
//! Student's when the pairs are normal (Hodges and Lehmann 1956); without it 91 % were seen.

use crate::stats::percentiles::median;
use statrs::distribution::{ContinuousCDF, StudentsT};
use std::f64::consts::PI;

/// The chance with which a change of the smallest size is seen.
pub const POWER: f64 = 0.95;

/// More blocks than these are never named: they only say that it is hopeless.
const MOST_BLOCKS: u64 = 9_999;

/// What pairs of processes can tell. All values on the scale of the logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Resolution {
    /// Standard deviation of a pair, robust.
    deviation: f64,
    level: f64,
    blocks: u64,
}

impl Resolution {
    /// The resolution of pairs when a single test has the level `level`. `None` without pairs.
    pub fn of(pairs: &[f64], level: f64) -> Option<Resolution> {
        let centre = median(pairs)?;
        let distances: Vec<f64> = pairs.iter().map(|pair| (pair - centre).abs()).collect();
        Some(Resolution { deviation: 1.4826 * median(&distances)?, level, blocks: pairs.len() as u64 })
    }

    /// The smallest change that these blocks tell from the margin; infinite with a single one.
    pub fn smallest_change(&self, margin: f64) -> f64 {
        margin + self.beyond_margin(self.blocks)
    }

    /// Blocks with which the smallest change would be `limit`, at most 9,999.
    pub fn blocks_for(&self, margin: f64, limit: f64) -> u64 {
        // It falls with the number of blocks: halving finds where.
        let (mut too_few, mut enough) = (1, MOST_BLOCKS);
        while enough - too_few > 1 {
            let middle = too_few.midpoint(enough);
            match margin + self.beyond_margin(middle) <= limit {
                true => enough = middle,
                false => too_few = middle,
            }
        }
        enough
    }

    fn beyond_margin(&self, blocks: u64) -> f64 {
        let Ok(student) = StudentsT::new(0.0, 1.0, blocks as f64 - 1.0) else { return f64::INFINITY };
        let quantiles = student.inverse_cdf(POWER) - student.inverse_cdf(self.level);
        let as_many = 3.0 / PI * blocks as f64;
        quantiles * self.deviation / as_many.sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::random::SplitMix64;
    use crate::stats::signed_rank::p_greater;

    #[test]
    fn a_change_of_the_smallest_size_is_seen_about_as_often_as_promised() {
        let mut random = SplitMix64::new(14);
        let level = 0.001;
        let mut seen = 0;
        for _ in 0..400 {
            let pairs: Vec<f64> = (0..20).map(|_| 0.01 * random.normal()).collect();
            // The deviation is known here, so that the spread of its estimate stays out.
            let resolution = Resolution { deviation: 0.01, ..Resolution::of(&pairs, level).unwrap() };
            let moved: Vec<f64> = pairs.iter().map(|pair| pair + resolution.smallest_change(0.01)).collect();
            seen += u32::from(p_greater(&moved, 0.01).unwrap() <= level);
        }
        assert!((368..=396).contains(&seen), "{seen} of 400");
    }

    #[test]
    fn so_many_blocks_have_the_limit_as_their_smallest_change() {
        let pairs: Vec<f64> = (0..14).map(|pair| 0.004 * f64::from(pair % 5)).collect();
        let resolution = Resolution::of(&pairs, 0.001).unwrap();
        let needed = resolution.blocks_for(0.01, 0.02);
        assert!(Resolution { blocks: needed, ..resolution }.smallest_change(0.01) <= 0.02);
        assert!(Resolution { blocks: needed - 1, ..resolution }.smallest_change(0.01) > 0.02);
        assert_eq!(Resolution { deviation: 1.0, ..resolution }.blocks_for(0.01, 0.02), 9_999);
        assert_eq!(Resolution { blocks: 1, ..resolution }.smallest_change(0.01), f64::INFINITY);
        assert_eq!(Resolution::of(&[], 0.01), None);
    }
}
