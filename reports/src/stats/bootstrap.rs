//! How far figures of a run would vary if its batches were drawn anew: circular block bootstrap over batches (Politis, Romano, "A
//! circular block-resampling procedure for stationary data", 1992), because neighbouring batches depend on one another.
//!
//! In micro-batch data the batch is the sample. The latency of a record is the time until its batch is due, from 0 to the interval, plus
//! the total delay of the batch; with records spread evenly over the interval the latencies of a run are a mixture of one even
//! distribution per batch, which can be resampled without the latencies of single records.

use super::random::SplitMix64;
use super::theil_sen::block_length;

/// Resampled runs behind each interval; the ends of 95 % are the 10th smallest and the 10th largest.
pub const REPLICATES: usize = 399;

/// Below this many batches no interval is given.
pub const MIN_BATCHES: usize = 20;

/// Steps of the axis on which mixtures are added up.
const STEPS: usize = 4_096;

/// Batches of each resampled run, as places in the original one. Nothing below [`MIN_BATCHES`].
pub fn resamples(count: usize, seed: u64) -> impl Iterator<Item = Vec<usize>> {
    let mut random = SplitMix64::new(seed);
    let length = block_length(count);
    let replicates = if count < MIN_BATCHES { 0 } else { REPLICATES };
    (0..replicates).map(move |_| {
        let mut places = Vec::with_capacity(count);
        while places.len() < count {
            let start = random.below(count);
            let wanted = length.min(count - places.len());
            places.extend((start..start + wanted).map(|place| place % count));
        }
        places
    })
}

/// The ends of the 95 % interval of replicates. `None` when there are not [`REPLICATES`] of them.
pub fn ends(replicates: &mut [f64]) -> Option<(f64, f64)> {
    if replicates.len() < REPLICATES {
        return None;
    }
    replicates.sort_unstable_by(f64::total_cmp);
    let cut = (REPLICATES + 1) / 40;
    Some((replicates[cut - 1], replicates[replicates.len() - cut]))
}

/// Latencies of a run as a mixture: for each batch its total delay (nanoseconds) and its records.
#[derive(Clone, Debug)]
pub struct Mixture {
    batches: Vec<(f64, f64)>,
    interval_ns: f64,
    least_ns: f64,
    step_ns: f64,
}

impl Mixture {
    /// `None` without batches that have records.
    pub fn new(batches: Vec<(f64, f64)>, interval_ns: f64) -> Option<Self> {
        let delays = || batches.iter().filter(|(_, records)| *records > 0.0).map(|(delay_ns, _)| *delay_ns);
        let least_ns = delays().reduce(f64::min)?;
        let most_ns = delays().fold(least_ns, f64::max) + interval_ns.max(0.0);
        let step_ns = ((most_ns - least_ns) / STEPS as f64).max(1e-3);
        Some(Mixture { batches, interval_ns: interval_ns.max(0.0), least_ns, step_ns })
    }

    /// How many batches there are.
    pub fn len(&self) -> usize {
        self.batches.len()
    }

    /// Never: a mixture has batches.
    pub fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// Latency at each of the ascending quantiles over these batches, by their places.
    pub fn at(&self, places: impl IntoIterator<Item = usize>, quantiles: &[f64]) -> Vec<f64> {
        // How fast the number of records below grows, as differences from step to step: two entries a batch.
        let mut growth = vec![0.0; STEPS + 2];
        let width = (self.interval_ns / self.step_ns).max(1.0);
        let mut all = 0.0;
        for place in places {
            let (delay_ns, records) = self.batches[place];
            let from = ((delay_ns - self.least_ns) / self.step_ns).clamp(0.0, STEPS as f64);
            let to = (from + width).min((STEPS + 1) as f64);
            spread(&mut growth, from, records / width);
            spread(&mut growth, to, -records / width);
            all += records;
        }
        self.read(&growth, all, quantiles)
    }

    fn read(&self, growth: &[f64], all: f64, quantiles: &[f64]) -> Vec<f64> {
        let (mut rate, mut below, mut step) = (0.0, 0.0, 0);
        let mut found = Vec::with_capacity(quantiles.len());
        for quantile in quantiles {
            let wanted = quantile * all;
            while step < growth.len() && below + rate + growth[step] < wanted {
                rate += growth[step];
                below += rate;
                step += 1;
            }
            let next = rate + growth.get(step).copied().unwrap_or(0.0);
            let part = if next > 0.0 { ((wanted - below) / next).clamp(0.0, 1.0) } else { 0.0 };
            found.push(self.least_ns + (step as f64 + part) * self.step_ns);
        }
        found
    }

