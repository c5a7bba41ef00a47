//! The lines of one file, read in pieces.

use crate::record::{Column, TextColumn};
use crate::source::{LineCounts, LineSplitter};
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Bytes of a file that are read and split at a time.
const PIECE_BYTES: u64 = 1 << 20;

/// What a complete reading found.
#[derive(Clone, Copy)]
pub(super) struct Found {
    pub(super) records: u64,
    pub(super) bytes: u64,
}

/// Reads the first `bytes` bytes of a file in pieces.
pub(super) fn read_lines(
    path: &Path,
    bytes: u64,
    line_limit_bytes: usize,
    take: &mut dyn FnMut(&TextColumn),
) -> Result<(Found, LineCounts), String> {
    let mut file = open(path)?;
    let (mut splitter, mut lines) = (LineSplitter::new(line_limit_bytes), TextColumn::default());
    let mut piece = vec![0; bytes.min(PIECE_BYTES) as usize];
    let (mut left, mut found) = (bytes, Found { records: 0, bytes: 0 });
    while left > 0 {
        let wanted = left.min(PIECE_BYTES) as usize;
        match file.read(&mut piece[..wanted]) {
            Ok(0) => return Err(shorter(bytes, left)),
            Ok(read) => {
                left -= read as u64;
                splitter.feed(&piece[..read], &mut lines);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.to_string()),
        }
        found.show(&mut lines, take);
    }
    splitter.end(&mut lines);
    found.show(&mut lines, take);
    Ok((found, *splitter.counts()))
}

fn shorter(bytes: u64, left: u64) -> String {
    let read = bytes - left;
    format!("it had {bytes} bytes when it was listed and has {read} now (files must be moved in whole and left alone)")
}

impl Found {
    fn show(&mut self, lines: &mut TextColumn, take: &mut dyn FnMut(&TextColumn)) {
        if !lines.is_empty() {
            self.records += lines.len() as u64;
            self.bytes += lines.total_bytes() as u64;
            take(lines);
            lines.clear();
        }
    }
}

/// Opens a plain file. Without blocking, because a pipe that took the place of the file would block for ever.
fn open(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
    let file = file.map_err(|error| error.to_string())?;
    let is_file = file.metadata().map_err(|error| error.to_string())?.is_file();
    if is_file { Ok(file) } else { Err("it is no plain file any more".into()) }
}
