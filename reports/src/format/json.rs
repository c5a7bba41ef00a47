//! `json`: one object with every field of the record and the derived ones, laid out so that each batch is a line of its own.

use crate::inert;
use crate::summary::{MissingTrial, Summary};
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// The whole summary, with a line end.
pub fn render(summary: &Summary<'_>) -> String {
    write(&summary.object())
}

/// A trial that left no record, with a line end.
pub fn render_missing(missing: &MissingTrial) -> String {
    write(&missing.object())
}

/// An object as it is stored and printed, inert for terminals, with a line end.
pub fn write(object: &impl Serialize) -> String {
    write_at(object, 0)
}

/// The same on one line.
pub(super) fn write_line(object: &impl Serialize) -> String {
    write_at(object, LINE_DEPTH)
}

fn write_at(object: &impl Serialize, depth: usize) -> String {
    let mut bytes = Vec::new();
    let layout = LineEach { depth };
    // Writing plain data with string keys into memory cannot fail; the empty text would be refused by every reader.
    let written = object.serialize(&mut Serializer::with_formatter(&mut bytes, layout));
    debug_assert!(written.is_ok());
    bytes.push(b'\n');
    String::from_utf8(bytes).unwrap_or_default()
}

/// Depth up to which each entry gets a line of its own; deeper values stay on theirs.
const LINE_DEPTH: usize = 2;

struct LineEach {
    depth: usize,
}

impl LineEach {
    fn open<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth += 1;
        writer.write_all(bracket)
    }

    fn entry<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        if self.depth > LINE_DEPTH {
            return Ok(());
        }
        writer.write_all(b"\n")?;
        writer.write_all(&b"    "[..2 * self.depth])
    }

    fn close<W: Write + ?Sized>(&mut self, writer: &mut W, bracket: &[u8]) -> io::Result<()> {
        self.depth -= 1;
        if self.depth < LINE_DEPTH {
            writer.write_all(b"\n")?;
            writer.write_all(&b"    "[..2 * self.depth])?;
        }
        writer.write_all(bracket)
    }
}

impl Formatter for LineEach {
    /// JSON lets some control characters stand as they are; the output may be printed to a terminal.
    fn write_string_fragment<W: Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, active)) = rest.char_indices().find(|(_, c)| inert::is_active(*c)) {
            writer.write_all(&rest.as_bytes()[..at])?;
            // All of them are in the first plane, so that one escape holds each.
            write!(writer, "\\u{:04x}", u32::from(active))?;
            rest = &rest[at + active.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"[")
    }

    fn end_array<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"]")
    }

    fn begin_array_value<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.entry(writer, first)
    }

    fn begin_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.open(writer, b"{")
    }

    fn end_object<W: Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.close(writer, b"}")
    }

    fn begin_object_key<W: Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.entry(writer, first)
    }
}
