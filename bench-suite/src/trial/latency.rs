//! Latency by record: each batch is committed at one moment, its records were meant to be sent at many.

use downbeat_engine::block::Stamp;
use hdrhistogram::Histogram;

/// Points that stand for the records of one stamp, its first and its last record apart.
const POINTS: u64 = 16;

/// Three significant digits, any duration.
pub(super) fn histogram() -> Histogram<u64> {
    // 3 is a precision that the constructor takes; it refuses only those above 5.
    Histogram::new(3).unwrap_or_else(|_| unreachable!("3 significant digits are allowed"))
}

/// Adds the latencies of a batch's records, which were committed at `done_ns`.
pub(super) fn add(histogram: &mut Histogram<u64>, stamps: &[Stamp], done_ns: u64) {
    for stamp in stamps {
        add_stamp(histogram, stamp, done_ns);
    }
}

/// The first and the last record count on their own, so that the largest latency is exact; the others by [`POINTS`] runs,
/// each at its middle.
fn add_stamp(histogram: &mut Histogram<u64>, stamp: &Stamp, done_ns: u64) {
    let last = match stamp.records {
        0 => return,
        records => records - 1,
    };
    let span_ns = stamp.last_ns.saturating_sub(stamp.first_ns);
    let mut add = |record: u64, count: u64| {
        let offset = if last == 0 { 0 } else { u128::from(span_ns) * u128::from(record) / u128::from(last) };
        let latency_ns = done_ns.saturating_sub(stamp.first_ns + offset as u64);
        // A histogram that grows by itself takes any duration; it refuses only what needs 2^63 ns.
        let _ = histogram.record_n(latency_ns, count);
    };
    add(0, 1);
    if last == 0 {
        return;
    }
    add(last, 1);
    let inner = last - 1;
    let points = inner.min(POINTS);
    for point in 0..points {
        let (begin, end) = (1 + inner * point / points, 1 + inner * (point + 1) / points);
        add((begin + end - 1) / 2, end - begin);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(stamps: &[Stamp], done_ns: u64) -> Histogram<u64> {
        let mut histogram = histogram();
        add(&mut histogram, stamps, done_ns);
        histogram
    }

    #[test]
    fn every_record_counts_once_and_extremes_are_exact() {
        for records in [1, 2, 3, 16, 17, 18, 19, 1_000, 123_457] {
            let histogram = of(&[Stamp { records, first_ns: 1_000, last_ns: 2_000 }], 3_000);
            assert_eq!(histogram.len(), records);
            assert!(histogram.equivalent(histogram.max(), 2_000));
            let least = if records == 1 { 2_000 } else { 1_000 };
            assert!(histogram.equivalent(histogram.min(), least), "{records}: {}", histogram.min());
        }
    }

    #[test]
    fn percentiles_are_those_of_evenly_spread_records() {
        let histogram = of(&[Stamp { records: 100_000, first_ns: 0, last_ns: 100_000_000 }], 150_000_000);
        for (quantile, expected) in [(0.1, 60e6), (0.5, 100e6), (0.9, 140e6)] {
            let found = histogram.value_at_quantile(quantile) as f64;
            assert!((found - expected).abs() < 4e6, "{quantile}: {found}");
        }
    }

    #[test]
    fn no_records_add_nothing() {
        assert_eq!(of(&[Stamp { records: 0, first_ns: 5, last_ns: 9 }], 10).len(), 0);
        assert_eq!(of(&[], 10).len(), 0);
    }
}
