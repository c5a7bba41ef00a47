//! When keys were last touched: a list of places from the oldest to the newest.
//!
//! Touching a key moves it to the end of the list, so that what expires is found at its beginning without a look at anything else.

use crate::exchange::{NOWHERE, prefetch};

/// Places that are moved together, so that their cache misses overlap.
const GROUP: usize = 32;

/// Places in the order in which they were touched.
pub(super) struct Ages {
    links: Vec<Link>,
    oldest: u32,
    newest: u32,
}

#[derive(Clone, Copy)]
struct Link {
    older: u32,
    newer: u32,
    /// [`NEVER`]: not in the list.
    touched_ms: i64,
}

const NEVER: i64 = i64::MIN;
const UNLINKED: Link = Link { older: NOWHERE, newer: NOWHERE, touched_ms: NEVER };

impl Ages {
    pub(super) fn new() -> Self {
        Ages { links: Vec::new(), oldest: NOWHERE, newest: NOWHERE }
    }

    /// The place that was touched longest ago.
    pub(super) fn oldest(&self) -> Option<u32> {
        (self.oldest != NOWHERE).then_some(self.oldest)
    }

    /// The place that was touched next after this one, which is in the list.
    pub(super) fn next(&self, place: u32) -> Option<u32> {
        let newer = self.links[place as usize].newer;
        (newer != NOWHERE).then_some(newer)
    }

    /// When a place of the list was touched.
    pub(super) fn touched_ms(&self, place: u32) -> i64 {
        self.links[place as usize].touched_ms
    }

    /// Makes each place the newest, or takes it out of the list where `stays` says no. Time does not go back.
    pub(super) fn touch_each(&mut self, places: &[u32], time_ms: i64, mut stays: impl FnMut(u32) -> bool) {
        for group in places.chunks(GROUP) {
            self.prefetch(group);
            for place in group {
                self.unlink(*place);
                if stays(*place) {
                    self.append(*place, time_ms);
                }
            }
        }
    }

    /// The places are others now: the new one of each old one is given, [`NOWHERE`] for those that are in no list.
    pub(super) fn follow(&mut self, places: &[u32]) {
        let moved = |place: u32| if place == NOWHERE { NOWHERE } else { places[place as usize] };
        let count = places.iter().filter(|place| **place != NOWHERE).count();
        let mut links = vec![UNLINKED; count];
        for (link, place) in self.links.iter().zip(places).filter(|(_, place)| **place != NOWHERE) {
            links[*place as usize] = Link { older: moved(link.older), newer: moved(link.newer), ..*link };
        }
        *self = Ages { links, oldest: moved(self.oldest), newest: moved(self.newest) };
    }

    fn prefetch(&mut self, group: &[u32]) {
        let highest = group.iter().max().map_or(0, |place| *place as usize + 1);
        if self.links.len() < highest {
            self.links.resize(highest, UNLINKED);
        }
        group.iter().for_each(|place| prefetch(&self.links[*place as usize]));
        for place in group {
            let Link { older, newer, .. } = self.links[*place as usize];
            for neighbour in [older, newer].into_iter().filter(|place| *place != NOWHERE) {
                prefetch(&self.links[neighbour as usize]);
            }
        }
    }

    fn unlink(&mut self, place: u32) {
        let Link { older, newer, touched_ms } = std::mem::replace(&mut self.links[place as usize], UNLINKED);
        if touched_ms == NEVER {
            return;
        }
        match older {
            NOWHERE => self.oldest = newer,
            older => self.links[older as usize].newer = newer,
        }
        match newer {
            NOWHERE => self.newest = older,
            newer => self.links[newer as usize].older = older,
        }
    }

    fn append(&mut self, place: u32, touched_ms: i64) {
        self.links[place as usize] = Link { older: self.newest, newer: NOWHERE, touched_ms };
        match self.newest {
            NOWHERE => self.oldest = place,
            newest => self.links[newest as usize].newer = place,
        }
        self.newest = place;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listed(ages: &Ages) -> Vec<(u32, i64)> {
        let places = std::iter::successors(ages.oldest(), |place| ages.next(*place));
        places.map(|place| (place, ages.touched_ms(place))).collect()
    }

    proptest! {
        #[test]
        fn the_list_is_that_of_a_vector(rounds in prop::collection::vec((prop::collection::vec(0u32..40, 0..80), 2u32..7), 1..8)) {
            let (mut ages, mut expected) = (Ages::new(), Vec::<(u32, i64)>::new());
            for (time_ms, (places, step)) in (0..).zip(rounds) {
                ages.touch_each(&places, time_ms, |place| !place.is_multiple_of(step));
                for place in places {
                    expected.retain(|(other, _)| *other != place);
                    expected.extend((!place.is_multiple_of(step)).then_some((place, time_ms)));
                }
                prop_assert_eq!(listed(&ages), expected.clone());
                let listed_place = |place: u32| (place != NOWHERE).then_some(place);
                let older = |place: &u32| listed_place(ages.links[*place as usize].older);
                let mut backwards: Vec<u32> = std::iter::successors(listed_place(ages.newest), older).collect();
                backwards.reverse();
                prop_assert_eq!(backwards, expected.iter().map(|(place, _)| *place).collect::<Vec<_>>());
            }
            // Everything moves to the places from the end; what is in no list goes.
            let mut places = vec![NOWHERE; 40];
            for (new, (old, _)) in expected.iter_mut().rev().enumerate() {
                places[*old as usize] = new as u32;
                *old = new as u32;
            }
            ages.follow(&places);
            prop_assert_eq!(listed(&ages), expected);
        }
    }
}
