//! From bytes to a stream of lines: splits them, stores the lines, books what was odd.

use super::{LineCounts, LineSplitter, Stopped, Store};
use crate::record::{Text, TextColumn};

pub(super) struct LineFeed<'s> {
    splitter: LineSplitter,
    booked: LineCounts,
    store: &'s Store<Text>,
}

impl<'s> LineFeed<'s> {
    pub(super) fn new(splitter: LineSplitter, store: &'s Store<Text>) -> Self {
        LineFeed { splitter, booked: LineCounts::default(), store }
    }

    /// Stores the lines that end in these bytes. Blocks while the engine is full.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<(), Stopped> {
        let mut lines = TextColumn::default();
        self.splitter.feed(bytes, &mut lines);
        self.book();
        self.store.store_column(lines)
    }

    /// The bytes have ended: what is left is a line.
    pub(super) fn end(&mut self) -> Result<(), Stopped> {
        let mut last = TextColumn::default();
        self.splitter.end(&mut last);
        self.book();
        self.store.store_column(last)
    }

    /// The bytes have broken off: what is left is no line.
    pub(super) fn break_off(&mut self) {
        self.splitter.break_off();
        self.book();
    }

    fn book(&mut self) {
        for ((kind, now), (_, before)) in self.splitter.counts().iter().zip(self.booked.iter()) {
            if now > before {
                self.store.count_input(kind, now - before);
            }
        }
        self.booked = *self.splitter.counts();
    }
}
