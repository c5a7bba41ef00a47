//! How late a thread wakes up that only sleeps: what a timer is worth on this machine.

use downbeat_engine::clock::{Clock, MonotonicClock, Wake, set_timer_slack};
use std::time::Duration;

/// How long it sleeps at a time.
const NAP_NS: u64 = 1_000_000;

/// How late it woke up, nanoseconds, in ascending order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Naps {
    late_ns: Vec<u64>,
}

impl Naps {
    /// The one in the middle; `None` without any.
    pub(crate) fn median_ns(&self) -> Option<u64> {
        self.late_ns.get(self.late_ns.len() / 2).copied()
    }

    /// The latest one.
    pub(crate) fn longest_ns(&self) -> Option<u64> {
        self.late_ns.last().copied()
    }

    /// How many were later than this.
    pub(crate) fn later_than(&self, limit_ns: u64) -> usize {
        self.late_ns.len() - self.late_ns.partition_point(|late_ns| *late_ns <= limit_ns)
    }

    /// These, in any order.
    #[cfg(test)]
    pub(crate) fn of(mut late_ns: Vec<u64>) -> Self {
        late_ns.sort_unstable();
        Naps { late_ns }
    }
}

/// Takes naps of 1 ms one after the other for this long, on a thread of its own, as the ticker of a trial does.
pub(crate) fn naps(length: Duration) -> Naps {
    let watched = std::thread::Builder::new().name("naps".into()).spawn(move || take(length));
    watched.ok().and_then(|thread| thread.join().ok()).unwrap_or_default()
}

fn take(length: Duration) -> Naps {
    set_timer_slack();
    let (clock, wake) = (MonotonicClock::new(), Wake::default());
    let end_ns = clock.now_ns() + length.as_nanos() as u64;
    let mut late_ns = Vec::new();
    while clock.now_ns() < end_ns {
        let due_ns = clock.now_ns() + NAP_NS;
        clock.sleep_until(due_ns, &wake);
        late_ns.push(clock.now_ns().saturating_sub(due_ns));
    }
    late_ns.sort_unstable();
    Naps { late_ns }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_is_ordered_and_counted() {
        let naps = Naps::of(vec![9, 1, 5]);
        assert_eq!((naps.median_ns(), naps.longest_ns()), (Some(5), Some(9)));
        assert_eq!([0, 1, 5, 9].map(|limit_ns| naps.later_than(limit_ns)), [3, 2, 1, 0]);
        assert_eq!((Naps::default().median_ns(), Naps::default().later_than(0)), (None, 0));
    }

    #[test]
    fn naps_are_taken() {
        let naps = naps(Duration::from_millis(20));
        assert!(naps.longest_ns() >= naps.median_ns() && naps.median_ns().is_some(), "{naps:?}");
    }
}
