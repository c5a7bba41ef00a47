//! The state of one key, as the function of `map_with_state` sees it.

use crate::exchange::Value;

/// The state of a key during one call. What it does not allow, as Spark, panics, and the batch fails with the reason.
pub struct State<'s, S: Value> {
    current: &'s mut Option<S::Owned>,
    change: &'s mut Change<S::Owned>,
    is_timing_out: bool,
    is_removed: bool,
}

impl<'s, S: Value> State<'s, S> {
    pub(super) fn new(
        current: &'s mut Option<S::Owned>,
        change: &'s mut Change<S::Owned>,
        is_timing_out: bool,
    ) -> Self {
        State { current, change, is_timing_out, is_removed: false }
    }

    /// Does the key have a state?
    pub fn exists(&self) -> bool {
        self.current.is_some()
    }

    /// The state, if the key has one.
    pub fn get(&self) -> Option<&S::Owned> {
        self.current.as_ref()
    }

    /// Gives the key a state, or another one.
    ///
    /// # Panics
    /// The same call has removed the state, or the key is timing out.
    #[track_caller]
    pub fn update(&mut self, state: S::Owned) {
        assert!(!self.is_removed, "cannot update the state after it has been removed in the same call");
        assert!(!self.is_timing_out, "cannot update the state: its key is timing out");
        let before = self.current.replace(state);
        self.change.keep(before);
    }

    /// Removes the state; nothing to do if there is none.
    ///
    /// # Panics
    /// The same call has removed the state before, or the key is timing out, which removes it anyway.
    #[track_caller]
    pub fn remove(&mut self) {
        assert!(!self.is_timing_out, "cannot remove the state: its key is timing out, which removes it anyway");
        assert!(!self.is_removed, "cannot remove the state: it has been removed in the same call already");
        self.is_removed = true;
        let before = self.current.take();
        self.change.keep(before);
    }

    /// Is this the last call for the key, because it has been idle for too long?
    pub fn is_timing_out(&self) -> bool {
        self.is_timing_out
    }
}

/// What a batch does to the state of one key, to be undone if the batch fails.
pub(super) struct Change<O> {
    /// Where the key is.
    pub(super) place: u32,
    /// Without a state before the batch or after a call: it came or left, or both.
    pub(super) came_or_left: bool,
    /// When the key was touched before the batch.
    pub(super) touched_before_ms: i64,
    /// The state before the batch, once it has changed.
    before: Option<Option<O>>,
}

impl<O> Change<O> {
    /// No change yet of the key at this place.
    pub(super) fn none(place: u32, is_new: bool, touched_before_ms: i64) -> Self {
        Change { place, came_or_left: is_new, touched_before_ms, before: None }
    }

    /// The first state that is replaced is the one from before the batch.
    pub(super) fn keep(&mut self, before: Option<O>) {
        if self.before.is_none() {
            self.before = Some(before);
        }
    }

    /// Puts the state from before the batch back.
    pub(super) fn undo(self, current: &mut Option<O>) {
        if let Some(before) = self.before {
            *current = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn panics(action: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(action)).expect_err("refused");
        (*panic.downcast_ref::<&str>().expect("a text")).to_owned()
    }

    #[test]
    fn a_state_can_be_set_replaced_and_removed_and_all_of_it_undone() {
        let (mut current, mut change) = (Some(1u64), Change::none(0, false, 0));
        let mut state = State::<u64>::new(&mut current, &mut change, false);
        assert_eq!((state.exists(), state.get(), state.is_timing_out()), (true, Some(&1), false));
        state.update(2);
        state.update(3);
        assert_eq!(state.get(), Some(&3));
        state.remove();
        assert_eq!((state.exists(), state.get()), (false, None));
        assert!(panics(|| state.update(4)).contains("after it has been removed"));
        assert!(panics(|| state.remove()).contains("already"));
        assert_eq!(state.get(), None, "what is refused changes nothing");
        change.undo(&mut current);
        assert_eq!(current, Some(1));
    }

    #[test]
    fn a_new_state_is_undone_to_none_and_an_untouched_one_stays() {
        let (mut current, mut change) = (None, Change::none(0, false, 0));
        let mut state = State::<u64>::new(&mut current, &mut change, false);
        assert!(!state.exists());
        state.update(7);
        change.undo(&mut current);
        assert_eq!(current, None);
        let (mut current, change) = (Some(8u64), Change::none(0, false, 0));
        change.undo(&mut current);
        assert_eq!(current, Some(8));
    }

    #[test]
    fn removing_what_is_not_there_is_allowed_once() {
        let (mut current, mut change) = (None, Change::none(0, false, 0));
        let mut state = State::<u64>::new(&mut current, &mut change, false);
        state.remove();
        assert!(panics(|| state.remove()).contains("already"));
    }

    #[test]
    fn a_state_that_times_out_can_only_be_read() {
        let (mut current, mut change) = (Some(5u64), Change::none(0, false, 0));
        let mut state = State::<u64>::new(&mut current, &mut change, true);
        assert_eq!((state.get(), state.is_timing_out()), (Some(&5), true));
        assert!(panics(|| state.update(6)).contains("timing out"));
        assert!(panics(|| state.remove()).contains("timing out"));
        assert_eq!(current, Some(5));
    }
}
