//! What the jobs read of a line of a web server's log.

use memchr::{memchr, memchr2};

/// What stands between the user and the request: `A` is a letter, `0` a digit, `+` a sign, the rest as it is.
const TIME_SHAPE: &[u8; 30] = b"[00/AAA/0000:00:00:00 +0000] \"";

/// Bytes of a time up to its minute: `23/Nov/2026:10:05`.
const MINUTE_BYTES: usize = 17;

/// A request, as the log has it. A line is one if it has, with one space between: visitor, identity and user, none of which is
/// empty or has a space; `[23/Nov/2026:10:05:42 +0000]`; the request in quotes, in which `\` takes the meaning of the byte after
/// it; a status of three digits. Then the line ends, or goes on with a space and anything.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LogLine<'l> {
    pub(super) visitor: &'l [u8],
    /// `23/Nov/2026:10:05`.
    pub(super) minute: &'l [u8],
    pub(super) request: &'l [u8],
    pub(super) status: &'l [u8],
}

/// The request of a line; `None` when it is none.
pub(super) fn log_line(line: &[u8]) -> Option<LogLine<'_>> {
    let (visitor, rest) = token(line)?;
    let (_, rest) = token(rest)?;
    let (_, rest) = token(rest)?;
    let (time, rest) = rest.split_first_chunk::<30>()?;
    if !time.iter().zip(TIME_SHAPE).all(|(byte, shape)| has_shape(*byte, *shape)) {
        return None;
    }
    let (request, rest) = quoted(rest)?;
    let status = rest.strip_prefix(b" ")?.get(..3).filter(|status| status.iter().all(u8::is_ascii_digit))?;
    matches!(rest.get(4), None | Some(b' ')).then(|| LogLine {
        visitor,
        minute: &time[1..=MINUTE_BYTES],
        request,
        status,
    })
}

/// The address of a request without its query: the second of three parts with a space between, none of which is empty.
pub(super) fn path(request: &[u8]) -> Option<&[u8]> {
    let (_, rest) = token(request)?;
    let (url, protocol) = token(rest)?;
    if protocol.is_empty() || memchr(b' ', protocol).is_some() {
        return None;
    }
    let path = &url[..memchr(b'?', url).unwrap_or(url.len())];
    (!path.is_empty()).then_some(path)
}

/// Up to the next space, which must be there, and what follows it.
fn token(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr(b' ', text).filter(|end| *end > 0)?;
    Some((&text[..end], &text[end + 1..]))
}

fn has_shape(byte: u8, shape: u8) -> bool {
    match shape {
        b'0' => byte.is_ascii_digit(),
        b'A' => byte.is_ascii_alphabetic(),
        b'+' => matches!(byte, b'+' | b'-'),
        other => byte == other,
    }
}

/// Up to the quote that closes, and what follows it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut from = 0;
    loop {
        let at = from + memchr2(b'"', b'\\', text.get(from..)?)?;
        if text[at] == b'"' {
            return Some((&text[..at], &text[at + 1..]));
        }
        from = at + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_what_its_definition_says() {
        let line = br#"198.51.100.7 - ann [23/Nov/2026:10:05:42 -0500] "GET /a?q=\"x\" HTTP/1.1" 404 12 "-" "curl""#;
        let parsed = log_line(line).unwrap();
        assert_eq!((parsed.visitor, parsed.status), (&b"198.51.100.7"[..], &b"404"[..]));
        assert_eq!((parsed.minute, path(parsed.request)), (&b"23/Nov/2026:10:05"[..], Some(&b"/a"[..])));
        let whole = b"a b c [01/Jan/2026:00:00:00 +0000] \"\" 200";
        assert!(log_line(whole).is_some_and(|line| line.request.is_empty()));
        for cut in 0..whole.len() {
            assert_eq!(log_line(&whole[..cut]), None, "{cut}");
        }
        for broken in [
            &b"a b c [01/Jan/2026:00:00:00 +0000] \"\" 2000"[..],
            b"a b c [01/Jan/2026:00:00:00 +0000] \"\" 20x",
            b"a b c [01/J4n/2026:00:00:00 +0000] \"\" 200",
            b"a  c [01/Jan/2026:00:00:00 +0000] \"\" 200",
            b" b c [01/Jan/2026:00:00:00 +0000] \"\" 200",
            b"a b c [01/Jan/2026:00:00:00 +0000] \"\\\" 200",
            b"a b c [01/Jan/2026:00:00:00 +0000] \"\\",
            b"",
        ] {
            assert_eq!(log_line(broken), None, "{}", broken.escape_ascii());
        }
    }

    #[test]
    fn a_path_is_the_address_without_its_query() {
        assert_eq!(path(b"GET / HTTP/1.1"), Some(&b"/"[..]));
        assert_eq!(path(b"GET /a?b?c HTTP/1.1"), Some(&b"/a"[..]));
        for none in [&b""[..], b"GET", b"GET /", b"GET / ", b"GET  HTTP/1.1", b"GET / HTTP/1.1 x", b"GET ?q HTTP/1.1"] {
            assert_eq!(path(none), None, "{}", none.escape_ascii());
        }
    }
}
