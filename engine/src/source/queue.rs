//! A source that the program itself feeds.

use super::allotment::Allotment;
use super::input::{AnyInput, Input};
use super::{Receiver, Stopped, Store};
use crate::clock::lock;
use crate::error::EngineError;
use crate::record::{Column, Family};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// Feeds a queue stream. Clones feed the same stream.
///
/// What is pushed before the start waits for it, whatever its size; later a push blocks while the engine is full.
pub struct QueueHandle<R: Family> {
    feed: Arc<Feed<R>>,
}

impl<R: Family> Clone for QueueHandle<R> {
    fn clone(&self) -> Self {
        QueueHandle { feed: self.feed.clone() }
    }
}

struct Feed<R: Family> {
    /// Pushes wait for a batch each, and do not join the batch that is cut next.
    one_at_a_time: bool,
    state: Mutex<FeedState<R>>,
}

struct FeedState<R: Family> {
    /// `None` before the start.
    store: Option<Store<R>>,
    waiting: VecDeque<Push<R>>,
    /// The last batch is being cut or has been.
    shut: bool,
}

/// What one call handed over.
struct Push<R: Family> {
    partitions: Vec<Arc<R::Column>>,
    /// Are these partitions to be kept apart from what else the batch gets?
    apart: bool,
}

impl<R: Family> Push<R> {
    fn records(&self) -> u64 {
        self.partitions.iter().map(|column| column.len() as u64).sum()
    }

    fn bytes(&self) -> u64 {
        self.partitions.iter().map(|column| column.bytes(0..column.len())).sum()
    }
}

impl<R: Family> QueueHandle<R> {
    pub(crate) fn new(one_at_a_time: bool) -> Self {
        let state = Mutex::new(FeedState { store: None, waiting: VecDeque::new(), shut: false });
        QueueHandle { feed: Arc::new(Feed { one_at_a_time, state }) }
    }

    /// Adds records. They go to the batch that is cut next, together with what else was pushed in the same block interval; on
    /// a stream that takes one push at a time they are the content of a batch, in one partition.
    ///
    /// # Errors
    /// [`Stopped`] when the context is stopping; nothing was taken, or under a rate limit the first pieces alone.
    pub fn push<'v>(&self, records: impl IntoIterator<Item = R::View<'v>>) -> Result<(), Stopped> {
        self.hand_over(Push { partitions: vec![Arc::new(column::<R>(records))], apart: false })
    }

    /// Adds records as a partition of their own, also when there are none. For a batch of several partitions on a stream that
    /// takes one push at a time, see [`QueueHandle::push_partitions`].
    ///
    /// # Errors
    /// [`Stopped`] when the context is stopping; nothing was taken.
    pub fn push_block<'v>(&self, records: impl IntoIterator<Item = R::View<'v>>) -> Result<(), Stopped> {
        self.push_partitions([records])
    }

    /// Adds several partitions at once, empty ones too. On a stream that takes one push at a time they are the content of one
    /// batch, as an RDD in the queue is in Spark.
    ///
    /// # Errors
    /// [`Stopped`] when the context is stopping; the first partitions may have been taken on a stream that takes all at once.
    pub fn push_partitions<'v, P: IntoIterator<Item = R::View<'v>>>(
        &self,
        partitions: impl IntoIterator<Item = P>,
    ) -> Result<(), Stopped> {
        let partitions = partitions.into_iter().map(|records| Arc::new(column::<R>(records))).collect();
        self.hand_over(Push { partitions, apart: true })
    }

    fn hand_over(&self, push: Push<R>) -> Result<(), Stopped> {
        let store = {
            let mut state = lock(&self.feed.state);
            match &state.store {
                Some(store) => store.clone(),
                None => {
                    state.waiting.push_back(push);
                    return Ok(());
                }
            }
        };
        if self.feed.one_at_a_time {
            if !store.input().admit_or_shed(push.records() as usize, push.bytes(), store.wake())? {
                return Ok(());
            }
            let mut state = lock(&self.feed.state);
            if state.shut {
                return Err(Stopped);
            }
            state.waiting.push_back(push);
            return Ok(());
        }
        let (input, wake) = (store.input(), store.wake());
        push.partitions.iter().try_for_each(|column| {
            if push.apart { input.receive_block(column, wake) } else { input.receive(column, wake) }
        })
    }
}

