//! Laws of schedules.

use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn constant(rate_per_s: f64, horizon_ns: u64) -> Schedule {
    Schedule::new(Arrivals::Constant, rate_per_s, 1, horizon_ns, None)
}

fn poisson(rate_per_s: f64, seed: u64, horizon_ns: u64) -> Schedule {
    Schedule::new(Arrivals::Poisson, rate_per_s, seed, horizon_ns, None)
}

/// All offsets, taken in steps of `step_ns` and at most `most` at once; spans of constant arrivals are checked by the caller.
fn offsets(schedule: &Schedule, most: u64) -> Vec<u64> {
    let (mut cursor, mut offsets) = (schedule.cursor(), Vec::new());
    while let Some(span) = cursor.take_before(u64::MAX, most) {
        assert_eq!(span.first_record, offsets.len() as u64);
        offsets.push(span.first_offset_ns);
    }
    offsets
}

#[test]
fn ten_million_a_second_is_exact_over_a_billion_records() {
    let schedule = constant(10e6, 200 * SECOND_NS);
    assert_eq!(schedule.records(), 2_000_000_000);
    let mut cursor = schedule.cursor();
    for millisecond in 0..100_000u64 {
        let span = cursor.take_before((millisecond + 1) * 1_000_000, u64::MAX).expect("10,000 each");
        let expected = Span {
            first_record: millisecond * 10_000,
            records: 10_000,
            first_offset_ns: millisecond * 1_000_000,
            last_offset_ns: millisecond * 1_000_000 + 999_900,
        };
        assert_eq!(span, expected);
    }
    assert_eq!(cursor.next_record(), 1_000_000_000);
}

#[test]
fn rates_that_divide_nothing_lose_no_record_and_gain_none() {
    for rate in [3.0, 7.0, 33.333_333, 0.1, 0.001, 123_456.789_012, 7_777_777.7, 1e9 + 7.0] {
        let schedule = constant(rate, u64::MAX);
        let rate_micro = u128::from(schedule.rate_micro);
        for record in
            [0, 1, 2, 3, 1000, 999_999_999, 1_234_567_890].into_iter().filter(|_| rate > 0.01).chain([0, 1, 12_345_678])
        {
            let offset_ns = constant_offset_ns(schedule.rate_micro, record);
            // offset ≤ record / rate < offset + 1, in whole numbers.
            assert!(u128::from(offset_ns) * rate_micro <= u128::from(record) * NS_PER_S_MICRO);
            assert!((u128::from(offset_ns) + 1) * rate_micro > u128::from(record) * NS_PER_S_MICRO);
            assert!(schedule.records_before(offset_ns) <= record, "{rate} {record}: not before its own time");
            assert!(schedule.records_before(offset_ns + 1) > record, "{rate} {record}: but right after it");
        }
    }
}

#[test]
fn a_second_holds_its_rate_and_batches_add_up() {
    for rate in [100_000.0, 33.3, 999_999.0] {
        let schedule = constant(rate, 1000 * SECOND_NS);
        assert_eq!(schedule.records(), (rate * 1000.0).ceil() as u64);
        let mut cursor = schedule.cursor();
        let taken: u64 = (1..=1000 * 7)
            .filter_map(|step| cursor.take_before(step * SECOND_NS / 7 + 1, u64::MAX))
            .map(|span| span.records)
            .sum();
        assert_eq!(taken, schedule.records());
        assert_eq!(cursor.next_offset_ns(), None);
    }
}

#[test]
fn poisson_gaps_have_the_mean_and_the_spread_of_an_exponential() {
    let times = offsets(&poisson(1e6, 5, SECOND_NS), 1);
    assert!((times.len() as f64 - 1e6).abs() < 5.0 * 1e3, "{} records: mean 1,000,000, deviation 1,000", times.len());
    let gaps: Vec<f64> = times.windows(2).map(|pair| (pair[1] - pair[0]) as f64).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
    let beyond_mean = gaps.iter().filter(|gap| **gap > 1000.0).count() as f64 / gaps.len() as f64;
    assert!((mean / 1000.0 - 1.0).abs() < 0.01, "mean {mean}");
    assert!((variance.sqrt() / 1000.0 - 1.0).abs() < 0.01, "deviation {}", variance.sqrt());
    assert!((beyond_mean - (-1.0f64).exp()).abs() < 0.005, "share beyond the mean {beyond_mean}");
}

