//! DABA Lite: the values of a queue combined, at a constant price for each that comes or goes, without an inverse.
//!
//! The algorithm is that of Tangwongsan, Hirzel and Schneider, "In-order sliding-window aggregation in worst-case constant
//! time", The VLDB Journal 30 (2021). Two stacks would do it at a constant price on average: the front has the combination
//! of each value with all that are behind it in the front, the back has one combination of all its values, and when the front
//! is used up, the back is turned into a front, all at once. Here the turn begins when front and back are equally long, and
//! each operation does one step of it, so that it is over just before the old front is used up.

use super::blocks::Blocks;

/// A queue of values, and their combination, in their order. Combines at most 4 times for a value that comes, 3 times for one
/// that goes, the question for the combination included.
///
/// From the oldest to the newest, the places are in five parts, each of which may be empty. What a place holds:
///
/// | places | the value at the place combined with those behind it |
/// |---|---|
/// | `0..done` | up to `back`: what a front has |
/// | `done..turned` | up to `turned`: what the front before this one had |
/// | `turned..turning` | alone |
/// | `turning..back` | up to `back` |
/// | `back..len` | alone |
#[derive(Clone)]
pub(super) struct Daba<V> {
    values: Blocks<V>,
    done: u32,
    turned: u32,
    turning: u32,
    back: u32,
    /// `turned..back` combined, while `done < turned`.
    middle: V,
    /// `back..len` combined, unless empty.
    newest: V,
}

impl<V: Clone + Default> Daba<V> {
    pub(super) fn new() -> Self {
        let (middle, newest) = (V::default(), V::default());
        Daba { values: Blocks::default(), done: 0, turned: 0, turning: 0, back: 0, middle, newest }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// A value comes.
    pub(super) fn push(&mut self, value: V, combine: &impl Fn(V, V) -> V) {
        self.newest = if self.back as usize == self.len() {
            value.clone()
        } else {
            combine(std::mem::take(&mut self.newest), value.clone())
        };
        self.values.push_back(value);
        self.step(combine);
    }

    /// The oldest value goes; there is one.
    pub(super) fn pop(&mut self, combine: &impl Fn(V, V) -> V) {
        self.values.pop_front();
        for place in [&mut self.done, &mut self.turned, &mut self.turning, &mut self.back] {
            *place -= 1;
        }
        self.step(combine);
    }

    /// All values combined; there is one at least.
    pub(super) fn combined(&mut self, combine: &impl Fn(V, V) -> V) -> V {
        let front = self.values.at(0).clone();
        if self.back as usize == self.len() { front } else { combine(front, self.newest.clone()) }
    }

    /// One step of turning the back into a front.
    fn step(&mut self, combine: &impl Fn(V, V) -> V) {
        if self.done == self.back {
            self.begin_turn();
        }
        if self.back == 0 {
            return;
        }
        if self.turning > self.turned {
            self.turning -= 1;
            if self.turning + 1 < self.back {
                let behind = self.values.at(self.turning as usize + 1).clone();
                self.combine_at(self.turning, behind, combine);
            }
        }
        if self.done < self.turned {
            self.combine_at(self.done, self.middle.clone(), combine);
        } else {
            // Both halves are turned: what follows has its combination already.
            self.turned += 1;
            self.turning += 1;
        }
        self.done += 1;
    }

    /// What was the back is the second half of the front from here on.
    fn begin_turn(&mut self) {
        let len = u32::try_from(self.len()).expect("a window has fewer than 2^32 panes");
        (self.done, self.turned, self.turning, self.back) = (0, self.back, len, len);
        self.middle = std::mem::take(&mut self.newest);
    }

    fn combine_at(&mut self, place: u32, behind: V, combine: &impl Fn(V, V) -> V) {
        let value = self.values.at(place as usize);
        *value = combine(std::mem::take(value), behind);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::cell::Cell;
    use std::collections::VecDeque;

    /// A free monoid: its order cannot be mistaken.
    fn join(a: String, b: String) -> String {
        a + &b
    }

    proptest! {
        #[test]
        fn it_combines_what_is_in_the_queue_in_order(steps in prop::collection::vec((0usize..20, 0usize..20), 0..30)) {
            let (mut daba, mut plain) = (Daba::new(), VecDeque::new());
            let combines = Cell::new(0);
            let counted = |a, b| {
                combines.set(combines.get() + 1);
                join(a, b)
            };
            let mut next = 0;
            for (come, go) in steps {
                for turn in 0..come + go {
                    combines.set(0);
                    if turn < come {
                        let value = format!("{next},");
                        next += 1;
                        plain.push_back(value.clone());
                        daba.push(value, &counted);
                        prop_assert!(combines.get() <= 3, "{} combines for one that comes", combines.get());
                    } else if plain.pop_front().is_some() {
                        daba.pop(&counted);
                        prop_assert!(combines.get() <= 2, "{} combines for one that goes", combines.get());
                    }
                    prop_assert_eq!(daba.len(), plain.len());
                    if !plain.is_empty() {
                        combines.set(0);
                        prop_assert_eq!(daba.combined(&counted), plain.iter().cloned().fold(String::new(), join));
                        prop_assert!(combines.get() <= 1);
                    }
                }
            }
        }
    }
}
