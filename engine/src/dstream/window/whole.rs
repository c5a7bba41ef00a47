//! Windows that become one record: all records of the window combined, or their number.
//!
//! Each batch is reduced to one record first, which goes through the keyed windows as the only key of the only partition.

use super::inverse::Inverse;
use super::per_key::PerKey;
use super::sliding::Sliding;
use super::span::Span;
use crate::dstream::{DStream, operator};
use crate::exchange::Value;
use crate::record::{Family, Pair};
use crate::schedule::operator::Operator;
use std::sync::Arc;
use std::time::Duration;

impl<A: Value> DStream<A> {
    /// All records of the last `window` combined into one, at every `slide`; none if the window is empty. `combine` must be
    /// associative and commutative.
    #[track_caller]
    pub fn reduce_by_window(
        &self,
        combine: impl Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static,
        window: Duration,
        slide: Duration,
    ) -> DStream<A> {
        let operator = operator("reduce_by_window");
        let per_key = Sliding { keys_stay: false };
        self.whole_window(combine, per_key, self.span(window, slide, operator), operator)
    }

    /// The same for a `combine` that `inverse` can undo: `inverse(combine(a, b), b) = a`. A slide longer than the window is
    /// refused.
    #[track_caller]
    pub fn reduce_by_inverse_window(
        &self,
        combine: impl Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static,
        inverse: impl Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static,
        window: Duration,
        slide: Duration,
    ) -> DStream<A> {
        let operator = operator("reduce_by_inverse_window");
        let span = self.inverse_span(window, slide, operator);
        self.whole_window(combine, Inverse { inverse, keys_stay: false }, span, operator)
    }

    fn whole_window(
        &self,
        combine: impl Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static,
        per_key: impl PerKey<A::Owned>,
        span: Span,
        operator: Operator,
    ) -> DStream<A> {
        let combine = Arc::new(combine);
        let reduce = combine.clone();
        let reduced = self.reduce_as(move |a, b| reduce(a, b), operator);
        reduced.only_key_window(move |a, b| combine(a, b), per_key, span, operator)
    }

    /// The window of a stream with one record a batch at most.
    fn only_key_window(
        &self,
        combine: impl Fn(A::Owned, A::Owned) -> A::Owned + Send + Sync + 'static,
        per_key: impl PerKey<A::Owned>,
        span: Span,
        operator: Operator,
    ) -> DStream<A> {
        let keyed = self.map_as::<Pair<u32, A>>(|value| (0, value), operator).with_partitions(1);
        keyed.combined_window(combine, per_key, span, operator).map_as::<A>(|(_, value)| value, operator)
    }
}

impl<A: Family> DStream<A> {
    /// How many records the last `window` had, at every `slide`, which must not be longer than the window. As in Spark there
    /// is no number before the first record ever came, and one at each slide from then on, which may be 0.
    #[track_caller]
    pub fn count_by_window(&self, window: Duration, slide: Duration) -> DStream<u64> {
        let operator = operator("count_by_window");
        let span = self.inverse_span(window, slide, operator);
        let inverse = Inverse { inverse: |sum, gone| sum - gone, keys_stay: true };
        let counts = self.count().filter(|count| count > 0);
        counts.only_key_window(|a, b| a + b, inverse, span, operator)
    }
}
