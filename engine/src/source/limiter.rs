//! The limit on how fast one receiver may bring records: strict pacing.
//!
//! A virtual schedule, as in the generic cell rate algorithm (ITU-T I.371): each record has a slot of 1 / rate seconds. Slots that
//! pass unused are lost but for those of the last block interval. So within any time T, at most rate × (T + block interval) records
//! are let in, plus what a thread lets in late that was woken up late. (Spark's limiter saves a whole second.)

use crate::clock::{Clock, Wake};
use crate::sync::{Mutex, lock};

/// Limits one input.
pub(crate) struct Limiter {
    /// No estimate gets above this.
    most_per_s: Option<f64>,
    /// Unused slots are kept for this long.
    saved_ns: u64,
    state: Mutex<State>,
}

struct State {
    /// Records per second in force.
    rate: Option<Rate>,
    /// End of the last slot that was given away.
    taken_until: Slots,
}

#[derive(Clone, Copy)]
struct Rate {
    per_s: f64,
    /// Length of a slot, rounded up.
    slot: Slots,
}

/// A time in 2⁻³² nanoseconds, so that the slots of a fast receiver add up.
type Slots = u128;

const NS: Slots = 1 << 32;

impl Limiter {
    /// Begins with `initial_per_s`; never above `most_per_s`. Slots that pass unused are kept for `saved_ns`.
    pub(crate) fn new(most_per_s: Option<f64>, initial_per_s: Option<f64>, saved_ns: u64) -> Self {
        let limiter = Limiter { most_per_s, saved_ns, state: Mutex::new(State { rate: None, taken_until: 0 }) };
        if let Some(per_s) = initial_per_s.or(most_per_s) {
            limiter.set_rate(per_s);
        }
        limiter
    }

    /// From now on this many records per second, if that is more than none and unless it is above the most.
    pub(crate) fn set_rate(&self, per_s: f64) {
        if per_s > 0.0 {
            let per_s = self.most_per_s.map_or(per_s, |most| most.min(per_s));
            let slot = (1e9 / per_s * NS as f64).ceil() as Slots;
            lock(&self.state).rate = Some(Rate { per_s, slot });
        }
    }

    /// Records per second in force, without the fraction; `None` while there is no limit.
    pub(crate) fn rate(&self) -> Option<u64> {
        lock(&self.state).rate.map(|rate| rate.per_s as u64)
    }

    /// How many of `records` to let in at once: what a block interval holds, at least one.
    pub(crate) fn piece(&self, records: u64) -> u64 {
        let rate = lock(&self.state).rate;
        rate.map_or(records, |rate| {
            let held = Slots::from(self.saved_ns) * NS / rate.slot.max(1);
            records.min(u64::try_from(held).unwrap_or(u64::MAX).max(1))
        })
    }

    /// Gives the next slots to `records` records; returns when the last of these slots ends: then they may be let in.
    fn reserve(&self, records: u64, now_ns: u64) -> u64 {
        let mut state = lock(&self.state);
        let Some(rate) = state.rate else { return now_ns };
        let kept_from = Slots::from(now_ns.saturating_sub(self.saved_ns)) * NS;
        let until = state.taken_until.max(kept_from).saturating_add(rate.slot.saturating_mul(records.into()));
        state.taken_until = until;
        u64::try_from(until.div_ceil(NS)).unwrap_or(u64::MAX)
    }

