//! What the processes of a block are said to have done, with the speed of the host evened out.
//!
//! A shared host is now faster and now slower, by a tenth and more for seconds at a time, and no counter shows it. The processes of a block
//! take turns of some 20 ms, so slice by slice they meet the same host. In each slice the geometric mean of their median times says
//! how fast it was; all of their times in the slice are divided by that, by the same number for every process, and multiplied by
//! its median over the slices, so that they are times again. What one build does more than the other stays in each slice.
//!
//! The 99th percentile is that of a quiet stretch: bursts of some milliseconds hit one process and not its neighbour. The batches are cut
//! into stretches of about [`STRETCH`], and the lower quartile of their percentiles is the process's. What the build does by itself comes
//! again in each stretch; what happens in less than one batch of some 130 is overlooked, and a 99th percentile overlooks
//! what happens in less than one of 100.

use super::measured::BlocksRecord;
use crate::plan::SLICE_BATCHES;
use downbeat_reports::gate::record::ArmRun;
use downbeat_reports::stats::harrell_davis::quantile;
use downbeat_reports::stats::percentiles::median;

/// Batches of a stretch: fewer have no 99th percentile, and of fewer stretches none may be quiet.
const STRETCH: usize = 100;

/// Which of so many stretches is taken, the quietest being the first: 1 in this many are quieter.
const QUARTER: usize = 4;

/// The figures of each process. All of them ran as many batches. Times are nanoseconds; a figure is `None` without batches, and the
/// capacity also when they took no time at all.
pub(super) fn of_block(records: &[&BlocksRecord]) -> Vec<ArmRun> {
    let times = |of: fn(&BlocksRecord) -> &[u64]| records.iter().map(|record| numbers(of(record))).collect::<Vec<_>>();
    let small = evened_out(times(|record| &record.processing_ns), SLICE_BATCHES as usize);
    let large = evened_out(times(|record| &record.large_processing_ns), 1);
    let of = |(record, (small, large)): (&&BlocksRecord, (Vec<f64>, Vec<f64>))| {
        let capacity_per_s = median(&large).map(|ns| record.large_records as f64 * 1e9 / ns);
        ArmRun {
            median_ns: median(&small),
            p95_ns: quantile(&small, 0.95),
            p99_ns: lower_quartile(stretches(&small).filter_map(|times| quantile(times, 0.99))),
            capacity_per_s: capacity_per_s.filter(|capacity| capacity.is_finite()),
            batches: record.processing_ns.len() as u64,
            answer_hash: Some(record.answer_hash.clone()),
            code_moves: Some(record.code_moves),
            ..ArmRun::default()
        }
    };
    records.iter().zip(small.into_iter().zip(large)).map(of).collect()
}

fn numbers(times_ns: &[u64]) -> Vec<f64> {
    times_ns.iter().map(|ns| *ns as f64).collect()
}

/// The times of each process as if every slice had met a host of the same speed.
fn evened_out(mut times: Vec<Vec<f64>>, slice: usize) -> Vec<Vec<f64>> {
    let batches = times.iter().map(Vec::len).min().unwrap_or(0);
    let speeds: Vec<f64> =
        (0..batches).step_by(slice).map(|begin| log_speed(&times, begin..batches.min(begin + slice))).collect();
    let Some(usual) = median(&speeds) else { return times };
    for times in &mut times {
        for (slice, log_speed) in times.chunks_mut(slice).zip(&speeds) {
            slice.iter_mut().for_each(|time| *time *= (usual - log_speed).exp());
        }
    }
    times
}

/// Logarithm of the geometric mean of the processes' medians in a slice.
fn log_speed(times: &[Vec<f64>], slice: std::ops::Range<usize>) -> f64 {
    // Clocks may see no time go by: then a slice is as fast as can be told.
    let log = |times: &Vec<f64>| median(&times[slice.clone()]).unwrap_or(1.0).max(1.0).ln();
    times.iter().map(log).sum::<f64>() / times.len() as f64
}