    /// The latency at each of the ascending quantiles over all batches.
    pub fn estimates(&self, quantiles: &[f64]) -> Vec<f64> {
        self.at(0..self.batches.len(), quantiles)
    }

    /// The same over each resampled run.
    pub fn replicates(&self, quantiles: &[f64], seed: u64) -> Vec<Vec<f64>> {
        resamples(self.batches.len(), seed).map(|places| self.at(places, quantiles)).collect()
    }

    /// The ends of the 95 % interval of each of the ascending quantiles. `None` below [`MIN_BATCHES`].
    pub fn bands(&self, quantiles: &[f64], seed: u64) -> Option<Vec<(f64, f64)>> {
        let replicates = self.replicates(quantiles, seed);
        let column = |place: usize| ends(&mut replicates.iter().map(|values| values[place]).collect::<Vec<_>>());
        (0..quantiles.len()).map(column).collect()
    }
}

/// Adds to the two steps round a place on the axis.
fn spread(growth: &mut [f64], at: f64, amount: f64) {
    let step = (at.floor() as usize).min(growth.len() - 2);
    let part = (at - step as f64).clamp(0.0, 1.0);
    growth[step] += amount * (1.0 - part);
    growth[step + 1] += amount * part;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(one: f64, other: f64, by: f64) -> bool {
        (one - other).abs() <= by
    }

    #[test]
    fn one_batch_spreads_its_records_over_an_interval() {
        let mixture = Mixture::new(vec![(50e6, 100.0)], 200e6).unwrap();
        for (found, expected) in mixture.estimates(&[0.0, 0.5, 0.9, 1.0]).into_iter().zip([50e6, 150e6, 230e6, 250e6]) {
            assert!(close(found, expected, 0.2e6), "{found} {expected}");
        }
    }

    #[test]
    fn mixtures_agree_with_counting() {
        let mut random = SplitMix64::new(5);
        let batches: Vec<(f64, f64)> =
            (0..200).map(|_| (80e6 + 60e6 * random.unit(), 50.0 + 100.0 * random.unit())).collect();
        let mut counted: Vec<(f64, f64)> = Vec::new();
        for (delay_ns, records) in &batches {
            counted.extend((0..200).map(|part| (delay_ns + 200e6 * (part as f64 + 0.5) / 200.0, records / 200.0)));
        }
        counted.sort_by(|one, other| one.0.total_cmp(&other.0));
        let all: f64 = counted.iter().map(|(_, records)| records).sum();
        let quantiles = [0.1, 0.5, 0.9, 0.99];
        let mixture = Mixture::new(batches, 200e6).unwrap();
        for (quantile, found) in quantiles.into_iter().zip(mixture.estimates(&quantiles)) {
            let mut below = 0.0;
            let exact = counted
                .iter()
                .find(|(_, records)| {
                    below += records;
                    below >= quantile * all
                })
                .unwrap()
                .0;
            assert!(close(found, exact, 1e6), "{quantile}: {found} {exact}");
        }
    }

    #[test]
    fn bands_hold_the_estimate_and_grow_with_the_noise() {
        let run = |noise: f64| {
            let mut random = SplitMix64::new(3);
            let batches = (0..100).map(|_| (80e6 + noise * random.unit(), 1.0)).collect();
            let mixture = Mixture::new(batches, 200e6).unwrap();
            let (estimate, band) = (mixture.estimates(&[0.9])[0], mixture.bands(&[0.9], 1).unwrap()[0]);
            assert!(band.0 <= estimate && estimate <= band.1, "{band:?} {estimate}");
            band.1 - band.0
        };
        assert!(run(100e6) > 2.0 * run(10e6));
    }

    #[test]
    fn resamples_are_blocks_of_neighbours_and_the_same_for_the_same_seed() {
        let drawn: Vec<Vec<usize>> = resamples(100, 7).collect();
        assert_eq!(drawn.len(), REPLICATES);
        let neighbours = drawn[0].windows(2).filter(|pair| (pair[0] + 1) % 100 == pair[1]).count();
        assert!(neighbours >= 85 && drawn.iter().all(|places| places.len() == 100), "{neighbours}");
        assert!(resamples(100, 7).eq(drawn));
        assert_eq!(resamples(MIN_BATCHES - 1, 7).count(), 0);
    }

    #[test]
    fn nothing_and_zero_are_no_panic() {
        assert!(Mixture::new(Vec::new(), 1.0).is_none());
        assert!(Mixture::new(vec![(f64::MAX, 1.0), (0.0, 1.0)], 0.0).unwrap().estimates(&[0.5])[0].is_finite());
        assert!(ends(&mut [1.0; 3]).is_none());
    }
}
