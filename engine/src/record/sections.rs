//! Two archives in one block: a header with the length of the first, the first, the second, each aligned.

use super::SECTION_ALIGNMENT;
use crate::error::EngineError;
use rkyv::util::AlignedVec;

/// Appends two archives, whose lengths are known only when they are written.
pub(super) fn encode(
    out: &mut AlignedVec,
    first: impl FnOnce(&mut AlignedVec) -> Result<(), EngineError>,
    second: impl FnOnce(&mut AlignedVec) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let header = out.len();
    out.extend_from_slice(&[0; SECTION_ALIGNMENT]);
    first(out)?;
    let first_bytes = (out.len() - header - SECTION_ALIGNMENT) as u64;
    out[header..header + 8].copy_from_slice(&first_bytes.to_le_bytes());
    let padding = out.len().next_multiple_of(SECTION_ALIGNMENT) - out.len();
    out.extend_from_slice(&[0; SECTION_ALIGNMENT][..padding]);
    second(out)
}

/// The two archives of a block, not yet validated.
pub(super) fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), EngineError> {
    let header: [u8; 8] =
        bytes.get(..8).and_then(|header| header.try_into().ok()).ok_or_else(|| damaged("no header"))?;
    let first_end = usize::try_from(u64::from_le_bytes(header))
        .ok()
        .and_then(|first_bytes| first_bytes.checked_add(SECTION_ALIGNMENT))
        .filter(|end| *end <= bytes.len())
        .ok_or_else(|| damaged("the first section ends outside the block"))?;
    let second_start = first_end.next_multiple_of(SECTION_ALIGNMENT).min(bytes.len());
    Ok((&bytes[SECTION_ALIGNMENT..first_end], &bytes[second_start..]))
}

pub(super) fn damaged(problem: &str) -> EngineError {
    EngineError::Codec { codec: "rkyv", problem: problem.into() }
}
