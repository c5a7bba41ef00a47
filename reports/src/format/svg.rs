//! Pieces that the plots share: linear scales, round ticks, paths with bounded digits.

use std::fmt::Write;

/// A linear map from values to drawing units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    value_end: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// Maps 0 to `from` and `value_end` to `to`.
    pub(crate) fn new(value_end: f64, from: f64, to: f64) -> Self {
        let value_end = if value_end > 0.0 { value_end } else { 1.0 };
        Self { value_end, from, to }
    }

    /// The drawing unit of a value.
    pub(crate) fn at(&self, value: f64) -> f64 {
        self.from + (self.to - self.from) * (value / self.value_end).clamp(0.0, 1.0)
    }
}

/// Round values from 0 to `end`, about `wanted` of them, steps of 1, 2 or 5 times a power of ten.
pub(crate) fn ticks(end: f64, wanted: usize) -> Vec<f64> {
    if end <= 0.0 || !end.is_finite() {
        return vec![0.0];
    }
    let rough = end / wanted.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= rough * 0.999)
        .unwrap_or(10.0 * power);
    let count = (end / step + 1e-9).floor() as usize;
    (0..=count).map(|number| number as f64 * step).collect()
}

/// A coordinate with one decimal, which is below what a screen can show.
pub(crate) fn unit(value: f64) -> String {
    let text = format!("{value:.1}");
    match text.strip_suffix(".0") {
        Some(whole) => whole.to_owned(),
        None => text,
    }
}

/// A path through the points; empty without points.
pub(crate) fn line(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    for (number, (x, y)) in points.iter().enumerate() {
        let command = if number == 0 { 'M' } else { 'L' };
        // Writing to a string cannot fail.
        let _ = write!(path, "{command}{} {}", unit(*x), unit(*y));
    }
    path
}

/// The area between the points and a base line; empty without points.
pub(crate) fn area(points: &[(f64, f64)], base: f64) -> String {
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return String::new();
    };
    format!("{}L{} {}L{} {}Z", line(points), unit(last.0), unit(base), unit(first.0), unit(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_end() {
        assert_eq!(ticks(240.0, 5), [0.0, 50.0, 100.0, 150.0, 200.0]);
        assert_eq!(ticks(1.0, 5), [0.0, 0.2, 0.4, 0.600_000_000_000_000_1, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 5), [0.0]);
        assert_eq!(ticks(f64::NAN, 5), [0.0]);
    }

    #[test]
    fn scales_clamp_and_survive_zero() {
        let scale = Scale::new(10.0, 100.0, 0.0);
        assert_eq!([0.0, 5.0, 10.0, 20.0].map(|value| scale.at(value)), [100.0, 50.0, 0.0, 0.0]);
        assert_eq!(Scale::new(0.0, 0.0, 1.0).at(0.0), 0.0);
    }

    #[test]
    fn paths_are_short() {
        assert_eq!(line(&[(0.0, 1.25), (2.04, 3.0)]), "M0 1.2L2 3");
        assert_eq!(area(&[(0.0, 1.0), (2.0, 3.0)], 9.0), "M0 1L2 3L2 9L0 9Z");
        assert_eq!(area(&[], 9.0), "");
    }
}
