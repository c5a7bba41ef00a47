//! Constant arrivals in exact whole numbers.

/// Rates are kept in millionths of a record per second: nanoseconds per second × this.
pub(super) const NS_PER_S_MICRO: u128 = 1_000_000_000 * 1_000_000;

/// ⌊record / rate⌋ in nanoseconds: 2⁶⁴ × 10¹⁵ fits 128 bits, so nothing is rounded but the result.
pub(super) fn offset_ns(rate_micro: u64, record: u64) -> u64 {
    u64::try_from(u128::from(record) * NS_PER_S_MICRO / u128::from(rate_micro)).unwrap_or(u64::MAX)
}

/// Number of records `i` with ⌊i / rate⌋ < offset, which is ⌈offset × rate⌉.
pub(super) fn records_before(rate_micro: u64, offset_ns: u64) -> u64 {
    let records = (u128::from(offset_ns) * u128::from(rate_micro)).div_ceil(NS_PER_S_MICRO);
    u64::try_from(records).unwrap_or(u64::MAX)
}
