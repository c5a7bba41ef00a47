//! What a process is said to have done: its figures in quiet stretches, so that a bad moment of the host is not the build's.
//!
//! The batches of a process are cut into stretches of about [`BATCHES`], each has its own figures, and of each figure the lower quartile
//! over the stretches is the process's. Hosts are noisy in bursts of some tens of milliseconds that no counter shows: between two
//! processes of one build the 99th percentile of all 500 batches differed by 9 to 14 % (robust standard deviation of 40 processes
//! on a shared host of 2 cores), this one by 3 to 4 %; the median by 1.3 to 2.2 %, now by 1.1 to 1.6 %. What the build does by itself comes
//! again in each stretch: to be overlooked it must happen in less than one batch of some 130, and a 99th percentile overlooks what
//! happens in less than one of 100.

use downbeat_reports::gate::record::ArmRun;
use downbeat_reports::stats::harrell_davis::quantile;
use downbeat_reports::stats::percentiles::median;

/// Batches of a stretch: fewer have no 99th percentile, and of fewer stretches none may be quiet.
const BATCHES: usize = 100;

/// Which of so many stretches is taken, the quietest being the first: 1 in this many are quieter.
const QUARTER: usize = 4;

/// Median, p95 and p99 of small batches, and the capacity by large ones, each of which is a stretch of its own.
///
/// All times are nanoseconds. A figure is `None` without batches, and the capacity also when they took no time at all.
pub(super) fn figures(processing_ns: &[u64], large_records: u64, large_processing_ns: &[u64]) -> ArmRun {
    let times = numbers(processing_ns);
    let stretches: Vec<&[f64]> = stretches(&times).collect();
    let of =
        |figure: &dyn Fn(&[f64]) -> Option<f64>| lower_quartile(stretches.iter().filter_map(|times| figure(times)));
    let capacity_per_s = lower_quartile(numbers(large_processing_ns)).map(|ns| large_records as f64 * 1e9 / ns);
    ArmRun {
        median_ns: of(&median),
        p95_ns: of(&|times| quantile(times, 0.95)),
        p99_ns: of(&|times| quantile(times, 0.99)),
        capacity_per_s: capacity_per_s.filter(|capacity| capacity.is_finite()),
        batches: processing_ns.len() as u64,
        ..ArmRun::default()
    }
}

fn numbers(times_ns: &[u64]) -> Vec<f64> {
    times_ns.iter().map(|ns| *ns as f64).collect()
}

/// As many as there are hundreds, of the same length but for the last.
fn stretches(times: &[f64]) -> impl Iterator<Item = &[f64]> {
    let count = (times.len() / BATCHES).max(1);
    times.chunks(times.len().div_ceil(count).max(1))
}

/// Of 5 the second smallest, of fewer the smallest.
fn lower_quartile(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len().checked_sub(1)? / QUARTER).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 500 batches of 1,000 ns, and of what `slow` says another time.
    fn batches(slow: impl Fn(usize) -> Option<u64>) -> Vec<u64> {
        (0..500).map(|batch| slow(batch).unwrap_or(1_000)).collect()
    }

    fn of(processing_ns: &[u64]) -> ArmRun {
        figures(processing_ns, 1_000, &[])
    }

    #[test]
    fn a_bad_moment_of_the_host_is_not_seen() {
        // 60 ms of 500 at half the speed.
        let disturbed = of(&batches(|batch| (130..190).contains(&batch).then_some(2_000)));
        assert_eq!((disturbed.median_ns, disturbed.p99_ns), (Some(1_000.0), Some(1_000.0)));
        assert_eq!(disturbed.batches, 500);
    }

    #[test]
    fn what_comes_again_and_again_is_seen() {
        let p99 = |processing_ns: &[u64]| of(processing_ns).p99_ns.unwrap();
        assert!(p99(&batches(|batch| (batch % 50 == 25).then_some(1_500))) > 1_400.0, "2 % of the batches");
        assert!(p99(&batches(|batch| (batch % 70 == 0).then_some(4_000))) > 2_000.0, "a stall every 70 batches");
        let slower = of(&batches(|_| Some(1_030)));
        assert_eq!((slower.median_ns, slower.p95_ns), (Some(1_030.0), Some(1_030.0)));
    }

    #[test]
    fn the_capacity_is_that_of_a_quiet_large_batch() {
        let capacity = |times: &[u64]| figures(&[], 1_000, times).capacity_per_s;
        assert_eq!(capacity(&[90_000_000, 2_000_000, 2_000_000, 1_900_000, 2_100_000]), Some(500_000.0));
        assert_eq!((capacity(&[]), capacity(&[0, 0])), (None, None));
    }

    #[test]
    fn few_batches_are_one_stretch_and_none_have_no_figures() {
        assert_eq!(of(&[3, 1, 5]).median_ns, Some(3.0));
        assert_eq!(stretches(&numbers(&[1; 199])).count(), 1);
        assert_eq!(stretches(&numbers(&[1; 503])).map(<[f64]>::len).collect::<Vec<_>>(), [101, 101, 101, 101, 99]);
        assert_eq!(of(&[]), ArmRun::default());
    }
}
