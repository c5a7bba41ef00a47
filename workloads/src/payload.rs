//! What is sent: text made from a seed, replayed from a ring or made on the fly, or a user's own file.

mod ads;
mod digits;
mod file;
mod logs;
mod nexmark;
mod reader;
mod ring;
mod sensors;
mod tweets;
mod vocabulary;
mod words;

pub use ads::{AdEvents, CAMPAIGNS, campaign_table};
pub use file::{INPUT_LIMIT_BYTES, read_file};
pub use logs::{LogLines, SECTION_VERSIONS, URLS, url_sections, urls};
pub use nexmark::Nexmark;
pub use reader::Reader;
pub use ring::{COLUMN_BYTES, Ring};
pub use sensors::{LATE_BOUND_MS, SensorReadings};
pub use tweets::Tweets;
pub use words::Words;

use downbeat_engine::record::{Column, TextColumn};
use std::sync::Arc;

/// Lines of one block of a [`LineSource`].
pub const BLOCK_LINES: usize = 1024;

/// Numbers of the records of a block.
pub(crate) fn records_of(block: u64) -> std::ops::Range<u64> {
    let first = block * BLOCK_LINES as u64;
    first..first + BLOCK_LINES as u64
}

/// Lines made from a seed, block by block. A block depends on nothing but the seed and its number, so blocks can be made in
/// any order, again, and by more than one thread.
pub trait LineSource: Send + Sync {
    /// Name and version of the algorithm: the same name and seed mean the same bytes.
    fn name(&self) -> &'static str;
    /// The seed.
    fn seed(&self) -> u64;
    /// What else the bytes depend on, such as the law of the keys; empty for what the name alone means. It goes into hashes, so
    /// different bytes must have a different name, seed or variant.
    fn variant(&self) -> String {
        String::new()
    }
    /// Appends the [`BLOCK_LINES`] lines of a block.
    fn fill(&self, block: u64, column: &mut TextColumn);
}

/// The records of a load: record `i` is the same bytes however it is asked for.
#[derive(Clone)]
pub enum Payload {
    /// Lines made or read beforehand; after the last one the first one follows.
    Replayed {
        /// The lines.
        ring: Arc<Ring>,
        /// Stop after the last line instead.
        once: bool,
    },
    /// Lines made while they are sent: no line comes back, at the price of making it.
    Live(Arc<dyn LineSource>),
}

impl Payload {
    /// A ring that is replayed for ever.
    pub fn replayed(ring: Ring) -> Self {
        Payload::Replayed { ring: Arc::new(ring), once: false }
    }

    /// The same records; after the last one the first one follows.
    pub fn endless(&self) -> Self {
        match self {
            Payload::Replayed { ring, .. } => Payload::Replayed { ring: ring.clone(), once: false },
            Payload::Live(source) => Payload::Live(source.clone()),
        }
    }

    /// Records after which there are no more, if there is an end.
    pub fn records_limit(&self) -> Option<u64> {
        match self {
            Payload::Replayed { ring, once: true } => Some(ring.lines()),
            _ => None,
        }
    }

    /// Determines every byte: the hash of a ring's lines, or name, seed and variant of a source.
    pub fn hash(&self) -> String {
        match self {
            Payload::Replayed { ring, once } => format!("{}{}", ring.hash(), if *once { " once" } else { "" }),
            Payload::Live(source) => {
                format!("{} {} {}", source.name(), source.seed(), source.variant()).trim_end().to_owned()
            }
        }
    }

    /// Mean size of a record: of the whole ring, or of the first block of a source.
    pub fn bytes_per_record(&self) -> f64 {
        match self {
            Payload::Replayed { ring, .. } => ring.bytes() as f64 / ring.lines().max(1) as f64,
            Payload::Live(source) => {
                let mut column = TextColumn::default();
                source.fill(0, &mut column);
                column.bytes(0..column.len()) as f64 / BLOCK_LINES as f64
            }
        }
    }

    /// Reads the records in runs.
    pub fn reader(&self) -> Reader {
        Reader::new(self)
    }
}