    /// Waits until `records` more records may be let in, all at once. Waits in steps of `step_ns`, each of which `waited` hears
    /// of as it passes. `None` when `wake` was set meanwhile; else how long it waited.
    pub(crate) fn acquire(
        &self,
        records: u64,
        clock: &dyn Clock,
        wake: &Wake,
        step_ns: u64,
        waited: impl Fn(u64),
    ) -> Option<u64> {
        let begin_ns = clock.now_ns();
        let ready_ns = self.reserve(records, begin_ns);
        let mut now_ns = begin_ns;
        while now_ns < ready_ns {
            if wake.is_set() {
                return None;
            }
            clock.sleep_until(ready_ns.min(now_ns.saturating_add(step_ns)), wake);
            let woken_ns = clock.now_ns();
            waited(woken_ns.saturating_sub(now_ns));
            now_ns = woken_ns;
        }
        Some(now_ns.saturating_sub(begin_ns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;
    use proptest::prelude::*;

    const MS: u64 = 1_000_000;

    fn limiter(per_s: f64, saved_ns: u64) -> Limiter {
        Limiter::new(Some(per_s), None, saved_ns)
    }

    /// When the records after one another may go in, of a sender that is always ready.
    fn ready(limiter: &Limiter, pieces: &[u64], mut now_ns: u64) -> Vec<u64> {
        let next = |records: &u64| {
            now_ns = now_ns.max(limiter.reserve(*records, now_ns));
            now_ns
        };
        pieces.iter().map(next).collect()
    }

    #[test]
    fn records_are_spaced_by_their_slots() {
        let limiter = limiter(1_000.0, 0);
        assert_eq!(ready(&limiter, &[1, 1, 2, 1], 100 * MS), [101 * MS, 102 * MS, 104 * MS, 105 * MS]);
        assert_eq!(ready(&limiter, &[1], 200 * MS), [201 * MS], "nothing is saved");
    }

    #[test]
    fn idle_time_saves_one_block_interval_and_no_more() {
        let limiter = limiter(1_000.0, 5 * MS);
        let start_ns = 3_600_000 * MS;
        // An hour idle: five records at once, then one a millisecond.
        let at_once = start_ns;
        let expected = [at_once, at_once, at_once, at_once, at_once, start_ns + MS, start_ns + 2 * MS];
        assert_eq!(ready(&limiter, &[1; 7], start_ns), expected);
    }

    #[test]
    fn slots_of_a_fast_receiver_do_not_lose_time_to_rounding() {
        // A third of a millisecond is no whole number of nanoseconds.
        let limiter = limiter(3_000_000.0, MS);
        let last_ns = ready(&limiter, &[300; 10_000], 100 * MS)[9_999];
        assert_eq!(last_ns, 1_099 * MS + 1, "3 million in a second, one saved millisecond less, rounded up once");
    }

    #[test]
    fn a_piece_is_what_a_block_interval_holds_and_at_least_one() {
        assert_eq!(limiter(1_000.0, 50 * MS).piece(1_000_000), 50);
        assert_eq!(limiter(1_000.0, 50 * MS).piece(7), 7);
        assert_eq!(limiter(1.0, 50 * MS).piece(7), 1);
        assert_eq!(Limiter::new(None, None, 50 * MS).piece(u64::MAX), u64::MAX);
    }

    #[test]
    fn estimates_are_capped_by_the_most_and_none_is_ignored() {
        let limiter = Limiter::new(Some(1_000.0), Some(5_000.0), 0);
        assert_eq!(limiter.rate(), Some(1_000), "the initial rate is capped too");
        limiter.set_rate(250.9);
        assert_eq!(limiter.rate(), Some(250));
        limiter.set_rate(0.0);
        limiter.set_rate(-5.0);
        limiter.set_rate(f64::NAN);
        assert_eq!(limiter.rate(), Some(250));
        limiter.set_rate(1e9);
        assert_eq!(limiter.rate(), Some(1_000));
        assert_eq!(Limiter::new(None, Some(40.0), 0).rate(), Some(40));
        assert_eq!(Limiter::new(None, None, 0).rate(), None);
    }

    #[test]
    fn extreme_rates_and_sizes_do_not_overflow() {
        for per_s in [0.001, 1.0, 1e12] {
            let limiter = limiter(per_s, 3_600_000 * MS);
            assert!(limiter.reserve(u64::MAX, u64::MAX - 1) >= u64::MAX - 1);
            assert_eq!(limiter.reserve(u64::MAX, 0), u64::MAX, "{per_s}");
            limiter.piece(u64::MAX);
        }
    }

    #[test]
    fn a_wait_is_told_step_by_step_and_ends_when_woken() {
        let clock = ManualClock::new(100 * MS);
        let (wake, told) = (Wake::default(), std::cell::RefCell::new(Vec::new()));
        let limiter = limiter(100.0, 0);
        clock.join();
        std::thread::scope(|scope| {
            let clock = &clock;
            scope.spawn(move || (0..=30).for_each(|ms| clock.advance_to((100 + ms) * MS)));
            let waited = limiter.acquire(3, clock, &wake, 8 * MS, |ns| told.borrow_mut().push(ns));
            assert_eq!(waited, Some(30 * MS));
            assert_eq!(*told.borrow(), [8 * MS, 8 * MS, 8 * MS, 6 * MS]);
            clock.leave();
        });
        wake.set();
        clock.join();
        assert_eq!(limiter.acquire(1, &clock, &wake, MS, |_| ()), None);
    }

    proptest! {
        /// Whatever is asked for and however the rate changes below a bound, no stretch of time sees more than it may.
        #[test]
        fn never_more_than_the_rate_over_the_time_and_one_block_interval(
            per_s in 1.0f64..100_000.0,
            saved_ms in 0u64..100,
            steps in proptest::collection::vec((0u64..30, 1u64..40, 0.1f64..2.0), 1..120),
        ) {
            let limiter = limiter(per_s, saved_ms * MS);
            let mut now_ns = 50 * MS;
            let mut let_in: Vec<(u64, u64)> = Vec::new();
            for (idle_ms, records, factor) in steps {
                limiter.set_rate(per_s * factor);
                now_ns += idle_ms * MS;
                let records = limiter.piece(records);
                now_ns = now_ns.max(limiter.reserve(records, now_ns));
                let_in.push((now_ns, records));
            }
            for (first, (from_ns, _)) in let_in.iter().enumerate() {
                let mut sum = 0;
                for (at_ns, records) in &let_in[first..] {
                    sum += records;
                    // A piece holds at most one block interval, or is a single record.
                    let time_s = (at_ns - from_ns + saved_ms * MS) as f64 / 1e9;
                    prop_assert!(sum as f64 <= per_s * time_s + 1.0 + 1e-6, "{sum} within {time_s} s");
                }
            }
        }
    }
}
