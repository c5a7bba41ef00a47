//! How long a window is, how far it slides, and which lengths are refused.

use crate::dstream::DStream;
use crate::record::Family;
use crate::schedule::operator::Operator;
use std::collections::VecDeque;
use std::time::Duration;

/// A window in panes of the parent and batches of the context.
#[derive(Clone, Copy)]
pub(super) struct Span {
    pub(super) panes: usize,
    /// The parent has records at every so many batches.
    pub(super) parent_slide_batches: u64,
    pub(super) slide_batches: u64,
}

impl Span {
    /// Takes out the pane that goes when another comes, once the window has all its panes.
    pub(super) fn evict<P>(self, panes: &mut VecDeque<P>) -> Option<P> {
        if panes.len() >= self.panes { panes.pop_front() } else { None }
    }
}

impl<A: Family> DStream<A> {
    /// Checks the lengths; a job with wrong ones is refused at its start, with this operator's name.
    pub(super) fn span(&self, window: Duration, slide: Duration, operator: Operator) -> Span {
        self.graph.refuse_in_one_batch(operator);
        let interval_ns = u128::from(self.graph.settings().interval_ns);
        let own_slide_ns = interval_ns * u128::from(self.slide_batches);
        let mut steps = [1u64; 2];
        for (step, (name, length)) in steps.iter_mut().zip([("window", window), ("slide", slide)]) {
            let length_ns = length.as_nanos();
            if length_ns == 0 || length_ns % own_slide_ns != 0 {
                let unit = Duration::from_millis(u64::try_from(own_slide_ns / 1_000_000).unwrap_or(u64::MAX));
                let problem = format!(
                    "the {name} of {length:?} is no multiple of {unit:?}, at which its input has records; choose one"
                );
                self.graph.refuse(operator, problem);
            } else {
                *step = u64::try_from(length_ns / own_slide_ns).unwrap_or(u64::MAX);
            }
        }
        let panes = usize::try_from(steps[0]).unwrap_or(usize::MAX);
        Span {
            panes,
            parent_slide_batches: self.slide_batches,
            slide_batches: steps[1].saturating_mul(self.slide_batches),
        }
    }

    /// The same for windows that undo what goes: they cannot slide past batches that they never saw come.
    pub(super) fn inverse_span(&self, window: Duration, slide: Duration, operator: Operator) -> Span {
        let span = self.span(window, slide, operator);
        if slide > window {
            let problem = format!(
                "the slide of {slide:?} is longer than the window of {window:?}: batches between would be lost; use a shorter slide"
            );
            self.graph.refuse(operator, problem);
        }
        span
    }
}
