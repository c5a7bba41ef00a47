//! What pairs say together: Hodges and Lehmann's estimate of the middle, and its interval by Wilcoxon's signed ranks.

/// Estimate and 95 % interval of the middle of these differences, which need only be spread evenly to both sides of it.
pub struct Middle {
    pub estimate: f64,
    pub low: f64,
    pub high: f64,
}

/// The median of the means of all pairs of differences, each with itself too; the interval lies between two of these means,
/// whose places follow from the normal approximation of the signed rank statistic, good from about 20 differences on.
pub fn middle(differences: &[f64]) -> Middle {
    let count = differences.len();
    let mut means: Vec<f64> =
        (0..count).flat_map(|a| (a..count).map(move |b| (differences[a] + differences[b]) / 2.0)).collect();
    means.sort_by(f64::total_cmp);
    let n = count as f64;
    let spread = (n * (n + 1.0) * (2.0 * n + 1.0) / 24.0).sqrt();
    let below = (n * (n + 1.0) / 4.0 - 1.96 * spread).floor().max(0.0) as usize;
    Middle { estimate: means[means.len() / 2], low: means[below], high: means[means.len() - 1 - below] }
}
