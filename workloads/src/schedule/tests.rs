//! Laws of schedules.

use super::*;

const SECOND_NS: u64 = 1_000_000_000;

fn schedule(arrivals: &Arrivals, rate_per_s: f64, seed: u64, horizon_ns: u64) -> Schedule {
    Schedule::new(arrivals, rate_per_s, seed, 0, horizon_ns, None).expect("no file is read")
}

fn constant(rate_per_s: f64, horizon_ns: u64) -> Schedule {
    schedule(&Arrivals::Constant, rate_per_s, 1, horizon_ns)
}

fn poisson(rate_per_s: f64, seed: u64, horizon_ns: u64) -> Schedule {
    schedule(&Arrivals::Poisson, rate_per_s, seed, horizon_ns)
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
            let offset_ns = even::offset_ns(schedule.rate_micro, record);
            // offset ≤ record / rate < offset + 1, in whole numbers.
            assert!(u128::from(offset_ns) * rate_micro <= u128::from(record) * even::NS_PER_S_MICRO);
            assert!((u128::from(offset_ns) + 1) * rate_micro > u128::from(record) * even::NS_PER_S_MICRO);
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
    for arrivals in all() {
        let short = schedule(&arrivals, 1000.0, 3, SECOND_NS);
        let long = schedule(&arrivals, 1000.0, 3, 5 * SECOND_NS);
        let (short, long) = (offsets(&short, 1), offsets(&long, 1));
        assert_eq!(short, long[..short.len()], "{arrivals}");
        assert!(long[short.len()] >= SECOND_NS);
    }
}

