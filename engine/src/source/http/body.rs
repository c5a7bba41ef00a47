//! The body of a response out of bytes, however these were cut: chunked, counted, or until the connection closes
//! (RFC 9112, sections 6 and 7).

/// Bytes of the line before a chunk, its size and extensions, that are taken.
const SIZE_LINE_BYTES: usize = 4 << 10;
/// Bytes of the lines after the last chunk that are taken.
const TRAILER_BYTES: usize = 16 << 10;
/// 15 digits: sizes stay within 60 bits.
const SIZE_DIGITS: u32 = 15;

pub(super) enum Body {
    Chunked(Chunked),
    /// How many bytes are still to come.
    Counted(u64),
    UntilClose,
}

impl Body {
    /// Gives the payload in these bytes to `out`, piece by piece. True when the body is complete; bytes after it are ignored.
    ///
    /// # Errors
    /// How the framing is broken.
    pub(super) fn feed<E>(
        &mut self,
        bytes: &[u8],
        out: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<bool, Flaw<E>> {
        match self {
            Body::Chunked(chunked) => chunked.feed(bytes, out),
            Body::Counted(left) => {
                let ours = bytes.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                give(&bytes[..ours], out)?;
                *left -= ours as u64;
                Ok(*left == 0)
            }
            Body::UntilClose => give(bytes, out).map(|()| false),
        }
    }

    /// Is the body complete when the connection closes now?
    pub(super) fn ends_at_close(&self) -> bool {
        matches!(self, Body::UntilClose | Body::Counted(0))
    }
}

/// Why bytes could not be taken.
#[derive(Debug)]
pub(super) enum Flaw<E> {
    /// The framing is broken.
    Framing(String),
    /// The taker does not want more.
    Taker(E),
}

fn give<E>(bytes: &[u8], out: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), Flaw<E>> {
    if bytes.is_empty() { Ok(()) } else { out(bytes).map_err(Flaw::Taker) }
}

/// Where in a chunked body the bytes are.
pub(super) struct Chunked {
    at: At,
}

#[derive(Clone, Copy)]
enum At {
    /// In the digits of a size.
    Size { size: u64, digits: u32 },
    /// In what may follow the digits on their line.
    Extension { size: u64, bytes: usize },
    /// Before the `\n` that ends a size's line.
    SizeEnd { size: u64 },
    /// In the payload.
    Payload { left: u64 },
    /// Before the `\r` after a payload.
    PayloadCr,
    /// Before the `\n` after a payload.
    PayloadLf,
    /// In the lines after the last chunk.
    Trailer { line_bytes: usize, bytes: usize },
    /// Before the `\n` of such a line.
    TrailerLf { line_bytes: usize, bytes: usize },
    /// The body is complete.
    Done,
}

impl Chunked {
    pub(super) fn new() -> Self {
        Chunked { at: At::Size { size: 0, digits: 0 } }
    }

