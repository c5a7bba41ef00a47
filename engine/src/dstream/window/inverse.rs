//! Windows whose combination can be undone: what goes is taken out again.

use super::per_key::PerKey;
use crate::dstream::{DStream, operator};
use crate::exchange::{Key, Value};
use crate::record::Pair;
use std::time::Duration;

impl<K: Key, V: Value> DStream<Pair<K, V>> {
    /// The values of each key of the last `window` combined, at every `slide`, for a `combine` that `inverse` can undo:
    /// `inverse(combine(a, b), b) = a`, and which is associative and commutative. The cost of a slide follows the keys that
    /// come and go, not the length of the window. A key leaves with the last pane that has it. A slide longer than the window
    /// is refused.
    #[track_caller]
    pub fn reduce_by_key_and_inverse_window(
        &self,
        combine: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        inverse: impl Fn(V::Owned, V::Owned) -> V::Owned + Send + Sync + 'static,
        window: Duration,
        slide: Duration,
    ) -> DStream<Pair<K, V>> {
        let operator = operator("reduce_by_key_and_inverse_window");
        let span = self.inverse_span(window, slide, operator);
        self.combined_window(combine, Inverse { inverse, keys_stay: false }, span, operator)
    }
}

impl<K: Key> DStream<K> {
    /// Each distinct record of the last `window` with the number of times it was there, at every `slide`, which must not be
    /// longer than the window.
    #[track_caller]
    pub fn count_by_value_and_window(&self, window: Duration, slide: Duration) -> DStream<Pair<K, u64>> {
        let operator = operator("count_by_value_and_window");
        let span = self.inverse_span(window, slide, operator);
        let inverse = Inverse { inverse: |sum, gone| sum - gone, keys_stay: false };
        self.ones().combined_window(|a, b| a + b, inverse, span, operator)
    }
}

/// Undoes what goes.
pub(super) struct Inverse<I> {
    pub(super) inverse: I,
    /// A key stays when its last pane goes, with what `inverse` then makes of it: for a `combine` to which the default adds
    /// nothing.
    pub(super) keys_stay: bool,
}

/// The value of a key, and in how many panes the key is. Counting them is exact where a look at the value is not: a sum of 0
/// may be that of a key whose values are 1 and -1.
#[derive(Clone, Default)]
pub(super) struct Counted<O> {
    value: O,
    panes: u32,
}

impl<O, I> PerKey<O> for Inverse<I>
where
    O: Clone + Default + Send + Sync + 'static,
    I: Fn(O, O) -> O + Send + Sync + 'static,
{
    const UNDOES: bool = true;
    type State = Counted<O>;

    fn keys_stay(&self) -> bool {
        self.keys_stay
    }

    #[inline]
    fn come(&self, state: &mut Counted<O>, value: &O, combine: &impl Fn(O, O) -> O) {
        state.value = if state.panes == 0 && !self.keys_stay {
            value.clone()
        } else {
            combine(std::mem::take(&mut state.value), value.clone())
        };
        state.panes += 1;
    }

    #[inline]
    fn go(&self, state: &mut Counted<O>, value: &O, _: &impl Fn(O, O) -> O) -> bool {
        state.panes = state.panes.saturating_sub(1);
        let stays = state.panes > 0 || self.keys_stay;
        if stays {
            state.value = (self.inverse)(std::mem::take(&mut state.value), value.clone());
        }
        stays
    }

    #[inline]
    fn total(state: &Counted<O>) -> &O {
        &state.value
    }
}