fn column<'v, R: Family>(records: impl IntoIterator<Item = R::View<'v>>) -> R::Column {
    let mut column = R::Column::default();
    records.into_iter().for_each(|record| column.push(record));
    column
}

/// Gives a column for which there is room to the next batch.
fn take<R: Family>(input: &Input<R>, column: &Arc<R::Column>, apart: bool) -> Result<(), Stopped> {
    if apart { input.place(column) } else { input.join(column) }
}

pub(crate) struct QueueReceiver<R: Family> {
    pub(crate) handle: QueueHandle<R>,
}

impl<R: Family> Receiver<R> for QueueReceiver<R> {
    /// What was pushed before is let in without waiting: on a clock that stands still nothing would ever make room.
    fn on_start(&mut self, store: Store<R>) -> Result<(), EngineError> {
        let feed = &self.handle.feed;
        let mut state = lock(&feed.state);
        let input = store.input().clone();
        input.shared.budget.admit(state.waiting.iter().map(Push::bytes).sum());
        state.store = Some(store);
        if feed.one_at_a_time {
            return Ok(());
        }
        for push in std::mem::take(&mut state.waiting) {
            // Refused only when the context is stopping already.
            let _ = push.partitions.iter().try_for_each(|column| take(&input, column, push.apart));
        }
        Ok(())
    }

    fn on_stop(&mut self) {}
}

/// The input of a queue stream of which each batch takes one push.
pub(crate) struct OneAtATime<R: Family> {
    pub(crate) input: Arc<Input<R>>,
    pub(crate) handle: QueueHandle<R>,
    /// What a batch gets that finds no push.
    pub(crate) default: Option<Arc<R::Column>>,
}

impl<R: Family> OneAtATime<R> {
    /// The partitions of the next batch.
    fn next(&self) -> Vec<Arc<R::Column>> {
        if let Some(push) = lock(&self.handle.feed.state).waiting.pop_front() {
            return push.partitions;
        }
        let default: Vec<_> = self.default.iter().cloned().collect();
        self.input.shared.budget.admit(default.iter().map(|column| column.bytes(0..column.len())).sum());
        default
    }

    fn waiting_records(&self) -> u64 {
        lock(&self.handle.feed.state).waiting.iter().map(Push::records).sum()
    }
}

impl<R: Family> AnyInput for OneAtATime<R> {
    fn allot(&self, batch: u64, due_ns: u64) -> Allotment {
        for column in self.next() {
            // Refused never: nobody shuts this input.
            let _ = self.input.place(&column);
        }
        self.input.allot(batch, due_ns)
    }

    fn forward(&self, batch: u64, later: u64) {
        self.input.forward(batch, later);
    }

    fn release(&self, batch: u64) {
        self.input.release(batch);
    }

    fn limit(&self, per_s: f64) {
        self.input.limit(per_s);
    }

    fn interrupt(&self) {
        self.input.interrupt();
    }

    fn shed(&self) -> u64 {
        self.input.shed()
    }

    /// The last batch still takes one push; what waits beyond it is counted as unfinished.
    fn close(&self) {
        lock(&self.handle.feed.state).shut = true;
    }

    fn accepted(&self) -> u64 {
        self.input.accepted() + self.waiting_records()
    }

    fn waiting(&self) -> u64 {
        self.input.waiting() + self.waiting_records()
    }

    fn counts(&self) -> Vec<(&'static str, u64)> {
        self.input.counts()
    }

    fn is_exhausted(&self) -> bool {
        self.input.is_exhausted()
    }
}

/// The column of some records, for a default.
pub(crate) fn default_column<'v, R: Family>(records: impl IntoIterator<Item = R::View<'v>>) -> Arc<R::Column> {
    Arc::new(column::<R>(records))
}
