//! Windows that are carried from slide to slide: a pane comes, a pane goes, and what is known of the window changes with them.

use super::span::Span;
use crate::clock::lock;
use crate::dstream::{Made, room};
use crate::error::EngineError;
use crate::metrics::Stage;
use crate::schedule::job::JobRun;
use crate::schedule::turns::Turns;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// What is carried, for one partition. All calls may run user code, and so may panic.
pub(super) trait Carry: Send + Sync + 'static {
    /// What one batch brings.
    type Pane: Send + Sync;
    /// What is known of the window.
    type State: Send + Sync;

    /// What is known of a window without panes.
    fn start(&self) -> Self::State;
    /// The newest pane comes.
    fn come(&self, state: &mut Self::State, pane: &Self::Pane);
    /// The oldest pane goes, before another comes.
    fn go(&self, state: &mut Self::State, pane: &Self::Pane);
    /// After a slide: lets go of memory that is not needed any more.
    fn tidy(&self, state: &mut Self::State);
}

/// A pane by partition. A batch that failed is a pane of nothing: the others must not stay in the window for longer because of it.
pub(super) type Panes<P> = Vec<Option<P>>;

/// The panes of a window and what is known of it. A batch that waited for its turn has both to itself until it is over.
pub(super) struct Carried<C: Carry> {
    pub(super) carry: C,
    pub(super) span: Span,
    panes: Mutex<VecDeque<Arc<Panes<C::Pane>>>>,
    /// Written under the turn alone; outputs may read them several at a time, also within each other.
    states: Vec<RwLock<C::State>>,
    /// Why the states cannot be trusted: user code panicked in the middle of a slide, and again when they were made anew.
    torn: Mutex<Option<EngineError>>,
    turns: Turns,
}

impl<C: Carry> Carried<C> {
    pub(super) fn new(carry: C, span: Span, partitions: usize) -> Self {
        let states = (0..partitions).map(|_| RwLock::new(carry.start())).collect();
        Carried { carry, span, panes: Mutex::default(), states, torn: Mutex::default(), turns: Turns::default() }
    }

    pub(super) fn partitions(&self) -> usize {
        self.states.len()
    }

    pub(super) fn state(&self, partition: usize) -> RwLockReadGuard<'_, C::State> {
        self.states[partition].read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, partition: usize) -> RwLockWriteGuard<'_, C::State> {
        self.states[partition].write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The panes, oldest first.
    pub(super) fn panes(&self) -> Vec<Arc<Panes<C::Pane>>> {
        lock(&self.panes).iter().cloned().collect()
    }

    /// Why nothing can be said of the window, if that is so.
    pub(super) fn check(&self) -> Result<(), EngineError> {
        lock(&self.torn).clone().map_or(Ok(()), Err)
    }

    /// Slides by one pane, which is about `records` long; `make` gives it for one partition.
    pub(super) fn slide(
        &self,
        run: &mut JobRun<'_>,
        records: u64,
        make: impl Fn(usize) -> Option<C::Pane> + Sync,
    ) -> Result<(), EngineError> {
        self.turns.wait_for(run.batch);
        let gone = self.span.evict(&mut lock(&self.panes));
        let torn = lock(&self.torn).is_some();
        let made: Made<C::Pane> = room(self.partitions());
        let slid = run.stage(
            Stage::Window,
            self.partitions(),
            records,
            || (),
            |(), partition| {
                let come = make(partition);
                if !torn {
                    let gone = gone.as_ref().and_then(|pane| pane.get(partition)?.as_ref());
                    self.slide_one(&mut self.change(partition), gone, come.as_ref());
                }
                *lock(&made[partition]) = come;
                Ok(())
            },
        );
        let pane = if slid.is_ok() { made.into_iter().map(|pane| lock(&pane).take()).collect() } else { Vec::new() };
        lock(&self.panes).push_back(Arc::new(pane));
        if torn || slid.is_err() {
            self.mend(run)?;
        }
        slid.map(drop)
    }

    fn slide_one(&self, state: &mut C::State, gone: Option<&C::Pane>, come: Option<&C::Pane>) {
        if let Some(pane) = gone {
            self.carry.go(state, pane);
        }
        if let Some(pane) = come {
            self.carry.come(state, pane);
        }
        self.carry.tidy(state);
    }

    /// Makes the states anew from the panes. If that cannot be done either, the newest pane is of a batch that fails.
    fn mend(&self, run: &mut JobRun<'_>) -> Result<(), EngineError> {
        let panes = self.panes();
        let rebuilt = run.stage(
            Stage::Window,
            self.partitions(),
            u64::MAX,
            || (),
            |(), partition| {
                let mut state = self.carry.start();
                for pane in panes.iter().filter_map(|pane| pane.get(partition)?.as_ref()) {
                    self.carry.come(&mut state, pane);
                }
                *self.change(partition) = state;
                Ok(())
            },
        );
        let failure = rebuilt.err();
        if let (Some(_), Some(newest)) = (&failure, lock(&self.panes).back_mut()) {
            *newest = Arc::default();
        }
        lock(&self.torn).clone_from(&failure);
        failure.map_or(Ok(()), Err)
    }

    /// The batch is over, whether it slid or not.
    pub(super) fn release(&self, batch: u64) {
        self.turns.pass(batch);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, ManualClock};
    use crate::schedule::pool::Pool;
    use crate::settings::Settings;

    /// Knows the numbers of the window in the order in which they came.
    struct Numbers;

    impl Carry for Numbers {
        type Pane = u64;
        type State = VecDeque<u64>;

        fn start(&self) -> VecDeque<u64> {
            VecDeque::new()
        }

        fn come(&self, state: &mut VecDeque<u64>, pane: &u64) {
            state.push_back(*pane);
        }

        fn go(&self, state: &mut VecDeque<u64>, pane: &u64) {
            assert_eq!(state.pop_front(), Some(*pane));
        }

        fn tidy(&self, _: &mut VecDeque<u64>) {}
    }

    #[test]
    fn batches_that_overlap_slide_one_after_another_and_each_sees_its_own_window() {
        const BATCHES: u64 = 12;
        let span = Span { panes: 3, parent_slide_batches: 1, slide_batches: 1 };
        let window = Carried::new(Numbers, span, 1);
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(0));
        let pool = Pool::new(&Settings::default().threads(1)).expect("one thread");
        let seen = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for batch in (0..BATCHES).rev() {
                let (window, clock, pool, seen) = (&window, &clock, &pool, &seen);
                scope.spawn(move || {
                    let mut run = JobRun::new((batch, batch as i64 + 1, 0), pool, clock, false, 0);
                    window.slide(&mut run, 1, |_| Some(batch)).expect("slides");
                    std::thread::yield_now();
                    lock(seen).push((batch, Vec::from(window.state(0).clone())));
                    window.release(batch);
                });
            }
        });
        let expected: Vec<_> =
            (0..BATCHES).map(|batch| (batch, (batch.saturating_sub(2)..=batch).collect::<Vec<_>>())).collect();
        assert_eq!(*lock(&seen), expected);
    }
}
