//! Which key comes next: uniform, zipf with its exact weights, a hot key that drifts, a space that grows.

mod law;
mod source;

pub(crate) use law::RANGE;
pub use law::{KEYS_MOST, KeyLaw, ZIPF_EXPONENT_MOST, ZIPF_KEYS_MOST};
pub use source::KeySource;

use crate::random::{Random, below};
use rand_xoshiro::rand_core::RngCore;

/// A distribution over the ranks `0..n`; rank 0 is the most frequent one.
#[derive(Clone, Debug)]
pub enum Keys {
    /// Each of this many keys is as likely as the others.
    Uniform(u32),
    /// Each key has a weight of its own.
    Weighted(AliasTable),
}

impl Keys {
    /// Zipf's law over `count` keys: the weight of rank `r` is `(r + 1)^-exponent`, exactly, not a continuous
    /// approximation of it.
    pub fn zipf(exponent: f64, count: u32) -> Self {
        Keys::Weighted(AliasTable::new((1..=count).map(|rank| f64::from(rank).powf(-exponent)).collect()))
    }

    /// The rank of the next key.
    #[inline]
    pub(crate) fn next(&self, random: &mut Random) -> u32 {
        match self {
            Keys::Uniform(count) => below(random, *count),
            Keys::Weighted(table) => table.next(random),
        }
    }
}

/// Walker's alias method, built as Vose does it (IEEE Trans. Softw. Eng. 17, 1991): any weights in constant time, one
/// random number and one cell of 8 bytes per draw.
///
/// A probability is met within 2⁻³² / n: for zipf 1.0 over 100,000 keys, 3 × 10⁻⁹ of the rarest key's own.
#[derive(Clone, Debug)]
pub struct AliasTable {
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    /// A fraction below this (of 2³²) stays here, any other goes to the alias.
    threshold: u32,
    alias: u32,
}

impl AliasTable {
    /// A table for these weights, which are positive and finite; there is at least one.
    pub fn new(weights: Vec<f64>) -> Self {
        let total: f64 = weights.iter().sum();
        let mut shares: Vec<f64> = weights.iter().map(|weight| weight * weights.len() as f64 / total).collect();
        let mut cells: Vec<Cell> =
            (0..shares.len()).map(|own| Cell { threshold: u32::MAX, alias: own as u32 }).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) = (0..shares.len()).partition(|own| shares[*own] < 1.0);
        while let (Some(&giver), Some(taker)) = (large.last(), small.pop()) {
            cells[taker] = Cell { threshold: (shares[taker] * 4_294_967_296.0) as u32, alias: giver as u32 };
            shares[giver] -= 1.0 - shares[taker];
            if shares[giver] < 1.0 {
                large.pop();
                small.push(giver);
            }
        }
        // What is left has a share of 1 but for rounding, and is its own alias already.
        AliasTable { cells }
    }

    /// The high bits of one product are the cell, the low bits the fraction within it.
    #[inline]
    fn next(&self, random: &mut Random) -> u32 {
        let product = u128::from(random.next_u64()) * self.cells.len() as u128;
        let (own, fraction) = ((product >> 64) as u32, (product >> 32) as u32);
        let cell = self.cells[own as usize];
        if fraction < cell.threshold { own } else { cell.alias }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::random::{Purpose, stream};

    pub(crate) fn zipf_shares(exponent: f64, count: u32) -> Vec<f64> {
        let weights: Vec<f64> = (1..=count).map(|rank| f64::from(rank).powf(-exponent)).collect();
        let total: f64 = weights.iter().sum();
        weights.iter().map(|weight| weight / total).collect()
    }

    /// Pearson's statistic of what was seen against what was expected.
    pub(crate) fn chi_square(seen: &[u32], shares: &[f64]) -> f64 {
        let draws = f64::from(seen.iter().sum::<u32>());
        assert_eq!(seen.len(), shares.len());
        seen.iter().zip(shares).map(|(seen, share)| (f64::from(*seen) - share * draws).powi(2) / (share * draws)).sum()
    }

    #[test]
    fn the_table_holds_the_weights_of_zipf() {
        for (exponent, count) in [(1.0, 100_000), (1.1, 20_000), (0.5, 7), (2.0, 1)] {
            let Keys::Weighted(table) = Keys::zipf(exponent, count) else { unreachable!() };
            let mut held = vec![0.0; count as usize];
            for (own, cell) in table.cells.iter().enumerate() {
                held[own] += f64::from(cell.threshold) / 4_294_967_296.0;
                held[cell.alias as usize] += 1.0 - f64::from(cell.threshold) / 4_294_967_296.0;
            }
            for (rank, share) in zipf_shares(exponent, count).iter().enumerate() {
                let found = held[rank] / f64::from(count);
                assert!((found / share - 1.0).abs() < 1e-6, "rank {rank} of {count}: {found} instead of {share}");
            }
        }
    }

    #[test]
    fn draws_follow_the_weights() {
        let (count, draws) = (1000u32, 4_000_000u32);
        let keys = Keys::zipf(1.0, count);
        let mut random = stream(3, Purpose::Words, 0);
        let mut seen = vec![0u32; count as usize];
        (0..draws).for_each(|_| seen[keys.next(&mut random) as usize] += 1);
        let chi_square = chi_square(&seen, &zipf_shares(1.0, count));
        // 999 degrees of freedom: mean 999, standard deviation 44.7; five of them either way.
        assert!((775.0..1223.0).contains(&chi_square), "chi square {chi_square}");
    }

    #[test]
    fn uniform_keys_are_all_as_likely() {
        let mut random = stream(3, Purpose::Words, 0);
        let keys = Keys::Uniform(4);
        let mut seen = [0u32; 4];
        (0..40_000).for_each(|_| seen[keys.next(&mut random) as usize] += 1);
        assert!(seen.iter().all(|count| (9_600..10_400).contains(count)), "{seen:?}");
    }
}
