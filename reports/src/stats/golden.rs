//! The statistics of the gate against SciPy's and statsmodels' answers; `scripts/golden-statistics` wrote them and says how.

use super::hodges_lehmann::location;
use super::random::SplitMix64;
use super::signed_rank::{p_greater, p_less, p_two_sided, tests::sample_with_ties};
use super::{harrell_davis, holm};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Golden {
    signed_rank: Vec<SignedRank>,
    hodges_lehmann: Vec<Location>,
    holm: Vec<Family>,
    harrell_davis: Vec<Quantile>,
}

#[derive(Serialize, Deserialize)]
struct SignedRank {
    values: Vec<f64>,
    shift: f64,
    greater: f64,
    less: f64,
    two_sided: f64,
}

#[derive(Serialize, Deserialize)]
struct Location {
    values: Vec<f64>,
    confidence: f64,
    estimate: f64,
    low: Option<f64>,
    high: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct Family {
    values: Vec<f64>,
    adjusted: Vec<f64>,
}

#[derive(Serialize, Deserialize)]
struct Quantile {
    values: Vec<f64>,
    quantile: f64,
    estimate: f64,
}

fn close(found: f64, golden: f64, what: &[f64]) {
    assert!((found - golden).abs() <= 1e-10 * golden.abs().max(1e-3), "{found} is not {golden}: {what:?}");
}

#[test]
fn they_agree_with_scipy() {
    let golden: Golden = serde_json::from_str(include_str!("../../tests/golden/statistics.json")).unwrap();
    assert!(golden.signed_rank.len() >= 40 && golden.hodges_lehmann.len() >= 20);
    assert!(golden.holm.len() >= 20 && golden.harrell_davis.len() >= 20);
    for case in golden.signed_rank {
        close(p_greater(&case.values, case.shift).unwrap(), case.greater, &case.values);
        close(p_less(&case.values, case.shift).unwrap(), case.less, &case.values);
        close(p_two_sided(&case.values, case.shift).unwrap(), case.two_sided, &case.values);
    }
    for case in golden.hodges_lehmann {
        let found = location(&case.values, case.confidence).unwrap();
        close(found.estimate, case.estimate, &case.values);
        assert_eq!(found.low.is_finite(), case.low.is_some(), "{:?}", case.values);
        if let (Some(low), Some(high)) = (case.low, case.high) {
            close(found.low, low, &case.values);
            close(found.high, high, &case.values);
        }
    }
    for case in golden.holm {
        let found = holm::adjusted(&case.values);
        found.iter().zip(&case.adjusted).for_each(|(found, golden)| close(*found, *golden, &case.values));
    }
    for case in golden.harrell_davis {
        close(harrell_davis::quantile(&case.values, case.quantile).unwrap(), case.estimate, &case.values);
    }
}

/// Writes what this code says of 10,000 random samples where `scripts/golden-statistics --check` reads it.
#[test]
#[ignore = "scripts/golden-statistics --check runs it and compares with SciPy"]
fn dump_ten_thousand_samples() {
    let mut random = SplitMix64::new(20_261_123);
    let mut dump = Golden::default();
    for round in 0..10_000 {
        let values = sample_with_ties(&mut random, 10);
        let shift = [0.0, 0.5, -1.0][random.below(3)];
        let (greater, less) = (p_greater(&values, shift).unwrap(), p_less(&values, shift).unwrap());
        let two_sided = p_two_sided(&values, shift).unwrap();
        let p_values: Vec<f64> = values.iter().map(|value| value.abs() / 30.0).collect();
        dump.holm.push(Family { adjusted: holm::adjusted(&p_values), values: p_values });
        let quantile = [0.5, 0.9, 0.95, 0.99][round % 4];
        let estimate = harrell_davis::quantile(&values, quantile).unwrap();
        dump.harrell_davis.push(Quantile { values: values.clone(), quantile, estimate });
        dump.signed_rank.push(SignedRank { values, shift, greater, less, two_sided });
        let untied: Vec<f64> = (0..1 + random.below(14)).map(|_| random.normal()).collect();
        let confidence = [0.9, 0.95, 0.99][round % 3];
        let found = location(&untied, confidence).unwrap();
        let end = |end: f64| end.is_finite().then_some(end);
        let (low, high) = (end(found.low), end(found.high));
        dump.hodges_lehmann.push(Location { values: untied, confidence, estimate: found.estimate, low, high });
    }
    let path = std::env::var_os("DOWNBEAT_STATISTICS").expect("DOWNBEAT_STATISTICS names the file to write");
    std::fs::write(path, serde_json::to_string(&dump).unwrap()).unwrap();
}
