//! Which keys may have been idle for too long: places by a time at which their keys were touched.
//!
//! Each key is listed once, under the time at which it came. To touch it moves nothing; only when its time in the list is over
//! it is looked at, and if it was touched since, it is listed anew under that time. So what a batch pays for time-outs are the
//! keys that time out and those that would have without their records.

use std::collections::BTreeMap;

/// Keys that were removed may stay in the list until there are so many, and as many as half of it.
const SLACK: usize = 1_024;

/// Places by time.
#[derive(Default)]
pub(super) struct Ages {
    places: BTreeMap<i64, Vec<u32>>,
    len: usize,
}

impl Ages {
    /// Lists a place under a time.
    pub(super) fn list(&mut self, time_ms: i64, place: u32) {
        self.places.entry(time_ms).or_default().push(place);
        self.len += 1;
    }

    /// The places listed before this time, with the time they are listed under, oldest first.
    pub(super) fn before(&self, threshold_ms: i64) -> impl Iterator<Item = (i64, &[u32])> {
        self.places.range(..threshold_ms).map(|(time_ms, places)| (*time_ms, &**places))
    }

    /// Takes the places listed before this time from the list.
    pub(super) fn take_before(&mut self, threshold_ms: i64) -> Vec<(i64, Vec<u32>)> {
        let mut taken = Vec::new();
        while let Some(oldest) = self.places.first_entry().filter(|oldest| *oldest.key() < threshold_ms) {
            taken.push(oldest.remove_entry());
        }
        self.len -= taken.iter().map(|(_, places)| places.len()).sum::<usize>();
        taken
    }

    /// Most of what is listed are keys that were removed, when there are only so many keys.
    pub(super) fn is_hollow(&self, keys: usize) -> bool {
        self.len > 2 * keys + SLACK
    }

    /// Gives each place its new number or, with `None`, takes it from the list.
    pub(super) fn renew(&mut self, mut place: impl FnMut(i64, u32) -> Option<u32>) {
        self.len = 0;
        self.places.retain(|time_ms, places| {
            *places = places.iter().filter_map(|old| place(*time_ms, *old)).collect();
            self.len += places.len();
            !places.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_come_back_by_time() {
        let mut ages = Ages::default();
        [(3, 30), (1, 10), (3, 31), (2, 20)].into_iter().for_each(|(time_ms, place)| ages.list(time_ms, place));
        assert_eq!(ages.before(3).collect::<Vec<_>>(), [(1, &[10][..]), (2, &[20])]);
        assert_eq!(ages.take_before(3), [(1, vec![10]), (2, vec![20])]);
        assert_eq!((ages.len, ages.take_before(3)), (2, vec![]));
        assert_eq!(ages.take_before(4), [(3, vec![30, 31])]);
        assert_eq!((ages.len, ages.before(i64::MAX).count()), (0, 0));
    }

    #[test]
    fn a_list_of_keys_that_left_is_hollow_until_it_is_renewed() {
        let mut ages = Ages::default();
        (0..2_000).for_each(|place| ages.list(i64::from(place / 100), place));
        assert!(!ages.is_hollow(500) && ages.is_hollow(400));
        ages.renew(|time_ms, place| (time_ms > 15).then(|| place - 1_600));
        assert_eq!((ages.len, ages.before(16).count(), ages.is_hollow(0)), (400, 0, false));
        assert_eq!(ages.take_before(17), [(16, (0..100).collect())]);
    }
}