/// As many as there are hundreds, of the same length but for the last.
fn stretches(times: &[f64]) -> impl Iterator<Item = &[f64]> {
    let count = (times.len() / STRETCH).max(1);
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

    /// A process whose batches take what `ns` says, on a host that is so many times slower at each of them.
    fn process(host: impl Fn(usize) -> f64, ns: impl Fn(usize) -> f64) -> BlocksRecord {
        let times =
            |count: usize, ns: &dyn Fn(usize) -> f64| (0..count).map(|batch| ns(batch).round() as u64).collect();
        BlocksRecord {
            processing_ns: times(500, &|batch| 1e6 * host(batch) * ns(batch)),
            large_records: 1_000,
            large_processing_ns: times(20, &|batch| 2e6 * host(25 * batch) * ns(batch)),
            ..BlocksRecord::default()
        }
    }

    fn ratios(base: &BlocksRecord, head: &BlocksRecord) -> [f64; 4] {
        let runs = of_block(&[base, head]);
        let ratio = |figure: fn(&ArmRun) -> Option<f64>| figure(&runs[1]).unwrap() / figure(&runs[0]).unwrap();
        [ratio(|run| run.median_ns), ratio(|run| run.p95_ns), ratio(|run| run.p99_ns), ratio(|run| run.capacity_per_s)]
    }

    fn assert_near(found: [f64; 4], expected: [f64; 4]) {
        assert!(
            found.iter().zip(expected).all(|(found, expected)| (found / expected - 1.0).abs() < 0.002),
            "{found:?}"
        );
    }

    /// Faster and slower by a third, in waves that are no multiple of a slice.
    fn wave(batch: usize) -> f64 {
        1.0 + 0.3 * (batch as f64 / 47.0).sin()
    }

    /// 3 % of noise that differs from batch to batch and from process to process.
    fn grain(seed: usize) -> impl Fn(usize) -> f64 {
        move |batch| 1.0 + 0.03 * ((batch * 7_919 + seed * 104_729) % 101) as f64 / 101.0
    }

    #[test]
    fn the_speed_of_the_host_cancels_and_what_a_build_does_more_stays() {
        let base = process(wave, |_| 1.0);
        assert_near(ratios(&base, &process(wave, |_| 1.0)), [1.0; 4]);
        assert_near(ratios(&base, &process(wave, |_| 1.03)), [1.03, 1.03, 1.03, 1.0 / 1.03]);
        // The waves themselves would be most of the 95th percentile.
        let runs = of_block(&[&base, &base]);
        assert!(runs[0].p95_ns.unwrap() < 1.05 * runs[0].median_ns.unwrap(), "{runs:?}");
        assert_eq!(runs[0].batches, 500);
    }

    #[test]
    fn times_stay_times() {
        let even = process(|_| 1.0, |_| 1.0);
        let run = &of_block(&[&even, &even])[0];
        assert!((run.median_ns.unwrap() - 1e6).abs() < 1.0 && (run.capacity_per_s.unwrap() - 500_000.0).abs() < 1.0);
    }

    #[test]
    fn a_bad_moment_of_one_process_is_not_its_99th_percentile_and_what_comes_again_is() {
        let base = process(|_| 1.0, grain(1));
        let p99 = |ns: &dyn Fn(usize) -> f64| ratios(&base, &process(|_| 1.0, |batch| grain(2)(batch) * ns(batch)))[2];
        assert!(
            p99(&|batch| if (130..190).contains(&batch) { 2.0 } else { 1.0 }) < 1.01,
            "60 ms of 500 at half the speed"
        );
        assert!(p99(&|batch| if batch % 50 == 25 { 1.5 } else { 1.0 }) > 1.3, "2 % of the batches");
        assert!(p99(&|batch| if batch % 70 == 0 { 4.0 } else { 1.0 }) > 2.0, "a stall every 70 batches");
    }

    #[test]
    fn a_build_that_is_slower_in_half_of_its_large_batches_has_less_capacity() {
        let base = process(|_| 1.0, grain(1));
        let slower = process(|_| 1.0, |batch| if batch % 5 < 3 { 1.2 } else { 1.0 });
        assert!(ratios(&base, &slower)[3] < 0.9);
    }

    #[test]
    fn few_batches_are_one_stretch_and_none_have_no_figures() {
        let few = BlocksRecord { processing_ns: vec![3, 1, 5], ..BlocksRecord::default() };
        assert_eq!(of_block(&[&few])[0].median_ns.map(f64::round), Some(3.0));
        assert_eq!(stretches(&numbers(&[1; 199])).count(), 1);
        assert_eq!(stretches(&numbers(&[1; 503])).map(<[f64]>::len).collect::<Vec<_>>(), [101, 101, 101, 101, 99]);
        let none = &of_block(&[&BlocksRecord::default()])[0];
        assert_eq!((none.median_ns, none.p99_ns, none.capacity_per_s), (None, None, None));
        let instant = BlocksRecord { large_records: 5, large_processing_ns: vec![0, 0], ..BlocksRecord::default() };
        assert_eq!(of_block(&[&instant])[0].capacity_per_s, None);
    }
}
