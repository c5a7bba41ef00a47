//! The blocks of one workload in one pass, and which of them count.

use crate::gate::exclusion::{Standing, standing, too_many};
use crate::gate::record::{Block, GateRecord, Pass};

/// Blocks in the order in which they ran.
pub(super) struct Series<'a> {
    blocks: Vec<(&'a Block, Standing)>,
}

/// What a look at so many blocks still needs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Nothing.
    Nothing,
    /// So many blocks in the record, dropped and failed ones counted.
    Until(u64),
    /// The host is too noisy: even if no more were dropped, too large a share would be.
    TooManyDropped,
}

impl<'a> Series<'a> {
    pub(super) fn of(record: &'a GateRecord, workload: &str, pass: Pass) -> Series<'a> {
        let of_series = record.blocks.iter().filter(|block| block.workload == workload && block.pass == pass);
        Series { blocks: of_series.map(|block| (block, standing(block))).collect() }
    }

    /// All blocks.
    pub(super) fn len(&self) -> u64 {
        self.blocks.len() as u64
    }

    /// The first `count` blocks that count; fewer when there are fewer.
    pub(super) fn counting(&self, count: usize) -> Vec<&'a Block> {
        let counting = self.blocks.iter().filter(|(_, standing)| *standing == Standing::Counts);
        counting.map(|(block, _)| *block).take(count).collect()
    }

    /// All blocks up to the last of the first `count` that count; all there are when fewer count.
    pub(super) fn up_to(&self, count: usize) -> impl Iterator<Item = &'a Block> {
        let counting = self.blocks.iter().enumerate().filter(|(_, (_, standing))| *standing == Standing::Counts);
        let last = counting.map(|(position, _)| position).nth(count.saturating_sub(1));
        self.blocks[..last.map_or(self.blocks.len(), |last| last + 1)].iter().map(|(block, _)| *block)
    }

    /// What is needed before `count` blocks count.
    pub(super) fn wanted(&self, count: usize) -> Wanted {
        let counting = self.counting(count).len();
        let end = self.up_to(count).count();
        let dropped = self.blocks[..end].iter().filter(|(_, standing)| *standing == Standing::Dropped).count();
        match count - counting {
            _ if too_many(dropped as u64, count as u64) => Wanted::TooManyDropped,
            0 => Wanted::Nothing,
            missing => Wanted::Until((self.blocks.len() + missing) as u64),
        }
    }
}
