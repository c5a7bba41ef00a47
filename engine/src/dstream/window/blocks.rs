//! A queue whose every operation takes the same time: it grows by blocks and never moves what is in it.

use std::collections::VecDeque;

/// Values in a block. A queue that grows copies fewer than this many values at once.
const BLOCK: usize = 32;

/// A queue of values that are asked for by their place.
#[derive(Clone)]
pub(super) struct Blocks<V> {
    /// The oldest block; its first `gone` values are gone. A queue of few values has no other and grows with them.
    front: Vec<V>,
    gone: usize,
    /// All but the last are full, and so is `front` when there are any.
    rest: VecDeque<Vec<V>>,
    len: usize,
}

impl<V> Default for Blocks<V> {
    fn default() -> Self {
        Blocks { front: Vec::new(), gone: 0, rest: VecDeque::new(), len: 0 }
    }
}

impl<V: Default> Blocks<V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push_back(&mut self, value: V) {
        self.len += 1;
        match self.rest.back_mut() {
            None if self.front.len() < BLOCK => self.front.push(value),
            Some(last) if last.len() < BLOCK => last.push(value),
            _ => self.rest.push_back(vec![value]),
        }
    }

    /// Lets go of the oldest value; there is one.
    pub(super) fn pop_front(&mut self) {
        self.front[self.gone] = V::default();
        self.gone += 1;
        self.len -= 1;
        if self.gone == self.front.len() {
            self.gone = 0;
            match self.rest.pop_front() {
                Some(next) => self.front = next,
                None => self.front.clear(),
            }
        }
    }

    /// The value at `index`, counted from the oldest; below `len`.
    #[inline]
    pub(super) fn at(&mut self, index: usize) -> &mut V {
        let index = index + self.gone;
        match index.checked_sub(self.front.len()) {
            None => &mut self.front[index],
            Some(behind) => &mut self.rest[behind / BLOCK][behind % BLOCK],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_is_a_queue(pushes in prop::collection::vec((0usize..90, 0usize..90), 0..12)) {
            let (mut blocks, mut plain, mut next) = (Blocks::default(), VecDeque::new(), 0);
            for (come, go) in pushes {
                for _ in 0..come {
                    blocks.push_back(next);
                    plain.push_back(next);
                    next += 1;
                }
                for _ in 0..go.min(plain.len()) {
                    blocks.pop_front();
                    plain.pop_front();
                }
                prop_assert_eq!(blocks.len(), plain.len());
                let seen: Vec<i32> = (0..blocks.len()).map(|index| *blocks.at(index)).collect();
                prop_assert_eq!(seen, Vec::from(plain.clone()));
            }
        }
    }
}
