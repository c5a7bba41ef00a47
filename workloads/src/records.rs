//! How a job holds the text that it makes of its lines: as borrowed views, or as allocations of its own.

use downbeat_engine::exchange::Key;
use downbeat_engine::record::{Own, Text};

/// The choices of the knob `records`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordsKind {
    /// Views of the block that the text came in; nothing is copied.
    #[default]
    Borrowed,
    /// One allocation per record, as a job written with owned strings has.
    Owned,
}

/// Records that are text, however they are held. A job that is generic over it is written once:
/// `match load.records { Borrowed => count(&words), Owned => count(&words.owned()) }`.
pub trait TextRecord: Key {
    /// The bytes of a record.
    fn bytes<'a>(view: Self::View<'a>) -> &'a [u8];
}

impl TextRecord for Text {
    #[inline(always)]
    fn bytes<'a>(view: &'a [u8]) -> &'a [u8]
    where
        'a: 'a,
    {
        view
    }
}

impl TextRecord for Own<Vec<u8>> {
    #[inline(always)]
    fn bytes<'a>(view: &'a Vec<u8>) -> &'a [u8]
    where
        'a: 'a,
    {
        view
    }
}
