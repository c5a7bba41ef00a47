//! Point figures of one trial, and whether it exceeds its limits: the yes or no on which a search for a rate rests.
//!
//! A verdict says NOT JUDGED where chance may explain what was seen. A search asks many trials instead and leaves chance to
//! their number, so each trial here is a plain yes or no by its point figures.

use crate::judged;
use crate::limit::{Limit, Metric};
use crate::record::TrialRecord;
use crate::stats::{percentiles, theil_sen};
use crate::verdict::{Because, Limits, Verdict, Word};
use hdrhistogram::Histogram;

/// What one trial showed, as plain numbers.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Batch interval.
    pub interval_ns: u64,
    /// Judged batches.
    pub judged: u64,
    /// Late ones among them.
    pub late: u64,
    /// Total delay of each, ascending.
    pub delays_ns: Vec<u64>,
    /// Median of processing time / interval; 0 without batches.
    pub utilisation: f64,
    /// Growth of the total delay, share of the interval per batch; 0 when it cannot be told.
    pub slope: f64,
    /// Share of the judged time for which the engine blocked the sender.
    pub blocked_share: f64,
    /// Records that were dropped.
    pub shed: u64,
    /// Latency by record, nanoseconds.
    pub latency: Option<Histogram<u64>>,
}

/// What a trial says to a search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It kept its limits.
    Within,
    /// It exceeded one; in words, which.
    Exceeds(String),
    /// It exceeded one, and pauses of the host may be why; in words. Once it is to be repeated; a host that pauses again and again
    /// does not hold the rate.
    Disturbed(String),
    /// It says nothing and is to be repeated; why.
    Spoiled(String),
    /// Its output is wrong; why. No search goes on over wrong answers.
    Broken(String),
}

impl Figures {
    /// The figures of a judged record.
    pub fn of(record: &TrialRecord, verdict: &Verdict) -> Self {
        let interval_ns = record.judging.interval_ns;
        let delays: Vec<(f64, f64)> =
            judged::batches(record).map(|batch| (batch.index as f64, batch.total_delay_ns as f64)).collect();
        let mut delays_ns: Vec<u64> = judged::batches(record).map(|batch| batch.total_delay_ns).collect();
        delays_ns.sort_unstable();
        let slope = theil_sen::slope(&delays).map_or(0.0, |slope_ns| slope_ns / interval_ns.max(1) as f64);
        Figures {
            interval_ns,
            judged: verdict.judged,
            late: verdict.late,
            delays_ns,
            utilisation: verdict.utilisation.unwrap_or(0.0),
            slope,
            blocked_share: verdict.blocked_share,
            shed: record.integrity.shed,
            latency: record.latency_histogram.as_deref().and_then(|text| percentiles::decode(text).ok()),
        }
    }

    /// Share of late batches; 0 without batches.
    pub fn late_share(&self) -> f64 {
        self.late as f64 / self.judged.max(1) as f64
    }

    /// Latency that this share of the records does not exceed.
    pub fn latency_ns(&self, quantile: f64) -> Option<u64> {
        let latency = self.latency.as_ref().filter(|latency| !latency.is_empty())?;
        Some(latency.value_at_quantile(quantile))
    }

    /// By how much the limits are exceeded, or not, as a logarithm that rises by about as much as that of the rate: above 0 exactly
    /// when [`Figures::exceeded`] finds something. `None` where what was shed, blocked or grows decides, which says no more than yes or no.
    pub fn margin(&self, limits: &[Limit]) -> Option<f64> {
        let fixed = Limits::fixed();
        if self.shed > 0 || self.blocked_share > fixed.blocked || self.slope > fixed.slope {
            return None;
        }
        let busy = (self.utilisation / fixed.utilisation).ln();
        let margin = limits.iter().try_fold(busy, |most, limit| Some(most.max(self.margin_of(limit)?)))?;
        margin.is_finite().then_some(margin)
    }