#[test]
fn poisson_times_do_not_depend_on_how_they_are_taken() {
    let schedule = poisson(50_000.0, 11, SECOND_NS);
    let all = offsets(&schedule, 1);
    for (step_ns, most) in [(1_000_000, u64::MAX), (333_333, 7), (200_000_000, u64::MAX), (1, 1)] {
        let (mut cursor, mut taken, mut offset_ns) = (schedule.cursor(), 0usize, 0);
        while let Some(next_ns) = cursor.next_offset_ns() {
            offset_ns = (offset_ns + step_ns).max(if step_ns == 1 { next_ns + 1 } else { 0 });
            while let Some(span) = cursor.take_before(offset_ns, most) {
                assert_eq!(span.first_record, taken as u64);
                assert_eq!(span.first_offset_ns, all[taken]);
                taken += span.records as usize;
                assert_eq!(span.last_offset_ns, all[taken - 1]);
                assert!(span.last_offset_ns < offset_ns);
            }
        }
        assert_eq!(taken, all.len());
    }
    assert_eq!(schedule.records(), all.len() as u64);
    assert_eq!(schedule.records_before(all[100]), 100);
    assert_ne!(offsets(&poisson(50_000.0, 12, SECOND_NS), 1)[..10], all[..10], "another seed, other times");
}

#[test]
fn a_longer_plan_begins_with_the_shorter_one() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let short = Schedule::new(arrivals, 1000.0, 3, SECOND_NS, None);
        let long = Schedule::new(arrivals, 1000.0, 3, 5 * SECOND_NS, None);
        let (short, long) = (offsets(&short, 1), offsets(&long, 1));
        assert_eq!(short, long[..short.len()]);
        assert!(long[short.len()] >= SECOND_NS);
    }
}

#[test]
fn a_limit_of_records_ends_the_schedule() {
    for arrivals in [Arrivals::Constant, Arrivals::Poisson] {
        let schedule = Schedule::new(arrivals, 1000.0, 3, SECOND_NS, Some(10));
        assert_eq!(schedule.records(), 10);
        let mut cursor = schedule.cursor();
        assert_eq!(cursor.take_before(u64::MAX, u64::MAX).map(|span| span.records), Some(10));
        assert_eq!(cursor.take_before(u64::MAX, u64::MAX), None);
        assert_eq!(cursor.next_offset_ns(), None);
        assert!(cursor.is_over_at(0), "nothing comes until the horizon");
    }
}

#[test]
fn a_schedule_without_a_limit_is_over_at_its_horizon() {
    let schedule = constant(1.0, 2 * SECOND_NS + 1);
    let mut cursor = schedule.cursor();
    assert!(!cursor.is_over_at(2 * SECOND_NS + 1), "its records were not taken");
    assert_eq!(cursor.take_before(u64::MAX, u64::MAX).map(|span| span.records), Some(3));
    assert!(!cursor.is_over_at(2 * SECOND_NS));
    assert!(cursor.is_over_at(2 * SECOND_NS + 1));
}

#[test]
fn the_hash_tells_apart_whatever_changes_an_event_and_nothing_else() {
    let hash = |arrivals, rate, seed, horizon_ns, payload: &str| {
        Schedule::new(arrivals, rate, seed, horizon_ns, None).hash(payload)
    };
    let base = hash(Arrivals::Poisson, 1e5, 42, SECOND_NS, "p");
    assert_eq!(base, "db4155ce2b95f8ad61521193f0a3ecc4");
    assert_eq!(base, hash(Arrivals::Poisson, 1e5, 42, SECOND_NS, "p"));
    assert_ne!(base, hash(Arrivals::Constant, 1e5, 42, SECOND_NS, "p"));
    assert_ne!(base, hash(Arrivals::Poisson, 1e5 + 1.0, 42, SECOND_NS, "p"));
    assert_ne!(base, hash(Arrivals::Poisson, 1e5, 43, SECOND_NS, "p"));
    assert_ne!(base, hash(Arrivals::Poisson, 1e5, 42, 2 * SECOND_NS, "p"));
    assert_ne!(base, hash(Arrivals::Poisson, 1e5, 42, SECOND_NS, "q"));
    assert_eq!(
        hash(Arrivals::Constant, 1e5, 42, SECOND_NS, "p"),
        hash(Arrivals::Constant, 1e5, 42, SECOND_NS - 5, "p")
    );
}
