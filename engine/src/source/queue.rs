//! A source that the program itself feeds.

use super::{Receiver, Stopped, Store};
use crate::clock::lock;
use crate::error::EngineError;
use crate::record::{Column, Family};
use std::sync::{Arc, Mutex};

enum Feed<R: Family> {
    /// Not started: what was pushed waits.
    Waiting(Vec<R::Column>),
    Started(Store<R>),
}

/// Feeds a queue stream. Clones feed the same stream.
pub struct QueueHandle<R: Family> {
    feed: Arc<Mutex<Feed<R>>>,
}

impl<R: Family> Clone for QueueHandle<R> {
    fn clone(&self) -> Self {
        QueueHandle { feed: self.feed.clone() }
    }
}

impl<R: Family> QueueHandle<R> {
    pub(crate) fn new() -> Self {
        QueueHandle { feed: Arc::new(Mutex::new(Feed::Waiting(Vec::new()))) }
    }

    /// Adds records to the batch that is cut next. Before the start they wait for it; later it blocks while the engine is full.
    ///
    /// # Errors
    /// [`Stopped`] when the context is stopping.
    pub fn push<'v>(&self, records: impl IntoIterator<Item = R::View<'v>>) -> Result<(), Stopped> {
        let mut column = R::Column::default();
        records.into_iter().for_each(|record| column.push(record));
        let store = match &mut *lock(&self.feed) {
            Feed::Waiting(columns) => {
                columns.push(column);
                return Ok(());
            }
            Feed::Started(store) => store.clone(),
        };
        store.store_column(column)
    }
}

pub(crate) struct QueueReceiver<R: Family> {
    pub(crate) handle: QueueHandle<R>,
}

impl<R: Family> Receiver<R> for QueueReceiver<R> {
    fn on_start(&mut self, store: Store<R>) -> Result<(), EngineError> {
        let before = std::mem::replace(&mut *lock(&self.handle.feed), Feed::Started(store.clone()));
        if let Feed::Waiting(columns) = before {
            for column in columns {
                if store.store_column(column).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn on_stop(&mut self) {}
}
