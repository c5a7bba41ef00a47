//! Windows of any associative combination, without an inverse: a constant price per key that comes or goes.

use super::daba::Daba;
use super::per_key::PerKey;
use crate::dstream::{DStream, operator};
use crate::exchange::{Key, Value};
use crate::record::Pair;
use std::time::Duration;

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The values of each key of the last `window` combined, at every `slide`. `combine` must be associative and commutative.
    /// The cost of a slide follows the keys that come and go, not the length of the window, at every single slide.
    #[track_caller]
    pub fn reduce_by_key_and_window(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        window: Duration,
        slide: Duration,
    ) -> DStream<Pair<K, V>> {
        let operator = operator("reduce_by_key_and_window");
        self.combined_window(combine, Sliding { keys_stay: false }, self.span(window, slide, operator), operator)
    }
}

/// Keeps what each key had in each pane.
pub(super) struct Sliding {
    /// As in [`Inverse`](super::inverse::Inverse), with the default when the last pane goes.
    pub(super) keys_stay: bool,
}

/// The values of a key, combined anew whenever one comes or goes, so that an output only reads.
#[derive(Clone, Default)]
pub(super) struct Values<O> {
    total: O,
    panes: u32,
    /// The values, if there are two at least: most keys of a long window have one, which is the total.
    queue: Option<Box<Daba<O>>>,
}

impl<O: Clone + Default + Send + Sync + 'static> PerKey<O> for Sliding {
    const UNDOES: bool = false;
    type State = Values<O>;

    fn keys_stay(&self) -> bool {
        self.keys_stay
    }

    #[inline]
    fn come(&self, state: &mut Values<O>, value: &O, combine: &impl Fn(O, O) -> O) {
        state.panes += 1;
        if state.panes == 1 {
            state.total = value.clone();
            return;
        }
        let first = &state.total;
        let queue = state.queue.get_or_insert_with(|| {
            let mut queue = Box::new(Daba::new());
            queue.push(first.clone(), combine);
            queue
        });
        queue.push(value.clone(), combine);
        state.total = combine(std::mem::take(&mut state.total), value.clone());
    }

    #[inline]
    fn go(&self, state: &mut Values<O>, _: &O, combine: &impl Fn(O, O) -> O) -> bool {
        state.panes = state.panes.saturating_sub(1);
        if let Some(queue) = &mut state.queue {
            queue.pop(combine);
            state.total = queue.combined(combine);
            if queue.len() == 1 {
                state.queue = None;
            }
        }
        if state.panes == 0 {
            state.total = O::default();
        }
        state.panes > 0 || self.keys_stay
    }

    #[inline]
    fn total(state: &Values<O>) -> &O {
        &state.total
    }
}
