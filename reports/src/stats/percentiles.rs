//! Percentiles with their support: by record from an HdrHistogram, by batch exactly from the values.
//!
//! In micro-batch data the batch is the sample: the p99 over millions of records of 100 batches rests on one batch. So a percentile is
//! *supported* only if at least [`BATCHES_BEYOND`] judged batches lie beyond it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use thiserror::Error;

/// How many judged batches must lie beyond a percentile before it says anything.
pub const BATCHES_BEYOND: u64 = 10;

/// The histogram inside a record cannot be read or written.
#[derive(Debug, Error)]
#[error(
    "the latency histogram of the record is unreadable: {reason}; the rest of the record may be fine, but it was altered or cut: measure again"
)]
pub struct HistogramError {
    /// What the decoder met.
    pub reason: String,
}

impl HistogramError {
    fn new(reason: impl ToString) -> Self {
        Self { reason: reason.to_string() }
    }
}

/// Reads a histogram of nanoseconds from base64 of the HdrHistogram V2 encoding, deflated or not.
///
/// # Errors
/// [`HistogramError`] when the text is no base64 or its bytes are no histogram.
pub fn decode(base64: &str) -> Result<Histogram<u64>, HistogramError> {
    let bytes = BASE64.decode(base64).map_err(HistogramError::new)?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).map_err(HistogramError::new)
}

/// Writes a histogram of nanoseconds as base64 of HdrHistogram V2 + DEFLATE, as the record holds it.
///
/// # Errors
/// [`HistogramError`] when the histogram is too large for the encoding.
pub fn encode(histogram: &Histogram<u64>) -> Result<String, HistogramError> {
    let mut bytes = Vec::new();
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).map_err(HistogramError::new)?;
    Ok(BASE64.encode(bytes))
}

/// Highest quantile (0 to 1) that this number of judged batches supports: 1 − 10 / batches, and never less than the median.
pub fn supported_to(batches: u64) -> f64 {
    if batches == 0 {
        return 0.5;
    }
    (1.0 - BATCHES_BEYOND as f64 / batches as f64).max(0.5)
}

/// Whether that many judged batches support this quantile.
pub fn is_supported(quantile: f64, batches: u64) -> bool {
    // 1 − 10 / n is not exact in binary; a billionth of a quantile is no batch.
    quantile <= supported_to(batches) + 1e-9
}

/// Exact quantile of ascending values by nearest rank: the smallest value that at least this share of all values does not
/// exceed (definition 1 of Hyndman, Fan, "Sample quantiles in statistical packages", The American Statistician 50, 1996).
/// `None` without values.
pub fn of_ascending(values: &[u64], quantile: f64) -> Option<u64> {
    let rank = (quantile * values.len() as f64 - 1e-9).ceil().max(1.0) as usize;
    values.get(rank.min(values.len()).checked_sub(1)?).copied()
}

/// Median of any order of values: the middle one, or the mean of the two in the middle. `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut ascending = values.to_vec();
    ascending.sort_unstable_by(f64::total_cmp);
    let middle = ascending.len() / 2;
    let upper = *ascending.get(middle)?;
    if ascending.len() % 2 == 1 {
        return Some(upper);
    }
    Some(0.5 * (ascending[middle - 1] + upper))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn support_needs_ten_batches_beyond() {
        assert_eq!(supported_to(0), 0.5);
        assert_eq!(supported_to(3), 0.5);
        assert_eq!(supported_to(20), 0.5);
        assert_eq!(supported_to(100), 0.9);
        assert!((supported_to(1000) - 0.99).abs() < 1e-12);
        assert!(is_supported(0.9, 100) && !is_supported(0.91, 100));
        assert!(is_supported(0.99, 1000) && !is_supported(0.99, 999));
        assert!(is_supported(0.5, 1));
    }

    #[test]
    fn nearest_rank_is_exact() {
        let hundred: Vec<u64> = (1..=100).collect();
        for (quantile, value) in [(0.0, 1), (0.07, 7), (0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100)] {
            assert_eq!(of_ascending(&hundred, quantile), Some(value), "{quantile}");
        }
        assert_eq!(of_ascending(&[15, 20, 35, 40, 50], 0.4), Some(20));
        assert_eq!(of_ascending(&[], 0.5), None);
    }

    #[test]
    fn median_takes_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn histograms_survive_the_record() {
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        for value in [1, 1_000, 5_000_000, 5_000_000, 3_600_000_000_000] {
            histogram.record(value).unwrap();
        }
        assert_eq!(decode(&encode(&histogram).unwrap()).unwrap(), histogram);
    }

    #[test]
    fn altered_histograms_are_named() {
        for text in ["", "###", "AAAA", "HISTFAAAAAE="] {
            assert!(decode(text).unwrap_err().to_string().contains("unreadable"), "{text}");
        }
    }

    proptest! {
        #[test]
        fn at_least_the_share_is_at_or_below(mut values in prop::collection::vec(0_u64..1000, 1..200), quantile in 0.0_f64..=1.0) {
            values.sort_unstable();
            let value = of_ascending(&values, quantile).unwrap();
            let below = values.iter().filter(|&&other| other < value).count() as f64;
            let reached = values.iter().filter(|&&other| other <= value).count() as f64;
            let wanted = quantile * values.len() as f64;
            prop_assert!(reached >= wanted - 1e-6);
            prop_assert!(below < wanted + 1e-6);
        }
    }
}