    fn margin_of(&self, limit: &Limit) -> Option<f64> {
        let interval_ns = self.interval_ns as f64;
        let most = limit.most(self.interval_ns);
        match limit.metric {
            Metric::Utilisation => Some((self.utilisation / most).ln()),
            // The delay of the first batch that may not be late any more.
            Metric::Late => {
                let may_be_late = (most * self.judged as f64 + 1e-9).floor() as usize;
                let Some(place) = self.delays_ns.len().checked_sub(may_be_late + 1) else {
                    return Some(f64::NEG_INFINITY);
                };
                Some((self.delays_ns[place] as f64 / interval_ns).ln())
            }
            // Records wait for the end of their interval whatever the rate; what rises with it is the rest.
            Metric::Latency(quantile) => {
                let waiting_ns = quantile * interval_ns;
                let found_ns = (self.latency_ns(quantile)? as f64 - waiting_ns).max(1e-3 * interval_ns);
                (most > waiting_ns).then(|| (found_ns / (most - waiting_ns)).ln())
            }
        }
    }

    /// The first limit that is exceeded, in words. Whatever the limits, nothing may be shed, the sender hardly blocked, the
    /// median batch no longer than the interval, and the delay must not grow.
    pub fn exceeded(&self, limits: &[Limit]) -> Option<String> {
        let fixed = Limits::fixed();
        let always = [
            (self.shed > 0, format!("{} records were shed", self.shed)),
            (self.blocked_share > fixed.blocked, format!("sender blocked {:.1} %", self.blocked_share * 100.0)),
            (self.utilisation > fixed.utilisation, format!("median batch {:.2} intervals", self.utilisation)),
            (self.slope > fixed.slope, format!("delay grows {:.1} % a batch", self.slope * 100.0)),
        ];
        let always = always.into_iter().find_map(|(exceeds, why)| exceeds.then_some(why));
        always.or_else(|| limits.iter().find_map(|limit| self.over(limit)))
    }

    fn over(&self, limit: &Limit) -> Option<String> {
        let (found, shown) = match limit.metric {
            Metric::Late => (self.late_share(), format!("{:.1} % late", self.late_share() * 100.0)),
            Metric::Utilisation => (self.utilisation, format!("median batch {:.2} intervals", self.utilisation)),
            Metric::Latency(quantile) => {
                let found_ns = self.latency_ns(quantile)?;
                (found_ns as f64, format!("{} {}", limit.metric, crate::quantity::duration(found_ns)))
            }
        };
        (found > limit.most(self.interval_ns)).then(|| format!("{shown}, limit {limit}"))
    }
}

