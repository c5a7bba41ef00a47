//! The head of a response: its status, and how its body is framed.

use super::body::{Body, Chunked};

/// Bytes of a head that are taken, those of interim responses before it included.
pub(super) const HEAD_BYTES: usize = 16 << 10;
const HEADERS: usize = 100;

pub(super) struct Head {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) body: Body,
}

/// The head at the start of these bytes and its length; `None` when it is not whole yet.
///
/// # Errors
/// What makes it no head, or one whose body cannot be read.
pub(super) fn parse(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("the answer is no HTTP response: {error}")),
    };
    let status = response.code.unwrap_or_default();
    let body = framing(status, response.headers)?;
    Ok(Some((Head { status, reason: response.reason.unwrap_or_default().to_owned(), body }, length)))
}

/// RFC 9112, section 6.3: `Transfer-Encoding` comes before `Content-Length`, and without either the body ends with the
/// connection.
fn framing(status: u16, headers: &[httparse::Header<'_>]) -> Result<Body, String> {
    if matches!(status, 100..200 | 204 | 304) {
        return Ok(Body::Counted(0));
    }
    let values = |name: &str| {
        let of_name = headers.iter().filter(move |header| header.name.eq_ignore_ascii_case(name));
        let lists: Vec<String> = of_name.map(|header| String::from_utf8_lossy(header.value).into_owned()).collect();
        lists.iter().flat_map(|list| list.split(',')).map(|value| value.trim().to_ascii_lowercase()).collect::<Vec<_>>()
    };
    if let Some(encoding) = values("content-encoding").into_iter().find(|encoding| encoding != "identity") {
        return Err(format!("the body is encoded as {encoding:?}, which was not asked for"));
    }
    let transfer = values("transfer-encoding");
    if !transfer.is_empty() {
        let is_chunked = transfer == ["chunked"];
        return if is_chunked {
            Ok(Body::Chunked(Chunked::new()))
        } else {
            Err("the transfer encoding is not chunked".into())
        };
    }
    let lengths = values("content-length");
    let Some(first) = lengths.first() else { return Ok(Body::UntilClose) };
    let is_number = !first.is_empty() && first.bytes().all(|byte| byte.is_ascii_digit());
    match first.parse() {
        Ok(length) if is_number && lengths.iter().all(|other| other == first) => Ok(Body::Counted(length)),
        _ => Err("the content length is no number, or there are several".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<(Head, usize)>, String> {
        parse(text.as_bytes())
    }

    #[test]
    fn status_reason_and_framing() {
        let (found, length) =
            head("HTTP/1.1 503 Too Busy\r\ncontent-length: 7\r\n\r\nrest").expect("a head").expect("whole");
        assert_eq!((found.status, found.reason.as_str(), length), (503, "Too Busy", 44));
        assert!(matches!(found.body, Body::Counted(7)));
        let framing =
            |lines: &str| head(&format!("HTTP/1.1 200 OK\r\n{lines}\r\n")).map(|found| found.expect("whole").0.body);
        assert!(matches!(framing("Transfer-Encoding: Chunked\r\nContent-Length: 3\r\n"), Ok(Body::Chunked(_))));
        assert!(matches!(framing("Content-Length: 3\r\nContent-Length: 3\r\n"), Ok(Body::Counted(3))));
        assert!(matches!(framing(""), Ok(Body::UntilClose)));
        for refused in [
            "Transfer-Encoding: gzip, chunked\r\n",
            "Content-Encoding: gzip\r\n",
            "Content-Length: 3\r\nContent-Length: 4\r\n",
            "Content-Length: -1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 99999999999999999999999\r\n",
        ] {
            assert!(framing(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn what_is_not_whole_or_no_head() {
        assert!(matches!(head("HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None)));
        for garbage in
            ["\x16\x03\x01", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n"]
        {
            assert!(head(garbage).is_err(), "{garbage:?}");
        }
        let many = "A: b\r\n".repeat(HEADERS + 1);
        assert!(head(&format!("HTTP/1.1 200 OK\r\n{many}\r\n")).is_err());
    }
}
