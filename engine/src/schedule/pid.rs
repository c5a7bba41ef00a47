//! The PID rate estimator of Spark Streaming: from how batches went to how many records a second may come.
//!
//! Source: `PIDRateEstimator.scala` of Apache Spark 4.1. Times are milliseconds with fractions here, because intervals go down to
//! one, and a batch may be done in less.

use crate::settings::Settings;

/// Weights and the floor of an estimator.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PidSettings {
    pub(crate) interval_ms: f64,
    pub(crate) proportional: f64,
    pub(crate) integral: f64,
    pub(crate) derivative: f64,
    pub(crate) min_rate_per_s: f64,
}

impl PidSettings {
    /// From settings that were checked.
    pub(crate) fn of(settings: &Settings) -> Self {
        PidSettings {
            interval_ms: settings.interval_ns as f64 / 1e6,
            proportional: settings.pid_proportional,
            integral: settings.pid_integral,
            derivative: settings.pid_derivative,
            min_rate_per_s: settings.pid_min_rate_per_s,
        }
    }
}

/// How a batch went, as the estimator of one input sees it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Completed {
    /// When its processing ended.
    pub(crate) time_ms: f64,
    /// Records of this input.
    pub(crate) records: u64,
    /// Processing time of the whole batch.
    pub(crate) processing_ms: f64,
    /// How long it had waited.
    pub(crate) scheduling_delay_ms: f64,
}

/// The estimator of one input.
pub(crate) struct Pid {
    settings: PidSettings,
    /// After the first batch that counted.
    latest: Option<Latest>,
}

#[derive(Clone, Copy)]
struct Latest {
    time_ms: f64,
    rate_per_s: f64,
    error: f64,
}

impl Pid {
    pub(crate) fn new(settings: PidSettings) -> Self {
        Pid { settings, latest: None }
    }