/// What a trial's record says to a search with these limits.
pub fn outcome(figures: &Figures, verdict: &Verdict, limits: &[Limit]) -> Outcome {
    let exceeded = figures.exceeded(limits);
    match (verdict.word, verdict.because, exceeded) {
        (Word::Broken, _, _) => Outcome::Broken(verdict.text.clone()),
        (_, Because::TooFewBatches | Because::NothingCame | Because::ClockJumped, _) => {
            Outcome::Spoiled(verdict.text.clone())
        }
        (_, Because::HostNoise, Some(why)) => Outcome::Disturbed(why),
        // A sender without a core to itself falls behind with an engine that does: that is the load being too high.
        (Word::Invalid, _, None) => Outcome::Spoiled(verdict.text.clone()),
        (_, _, Some(why)) => Outcome::Exceeds(why),
        (_, _, None) => Outcome::Within,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{INTERVAL_NS, trial};
    use crate::verdict::judge;

    const MS: u64 = 1_000_000;

    fn said(record: &TrialRecord, limit: &str) -> Outcome {
        let verdict = judge(record);
        outcome(&Figures::of(record, &verdict), &verdict, &Limit::parse_all(limit).expect("a limit"))
    }

    #[test]
    fn a_trial_is_a_plain_yes_or_no_by_its_point_figures() {
        let late =
            |late: u64| trial("t", 100, move |index, _| (if index % 100 < late { INTERVAL_NS } else { 0 }, 80 * MS));
        assert_eq!(said(&late(0), "late<1%"), Outcome::Within);
        assert_eq!(said(&late(1), "late<1%"), Outcome::Within);
        // The verdict leaves two of a hundred to chance; a search must not.
        assert_eq!(judge(&late(2)).because, Because::LateShareUnclear);
        assert!(matches!(said(&late(2), "late<1%"), Outcome::Exceeds(why) if why.contains("late")));
        assert_eq!(said(&late(2), "late<5%"), Outcome::Within);
    }

    #[test]
    fn a_margin_is_above_zero_exactly_when_a_limit_is_exceeded() {
        let figures = |late: u64, work_ms: u64| {
            let record =
                trial("t", 100, move |index, _| (if index % 100 < late { INTERVAL_NS } else { 0 }, work_ms * MS));
            Figures::of(&record, &judge(&record))
        };
        let limits = |text: &str| Limit::parse_all(text).expect("a limit");
        for (late, work_ms) in [(0, 80), (1, 80), (2, 80), (3, 80), (0, 190), (0, 150), (5, 130)] {
            let figures = figures(late, work_ms);
            for text in
                ["late<1%", "late<2%", "late<0%", "utilisation<70%", "p99<300ms", "p99<1s", "late<1%,utilisation<60%"]
            {
                let (margin, exceeded) = (figures.margin(&limits(text)), figures.exceeded(&limits(text)));
                assert_eq!(
                    margin.map(|margin| margin > 0.0),
                    Some(exceeded.is_some()),
                    "{late} {work_ms} {text} {margin:?}"
                );
            }
        }
        let margin = figures(0, 80).margin(&limits("utilisation<80%")).unwrap();
        assert!((margin - (0.4_f64 / 0.8).ln()).abs() < 1e-6, "{margin}");
    }

    #[test]
    fn where_growth_or_loss_decides_there_is_no_margin() {
        let growing = trial("t", 60, |index, _| (index * 1_100_000, 80 * MS));
        let mut shed = trial("t", 60, |_, _| (0, 80 * MS));
        shed.integrity.shed = 1;
        for record in [growing, shed] {
            let limits = Limit::parse_all("late<1%").expect("a limit");
            assert_eq!(Figures::of(&record, &judge(&record)).margin(&limits), None);
        }
    }

    #[test]
    fn growth_and_blocking_count_under_every_limit() {
        let growing = trial("t", 60, |index, _| (index * 1_100_000, 80 * MS));
        assert!(matches!(said(&growing, "p99<100s"), Outcome::Exceeds(why) if why.contains("grows")));
        let mut blocked = trial("t", 60, |_, _| (0, 80 * MS));
        blocked.integrity.blocked_ns = 5_000 * MS;
        assert!(matches!(said(&blocked, "p99<100s"), Outcome::Exceeds(why) if why.contains("blocked")));
    }

    #[test]
    fn a_late_generator_spoils_a_trial_unless_the_engine_was_overloaded() {
        let mut record = trial("t", 60, |_, _| (0, 80 * MS));
        record.integrity.generator_late_records = record.integrity.accepted;
        assert!(matches!(said(&record, "late<1%"), Outcome::Spoiled(_)));
        let mut record = trial("t", 60, |_, _| (0, INTERVAL_NS + 1));
        record.integrity.generator_late_records = record.integrity.accepted;
        assert!(matches!(said(&record, "late<1%"), Outcome::Exceeds(_)));
    }

    #[test]
    fn wrong_answers_end_a_search() {
        let mut record = trial("t", 60, |_, _| (0, 80 * MS));
        record.integrity.wrong_batches = 1;
        assert!(matches!(said(&record, "late<1%"), Outcome::Broken(_)));
    }
}
