//! Lines out of bytes, however these were cut into chunks: `\n`, `\r\n` and a lone `\r` end a line, as for Spark's reader.

use crate::record::{Column, TextColumn};

/// How often each oddity was seen. `too_long`, `keep_alives` and `truncated` were dropped, all others taken as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Lines over the limit; dropped.
    pub too_long: u64,
    /// Lines that are no UTF-8.
    pub invalid_utf8: u64,
    /// Lines with a NUL byte.
    pub nul: u64,
    /// Lines ended by a `\r` alone.
    pub lone_cr: u64,
    /// Lines ended by `\r\n`.
    pub crlf: u64,
    /// Lines without a byte.
    pub empty: u64,
    /// Lines without a byte where the protocol means them as a sign of life; dropped.
    pub keep_alives: u64,
    /// Lines whose end never came, where a line without its end is not a whole one; dropped.
    pub truncated: u64,
}

impl LineCounts {
    /// Each kind by name with its count.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("too_long", self.too_long),
            ("invalid_utf8", self.invalid_utf8),
            ("nul", self.nul),
            ("lone_cr", self.lone_cr),
            ("crlf", self.crlf),
            ("empty", self.empty),
            ("keep_alives", self.keep_alives),
            ("truncated", self.truncated),
        ]
        .into_iter()
    }
}

/// Splits a stream of bytes into lines. Holds at most one line, and of that no more than the limit.
pub struct LineSplitter {
    limit_bytes: usize,
    partial: Vec<u8>,
    dropping: bool,
    drops_empty: bool,
    /// The last byte was a `\r`: a `\n` that follows belongs to the same line end.
    after_cr: bool,
    counts: LineCounts,
}

impl LineSplitter {
    /// A splitter that drops lines of more than `limit_bytes` bytes.
    pub fn new(limit_bytes: usize) -> Self {
        LineSplitter {
            limit_bytes,
            partial: Vec::new(),
            dropping: false,
            drops_empty: false,
            after_cr: false,
            counts: LineCounts::default(),
        }
    }

    /// The same splitter, dropping lines without a byte as signs of life.
    #[must_use]
    pub fn without_keep_alives(mut self) -> Self {
        self.drops_empty = true;
        self
    }

    /// Appends the lines that end in this chunk.
    pub fn feed(&mut self, mut chunk: &[u8], out: &mut TextColumn) {
        if self.after_cr && !chunk.is_empty() {
            self.after_cr = false;
            if chunk[0] == b'\n' {
                self.counts.crlf += 1;
                chunk = &chunk[1..];
            } else {
                self.counts.lone_cr += 1;
            }
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', chunk) {
            let (line, rest) = (&chunk[..end], &chunk[end + 1..]);
            let is_cr = chunk[end] == b'\r';
            self.finish_line(line, out);
            chunk = rest;
            if is_cr {
                match rest.first() {
                    Some(b'\n') => {
                        self.counts.crlf += 1;
                        chunk = &rest[1..];
                    }
                    Some(_) => self.counts.lone_cr += 1,
                    None => self.after_cr = true,
                }
            }
        }
        self.hold(chunk);
    }

    /// The stream has ended: what is left without a line end is a line.
    pub fn end(&mut self, out: &mut TextColumn) {
        if self.dropping || !self.partial.is_empty() {
            self.finish_line(&[], out);
        }
        self.counts.lone_cr += u64::from(std::mem::take(&mut self.after_cr));
    }

    /// The stream has broken off: what is left without a line end is dropped and counted.
    pub fn break_off(&mut self) {
        if std::mem::take(&mut self.dropping) {
            self.counts.too_long += 1;
        } else {
            self.counts.truncated += u64::from(!self.partial.is_empty());
        }
        self.partial.clear();
        self.counts.lone_cr += u64::from(std::mem::take(&mut self.after_cr));
    }

    /// What was odd so far.
    pub fn counts(&self) -> &LineCounts {
        &self.counts
    }

    fn hold(&mut self, bytes: &[u8]) {
        if self.dropping {
            return;
        }
        if self.partial.len() + bytes.len() > self.limit_bytes {
            self.dropping = true;
            self.partial = Vec::new();
        } else {
            self.partial.extend_from_slice(bytes);
        }
    }