    /// The new rate, records per second. `None` when the batch tells nothing: it is not newer than the last one that counted, had no
    /// records, took no time, or is the first.
    pub(crate) fn completed(&mut self, batch: Completed) -> Option<f64> {
        let is_newer = self.latest.is_none_or(|latest| batch.time_ms > latest.time_ms);
        // Spark begins with a latest time of -1, so that time 0 counts.
        if !is_newer || batch.records == 0 || batch.processing_ms <= 0.0 {
            return None;
        }
        let processing_rate = batch.records as f64 / batch.processing_ms * 1000.0;
        let Some(latest) = self.latest else {
            self.latest = Some(Latest { time_ms: batch.time_ms, rate_per_s: processing_rate, error: 0.0 });
            return None;
        };
        let since_s = (batch.time_ms - latest.time_ms) / 1000.0;
        let error = latest.rate_per_s - processing_rate;
        // The records that wait, as if they should be worked off within one interval.
        let historical_error = batch.scheduling_delay_ms * processing_rate / self.settings.interval_ms;
        let change = (error - latest.error) / since_s;
        let PidSettings { proportional, integral, derivative, min_rate_per_s, .. } = self.settings;
        let rate = latest.rate_per_s - proportional * error - integral * historical_error - derivative * change;
        let rate_per_s = rate.max(min_rate_per_s);
        self.latest = Some(Latest { time_ms: batch.time_ms, rate_per_s, error });
        Some(rate_per_s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(interval_ms: f64, weights: [f64; 3], min_rate_per_s: f64) -> PidSettings {
        let [proportional, integral, derivative] = weights;
        PidSettings { interval_ms, proportional, integral, derivative, min_rate_per_s }
    }

    fn defaults(interval_ms: u64) -> PidSettings {
        PidSettings::of(&Settings { interval_ns: interval_ms * 1_000_000, ..Settings::default() })
    }

    fn estimates(settings: PidSettings, batches: &[(f64, u64, f64, f64)]) -> Vec<Option<f64>> {
        let mut pid = Pid::new(settings);
        let completed = |(time_ms, records, processing_ms, scheduling_delay_ms): &(f64, u64, f64, f64)| Completed {
            time_ms: *time_ms,
            records: *records,
            processing_ms: *processing_ms,
            scheduling_delay_ms: *scheduling_delay_ms,
        };
        batches.iter().map(|batch| pid.completed(completed(batch))).collect()
    }

    #[test]
    fn the_first_batch_sets_the_rate_and_the_same_time_again_tells_nothing() {
        let batches = [(0.0, 10, 10.0, 0.0), (10.0, 10, 10.0, 0.0), (10.0, 10, 10.0, 0.0)];
        assert_eq!(estimates(settings(20.0, [1.0, 0.0, 0.0], 10.0), &batches), [None, Some(1000.0), None]);
    }

    #[test]
    fn the_rate_never_goes_below_the_floor() {
        let batches: Vec<_> = (0..50).map(|batch| (20.0 * f64::from(batch), 1, 20.0, 100.0)).collect();
        let rates = estimates(settings(20.0, [1.0, 1.0, 0.0], 5.0), &batches);
        assert_eq!(rates[0], None);
        assert!(rates[1..].iter().all(|rate| *rate == Some(5.0)), "{rates:?}");
    }

    #[test]
    fn the_defaults_are_sparks_and_batches_that_tell_nothing_change_nothing() {
        assert_eq!(defaults(1000), settings(1000.0, [1.0, 0.2, 0.0], 100.0));
        let batches = [
            (1000.0, 5000, 500.0, 0.0),
            (2000.0, 5000, 500.0, 0.0),
            (3000.0, 10000, 1500.0, 500.0),
            (4000.0, 9000, 1200.0, 1000.0),
            (4000.0, 1, 1.0, 1.0),
            (5000.0, 0, 10.0, 0.0),
            (6000.0, 10, 1000.0, 5000.0),
            (7000.0, 200, 20.0, 0.0),
        ];
        let rates = estimates(defaults(1000), &batches);
        let expected = [None, Some(10000.0), Some(6000.0), Some(6000.0), None, None, Some(100.0), Some(10000.0)];
        for (rate, expected) in rates.iter().zip(expected) {
            match (rate, expected) {
                (Some(rate), Some(expected)) => assert!((rate - expected).abs() < 1e-9 * expected, "{rates:?}"),
                other => assert_eq!(other, (&None, None), "{rates:?}"),
            }
        }
    }

    #[test]
    fn all_three_terms_count() {
        let batches = [
            (1000.0, 5000, 500.0, 0.0),
            (2100.0, 6000, 900.0, 100.0),
            (3000.0, 4000, 1100.0, 300.0),
            (4400.0, 4500, 800.0, 0.0),
        ];
        let rates = estimates(settings(1000.0, [0.5, 0.1, 0.3], 10.0), &batches);
        let expected = [7357.575757575759, 5258.585858585859, 6317.712842712843];
        assert_eq!(rates[0], None);
        for (rate, expected) in rates[1..].iter().zip(expected) {
            assert!((rate.expect("an estimate") - expected).abs() < 1e-9 * expected, "{rates:?}");
        }
    }

    #[test]
    fn a_batch_that_took_no_time_and_one_before_the_last_tell_nothing() {
        let batches = [(1.0, 5, 0.0, 0.0), (2.0, 5, 1.0, 0.0), (1.5, 5, 1.0, 0.0), (2.25, 5, 0.25, 0.0)];
        assert_eq!(estimates(defaults(1), &batches), [None, None, None, Some(20000.0)]);
    }

    #[test]
    fn overload_settles_where_a_batch_takes_its_whole_interval() {
        // 20,000 records a second are offered; a batch takes 100 ms and 0.1 ms a record.
        let mut pid = Pid::new(defaults(1000));
        let (mut rate_per_s, mut end_ms) = (20_000.0f64, 0.0f64);
        for batch in 1..=200 {
            let due_ms = f64::from(batch) * 1000.0;
            let records = rate_per_s.min(20_000.0) as u64;
            let processing_ms = 100.0 + 0.1 * records as f64;
            let scheduling_delay_ms = (end_ms - due_ms).max(0.0);
            end_ms = due_ms + scheduling_delay_ms + processing_ms;
            let completed = Completed { time_ms: end_ms, records, processing_ms, scheduling_delay_ms };
            rate_per_s = pid.completed(completed).unwrap_or(rate_per_s).trunc();
        }
        assert!((rate_per_s - 9000.0).abs() < 90.0, "{rate_per_s}");
    }
}