#[test]
fn a_limit_of_records_ends_the_schedule() {
    for arrivals in all() {
        let schedule = Schedule::new(&arrivals, 1000.0, 3, 0, SECOND_NS, Some(10)).unwrap();
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
    let hash = |arrivals: Arrivals, rate, seed, horizon_ns, payload: &str| {
        schedule(&arrivals, rate, seed, horizon_ns).hash(payload)
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

/// Arrivals of each kind, of odd lengths, changing within milliseconds.
fn all() -> Vec<Arrivals> {
    let typed = [
        "constant",
        "poisson",
        "ramp(0.5,1.5,over=7ms)",
        "ramp(3,0,over=13ms)",
        "ramp(0,0.7,over=9.000001ms)",
        "steps(0.5,0,2,0,each=3ms)",
        "steps(0,1.2345,each=1.5ms)",
        "spike(5,at=2ms,for=3ms)",
        "spike(0,for=3ms,every=5ms)",
        "bursty(4,2ms,18ms)",
        "bursty(1000,1ms,1ms)",
    ];
    typed.map(|text| Arrivals::parse(text).unwrap()).into()
}

/// So that the definition can be followed nanosecond by nanosecond.
fn ten_times_shorter(arrivals: Arrivals) -> Arrivals {
    match arrivals {
        Arrivals::Ramp { from, to, over_ns } => Arrivals::Ramp { from, to, over_ns: over_ns / 10 },
        Arrivals::Steps { factors, each_ns } => Arrivals::Steps { factors, each_ns: each_ns / 10 },
        Arrivals::Spike { factor, at_ns, for_ns, every_ns } => Arrivals::Spike {
            factor,
            at_ns: at_ns.map(|at_ns| at_ns / 10),
            for_ns: for_ns / 10,
            every_ns: every_ns.map(|every_ns| every_ns / 10),
        },
        other => other,
    }
}

fn is_random(arrivals: &Arrivals) -> bool {
    matches!(arrivals, Arrivals::Poisson | Arrivals::Bursty { .. })
}

/// Times by the definition, slowly: twice the area is summed nanosecond by nanosecond, and a record is due in the nanosecond in
/// which the area reaches it.
fn by_definition(arrivals: &Arrivals, rate_micro: u64, lead_ns: u64, horizon_ns: u64) -> Vec<u64> {
    // Length, factor at the begin, factor at the end of each piece; and whether they repeat.
    let (pieces, repeats): (Vec<(u64, i128, i128)>, bool) = match arrivals {
        Arrivals::Constant => (vec![(1, 10_000, 10_000)], true),
        Arrivals::Ramp { from, to, over_ns } => (vec![(*over_ns, (*from).into(), (*to).into())], true),
        Arrivals::Steps { factors, each_ns } => {
            (factors.iter().map(|factor| (*each_ns, (*factor).into(), (*factor).into())).collect(), true)
        }
        Arrivals::Spike { factor, at_ns, for_ns, every_ns } => {
            let (at_ns, factor) = (at_ns.unwrap_or(0), (*factor).into());
            let rest_ns = every_ns.map_or(u64::MAX, |every_ns| every_ns - at_ns - for_ns);
            (vec![(at_ns, 10_000, 10_000), (*for_ns, factor, factor), (rest_ns, 10_000, 10_000)], every_ns.is_some())
        }
        _ => unreachable!("not a formula"),
    };
    let (mut times, mut area_before_piece, mut piece, mut place_ns) = (Vec::new(), 0i128, 0, 0u64);
    let mut twice_length_area = 0i128;
    for now_ns in 0..horizon_ns {
        let area = if now_ns < lead_ns {
            area_before_piece += 10_000;
            area_before_piece
        } else {
            while place_ns == pieces[piece].0 {
                let (length_ns, ..) = pieces[piece];
                area_before_piece += twice_length_area / (2 * i128::from(length_ns.max(1)));
                (twice_length_area, place_ns, piece) = (0, 0, (piece + 1) % pieces.len());
                assert!(repeats || piece > 0);
            }
            let (length_ns, from, to) = pieces[piece];
            // Twice the trapezoid over this nanosecond, times the length.
            twice_length_area += 2 * from * i128::from(length_ns) + (to - from) * (2 * i128::from(place_ns) + 1);
            place_ns += 1;
            area_before_piece + twice_length_area / (2 * i128::from(length_ns))
        };
        // Records due before the end of this nanosecond: ⌈rate × area⌉.
        let due = (area * i128::from(rate_micro) + 10_i128.pow(19) - 1) / 10_i128.pow(19);
        while (times.len() as i128) < due {
            times.push(now_ns);
        }
    }
    times
}

#[test]
fn every_shape_is_what_its_definition_says_to_the_nanosecond() {
    let horizon_ns = 4_123_456;
    for arrivals in all().into_iter().filter(|arrivals| !is_random(arrivals)).map(ten_times_shorter) {
        for (rate_per_s, lead_ns) in [(10e6, 0), (777_777.7, 0), (333_333.3, 500_001), (50.0, 0), (1e6, 1)] {
            let schedule = Schedule::new(&arrivals, rate_per_s, 1, lead_ns, horizon_ns, None).unwrap();
            let expected = by_definition(&arrivals, schedule.rate_micro, lead_ns, horizon_ns);
            assert_eq!(schedule.records(), expected.len() as u64, "{arrivals} at {rate_per_s}");
            assert!(offsets(&schedule, 1) == expected, "{arrivals} at {rate_per_s} after {lead_ns}");
        }
    }
}

#[test]
fn cursors_and_counts_agree_however_the_times_are_taken() {
    for arrivals in all() {
        let schedule = schedule(&arrivals, 123_456.7, 11, SECOND_NS / 20);
        let times = offsets(&schedule, 1);
        assert!(times.is_sorted(), "{arrivals}");
        assert_eq!(schedule.records(), times.len() as u64);
        for offset_ns in [0, 1, times[7], times[7] + 1, times[times.len() - 1], SECOND_NS] {
            let before = times.partition_point(|time_ns| *time_ns < offset_ns) as u64;
            assert_eq!(schedule.records_before(offset_ns), before, "{arrivals} before {offset_ns}");
        }
        for (step_ns, most) in [(1_000_000, u64::MAX), (333_333, 7)] {
            let (mut cursor, mut taken, mut offset_ns) = (schedule.cursor(), 0, 0);
            while cursor.next_offset_ns().is_some() {
                offset_ns += step_ns;
                while let Some(span) = cursor.take_before(offset_ns, most) {
                    assert_eq!((span.first_record, span.first_offset_ns), (taken as u64, times[taken]), "{arrivals}");
                    taken += span.records as usize;
                    assert_eq!(span.last_offset_ns, times[taken - 1]);
                    assert!(
                        span.last_offset_ns < offset_ns
                            && cursor.next_offset_ns().is_none_or(|next| next >= span.last_offset_ns)
                    );
                }
            }
            assert_eq!(taken, times.len(), "{arrivals}");
        }
    }
}

#[test]
fn random_arrivals_differ_by_seed_and_the_others_do_not() {
    for arrivals in all() {
        let times = |seed| offsets(&schedule(&arrivals, 100_000.0, seed, SECOND_NS / 50), 1);
        assert_eq!(times(1), times(1), "{arrivals}");
        assert_eq!(times(1) != times(2), is_random(&arrivals), "{arrivals}");
    }
}

#[test]
fn a_month_at_any_rate_has_its_exact_total() {
    let month_ns = 30 * 86_400 * SECOND_NS;
    // Mean factor over a whole period, in 10,000ths.
    for (text, factor) in [
        ("ramp(0.5,1.5,over=720h)", 10_000),
        ("ramp(0,3.3333,over=1h)", 16_666),
        ("steps(0.5,1,1.5,each=10s)", 10_000),
        ("spike(5,at=10s,for=1s,every=20s)", 12_000),
    ] {
        for rate in [1u64, 33, 10_000_000, 1_000_000_000_000] {
            let schedule = schedule(&Arrivals::parse(text).unwrap(), rate as f64, 1, month_ns);
            let exact = u128::from(rate) * 30 * 86_400 * if factor == 16_666 { 33_333 } else { 2 * factor } / 20_000;
            let records = u128::from(schedule.records());
            // A ramp of odd factors loses less than one 10,000th of a nanosecond in each of its 720 periods.
            assert!(
                records.abs_diff(exact) <= 1 + u128::from(factor == 16_666) * u128::from(rate) / 100_000_000_000,
                "{text} at {rate}: {records} instead of {exact}"
            );
            let last_ns = match &schedule.law {
                Law::Formula(formula) => formula.offset_ns(schedule.records() - 1),
                Law::Drawn => unreachable!(),
            };
            assert!(last_ns < month_ns && schedule.records_before(last_ns + 1) == schedule.records());
        }
    }
}

#[test]
fn bursts_keep_the_mean_and_have_their_rates_and_shares() {
    let (rate, seconds) = (100_000.0, 40);
    let bursty = schedule(&Arrivals::parse("bursty(4,20ms,180ms)").unwrap(), rate, 5, seconds * SECOND_NS);
    let times = offsets(&bursty, 1);
    // 200 cycles; their lengths make the total's deviation some 2.5 %.
    assert!((times.len() as f64 / (rate * seconds as f64) - 1.0).abs() < 0.1, "{}", times.len());
    // The calm rate is rate × 200 / (4 × 20 + 180) = 76,923/s, a burst's 307,692/s: in a millisecond, 77 or 308 ± 17.
    let mut per_ms = vec![0u32; (seconds * 1000) as usize];
    times.iter().for_each(|time_ns| per_ms[(time_ns / 1_000_000) as usize] += 1);
    let (mut calm, mut burst): (Vec<u32>, Vec<u32>) = (Vec::new(), Vec::new());
    for count in &per_ms {
        match count {
            30..=130 => calm.push(*count),
            220..=400 => burst.push(*count),
            _ => {}
        }
    }
    let mean = |counts: &[u32]| f64::from(counts.iter().sum::<u32>()) / counts.len() as f64;
    assert!((mean(&calm) / 76.923 - 1.0).abs() < 0.02, "{}", mean(&calm));
    assert!((mean(&burst) / 307.692 - 1.0).abs() < 0.02, "{}", mean(&burst));
    let share = burst.len() as f64 / (burst.len() + calm.len()) as f64;
    assert!((share - 0.1).abs() < 0.03, "share of bursts {share}");
}

#[test]
fn bursts_begin_in_the_state_of_their_share_of_the_time() {
    let arrivals = Arrivals::parse("bursty(1000,10s,30s)").unwrap();
    let first_ms = |seed| schedule(&arrivals, 100_000.0, seed, 1_000_000).records();
    // In a burst 400 records come in the first millisecond, else 0.4.
    let bursts = (0..2000).filter(|seed| first_ms(*seed) > 100).count();
    assert!((bursts as f64 / 2000.0 - 0.25).abs() < 0.05, "{bursts}");
}

#[test]
fn recorded_times_are_stretched_to_the_rate_and_repeat_without_a_seam() {
    let path = std::env::temp_dir().join(format!("downbeat-schedule-{}", std::process::id()));
    let recorded = [0u64, 100, 100, 150, 400, 1000, 1000, 4000];
    std::fs::write(&path, recorded.map(|time| format!("{}\n", 7_000_000_000 + time)).concat()).unwrap();
    let arrivals = Arrivals::Replay { path: path.clone() };
    let lead_ns = 500_000;
    let schedule = |rate, lead_ns| Schedule::new(&arrivals, rate, 1, lead_ns, 10 * SECOND_NS, None).unwrap();
    // 8 records in 8 mean gaps of 1 ms: the span of 4000 is 7 of them.
    let expected = |record: u64| {
        let (round, time) = (u128::from(record / 8), u128::from(recorded[(record % 8) as usize]));
        round * 8_000_000 + time * 7 * 1_000_000 / 4000
    };
    let plain = schedule(1000.0, 0);
    assert_eq!(plain.records(), 10_000);
    for (record, offset_ns) in offsets(&plain, 1).into_iter().enumerate() {
        // Places are kept in 2⁻¹⁶ of 1 ms.
        assert!(expected(record as u64) - u128::from(offset_ns) < 17, "record {record} at {offset_ns}");
    }
    let after = schedule(10_000.0, lead_ns);
    let times = offsets(&after, 1);
    assert_eq!(times[..6], [0, 100_000, 200_000, 300_000, 400_000, 500_000]);
    assert_eq!(after.records_before(lead_ns), 5);
    assert!(times.is_sorted() && times[5 + 8] == lead_ns + 800_000);
    for offset_ns in (0..5_000_000).step_by(12_345) {
        let before = times.partition_point(|time_ns| *time_ns < offset_ns) as u64;
        assert_eq!(after.records_before(offset_ns), before, "before {offset_ns}");
    }
    // A month at a terabit: no drift.
    let fast = Schedule::new(&arrivals, 1e12, 1, 0, 30 * 86_400 * SECOND_NS, None).unwrap();
    assert_eq!(fast.records(), 2_592_000 * 1_000_000_000_000);
    let other = std::env::temp_dir().join(format!("downbeat-schedule-{}-b", std::process::id()));
    std::fs::copy(&path, &other).unwrap();
    let copy = Schedule::new(&Arrivals::Replay { path: other.clone() }, 1000.0, 1, 0, 10 * SECOND_NS, None).unwrap();
    assert_eq!(copy.hash("p"), plain.hash("p"), "the times count, not the name");
    std::fs::remove_file(path).unwrap();
    std::fs::remove_file(other).unwrap();
    assert!(Schedule::new(&arrivals, 1000.0, 1, 0, SECOND_NS, None).is_err(), "the file has gone");
}

#[test]
fn what_primes_windows_comes_before_the_shape() {
    let arrivals = Arrivals::parse("steps(2,0,each=1s)").unwrap();
    let schedule = Schedule::new(&arrivals, 1000.0, 1, 3 * SECOND_NS, 9 * SECOND_NS, None).unwrap();
    let per_second: Vec<u64> = (0..9)
        .map(|second| schedule.records_before((second + 1) * SECOND_NS) - schedule.records_before(second * SECOND_NS))
        .collect();
    assert_eq!(per_second, [1000, 1000, 1000, 2000, 0, 2000, 0, 2000, 0]);
}