    fn finish_line(&mut self, last: &[u8], out: &mut TextColumn) {
        if self.partial.is_empty() && !self.dropping && last.len() <= self.limit_bytes {
            return self.take_line(last, out);
        }
        self.hold(last);
        if std::mem::take(&mut self.dropping) {
            self.counts.too_long += 1;
            return;
        }
        let line = std::mem::take(&mut self.partial);
        self.take_line(&line, out);
        self.partial = line;
        self.partial.clear();
    }

    fn take_line(&mut self, line: &[u8], out: &mut TextColumn) {
        if line.is_empty() && self.drops_empty {
            self.counts.keep_alives += 1;
            return;
        }
        self.counts.empty += u64::from(line.is_empty());
        self.counts.nul += u64::from(memchr::memchr(0, line).is_some());
        self.counts.invalid_utf8 += u64::from(std::str::from_utf8(line).is_err());
        out.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(chunks: &[&[u8]], limit: usize) -> (Vec<Vec<u8>>, LineCounts) {
        let (mut splitter, mut out) = (LineSplitter::new(limit), TextColumn::default());
        chunks.iter().for_each(|chunk| splitter.feed(chunk, &mut out));
        splitter.end(&mut out);
        ((0..out.len()).map(|index| out.view(index).to_vec()).collect(), *splitter.counts())
    }

    #[test]
    fn every_line_end_ends_one_line() {
        let (lines, counts) = split(&[b"a\nb\r\nc\rd\n\r\ne"], 100);
        assert_eq!(lines, [&b"a"[..], b"b", b"c", b"d", b"", b"e"]);
        assert_eq!(counts, LineCounts { crlf: 2, lone_cr: 1, empty: 1, ..LineCounts::default() });
    }

    #[test]
    fn a_line_over_the_limit_is_counted_once_and_the_next_one_still_comes() {
        for cut in 1..12 {
            let text = b"123456789\n12345678\nok\n";
            let (lines, counts) = split(&[&text[..cut], &text[cut..]], 8);
            assert_eq!(lines, [&b"12345678"[..], b"ok"], "cut at {cut}");
            assert_eq!(counts.too_long, 1);
        }
    }

    #[test]
    fn oddities_are_counted_by_kind() {
        let (lines, counts) = split(&[b"\xff\xfe\n\0x\nfine\n"], 100);
        assert_eq!(lines.len(), 3);
        assert_eq!((counts.invalid_utf8, counts.nul), (1, 1));
    }

    #[test]
    fn memory_stays_within_the_limit_for_an_endless_line() {
        let mut splitter = LineSplitter::new(1000);
        let mut out = TextColumn::default();
        for _ in 0..1000 {
            splitter.feed(&[b'x'; 999], &mut out);
            assert!(splitter.partial.capacity() <= 2000);
        }
        splitter.feed(b"\nnext\n", &mut out);
        assert_eq!((out.len(), splitter.counts().too_long), (1, 1));
    }

    #[test]
    fn signs_of_life_are_dropped_and_counted() {
        let (mut splitter, mut out) = (LineSplitter::new(100).without_keep_alives(), TextColumn::default());
        splitter.feed(b"\r\na\r\n\n\nb\n", &mut out);
        assert_eq!((out.len(), splitter.counts().keep_alives, splitter.counts().empty), (2, 3, 0));
    }

    #[test]
    fn a_line_that_broke_off_is_counted_and_nothing_of_it_is_left() {
        let (mut splitter, mut out) = (LineSplitter::new(5), TextColumn::default());
        for text in [&b"whole\nhal"[..], b"toolong", b"ok\n"] {
            splitter.feed(text, &mut out);
            splitter.break_off();
        }
        assert_eq!((out.view(0), out.view(1), out.len()), (&b"whole"[..], &b"ok"[..], 2));
        assert_eq!((splitter.counts().truncated, splitter.counts().too_long), (1, 1));
    }

    proptest! {
        #[test]
        fn chunks_make_no_difference(text in prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), Just(0u8), Just(0xff)], 0..200), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20)) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
            at.extend([0, text.len()]);
            at.sort_unstable();
            let chunks: Vec<&[u8]> = at.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
            prop_assert_eq!(split(&chunks, 20), split(&[&text], 20));
        }
    }
}
