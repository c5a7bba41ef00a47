//! A user's own text file as a ring.

use super::ring::{COLUMN_BYTES, Ring};
use crate::error::LoadError;
use downbeat_engine::record::TextColumn;
use downbeat_engine::source::LineSplitter;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Largest file that is taken: it is held in memory, so that reading it never disturbs the load.
pub const INPUT_LIMIT_BYTES: u64 = 4 << 30;

/// Bytes read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Reads a file into a ring; lines of more than `line_limit_bytes` are counted and left out.
///
/// # Errors
/// The file cannot be read, is larger than [`INPUT_LIMIT_BYTES`], or has no line.
pub fn read_file(path: &Path, line_limit_bytes: usize) -> Result<Ring, LoadError> {
    let unreadable =
        |error: std::io::Error| LoadError::InputUnreadable { path: path.into(), problem: error.to_string() };
    let mut file = File::open(path).map_err(unreadable)?;
    let mut splitter = LineSplitter::new(line_limit_bytes);
    let (mut columns, mut open) = (Vec::new(), TextColumn::default());
    let (mut chunk, mut bytes) = (vec![0; CHUNK_BYTES], 0);
    loop {
        let read = match file.read(&mut chunk) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(error)),
        };
        bytes += read as u64;
        if bytes > INPUT_LIMIT_BYTES {
            return Err(LoadError::InputTooLarge { path: path.into(), limit_bytes: INPUT_LIMIT_BYTES });
        }
        // A chunk yields at most itself, what the splitter holds, and a newline for each byte of it.
        if open.total_bytes() + 2 * read + line_limit_bytes.min(bytes as usize) > COLUMN_BYTES {
            columns.push(std::mem::take(&mut open));
        }
        splitter.feed(&chunk[..read], &mut open);
    }
    splitter.end(&mut open);
    columns.push(open);
    let counts = *splitter.counts();
    Ring::from_columns(columns, counts)
        .ok_or_else(|| LoadError::InputEmpty { path: path.into(), too_long: counts.too_long })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_file<T>(name: &str, content: &[u8], check: impl FnOnce(&Path) -> T) -> T {
        let path = std::env::temp_dir().join(format!("downbeat-file-{}-{name}", std::process::id()));
        std::fs::write(&path, content).unwrap();
        let result = check(&path);
        std::fs::remove_file(&path).unwrap();
        result
    }

    #[test]
    fn the_lines_of_a_file_are_the_records_and_oddities_are_counted() {
        let content = b"one two\r\n\nlast \xff\0 line without an end";
        let ring = with_file("odd", content, |path| read_file(path, 100)).unwrap();
        let lines: Vec<&[u8]> = (0..ring.lines()).map(|line| ring.line(line)).collect();
        assert_eq!(lines, [&b"one two"[..], b"", b"last \xff\0 line without an end"]);
        let counts = ring.counts();
        assert_eq!((counts.crlf, counts.empty, counts.invalid_utf8, counts.nul), (1, 1, 1, 1));
    }

    #[test]
    fn a_file_longer_than_a_chunk_keeps_every_line() {
        let content: Vec<u8> = (0..400_000).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
        let ring = with_file("long", &content, |path| read_file(path, 100)).unwrap();
        assert_eq!(ring.lines(), 400_000);
        assert!((0..400_000).all(|line| ring.line(line) == format!("line {line}").as_bytes()));
    }

    #[test]
    fn a_file_that_is_missing_or_empty_is_a_named_error() {
        let missing = read_file(Path::new("/nonexistent/tweets.txt"), 100).err().expect("there is no such file");
        assert!(matches!(&missing, LoadError::InputUnreadable { .. }), "{missing}");
        assert!(missing.to_string().contains("/nonexistent/tweets.txt"), "{missing}");
        let directory = read_file(&std::env::temp_dir(), 100).err().expect("a directory is no text");
        assert!(matches!(directory, LoadError::InputUnreadable { .. }), "{directory}");
        let empty = with_file("empty", b"", |path| read_file(path, 100)).err().expect("no line");
        assert!(matches!(empty, LoadError::InputEmpty { too_long: 0, .. }), "{empty}");
        let too_long =
            with_file("too-long", b"12345678901\n", |path| read_file(path, 10)).err().expect("no line is left");
        assert!(matches!(too_long, LoadError::InputEmpty { too_long: 1, .. }), "{too_long}");
    }
}