    fn feed<E>(&mut self, mut bytes: &[u8], out: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<bool, Flaw<E>> {
        while let Some(&byte) = bytes.first() {
            match self.at {
                At::Done => return Ok(true),
                At::Payload { left } => {
                    let ours = bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    give(&bytes[..ours], out)?;
                    bytes = &bytes[ours..];
                    let left = left - ours as u64;
                    self.at = if left == 0 { At::PayloadCr } else { At::Payload { left } };
                }
                at => {
                    self.at = step(at, byte).map_err(Flaw::Framing)?;
                    bytes = &bytes[1..];
                }
            }
        }
        Ok(matches!(self.at, At::Done))
    }
}

/// One byte of the framing.
fn step(at: At, byte: u8) -> Result<At, String> {
    Ok(match (at, byte) {
        (At::Size { size, digits }, _) if byte.is_ascii_hexdigit() => {
            if digits == SIZE_DIGITS {
                return Err(format!("the size of a chunk has more than {SIZE_DIGITS} digits"));
            }
            let digit = char::from(byte).to_digit(16).unwrap_or_default();
            At::Size { size: size * 16 + u64::from(digit), digits: digits + 1 }
        }
        (At::Size { digits: 0, .. }, _) => return Err(unexpected("the size of a chunk", byte)),
        (At::Size { size, .. } | At::Extension { size, .. }, b'\r') => At::SizeEnd { size },
        (At::Size { size, .. }, b';' | b' ' | b'\t') => At::Extension { size, bytes: 0 },
        (At::Extension { size, bytes }, _) if byte != b'\n' && bytes < SIZE_LINE_BYTES => {
            At::Extension { size, bytes: bytes + 1 }
        }
        (At::SizeEnd { size: 0 }, b'\n') => At::Trailer { line_bytes: 0, bytes: 0 },
        (At::SizeEnd { size }, b'\n') => At::Payload { left: size },
        (At::PayloadCr, b'\r') => At::PayloadLf,
        (At::PayloadLf, b'\n') => At::Size { size: 0, digits: 0 },
        (At::Trailer { line_bytes, bytes }, b'\r') => At::TrailerLf { line_bytes, bytes },
        (At::Trailer { line_bytes, bytes }, _) if byte != b'\n' && bytes < TRAILER_BYTES => {
            At::Trailer { line_bytes: line_bytes + 1, bytes: bytes + 1 }
        }
        (At::TrailerLf { line_bytes: 0, .. }, b'\n') => At::Done,
        (At::TrailerLf { bytes, .. }, b'\n') => At::Trailer { line_bytes: 0, bytes: bytes + 1 },
        (At::Extension { .. }, _) => return Err(unexpected("the end of the line with a chunk's size", byte)),
        (At::Trailer { .. }, _) => return Err(unexpected("the end of the lines after the last chunk", byte)),
        (At::PayloadCr | At::PayloadLf, _) => return Err(unexpected("the line end after a chunk", byte)),
        _ => return Err(unexpected("a line feed", byte)),
    })
}

fn unexpected(wanted: &str, byte: u8) -> String {
    format!("where {wanted} should be there is byte {byte:#04x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Column, TextColumn};
    use crate::source::LineSplitter;
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// The payload of a body that comes in these pieces, whether it was complete, and what was wrong.
    fn read(mut body: Body, pieces: &[&[u8]]) -> (Vec<u8>, bool, Option<String>) {
        let (mut payload, mut complete) = (Vec::new(), false);
        for piece in pieces {
            let mut take = |bytes: &[u8]| -> Result<(), Infallible> {
                payload.extend_from_slice(bytes);
                Ok(())
            };
            match body.feed(piece, &mut take) {
                Ok(done) => complete |= done,
                Err(Flaw::Framing(problem)) => return (payload, complete, Some(problem)),
            }
        }
        (payload, complete, None)
    }

    fn chunked(pieces: &[&[u8]]) -> (Vec<u8>, bool, Option<String>) {
        read(Body::Chunked(Chunked::new()), pieces)
    }

    #[test]
    fn chunks_with_extensions_and_trailers() {
        let body = b"5;name=\"v\"\r\nhello\r\n1 \r\n \r\n00A\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\nmore";
        assert_eq!(chunked(&[body]), (b"hello 0123456789".to_vec(), true, None));
    }

    #[test]
    fn broken_framing_is_told_with_the_byte() {
        for (body, says) in [
            (&b"xyz"[..], "size of a chunk should be there is byte 0x78"),
            (b"\r\n", "size of a chunk"),
            (b"-1\r\n", "size of a chunk"),
            (b"5\n", "a line feed should be there is byte 0x0a"),
            (b"5\rx", "a line feed"),
            (b"2\r\nabc\r\n", "line end after a chunk"),
            (b"2\r\nab\rx", "line end after a chunk"),
            (b"fffffffffffffffff\r\n", "more than 15 digits"),
            (b"0\r\nX\n", "lines after the last chunk"),
            (b"5;a\nb", "line with a chunk's size"),
        ] {
            let problem = chunked(&[body]).2.unwrap_or_default();
            assert!(problem.contains(says), "{body:?}: {problem}");
        }
        let (endless, trailer) = ([&b"1;"[..], &[b'x'; 5000]].concat(), [&b"0\r\n"[..], &[b'x'; 20_000]].concat());
        assert!(chunked(&[&endless]).2.is_some() && chunked(&[&trailer]).2.is_some());
        let lines = b"a\r\n".repeat(20_000);
        assert!(chunked(&[b"0\r\n", &lines]).2.is_some(), "endless short lines after the last chunk");
    }

    #[test]
    fn counted_and_unbounded_bodies() {
        assert_eq!(read(Body::Counted(5), &[b"abc", b"defg"]), (b"abcde".to_vec(), true, None));
        assert_eq!(read(Body::Counted(9), &[b"abc"]), (b"abc".to_vec(), false, None));
        assert_eq!(read(Body::UntilClose, &[b"abc", b"d"]), (b"abcd".to_vec(), false, None));
    }

    fn pieces<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        at.extend([0, bytes.len()]);
        at.sort_unstable();
        at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }

    /// Lines of a body that comes in pieces, blank ones dropped.
    fn lines(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut body = Body::Chunked(Chunked::new());
        let (mut splitter, mut out) = (LineSplitter::new(1000).without_keep_alives(), TextColumn::default());
        for piece in pieces {
            let mut take = |bytes: &[u8]| -> Result<(), Infallible> {
                splitter.feed(bytes, &mut out);
                Ok(())
            };
            body.feed(piece, &mut take).expect("well framed");
        }
        splitter.end(&mut out);
        (0..out.len()).map(|index| out.view(index).to_vec()).collect()
    }

    proptest! {
        #[test]
        fn cuts_of_chunks_and_of_reads_make_no_difference(
            lines_sent in prop::collection::vec("[a-z{}\": ]{0,12}", 0..12),
            chunk_cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
            read_cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let payload: Vec<u8> = lines_sent.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            let mut body = Vec::new();
            for chunk in pieces(&payload, &chunk_cuts).into_iter().filter(|chunk| !chunk.is_empty()) {
                body.extend([format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat());
            }
            body.extend(b"0\r\n\r\n");
            let expected: Vec<Vec<u8>> =
                lines_sent.iter().filter(|line| !line.is_empty()).map(|line| line.as_bytes().to_vec()).collect();
            prop_assert_eq!(lines(&pieces(&body, &read_cuts)), expected);
        }

        #[test]
        fn any_bytes_end_alike_however_they_are_cut(
            bytes in prop::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'3'), Just(b';'), any::<u8>()], 0..80),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            prop_assert_eq!(chunked(&pieces(&bytes, &cuts)), chunked(&[&bytes]));
        }
    }
}
